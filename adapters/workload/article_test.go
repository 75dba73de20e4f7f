package workload

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

func TestArticleIsAllRecorded(t *testing.T) {
	c := record(t, slices.Values(Article()))
	if len(c.results) != 1 || c.results["recorded"] != len(articleActs) {
		t.Errorf("%d engagements came to %v", len(articleActs), c.results)
	}
	if c.switches != 1 || c.types[domain.CommentAdded] != 5 {
		t.Errorf("%d switches and %d comments, want 1 and 5", c.switches, c.types[domain.CommentAdded])
	}
}

func TestArticleLines(t *testing.T) {
	posts, accounts, _ := record(t, slices.Values(Article())).sums(t)
	post, reader := posts[ArticlePost], accounts[ArticleReader]
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if sold := l == domain.PnLReports; post.Of(l).IsZero() != sold {
			t.Errorf("the post's %s is %s", l.Label(), post.Of(l))
		}
	}
	for _, l := range []domain.Line{domain.EarnedForPluses, domain.CommentRewards, domain.LikesOwn, domain.LikesCommenter,
		domain.CommentTributes, domain.DislikesOwn, domain.DislikesCommenter, domain.ReadToEarn} {
		if reader.Of(l).IsZero() {
			t.Errorf("the reader's %s is 0", l.Label())
		}
	}
}

func TestArticleAsSent(t *testing.T) {
	lines := Article()
	for i, line := range Article() {
		if !bytes.Equal(line, lines[i]) {
			t.Errorf("line %d differs the second time", i+1)
		}
	}
	commenters := map[string]bool{}
	day := time.Date(2026, time.January, 29, 0, 0, 0, 0, time.UTC)
	var before time.Time
	for i, r := range domain.ParseEngagements(lines) {
		if r.Rejection != nil {
			t.Fatalf("line %d: %v", i+1, r.Rejection)
		}
		if !r.OccurredAt.Truncate(24*time.Hour).Equal(day) || r.OccurredAt.Before(before) {
			t.Errorf("line %d occurs at %s, not on 29 January 2026 in order", i+1, r.OccurredAt)
		}
		before = r.OccurredAt
		switch r.Type {
		case domain.PostPublished:
			if r.Title != ArticleTitle || r.PostID != ArticlePost {
				t.Errorf("published %s %q", r.PostID, r.Title)
			}
		case domain.CommentAdded:
			commenters[r.AccountID] = true
			if r.Level < domain.DefaultTariff().CommentMinLevel {
				t.Errorf("%s comments at level %d", r.AccountID, r.Level)
			}
		}
	}
	for _, name := range []string{"raphael", "donatello", "michelangelo", "comandante", "muchacha"} {
		if !commenters[name] {
			t.Errorf("%s has no comment", name)
		}
	}
}
