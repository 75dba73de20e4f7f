package workload

import (
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// TestPolis holds the outcomes of 49,997 real votes. They are those that counting the rows by hand gives: for each
// voter and comment a first agree or disagree, then whatever changes it.
func TestPolis(t *testing.T) {
	dir := os.Getenv("TWEILEDGER_TEST_DATA")
	if dir == "" {
		t.Skip("TWEILEDGER_TEST_DATA names no folder with polis-vtaiwan.uberx, the real votes: not tested")
	}
	c := record(t, polisLines(t, filepath.Join(dir, "polis-vtaiwan.uberx")))

	const comments, first, switches, withdrawals = 197, 42_927, 11, 4
	want := map[string]int{
		"recorded":        1 + comments + first + switches + withdrawals,
		"already_reacted": 435,
		"no_reaction":     6_620,
	}
	if !maps.Equal(c.results, want) {
		t.Errorf("outcomes %v, want %v", c.results, want)
	}
	if got := c.types[domain.CommentLiked] + c.types[domain.CommentDisliked]; got != first+switches || c.switches != switches {
		t.Errorf("%d reactions, %d of them switches, want %d and %d", got, c.switches, first+switches, switches)
	}
	if got := c.types[domain.ReactionWithdrawn]; got != withdrawals {
		t.Errorf("%d withdrawals, want %d", got, withdrawals)
	}
	// No withdrawal and no switch is among the reactions to one's own comment.
	if !maps.Equal(c.reasons, map[domain.Reason]int{domain.ReasonSelfReaction: 162}) {
		t.Errorf("reasons %v, want 162 self_reaction", c.reasons)
	}
	posts, accounts, _ := c.sums(t)
	if posts[PolisPost] == nil || len(accounts) < 1_000 {
		t.Errorf("sums of %d posts and %d accounts", len(posts), len(accounts))
	}
}

// polisLines yields the lines of a folder that must be right.
func polisLines(t *testing.T, dir string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line, err := range Polis(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(line) {
				return
			}
		}
	}
}

const (
	// someComments are out of order, and one has more than one line.
	someComments = `timestamp,datetime,comment-id,author-id,agrees,disagrees,moderated,comment-body
1435654200000,x,1,8,1,0,0,"two
lines, ""quoted"""
1435654192077,x,0,7,1,0,-1,one
`
	someVotes = `timestamp,datetime,comment-id,voter-id,vote
1435654300000,x,0,7,1
1435654200001,x,1,7,-1
1435654300001,x,1,7,0
1435654300002,x,1,7,0
`
)

// polisFolder writes the two files.
func polisFolder(t *testing.T, comments, votes string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"comments.csv": comments, "votes.csv": votes} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPolisRows(t *testing.T) {
	dir := polisFolder(t, someComments, someVotes)
	var got []string
	for line := range polisLines(t, dir) {
		e := domain.ParseEngagement(line)
		if e.Rejection != nil {
			t.Fatalf("%s: %v", line, e.Rejection)
		}
		got = append(got, strings.Join([]string{e.Source, e.ID, domain.FormatTime(e.OccurredAt), e.Type.String(), e.CommentID, e.AccountID}, " "))
	}
	want := `synthetic/polis/vtaiwan.uberx post 2015-06-30T08:49:52.077Z PostPublished  synthetic-author
synthetic/polis/vtaiwan.uberx/comments.csv 1 2015-06-30T08:50:00Z CommentAdded comment-1 voter-8
synthetic/polis/vtaiwan.uberx/comments.csv 2 2015-06-30T08:49:52.077Z CommentAdded comment-0 voter-7
polis/vtaiwan.uberx/votes.csv 1 2015-06-30T08:51:40Z CommentLiked comment-0 voter-7
polis/vtaiwan.uberx/votes.csv 2 2015-06-30T08:50:00.001Z CommentDisliked comment-1 voter-7
polis/vtaiwan.uberx/votes.csv 3 2015-06-30T08:51:40.001Z ReactionWithdrawn comment-1 voter-7
polis/vtaiwan.uberx/votes.csv 4 2015-06-30T08:51:40.002Z ReactionWithdrawn comment-1 voter-7`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	c := record(t, polisLines(t, dir))
	if !maps.Equal(c.results, map[string]int{"recorded": 6, "no_reaction": 1}) || c.reasons[domain.ReasonSelfReaction] != 1 {
		t.Errorf("outcomes %v, reasons %v", c.results, c.reasons)
	}
}

func TestPolisStops(t *testing.T) {
	dir := polisFolder(t, someComments, someVotes)
	for stop := 1; stop <= 7; stop++ {
		n := 0
		for range Polis(dir) {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d lines where %d were asked for", n, stop)
		}
	}
}

func TestPolisErrors(t *testing.T) {
	tests := []struct{ name, comments, votes, want string }{
		{"another header", strings.Replace(someComments, "author-id", "author", 1), someVotes, "comments.csv: the header is"},
		{"no comment", strings.SplitAfter(someComments, "\n")[0], someVotes, "comments.csv holds no comment"},
		{"an empty file", someComments, "", "votes.csv: the header is"},
		{"no time", someComments, strings.Replace(someVotes, "1435654200001", "noon", 1), "votes.csv, row 2: timestamp: "},
		{"no voter", someComments, strings.Replace(someVotes, "1,7,-1", "1,anna,-1", 1), "votes.csv, row 2: comment or person: "},
		{"no author", strings.Replace(someComments, "0,7,1", "0,bob,1", 1), someVotes, "comments.csv, row 2: comment or person: "},
		{"no vote", someComments, strings.Replace(someVotes, "7,-1", "7,2", 1), `votes.csv, row 2: "2" is no vote`},
		{"a row that is too short", someComments, someVotes + "1,x,1\n", "votes.csv, row 5: "},
		{"an open quote", strings.Replace(someComments, `d"""`, `d`, 1), someVotes, "comments.csv, row 1: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var last error
			for line, err := range Polis(polisFolder(t, test.comments, test.votes)) {
				if last != nil {
					t.Errorf("%s, %v came after the error", line, err)
				}
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), test.want) {
				t.Errorf("got %v, want %s", last, test.want)
			}
		})
	}
	for _, err := range Polis(t.TempDir()) {
		if !os.IsNotExist(err) {
			t.Errorf("without files: %v", err)
		}
	}
}
