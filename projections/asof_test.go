package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// modelScopes are all scopes that the model's courses touch, and some that nothing touches.
func modelScopes() (scopes []domain.Scope) {
	posts, accounts := []string{"", "unknown"}, []string{"", "unknown"}
	for i := range modelPosts {
		posts = append(posts, postID(i))
	}
	for i := range modelAccounts {
		accounts = append(accounts, accountID(i))
	}
	for _, post := range posts {
		for _, account := range accounts {
			scopes = append(scopes, domain.Scope{PostID: post, AccountID: account})
		}
	}
	return scopes
}

// asOf returns the events that count as of a size or a time, at their places; others are nil.
func (n naive) asOf(a projections.AsOf) naive {
	counted := slices.Clone(n)
	for i, e := range counted {
		if a.Sized && uint64(i) >= a.Size || !a.At.IsZero() && e.OccurredAt.After(a.At) {
			counted[i] = nil
		}
	}
	return counted
}

// statementAsOf returns nil for a post that nobody published by the size.
func (n naive) statementAsOf(scope domain.Scope, a projections.AsOf) *domain.Statement {
	bySize := projections.AsOf{Size: a.Size, Sized: a.Sized}
	if scope.PostID != "" && !n.asOf(bySize).published(scope.PostID) {
		return nil
	}
	s := n.asOf(a).add(scope)
	if a.Sized {
		s.Size = a.Size
	}
	s.AsOf = a.At
	return s
}

// course records a random course of events, of which some occurred long before others that stand before them, with
// small blocks and nodes.
func course(t *testing.T, rt *rapid.T) (*logtest.Memory, naive, *projections.Snapshot) {
	projections.SetSizes(t, rapid.IntRange(1, 5).Draw(rt, "recent"), rapid.IntRange(1, 4).Draw(rt, "leaf"))
	log := logtest.NewMemory(logtest.MemoryOptions{})
	w := newWorld(t, log)
	w.late = func() time.Duration {
		return time.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, int64(100*24*time.Hour)),
			rapid.Int64Range(0, int64(2*time.Second)), rapid.Int64Range(0, 3)).Draw(rt, "late"))
	}
	play(rt, w)
	s := folded(t, projections.NewMemoryStore(t), log).Snapshot()
	t.Cleanup(func() { s.Close() })
	return log, decodeAll(t, log), s
}

// TestAsOf holds statements as of random sizes and times against naive folds (DESIGN section 6).
func TestAsOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		scopes := modelScopes()
		for range 50 {
			var a projections.AsOf
			if rapid.Bool().Draw(rt, "sized") {
				a.Size, a.Sized = rapid.Uint64Range(0, uint64(len(events))).Draw(rt, "size"), true
			}
			if rapid.Bool().Draw(rt, "timed") {
				e := events[rapid.IntRange(0, len(events)-1).Draw(rt, "event")]
				a.At = e.OccurredAt.Add(time.Duration(rapid.Int64Range(-1, 1).Draw(rt, "beside")))
			}
			checkAsOf(t, s, events, rapid.SampledFrom(scopes).Draw(rt, "scope"), a)
		}
	})
}

func checkAsOf(t *testing.T, s *projections.Snapshot, events naive, scope domain.Scope, a projections.AsOf) {
	t.Helper()
	want := events.statementAsOf(scope, a)
	got, err := s.Statement(context.Background(), scope, a)
	if want == nil {
		if !errors.Is(err, projections.ErrUnknownPost) {
			t.Errorf("%+v as of %+v: %v, %v where the post is unknown", scope, a, got, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%+v as of %+v: %v", scope, a, err)
		return
	}
	gotText, err1 := got.AppendJSON(nil)
	wantText, err2 := want.AppendJSON(nil)
	if err1 != nil || err2 != nil || string(gotText) != string(wantText) {
		t.Errorf("%+v as of %+v:\n got %s %v\nwant %s %v", scope, a, gotText, err1, wantText, err2)
	}
}

func TestAsOfBeyondTheEnd(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	s := folded(t, projections.NewMemoryStore(t), w.log).Snapshot()
	defer s.Close()
	beyond := projections.AsOf{Size: s.Size() + 1, Sized: true}
	if _, err := s.Statement(context.Background(), domain.Scope{}, beyond); !errors.Is(err, projections.ErrNotFolded) {
		t.Errorf("a statement: %v", err)
	}
	if _, _, err := s.Post(postID(0), beyond); !errors.Is(err, projections.ErrNotFolded) {
		t.Errorf("a post: %v", err)
	}
	for _, err := range s.Balances(beyond) {
		if !errors.Is(err, projections.ErrNotFolded) {
			t.Errorf("balances: %v", err)
		}
	}
}

// TestJournal: pages of a journal have every event that touched the scope, in order, once, and filters leave out just
// what they say.
func TestJournal(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		for _, scope := range modelScopes() {
			if scope.PostID != "" && !events.published(scope.PostID) {
				continue
			}
			q := projections.JournalQuery{Scope: scope, Newest: rapid.Bool().Draw(rt, "newest")}
			q.Line = domain.Line(rapid.IntRange(0, domain.LineCount).Draw(rt, "line"))
			if rapid.Bool().Draw(rt, "from") {
				q.From = events[rapid.IntRange(0, len(events)-1).Draw(rt, "first")].OccurredAt
			}
			if rapid.Bool().Draw(rt, "to") {
				q.To = events[rapid.IntRange(0, len(events)-1).Draw(rt, "last")].OccurredAt
			}
			if rapid.Bool().Draw(rt, "sized") {
				q.Size = rapid.Uint64Range(0, uint64(len(events))+1).Draw(rt, "size")
			}
			q.Limit = rapid.IntRange(1, 7).Draw(rt, "limit")
			if got, want := journal(t, s, q), events.journal(q); !slices.Equal(got, want) {
				t.Errorf("%+v: %v, not %v", q, got, want)
			}
		}
	})
}

func journal(t *testing.T, s *projections.Snapshot, q projections.JournalQuery) (indexes []uint64) {
	t.Helper()
	for {
		events, next, err := s.Journal(q)
		if err != nil || len(events) > q.Limit {
			t.Fatalf("%+v: %d events, %v", q, len(events), err)
		}
		for _, e := range events {
			indexes = append(indexes, e.Index)
		}
		if q.Cursor = next; next == "" {
			return indexes
		}
	}
}

func (n naive) journal(q projections.JournalQuery) (indexes []uint64) {
	for i, e := range n {
		if q.Size > 0 && uint64(i) >= q.Size {
			break
		}
		// A time to read touches all accounts under a post, but is in no journal of theirs.
		own := touches(e, q.Scope) && (q.Scope.PostID == "" || q.Scope.AccountID == "" || touches(e, domain.Scope{AccountID: q.Scope.AccountID}))
		moved := slices.ContainsFunc(e.Postings, func(p domain.Posting) bool {
			entries, n := p.Entries()
			return slices.ContainsFunc(entries[:n], func(entry domain.Entry) bool {
				return entry.Line == q.Line && (q.Scope.AccountID == "" || q.Scope.AccountID == entry.Account)
			})
		})
		if own && (q.Line == 0 || moved) && !e.OccurredAt.Before(q.From) && (q.To.IsZero() || e.OccurredAt.Before(q.To)) {
			indexes = append(indexes, uint64(i))
		}
	}
	if q.Newest {
		slices.Reverse(indexes)
	}
	return indexes
}

// TestHistory: a history has each hour or day in which something occurred, with the statement as of its end, and the
// changes lead from one to the next.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		for _, scope := range modelScopes() {
			if scope.PostID != "" && !events.published(scope.PostID) {
				continue
			}
			q := projections.HistoryQuery{Scope: scope, Days: rapid.Bool().Draw(rt, "days")}
			q.Limit = rapid.IntRange(1, 5).Draw(rt, "limit")
			if rapid.Bool().Draw(rt, "from") {
				q.From = events[rapid.IntRange(0, len(events)-1).Draw(rt, "first")].OccurredAt
			}
			if rapid.Bool().Draw(rt, "to") {
				q.To = events[rapid.IntRange(0, len(events)-1).Draw(rt, "last")].OccurredAt
			}
			checkHistory(t, s, events, q)
		}
	})
}

func checkHistory(t *testing.T, s *projections.Snapshot, events naive, q projections.HistoryQuery) {
	t.Helper()
	length := time.Hour
	if q.Days {
		length = 24 * time.Hour
	}
	var got, want []time.Time
	for page := q; ; {
		intervals, next, err := s.History(page)
		if err != nil || len(intervals) > q.Limit {
			t.Fatalf("%+v: %d intervals, %v", page, len(intervals), err)
		}
		for _, in := range intervals {
			got = append(got, in.Start)
			checkInterval(t, s, events, q.Scope, &in, length)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	everything := projections.JournalQuery{Scope: q.Scope}
	for _, i := range events.journal(everything) {
		start := events[i].OccurredAt.Truncate(length)
		if !start.Before(q.From) && (q.To.IsZero() || start.Before(q.To)) {
			want = append(want, start)
		}
	}
	slices.SortFunc(want, time.Time.Compare)
	if want = slices.Compact(want); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v: %v, not %v", q, got, want)
	}
}

func checkInterval(t *testing.T, s *projections.Snapshot, events naive, scope domain.Scope, in *projections.Interval, length time.Duration) {
	t.Helper()
	end := in.Start.Add(length - 1)
	want := events.statementAsOf(scope, projections.AsOf{At: end})
	gotText, err1 := in.Statement.AppendJSON(nil)
	wantText, err2 := want.AppendJSON(nil)
	if err1 != nil || err2 != nil || string(gotText) != string(wantText) {
		t.Errorf("%+v by %s:\n got %s %v\nwant %s %v", scope, end, gotText, err1, wantText, err2)
	}
	before := events.statementAsOf(scope, projections.AsOf{At: in.Start.Add(-1)})
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if sum, err := before.Sums.Of(l).Add(in.Change.Sums.Of(l)); err != nil || sum != want.Sums.Of(l) {
			t.Errorf("%+v in %s: line %s changes by %s from %s to %s", scope, in.Start, l, in.Change.Sums.Of(l), before.Sums.Of(l), want.Sums.Of(l))
		}
	}
	if got, want := before.Counts.Likes+uint64(in.Change.Counts.Likes), want.Counts.Likes; got != want {
		t.Errorf("%+v in %s: likes change to %d, not %d", scope, in.Start, got, want)
	}
}

// TestVersionsAreMissing: a post whose versions are not all there is damaged, whatever is asked of it as of then.
func TestVersionsAreMissing(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	views := folded(t, store, w.log)
	store.Lose("v" + postID(0))
	s := views.Snapshot()
	defer s.Close()
	pair := domain.Scope{PostID: postID(0), AccountID: accountID(0)}
	for _, a := range []projections.AsOf{{Size: s.Size(), Sized: true}, {At: w.now}} {
		if got, err := s.Statement(t.Context(), pair, a); !errors.Is(err, projections.ErrDamaged) {
			t.Errorf("a statement as of %+v: %+v, %v", a, got, err)
		}
		if got, _, err := s.Post(postID(0), a); !errors.Is(err, projections.ErrDamaged) {
			t.Errorf("the post as of %+v: %+v, %v", a, got, err)
		}
	}
	_, _, err := s.History(projections.HistoryQuery{Scope: pair, Page: projections.Page{Limit: 10}})
	if !errors.Is(err, projections.ErrDamaged) {
		t.Errorf("the history: %v", err)
	}
	if _, err := s.Statement(t.Context(), pair, projections.AsOf{}); err != nil {
		t.Errorf("what is now needs no versions: %v", err)
	}
}

// TestAsOfBothEndsWithItsReader: what may read a whole journal ends when nobody waits for it.
func TestAsOfBothEndsWithItsReader(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	s := folded(t, projections.NewMemoryStore(t), w.log).Snapshot()
	defer s.Close()
	gone, leave := context.WithCancel(t.Context())
	leave()
	both := projections.AsOf{Size: s.Size(), Sized: true, At: w.now}
	if got, err := s.Statement(gone, domain.Scope{}, both); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", got, err)
	}
}
