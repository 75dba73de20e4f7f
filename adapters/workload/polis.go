package workload

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// PolisPost is the post that the conversation's comments are put under.
const PolisPost = "vtaiwan.uberx"

const (
	polisVotes = "polis/vtaiwan.uberx/votes.csv"
	// A conversation has no author, no publication and no levels: these two sources' messages are made up, the second
	// one's only as to the level.
	polisPost     = "synthetic/polis/vtaiwan.uberx"
	polisComments = "synthetic/polis/vtaiwan.uberx/comments.csv"
	polisAuthor   = "synthetic-author"
	polisLevel    = 13
)

var (
	polisVoteHeader    = []string{"timestamp", "datetime", "comment-id", "voter-id", "vote"}
	polisCommentHeader = []string{"timestamp", "datetime", "comment-id", "author-id", "agrees", "disagrees", "moderated",
		"comment-body"}
)

// Polis yields the engagements of the Polis conversation vtaiwan.uberx from its folder with comments.csv and votes.csv:
// a publication, the comments, and the votes, in the order of the files. A message's id is its row's number, the first
// row behind the header being 1. An agree is a like of the comment, a disagree a dislike, a pass a withdrawal. Authors
// and voters are one space of accounts, voter-N, so votes on one's own comment are self-reactions.
//
// The times are the files' own. Neither file is in order of time, but the votes of each voter on each comment are, so
// none is out_of_order. Moderation is left out (moderated comments were voted on all the same), and so are the
// comments' texts. The sequence ends after the first error, which names file and row. A line may be kept.
func Polis(dir string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := polis(dir, func(e *domain.Engagement) bool { return yield(appendEngagement(nil, e), nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped says that nobody wants more.
var errStopped = errors.New("stopped")

func polis(dir string, yield func(*domain.Engagement) bool) error {
	var comments []domain.Engagement
	for row, err := range rows(filepath.Join(dir, "comments.csv"), polisCommentHeader) {
		if err != nil {
			return err
		}
		e, err := polisComment(row)
		if err != nil {
			return err
		}
		comments = append(comments, e)
	}
	if len(comments) == 0 {
		return fmt.Errorf("%s holds no comment", filepath.Join(dir, "comments.csv"))
	}
	first := slices.MinFunc(comments, func(a, b domain.Engagement) int { return a.OccurredAt.Compare(b.OccurredAt) })
	if !yield(polisPublication(first.OccurredAt)) {
		return errStopped
	}
	for i := range comments {
		if !yield(&comments[i]) {
			return errStopped
		}
	}
	for row, err := range rows(filepath.Join(dir, "votes.csv"), polisVoteHeader) {
		if err != nil {
			return err
		}
		e, err := polisVote(row)
		if err != nil {
			return err
		}
		if !yield(&e) {
			return errStopped
		}
	}
	return nil
}

// polisPublication is synthetic: the post is published when its first comment is written.
func polisPublication(at time.Time) *domain.Engagement {
	return &domain.Engagement{
		Type: domain.PostPublished, Message: domain.Message{Source: polisPost, ID: "post"}, OccurredAt: at,
		PostID: PolisPost, AccountID: polisAuthor, Title: "Synthetic post for the Polis conversation " + PolisPost,
		TimeToReadSeconds: 60,
	}
}

func polisComment(r row) (domain.Engagement, error) {
	e := domain.Engagement{Type: domain.CommentAdded, PostID: PolisPost, Level: polisLevel}
	return e, r.read(&e, polisComments)
}

func polisVote(r row) (domain.Engagement, error) {
	var e domain.Engagement
	switch vote := r.fields[4]; vote {
	case "1":
		e.Type = domain.CommentLiked
	case "-1":
		e.Type = domain.CommentDisliked
	case "0":
		e.Type = domain.ReactionWithdrawn
	default:
		return e, r.errorf("%q is no vote", vote)
	}
	return e, r.read(&e, polisVotes)
}

// row is a row of a CSV file.
type row struct {
	file string
	// number counts from 1, without the header.
	number int
	fields []string
}

func (r row) errorf(format string, args ...any) error {
	return fmt.Errorf("%s, row %d: %w", r.file, r.number, fmt.Errorf(format, args...))
}

// read sets what the rows of both files begin with: time, comment, account.
func (r row) read(e *domain.Engagement, source string) error {
	ms, err := strconv.ParseInt(r.fields[0], 10, 64)
	if err != nil {
		return r.errorf("timestamp: %w", err)
	}
	// The files number comments and people; anything else must not get into an identifier.
	for _, field := range r.fields[2:4] {
		if _, err := strconv.ParseUint(field, 10, 64); err != nil {
			return r.errorf("comment or person: %w", err)
		}
	}
	e.Message = domain.Message{Source: source, ID: strconv.Itoa(r.number)}
	e.OccurredAt = time.UnixMilli(ms).UTC()
	e.CommentID, e.AccountID = "comment-"+r.fields[2], "voter-"+r.fields[3]
	return nil
}

// rows yields the rows of a CSV file, which must have that header.
func rows(path string, header []string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer f.Close()
		r := csv.NewReader(f)
		if first, _ := r.Read(); !slices.Equal(first, header) {
			yield(row{}, fmt.Errorf("%s: the header is %q, not %q", path, first, header))
			return
		}
		for n := 1; ; n++ {
			fields, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = fmt.Errorf("%s, row %d: %w", path, n, err)
			}
			if !yield(row{path, n, fields}, err) || err != nil {
				return
			}
		}
	}
}
