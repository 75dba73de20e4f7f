package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// pages collects a list page by page.
func pages[T any](t *testing.T, limit int, list func(projections.Page) ([]T, string, error)) (all []T) {
	t.Helper()
	for p := (projections.Page{Limit: limit}); ; {
		page, next, err := list(p)
		if err != nil || len(page) > limit || next != "" && len(page) < limit {
			t.Fatalf("page %+v: %d of %d, next %q, %v", p, len(page), limit, next, err)
		}
		all = append(all, page...)
		if p.Cursor = next; next == "" {
			return all
		}
	}
}

// seen returns the posts and accounts in the order in which the log names them first.
func (n naive) seen() (posts, accounts []string) {
	add := func(to *[]string, id string) {
		if id != "" && !slices.Contains(*to, id) {
			*to = append(*to, id)
		}
	}
	for _, e := range n {
		if e.Type == domain.PostPublished {
			add(&posts, e.PostID)
		}
		add(&accounts, e.AccountID)
		if e.Type == domain.CommentRemoved {
			add(&accounts, e.Commenter)
		}
		for _, p := range e.Postings {
			entries, k := p.Entries()
			for _, entry := range entries[:k] {
				add(&accounts, entry.Account)
			}
		}
	}
	return posts, accounts
}

// amountBy returns the amount of a statement by which a list is sorted.
func amountBy(t *testing.T, s *domain.Statement, by projections.Sort) domain.Twei {
	t.Helper()
	profit, loss, total, err := s.Sums.Subtotals()
	if err != nil {
		t.Fatal(err)
	}
	switch by {
	case projections.ByProfit:
		return profit
	case projections.ByLoss:
		return loss
	case projections.ByBalance:
		total, err = s.Balance()
	}
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// TestLists holds the lists of posts and accounts against naive statements, sorted.
func TestLists(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		posts, accounts := events.seen()
		limit := rapid.IntRange(1, 4).Draw(rt, "limit")
		for _, ascending := range []bool{false, true} {
			for _, by := range []projections.Sort{projections.ByTotal, projections.ByProfit, projections.ByLoss} {
				got := pages(t, limit, func(p projections.Page) ([]projections.PostStatement, string, error) {
					return s.Posts(by, ascending, p)
				})
				var ids []string
				for _, p := range got {
					ids = append(ids, p.PostID)
					checkListed(t, events, domain.Scope{PostID: p.PostID}, p.Statement)
				}
				want := sorted(t, events, posts, by, ascending, func(id string) domain.Scope { return domain.Scope{PostID: id} })
				if !slices.Equal(ids, want) {
					t.Errorf("posts by %d, ascending %v: %v, not %v", by, ascending, ids, want)
				}
			}
			for _, by := range []projections.Sort{projections.ByTotal, projections.ByProfit, projections.ByBalance} {
				got := pages(t, limit, func(p projections.Page) ([]*domain.Statement, string, error) { return s.Accounts(by, ascending, p) })
				var ids []string
				for _, a := range got {
					ids = append(ids, a.Scope.AccountID)
					checkListed(t, events, a.Scope, a)
				}
				want := sorted(t, events, accounts, by, ascending, func(id string) domain.Scope { return domain.Scope{AccountID: id} })
				if !slices.Equal(ids, want) {
					t.Errorf("accounts by %d, ascending %v: %v, not %v", by, ascending, ids, want)
				}
			}
			checkPublications(t, s, events, limit, ascending)
		}
		checkAccountPosts(t, s, events, posts, accounts, limit)
	})
}

// sorted sorts ids that are in the order of the log by an amount.
func sorted(t *testing.T, events naive, ids []string, by projections.Sort, ascending bool, scope func(string) domain.Scope) []string {
	t.Helper()
	amounts := map[string]domain.Twei{}
	for _, id := range ids {
		amounts[id] = amountBy(t, events.statement(scope(id)), by)
	}
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b string) int {
		if ascending {
			a, b = b, a
		}
		return amounts[b].Cmp(amounts[a])
	})
	return ids
}

func checkListed(t *testing.T, events naive, scope domain.Scope, got *domain.Statement) {
	t.Helper()
	if want := events.statement(scope); fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *want) && got.Reading == nil {
		t.Errorf("%+v is listed as %+v, not %+v", scope, got, want)
	}
}

func checkPublications(t *testing.T, s *projections.Snapshot, events naive, limit int, ascending bool) {
	t.Helper()
	got := pages(t, limit, func(p projections.Page) ([]projections.PostStatement, string, error) {
		return s.Posts(projections.ByPublication, ascending, p)
	})
	published := slices.DeleteFunc(slices.Clone(events), func(e *domain.Event) bool { return e.Type != domain.PostPublished })
	slices.SortStableFunc(published, func(a, b *domain.Event) int { return a.OccurredAt.Compare(b.OccurredAt) })
	if !ascending {
		slices.Reverse(published)
	}
	if len(got) != len(published) {
		t.Fatalf("%d of %d posts by publication", len(got), len(published))
	}
	for i, e := range published {
		if got[i].PostID != e.PostID || !got[i].PublishedAt.Equal(e.OccurredAt) {
			t.Errorf("by publication, ascending %v, place %d: %+v, not %s at %s", ascending, i, got[i].Post, e.PostID, e.OccurredAt)
		}
	}
}

func checkAccountPosts(t *testing.T, s *projections.Snapshot, events naive, posts, accounts []string, limit int) {
	t.Helper()
	for _, account := range append(accounts, "unknown") {
		var want []string
		for _, post := range slices.Sorted(slices.Values(posts)) {
			touched := projections.JournalQuery{Scope: domain.Scope{PostID: post, AccountID: account}}
			if len(events.journal(touched)) > 0 {
				want = append(want, post)
			}
		}
		var got []string
		for _, p := range pages(t, limit, func(p projections.Page) ([]projections.PostStatement, string, error) {
			return s.AccountPosts(account, p)
		}) {
			got = append(got, p.PostID)
			checkListed(t, events, domain.Scope{PostID: p.PostID, AccountID: account}, p.Statement)
		}
		if !slices.Equal(got, want) {
			t.Errorf("posts of %s: %v, not %v", account, got, want)
		}
	}
}

// TestBalances: the balances as of each size are those of naive statements, by account id, and the opposite of the
// treasury.
func TestBalances(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		size := rapid.Uint64Range(0, uint64(len(events))).Draw(rt, "size")
		_, accounts := events[:size].seen()
		slices.Sort(accounts)
		var got []string
		var all domain.Twei
		for statement, err := range s.Balances(projections.AsOf{Size: size, Sized: true}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, statement.Scope.AccountID)
			balance, want := amountBy(t, statement, projections.ByBalance), amountBy(t, events[:size].statement(statement.Scope), projections.ByBalance)
			if balance != want || statement.Size != size {
				t.Errorf("%+v has %s as of %d, not %s as of %d", statement.Scope, balance, statement.Size, want, size)
			}
			all, _ = all.Add(balance)
		}
		if !slices.Equal(got, accounts) {
			t.Errorf("as of %d: %v, not %v", size, got, accounts)
		}
		platform, err := s.Statement(context.Background(), domain.Scope{}, projections.AsOf{Size: size, Sized: true})
		if err != nil || amountBy(t, platform, projections.ByBalance) != all {
			t.Errorf("as of %d all balances are %s, the platform's %+v, %v", size, all, platform, err)
		}
	})
}

// TestComments holds each comment against the events that are about it.
func TestComments(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		posts, _ := events.seen()
		for _, post := range posts {
			got := pages(t, rapid.IntRange(1, 3).Draw(rt, "limit"), func(p projections.Page) ([]projections.Comment, string, error) {
				return s.Comments(post, p)
			})
			want := events.comments(t, post)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("comments of %s:\n got %+v\nwant %+v", post, got, want)
			}
		}
		if _, _, err := s.Comments("unknown", projections.Page{Limit: 1}); !errors.Is(err, projections.ErrUnknownPost) {
			t.Errorf("comments of an unknown post: %v", err)
		}
	})
}

func (n naive) comments(t *testing.T, post string) (comments []projections.Comment) {
	for _, added := range n {
		if added.Type != domain.CommentAdded || added.PostID != post {
			continue
		}
		c := projections.Comment{CommentID: added.CommentID, Commenter: added.Commenter, Level: added.Level,
			OccurredAt: added.OccurredAt, RecordedAt: added.RecordedAt}
		for _, e := range n {
			kind, subject, _, _ := e.Stream.Parse()
			if subject != c.CommentID || kind != domain.KindComment && kind != domain.KindCommentReaction {
				continue
			}
			if e.Type == domain.CommentRemoved {
				c.RemovedAt = e.OccurredAt
			}
			n.addToComment(t, &c, e)
		}
		comments = append(comments, c)
	}
	return comments
}

func (n naive) addToComment(t *testing.T, c *projections.Comment, e *domain.Event) {
	ended := slices.ContainsFunc(n, func(w *domain.Event) bool { return w.Type == domain.ReactionWithdrawn && w.Withdraws == e.ID })
	switch {
	case e.Type == domain.CommentLiked && !ended:
		c.Likes++
	case e.Type == domain.CommentDisliked && !ended:
		c.Dislikes++
	}
	for _, p := range e.Postings {
		entries, k := p.Entries()
		for _, entry := range entries[:k] {
			if err := c.Sums.Add(entry.Line, entry.Change); err != nil {
				t.Fatal(err)
			}
			if entry.Account != c.Commenter {
				continue
			}
			earn := domain.Twei.Add
			if entry.Line.Side() == domain.LossSide {
				earn = domain.Twei.Sub
			}
			var err error
			if c.Earned, err = earn(c.Earned, entry.Change); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLinks: what takes postings back and what it takes back name each other, in pairs, and add up to nothing.
func TestLinks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		var none domain.EventID
		byID := map[domain.EventID]*domain.Event{}
		for _, e := range events {
			byID[e.ID] = e
		}
		for i, e := range events {
			l, err := s.Links(e)
			if err != nil {
				t.Fatalf("event %d: %v", i, err)
			}
			if len(e.Postings) == 0 {
				if l != (projections.Links{}) {
					t.Errorf("event %d moved nothing and is linked: %+v", i, l)
				}
				continue
			}
			if takesBack := e.Postings[0].Reversal; takesBack != (l.TakesBack != none) || takesBack && l.TakenBackBy != none {
				t.Errorf("event %d, a %s: %+v", i, e.Type, l)
			}
			if by := byID[l.TakenBackBy]; l.TakenBackBy != none {
				back, err := s.Links(by)
				if err != nil || back.TakesBack != e.ID {
					t.Errorf("event %d is taken back by %s, which takes back %s, %v", i, by.ID, back.TakesBack, err)
				}
				checkOpposite(t, e, by)
			}
			if good := byID[l.MadeGoodBy]; l.MadeGoodBy != none && good.Reinstates != e.ID {
				t.Errorf("event %d is made good by %s, which is about %s", i, good.ID, good.Reinstates)
			}
		}
		checkStanding(t, s, events)
	})
}

func checkOpposite(t *testing.T, made, taken *domain.Event) {
	t.Helper()
	for i, p := range made.Postings {
		if i >= len(taken.Postings) || taken.Postings[i] != p.Reversed() {
			t.Errorf("%+v is taken back by %+v", made.Postings, taken.Postings)
		}
	}
}

// checkStanding: what no event took back adds up to the platform's statement.
func checkStanding(t *testing.T, s *projections.Snapshot, events naive) {
	t.Helper()
	var standing domain.Sums
	for _, e := range events {
		l, err := s.Links(e)
		if err != nil {
			t.Fatal(err)
		}
		if none := (domain.EventID{}); l.TakenBackBy != none || l.TakesBack != none {
			continue
		}
		for _, p := range e.Postings {
			entries, k := p.Entries()
			for _, entry := range entries[:k] {
				if err := standing.Add(entry.Line, entry.Change); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if want := events.statement(domain.Scope{}).Sums; standing != want {
		t.Errorf("what stands adds up to %v, the platform has %v", standing, want)
	}
}
