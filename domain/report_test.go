package domain_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// The golden report is what its purchase writes.
func TestIssueReportWritesTheGoldenLine(t *testing.T) {
	golden := goldenLines(t)
	f := newFixture(t, logtest.MemoryOptions{})
	for _, line := range golden[1:25] {
		e, err := domain.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		f.put(e, line)
	}
	want, err := domain.DecodeEvent(golden[25])
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(want.RecordedAt.Sub(noon))
	e := f.recorded(f.buy("minerals", "bob", "0b9e4a0e-report-key"))
	if lines := f.lines(); !bytes.Equal(lines[25], golden[25]) || e.ReportID != want.ReportID {
		t.Errorf("the report is\n%s, the golden one\n%s", lines[25], golden[25])
	}
}

// put appends a line as it is.
func (f *fixture) put(e *domain.Event, line []byte) {
	f.Helper()
	answer := f.log.Append(context.Background(), []domain.Append{{Stream: e.Stream, Expected: e.Revision - 1,
		Message: e.Message(), Events: []domain.EncodedEvent{{Type: e.Type, Canonical: line}}}})[0]
	if answer.Err != nil {
		f.Fatalf("%s: %v", line, answer.Err)
	}
}

// Each outcome of a purchase, in the order of the codes; what is refused or fails appends nothing.
func TestIssueReportOutcomes(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"), published("p2", "bob"))
	first := f.recorded(f.buy("p1", "bob", "k"))
	long := strings.Repeat("k", domain.MaxMessageIDBytes)
	for _, row := range []struct{ post, account, key, want, field string }{
		{"p 1", "bob", "k", "invalid", "post_id"},
		{"", "", "", "invalid", "post_id"},
		{"treasury", "bob", "k", "invalid", "post_id"},
		{"p1", "a/b", "k", "invalid", "account_id"},
		{"p1", "treasury", "k", "invalid", "account_id"},
		{"p1", "", "k", "invalid", "account_id"},
		{"p1", "bob", "", "invalid", "Idempotency-Key"},
		{"p1", "bob", long + "k", "invalid", "Idempotency-Key"},
		{"p1", "bob", "a\nb", "invalid", "Idempotency-Key"},
		{"p1", "bob", "a\u0085b", "invalid", "Idempotency-Key"},
		{"p1", "bob", "\xff", "invalid", "Idempotency-Key"},
		{"p1", "bob", "k", "duplicate", ""},
		{"p2", "bob", "k", "conflicting_duplicate", "Idempotency-Key"},
		{"p9", "bob", "k", "conflicting_duplicate", "Idempotency-Key"},
		{"p9", "bob", "other", "unknown_post", "post_id"},
		{"p1", "cid", "k", "recorded", ""},
		{"p1", "bob", "K", "recorded", ""},
		{"p2", "bob", "of one's own", "recorded", ""},
		{"p1", "bob", long, "recorded", ""},
		{"p1", "bob", `"\ ключ €`, "recorded", ""},
	} {
		before := f.log.Len()
		o := f.buy(row.post, row.account, row.key)
		got, field, appended := string(o.Result), "", 0
		if r := o.Rejection; r != nil {
			got, field = string(r.Code), r.Field
			if strings.Contains(r.Detail, "p1") || r.Detail == "" || o.Recorded.Event != nil {
				t.Errorf("%+v: it tells %s", row, o.AppendJSON(nil, "", 0))
			}
		}
		if row.want == "recorded" {
			appended = 1
		}
		if got != row.want || field != row.field || f.log.Len() != before+appended {
			t.Errorf("%+v: %s, %d events more", row, o.AppendJSON(nil, "", 0), f.log.Len()-before)
		}
		if got == "duplicate" && o.Recorded.ID != first.ID {
			t.Errorf("another report: %s", o.AppendJSON(nil, "", 0))
		}
	}
	if got, want := postings(first.Postings), "bob:pnl_reports > treasury 1"; len(got) != 1 || got[0] != want {
		t.Errorf("it was charged %q", got)
	}
}

// A report is priced by the tariff in force when it is bought: nothing where that has no row, and never without one.
func TestReportPrices(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	ofReports := func(r domain.TariffRow) bool { return r.Engagement == domain.PnLReportIssued }
	f.recorded(f.publish(tariffFrom(2, time.Hour, func(t *domain.Tariff) {
		t.Rows[slices.IndexFunc(t.Rows, ofReports)].Amount = twei("2.5")
	})))
	f.recorded(f.publish(tariffFrom(3, 2*time.Hour, func(t *domain.Tariff) { t.Rows = slices.DeleteFunc(t.Rows, ofReports) })))
	for _, want := range []string{"1", "2.5", "0"} {
		e := f.recorded(f.buy("p1", "bob", "at "+f.clock.Now().String()))
		price, err := e.ReportPrice()
		if err != nil || price.String() != want || (e.Reason == domain.ReasonNoRow) != (want == "0") {
			t.Errorf("it costs %s, %q, %v, not %s", price, e.Reason, err, want)
		}
		f.clock.advance(time.Hour)
	}
}

func TestReportWithoutATariff(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{}, tariffFrom(1, -time.Hour, nil))
	f.must(published("p1", "ann"))
	f.clock.advance(-2 * time.Hour)
	if o := f.buy("p1", "bob", "k"); o.Rejection == nil || o.Rejection.Code != domain.CodeNoTariff {
		t.Errorf("%s", o.AppendJSON(nil, "", 0))
	}
}

// readerFunc reads statements by a function.
type readerFunc func(post, account string) (uint64, *domain.Statement, *domain.Statement, error)

func (r readerFunc) ReportStatements(
	_ context.Context, post, account string,
) (size uint64, whole, own *domain.Statement, err error) {
	return r(post, account)
}

// A report that cannot be read fails, says why, and is bought when it can be read.
func TestReportsThatCannotBeRead(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	for want, reader := range map[string]domain.StatementReader{
		"cannot issue reports": nil,
		"send it again": readerFunc(func(string, string) (uint64, *domain.Statement, *domain.Statement, error) {
			return 1, nil, nil, nil
		}),
		errAway.Error(): readerFunc(func(string, string) (uint64, *domain.Statement, *domain.Statement, error) {
			return 0, nil, nil, errAway
		}),
	} {
		l := f.second(func(cfg *domain.Config) { cfg.Statements = reader })
		if o := l.IssueReport(t.Context(), "p1", "bob", "k"); o.Result != domain.Failed || !strings.Contains(o.Detail, want) {
			t.Errorf("%s is not: %s", o.AppendJSON(nil, "", 0), want)
		}
	}
	f.recorded(f.buy("p1", "bob", "k"))
	// What is recorded needs no statements.
	l := f.second(func(cfg *domain.Config) { cfg.Statements = nil })
	if o := l.IssueReport(t.Context(), "p1", "bob", "k"); o.Result != domain.Duplicate {
		t.Errorf("%s", o.AppendJSON(nil, "", 0))
	}
}

// However many buy with one key at once, through one process or two, one report is recorded and all get it; those who
// meant another post are refused (I6).
func TestReportRaces(t *testing.T) {
	for _, lag := range []int{0, 3} {
		for _, posts := range []int{1, 2} {
			t.Run(fmt.Sprintf("lag %d, %d posts", lag, posts), func(t *testing.T) {
				f := newFixture(t, logtest.MemoryOptions{LagReads: lag, ManyWriters: true})
				f.must(published("p0", "ann"), published("p1", "ann"))
				ledgers := []*domain.Ledger{f.Ledger, f.second(nil)}
				before := f.log.Len()
				outcomes := make([]domain.Outcome, racers)
				var crowd sync.WaitGroup
				for n := range racers {
					crowd.Go(func() {
						outcomes[n] = ledgers[n%2].IssueReport(context.Background(), fmt.Sprint("p", n/2%posts), "bob", "k")
					})
				}
				crowd.Wait()
				if n := f.log.Len() - before; n != 1 {
					t.Fatalf("%d reports", n)
				}
				events := f.events()
				report := events[len(events)-1]
				for n, o := range outcomes {
					same := fmt.Sprint("p", n/2%posts) == report.PostID
					switch {
					case !same && (o.Rejection == nil || o.Rejection.Code != domain.CodeConflictingDuplicate):
						t.Errorf("for another post: %s", o.AppendJSON(nil, "", 0))
					case same && (o.Recorded.Event == nil || o.Recorded.ID != report.ID):
						t.Errorf("no report: %s", o.AppendJSON(nil, "", 0))
					}
				}
			})
		}
	}
}

// A purchase whose append was never answered for is sent again, also through another process and later: it is the same
// report if the log has it, and charged once.
func TestReportAfterACrash(t *testing.T) {
	for _, fault := range []logtest.Fault{logtest.LostRequest, logtest.LostAnswer} {
		away := true
		f := newFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
			if away && strings.HasPrefix(string(a.Stream), "report-") {
				return fault
			}
			return logtest.NoFault
		}})
		f.must(published("p1", "ann"))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		o := f.IssueReport(ctx, "p1", "bob", "k")
		cancel()
		if o.Result != domain.Failed || !strings.Contains(o.Detail, domain.ErrOutcomeUnknown.Error()) {
			t.Errorf("fault %d: %s", fault, o.AppendJSON(nil, "", 0))
		}
		away = false
		f.clock.advance(time.Hour)
		f.must(read("p1", "bob", 60))
		want := map[logtest.Fault]domain.Result{logtest.LostRequest: domain.Recorded, logtest.LostAnswer: domain.Duplicate}[fault]
		again := f.second(nil).IssueReport(t.Context(), "p1", "bob", "k")
		if again.Result != want {
			t.Errorf("fault %d, sent again: %s", fault, again.AppendJSON(nil, "", 0))
		}
		if o := f.buy("p1", "bob", "k"); o.Result != domain.Duplicate || o.Recorded.ID != again.Recorded.ID || f.log.Len() != 4 {
			t.Errorf("fault %d, sent once more: %s; %d events", fault, o.AppendJSON(nil, "", 0), f.log.Len())
		}
	}
}

// A log that is away for a moment, or loses an answer, is asked again within one purchase.
func TestReportSettlesAnUnknownOutcome(t *testing.T) {
	tries := 0
	f := newFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
		if strings.HasPrefix(string(a.Stream), "report-") {
			tries++
			return []logtest.Fault{logtest.LostAnswer, logtest.LostRequest, logtest.NoFault}[min(tries-1, 2)]
		}
		return logtest.NoFault
	}})
	f.must(published("p1", "ann"))
	if f.recorded(f.buy("p1", "bob", "k")); f.log.Len() != 3 || tries != 3 {
		t.Errorf("%d events after %d tries", f.log.Len(), tries)
	}
}

// A report that was taken back is no other one: bought again with its key it is a duplicate, and not charged.
func TestReversedReportBoughtAgain(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	report := f.recorded(f.buy("p1", "bob", "k"))
	f.recorded(f.reverse(report, "bought by mistake"))
	if o := f.buy("p1", "bob", "k"); o.Result != domain.Duplicate || o.Recorded.ID != report.ID {
		t.Errorf("%s", o.AppendJSON(nil, "", 0))
	}
}

// What stands on a report's stream and is none stops a purchase, and is named.
func TestDamagedReportStream(t *testing.T) {
	f := newBareFixture(t, logtest.MemoryOptions{T: t})
	f.start()
	f.must(published("p1", "ann"))
	id := domain.NewReportID(domain.Message{Source: "report/bob", ID: "k"})
	f.put(&domain.Event{Stream: domain.ReportStream(id), Source: "/damage"}, f.lines()[1])
	if o := f.buy("p1", "bob", "k"); o.Result != domain.Failed || !strings.Contains(o.Detail, domain.ErrCorrupt.Error()) {
		t.Errorf("%s", o.AppendJSON(nil, "", 0))
	}
}
