package workload

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

func TestGenerateIsTheSameAgain(t *testing.T) {
	o := Options{Posts: 20, Accounts: 100, Engagements: 2_000, Seed: 7}
	first := slices.Collect(Generate(o))
	if len(first) != 2_020 {
		t.Fatalf("%d lines, want the posts and the engagements", len(first))
	}
	again := Generate(o)
	for range 2 {
		if !equalLines(first, slices.Collect(again)) {
			t.Error("the same options gave other bytes")
		}
	}
	o.Seed = 8
	if equalLines(first, slices.Collect(Generate(o))) {
		t.Error("another seed gave the same bytes")
	}
}

func equalLines(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// TestGenerateGolden holds one sequence, which every machine must make.
func TestGenerateGolden(t *testing.T) {
	const (
		posts = `{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"synthetic/generated/1","id":"post-0","time":"2026-01-01T00:00:00Z","data":{"post_id":"post-0","account_id":"account-6","title":"Synthetic post-0","time_to_read_seconds":397}}
{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"synthetic/generated/1","id":"post-1","time":"2026-01-01T00:30:00Z","data":{"post_id":"post-1","account_id":"account-4","title":"Synthetic post-1","time_to_read_seconds":310}}
`
		all = "c0d876268765c25bfc1b051c4f2cb146af60c7d218606015001e80ab1dcfbb7b"
	)
	lines := slices.Collect(Generate(Options{Posts: 2, Accounts: 30, Engagements: 10_000, Seed: 1}))
	text := append(bytes.Join(lines, []byte("\n")), '\n')
	if !bytes.HasPrefix(text, []byte(posts)) {
		t.Errorf("it begins with\n%s\nwant\n%s", text[:len(posts)], posts)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(text)); sum != all {
		t.Errorf("the SHA-256 of all lines is %s, want %s", sum, all)
	}
}

func TestGenerateOutcomes(t *testing.T) {
	const posts, engagements = 50, 40_000
	o := Options{Posts: posts, Accounts: 2_000, Engagements: engagements, Seed: 1}
	c := record(t, Generate(o))
	c.sums(t)
	if len(c.results) != 2 || c.results["recorded"]+c.results["duplicate"] != posts+engagements {
		t.Errorf("%v, want only recorded and duplicate", c.results)
	}
	near(t, "repeats", c.results["duplicate"], engagements, 0.025)
	near(t, "switches", c.switches, engagements, 0.025)
	recorded := c.results["recorded"] - posts
	near(t, "reads", c.types[domain.PostRead], recorded, 0.5)
	near(t, "reactions to posts", c.types[domain.PostLiked]+c.types[domain.PostDisliked], recorded, 0.25)
	near(t, "reactions to comments", c.types[domain.CommentLiked]+c.types[domain.CommentDisliked], recorded, 0.2)
	near(t, "comments", c.types[domain.CommentAdded], recorded, 0.05)
	near(t, "reads that are too short", c.reasons[domain.ReasonTooShort], c.types[domain.PostRead], 0.15)
	near(t, "reads that are rewarded", c.types[domain.PostRead]-c.reasons[domain.ReasonTooShort]-
		c.reasons[domain.ReasonAlreadyRewarded]-c.reasons[domain.ReasonOwnPost], c.types[domain.PostRead], 0.76)
	if c.types[domain.PostPublished] != posts {
		t.Errorf("%d posts", c.types[domain.PostPublished])
	}
}

// near holds that n of total is the share within two percent of the total.
func near(t *testing.T, what string, n, total int, share float64) {
	t.Helper()
	got := float64(n) / float64(total)
	if math.Abs(got-share) > min(0.02, share/5) {
		t.Errorf("%s: %d of %d, a share of %.4f where it should be %.4f", what, n, total, got, share)
	}
}

// TestGenerateSmall holds that little room takes reactions away, and rejects nothing.
func TestGenerateSmall(t *testing.T) {
	for _, o := range []Options{
		{Posts: 1, Accounts: 1, Engagements: 300},
		{Posts: 1, Accounts: 9, Engagements: 3_000},
		{Posts: 3, Accounts: 11, Engagements: 3_000},
		{Posts: 7, Accounts: 3, Engagements: 0},
	} {
		for o.Seed = range 3 {
			c := record(t, Generate(o))
			if c.results["recorded"]+c.results["duplicate"] != o.Posts+o.Engagements {
				t.Errorf("%+v came to %v", o, c.results)
			}
		}
	}
}

func TestGenerateOrder(t *testing.T) {
	start := time.Date(2025, time.June, 1, 12, 0, 0, 5_000_001, time.FixedZone("", 3600))
	const posts, engagements = 100, 20_000
	perPost, perAccount := map[string]int{}, map[string]int{}
	seen := map[string]bool{}
	n, begin, newest := 0, start.Truncate(time.Millisecond), time.Time{}
	for line := range Generate(Options{Posts: posts, Accounts: 10_000, Engagements: engagements, Start: start}) {
		r := domain.ParseEngagement(line)
		if r.Rejection != nil {
			t.Fatalf("%s: %v", line, r.Rejection)
		}
		if (r.Type == domain.PostPublished) != (n < posts) {
			t.Fatalf("line %d is %s: the posts come first", n, r.Type)
		}
		n++
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		if r.OccurredAt.Before(newest) || r.OccurredAt.Before(begin) || !r.OccurredAt.Before(begin.Add(30*24*time.Hour)) {
			t.Fatalf("%s is out of order, or of the 30 days", line)
		}
		newest = r.OccurredAt
		perPost[r.PostID]++
		perAccount[r.AccountID]++
	}
	if newest.Sub(begin) < 29*24*time.Hour {
		t.Errorf("the last is of %s: not spread over 30 days", newest)
	}
	if top, bottom := perPost["post-0"], perPost["post-99"]; top < 5*bottom {
		t.Errorf("post-0 has %d engagements, post-99 %d: no post is popular", top, bottom)
	}
	regulars := 0
	for account, n := range perAccount {
		if len(account) <= len("account-999") {
			regulars += n
		}
	}
	near(t, "engagements of the regulars", regulars, len(seen), 0.5)
}

func TestGenerateStops(t *testing.T) {
	for stop := range 4 {
		n := 0
		for range Generate(Options{Posts: 2, Engagements: 5}) {
			if n++; n > stop {
				break
			}
		}
	}
	next, done := iter.Pull(Generate(Options{}))
	defer done()
	for n := range DefaultPosts + 1 {
		if _, ok := next(); ok != (n < DefaultPosts) {
			t.Fatalf("line %d: %t, want the default number of posts and nothing else", n, ok)
		}
	}
}

// TestCrowdMeetsEverybodyOnce holds what makes a reaction by the next visitor always a first one.
func TestCrowdMeetsEverybodyOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, accounts := range []uint64{1, 2, 9, 10, 11, 97, 100, 1_000} {
		c := newCrowd(rng, accounts)
		for range 20 {
			start, seen := rng.Uint32(), map[uint64]bool{}
			for k := range accounts {
				seen[c.visitor(start, k)] = true
			}
			if uint64(len(seen)) != accounts {
				t.Errorf("%d visitors of %d accounts", len(seen), accounts)
			}
			for account := range seen {
				if account >= accounts {
					t.Errorf("account %d of %d", account, accounts)
				}
			}
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	size := 0
	for line := range Generate(Options{Engagements: b.N, Seed: 1}) {
		size += len(line)
	}
	b.SetBytes(int64(size / b.N))
}
