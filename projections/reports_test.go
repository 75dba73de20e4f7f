package projections_test

import (
	"bytes"
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

// reports returns the reports that an account bought, the newest first.
func (n naive) reports(t *testing.T, account string) (bought []projections.Report) {
	for i, e := range n {
		if e.Type != domain.PnLReportIssued || e.AccountID != account {
			continue
		}
		price, err := e.ReportPrice()
		if err != nil {
			t.Fatal(err)
		}
		bought = append(bought, projections.Report{ReportID: e.ReportID, PostID: e.PostID, Size: e.Size, Index: uint64(i),
			Price: price, IssuedAt: e.OccurredAt})
	}
	slices.Reverse(bought)
	return bought
}

// TestReports holds the lists of reports against the log.
func TestReports(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, events, s := course(t, rt)
		limit := rapid.IntRange(1, 4).Draw(rt, "limit")
		accounts := []string{"", "unknown"}
		for i := range modelAccounts {
			accounts = append(accounts, accountID(i))
		}
		for _, account := range accounts {
			got := pages(t, limit, func(p projections.Page) ([]projections.Report, string, error) { return s.Reports(account, p) })
			if want := events.reports(t, account); !slices.Equal(got, want) {
				t.Errorf("the reports of %q are %+v, not %+v", account, got, want)
			}
		}
	})
}

// TestReportsWhileBuying: a cursor neither skips nor repeats while more are bought, and is of one account only.
func TestReportsWhileBuying(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	buy := func(n int) *projections.Snapshot {
		for range n {
			w.report(postID(0), "bob")
		}
		w.report(postID(0), "bo")
		s := folded(t, store, w.log).Snapshot()
		t.Cleanup(func() { s.Close() })
		return s
	}
	first, next, err := buy(3).Reports("bob", projections.Page{Limit: 2})
	if err != nil || len(first) != 2 || next == "" {
		t.Fatalf("%+v, %q, %v", first, next, err)
	}
	s := buy(2)
	rest, end, err := s.Reports("bob", projections.Page{Cursor: next, Limit: 5})
	want := decodeAll(t, w.log).reports(t, "bob")
	if err != nil || end != "" || !slices.Equal(append(first, rest...), want[2:]) {
		t.Errorf("%+v and %+v are not %+v: %q, %v", first, rest, want[2:], end, err)
	}
	for _, cursor := range []string{next[:len(next)-2], next + "AA", "x", "!"} {
		if _, _, err := s.Reports("bob", projections.Page{Cursor: cursor, Limit: 5}); !errors.Is(err, projections.ErrBadCursor) {
			t.Errorf("the cursor %q: %v", cursor, err)
		}
	}
	if _, _, err := s.Reports("bo", projections.Page{Cursor: next, Limit: 5}); !errors.Is(err, projections.ErrBadCursor) {
		t.Errorf("the cursor of another account: %v", err)
	}
}

// TestReportsOfAnOlderFormat: views that knew no reports do not say that there are none.
func TestReportsOfAnOlderFormat(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	folded(t, store, w.log)
	projections.Outdate(t, store)
	s := open(t, store, w.log).Snapshot()
	defer s.Close()
	if _, _, err := s.Reports("bob", projections.Page{Limit: 1}); !errors.Is(err, projections.ErrNotFolded) {
		t.Errorf("%v", err)
	}
}

// TestBoughtReports: what a report holds is what the views say as of its size, then and ever after, whatever the views
// had folded when it was bought; and the log agrees with the rules.
func TestBoughtReports(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := logtest.NewMemory(logtest.MemoryOptions{})
		w := newWorld(t, log)
		play(rt, w)
		views := folded(t, projections.NewMemoryStore(t), log)
		ledger := domain.NewLedger(domain.Config{
			Log: log, Messages: log, Events: views, Statements: views, Clock: func() time.Time { return w.now },
		})
		for n := range rapid.IntRange(1, 6).Draw(rt, "purchases") {
			if rapid.Bool().Draw(rt, "more") {
				post := postID(rapid.IntRange(0, modelPosts).Draw(rt, "post"))
				w.send(domain.Engagement{Type: domain.PostPublished, PostID: post, AccountID: "ann", Title: "A", TimeToReadSeconds: 60},
					domain.Engagement{Type: domain.PostRead, PostID: post, AccountID: accountID(0), SecondsRead: 60})
			}
			if rapid.Bool().Draw(rt, "fold") {
				catchUp(t, views, log)
			}
			post := postID(rapid.IntRange(0, modelPosts).Draw(rt, "of"))
			account := accountID(rapid.IntRange(0, modelAccounts).Draw(rt, "account"))
			checkPurchase(t, views, log, post, ledger.IssueReport(t.Context(), post, account, fmt.Sprint("bought-", n)))
		}
		if _, err := domain.Check(lines(log), nil); err != nil {
			t.Errorf("the log breaks the rules: %v", err)
		}
		catchUp(t, views, log)
		s := views.Snapshot()
		defer s.Close()
		for _, e := range decodeAll(t, log) {
			if e.Type == domain.PnLReportIssued {
				checkReport(t, s, e)
			}
		}
	})
}

// checkPurchase: a report is of the size of the views; without its post there it fails, or is of no post.
func checkPurchase(t *testing.T, views *projections.Views, log domain.EventLog, post string, o domain.Outcome) {
	t.Helper()
	size := views.Status().Size
	events := decodeAll(t, log)
	switch {
	case !events.published(post):
		if o.Rejection == nil || o.Rejection.Code != domain.CodeUnknownPost {
			t.Errorf("of no post: %s", o.AppendJSON(nil, "", 0))
		}
	case !events[:size].published(post):
		if o.Result != domain.Failed {
			t.Errorf("before the views have the post: %s", o.AppendJSON(nil, "", 0))
		}
	case o.Result != domain.Recorded || o.Recorded.Size != size:
		t.Errorf("at size %d: %s", size, o.AppendJSON(nil, "", 0))
	}
}

// checkReport holds a report against the views.
func checkReport(t *testing.T, s *projections.Snapshot, e *domain.Event) {
	t.Helper()
	for _, has := range []*domain.Statement{e.Statement, e.OwnStatement} {
		asOf := projections.AsOf{Size: e.Size, Sized: true}
		want, err := s.Statement(context.Background(), has.Scope, asOf)
		if err != nil {
			t.Fatalf("%+v as of %d: %v", has.Scope, e.Size, err)
		}
		gotText, err1 := has.AppendJSON(nil)
		wantText, err2 := want.AppendJSON(nil)
		if err1 != nil || err2 != nil || !bytes.Equal(gotText, wantText) {
			t.Errorf("report %s holds\n%s %v\nthe views\n%s %v", e.ReportID, gotText, err1, wantText, err2)
		}
	}
}
