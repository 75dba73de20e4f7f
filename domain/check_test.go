package domain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// forgeries change one event of a log that agrees with the rules into one that cannot be. Each says whether it applies.
var forgeries = []struct {
	name  string
	forge func(*domain.Event) bool
}{
	{"another id", func(e *domain.Event) bool { e.ID = uuid.NameSpaceDNS; return true }},
	{"a revision left out", func(e *domain.Event) bool { e.Revision++; return true }},
	{"another stream", func(e *domain.Event) bool { e.Stream += "x"; return true }},
	{"no stream", func(e *domain.Event) bool { e.Stream = "nowhere"; return true }},
	{"another message", func(e *domain.Event) bool { e.SourceID += "x"; return true }},
	{"another source", func(e *domain.Event) bool { e.Source += "x"; return true }},
	{"another amount", func(e *domain.Event) bool {
		if len(e.Postings) == 0 {
			return false
		}
		e.Postings = slices.Clone(e.Postings)
		e.Postings[0].Amount, _ = e.Postings[0].Amount.Add(domain.Wei(1))
		return true
	}},
	{"a posting twice", func(e *domain.Event) bool {
		if len(e.Postings) == 0 {
			return false
		}
		e.Postings = append(slices.Clone(e.Postings), e.Postings[0])
		return true
	}},
	{"postings in another order", func(e *domain.Event) bool {
		if len(e.Postings) < 2 {
			return false
		}
		e.Postings = slices.Clone(e.Postings)
		slices.Reverse(e.Postings)
		return true
	}},
	{"a posting to another account", func(e *domain.Event) bool {
		if len(e.Postings) == 0 {
			return false
		}
		e.Postings = slices.Clone(e.Postings)
		for _, side := range []*domain.Side{&e.Postings[0].Debit, &e.Postings[0].Credit} {
			if side.Line != 0 {
				side.Account = "mallory"
			}
		}
		return true
	}},
	{"the other direction", func(e *domain.Event) bool {
		if len(e.Postings) == 0 {
			return false
		}
		e.Postings = slices.Clone(e.Postings)
		p := &e.Postings[0]
		p.Debit, p.Credit, p.Reversal = p.Credit, p.Debit, !p.Reversal
		return true
	}},
	{"a reversal's mark", func(e *domain.Event) bool {
		if len(e.Postings) == 0 {
			return false
		}
		e.Postings = slices.Clone(e.Postings)
		e.Postings[0].Reversal = !e.Postings[0].Reversal
		return true
	}},
	{"no postings and no reason", func(e *domain.Event) bool { had := len(e.Postings) > 0; e.Postings = nil; return had }},
	{"no postings, with a reason", func(e *domain.Event) bool {
		had := len(e.Postings) > 0 && e.Type != domain.EventReversed
		e.Postings, e.Reason = nil, domain.ReasonNoRow
		return had
	}},
	{"postings and a reason", func(e *domain.Event) bool {
		e.Reason = domain.ReasonTooShort
		return len(e.Postings) > 0 && e.Type != domain.EventReversed
	}},
	{"another reason", func(e *domain.Event) bool {
		had := e.Reason != "" && e.Reason != domain.ReasonReversed
		e.Reason = domain.ReasonReversed
		return had
	}},
	{"no reason", func(e *domain.Event) bool { had := e.Reason != ""; e.Reason = ""; return had }},
	{"another tariff", func(e *domain.Event) bool { e.Tariff++; return e.Tariff > 1 }},
	{"another author", func(e *domain.Event) bool { e.Author = "mallory"; return e.PostID != "" }},
	{"another commenter", func(e *domain.Event) bool { had := e.Commenter != ""; e.Commenter = "mallory"; return had }},
	{"another account", func(e *domain.Event) bool { had := e.AccountID != ""; e.AccountID = "mallory"; return had }},
	{"another post", func(e *domain.Event) bool { had := e.PostID != ""; e.PostID = "p9"; return had }},
	{"another comment", func(e *domain.Event) bool { had := e.CommentID != ""; e.CommentID = "c9"; return had }},
	{"another thing withdrawn", func(e *domain.Event) bool {
		had := e.Type == domain.ReactionWithdrawn
		e.Withdraws = uuid.NameSpaceDNS
		return had
	}},
	{"another thing reversed", func(e *domain.Event) bool { had := e.Reverses != uuid.Nil; e.Reverses = uuid.NameSpaceDNS; return had }},
	{"another thing reinstated", func(e *domain.Event) bool {
		had := e.Reinstates != uuid.Nil
		e.Reinstates = uuid.NameSpaceDNS
		return had
	}},
	{"occurred far ahead of its recording", func(e *domain.Event) bool {
		e.OccurredAt = e.RecordedAt.Add(third + 1)
		return true
	}},
	{"a time to read that the post never had", func(e *domain.Event) bool { e.TimeToReadSeconds = 7; return e.Type == domain.PostRead }},
	{"read less", func(e *domain.Event) bool { e.SecondsRead = 1; return e.Type == domain.PostRead && len(e.Postings) > 0 }},
	{"read more", func(e *domain.Event) bool { e.SecondsRead = 999; return e.Reason == domain.ReasonTooShort }},
	{"too low a level", func(e *domain.Event) bool { e.Level = 12; return e.Type == domain.CommentAdded }},
	{"the ledger's source", func(e *domain.Event) bool { return resend(e, domain.Message{Source: domain.LedgerSource, ID: "e"}) }},
	{"a report's source", func(e *domain.Event) bool { return resend(e, domain.Message{Source: "report/ann", ID: "e"}) }},
	{"a report of its own time", func(e *domain.Event) bool { e.Size = 26; return e.Type == domain.PnLReportIssued }},
	{"a report on another scope", func(e *domain.Event) bool {
		return restate(e, func(whole, _ *domain.Statement) { whole.Scope.PostID = "p9" })
	}},
	{"a report of another size", func(e *domain.Event) bool {
		return restate(e, func(_, own *domain.Statement) { own.Size-- })
	}},
	{"a report of other sums", func(e *domain.Event) bool {
		return restate(e, func(whole, _ *domain.Statement) { whole.Sums[domain.CommentRewards-1] = twei("2") })
	}},
	{"a report of other counts", func(e *domain.Event) bool {
		return restate(e, func(_, own *domain.Statement) { own.Counts.Likes++ })
	}},
	{"a report of another reading", func(e *domain.Event) bool {
		return restate(e, func(_, own *domain.Statement) {
			reading := *own.Reading
			reading.TimeToReadSeconds++
			own.Reading = &reading
		})
	}},
	{"a version left out", func(e *domain.Event) bool {
		if e.Type != domain.TariffPublished {
			return false
		}
		t := *e.Published
		t.Version++
		e.Published = &t
		return true
	}},
	{"a tariff that takes effect at once", func(e *domain.Event) bool {
		if e.Type != domain.TariffPublished || e.Revision == 0 {
			return false
		}
		t := *e.Published
		t.EffectiveFrom = e.RecordedAt.Add(lead - 1)
		e.Published = &t
		return true
	}},
	{"a tariff that is none", func(e *domain.Event) bool {
		if e.Type != domain.TariffPublished {
			return false
		}
		t := *e.Published
		t.Rows = slices.Clone(t.Rows)
		t.Rows[0].Debit.Line = domain.LikesOwn
		e.Published = &t
		return true
	}},
	{"a tariff's time", func(e *domain.Event) bool {
		e.OccurredAt = e.OccurredAt.Add(-time.Second)
		return e.Type == domain.TariffPublished || e.Type == domain.EventReversed || e.Type == domain.EventReinstated
	}},
}

// resend gives an engagement's event another message, and the id that it then has. Withdrawals of a switch, and what
// the ledger itself says, are left alone.
func resend(e *domain.Event, m domain.Message) bool {
	if e.ID != domain.NewEventID(e.Message(), e.Stream) || e.Type == domain.TariffPublished || e.Type == domain.PnLReportIssued {
		return false
	}
	e.Source, e.SourceID = m.Source, m.ID
	e.ID = domain.NewEventID(m, e.Stream)
	return true
}

// Check finds every forgery of every golden event, and names its place (I1 to I14).
func TestCheckFindsForgeries(t *testing.T) {
	golden := goldenLines(t)
	for _, forgery := range forgeries {
		t.Run(forgery.name, func(t *testing.T) {
			applied := false
			for i, line := range golden {
				e, err := domain.DecodeEvent(line)
				if err != nil {
					t.Fatal(err)
				}
				if !forgery.forge(e) {
					continue
				}
				forged, err := e.AppendCanonical(nil)
				if err != nil {
					t.Fatalf("event %d cannot be forged so: %v", i, err)
				}
				applied = true
				lines := slices.Clone(golden)
				lines[i] = forged
				differsAt(t, lines, i)
			}
			if !applied {
				t.Error("it applies to no golden event")
			}
		})
	}
}

// differsAt fails unless Check finds the first difference at the index.
func differsAt(t *testing.T, lines [][]byte, index int) {
	t.Helper()
	_, err := domain.Check(source(lines), nil)
	var d *domain.Difference
	if !errors.As(err, &d) {
		t.Errorf("Check says %v of event %d: %s", err, index, lines[index])
		return
	}
	if d.Index != uint64(index) || d.Detail == "" || !strings.HasPrefix(d.Invariant, "I") {
		t.Errorf("forged is event %d, and Check says %v", index, d)
	}
}

// Lines left out, doubled, swapped or not canonical.
func TestCheckFindsMovedLines(t *testing.T) {
	golden := goldenLines(t)
	// The last event of each stream may be missing, so far as the lines alone can tell.
	lastOf := map[domain.Stream]int{}
	next := make([]int, len(golden))
	for i := len(golden) - 1; i >= 0; i-- {
		e, err := domain.DecodeEvent(golden[i])
		if err != nil {
			t.Fatal(err)
		}
		next[i] = lastOf[e.Stream]
		lastOf[e.Stream] = i
	}
	for i := range golden {
		differsAt(t, slices.Insert(slices.Clone(golden), i+1, golden[i]), i+1)
		// That of the log's end repeats an event which stands at the log's end already.
		differsAt(t, append(slices.Clone(golden), golden[i]), len(golden))
		spaced := slices.Clone(golden)
		spaced[i] = bytes.Replace(golden[i], []byte(":"), []byte(": "), 1)
		differsAt(t, spaced, i)
		if next[i] > 0 {
			if _, err := domain.Check(source(slices.Delete(slices.Clone(golden), i, i+1)), nil); err == nil {
				t.Errorf("event %d can be left out", i)
			}
		}
	}
	for i := 1; i < len(golden)-1; i++ {
		if next[i] == i+1 {
			swapped := slices.Clone(golden)
			swapped[i], swapped[i+1] = golden[i+1], golden[i]
			differsAt(t, swapped, i)
		}
	}
	differsAt(t, golden[1:], 0)
	withdrawal := slices.IndexFunc(golden, func(line []byte) bool { return bytes.Contains(line, []byte(`"source_id":"e-12"`)) })
	if _, err := domain.Check(source(golden[:withdrawal+1]), nil); err == nil {
		t.Error("a log may end within a switch")
	}
}

// No event stands twice, wherever it may be put on its stream: with its id, and at the revision that is next (I2, I3).
func TestCheckFindsEventsAgain(t *testing.T) {
	golden := goldenLines(t)
	next := map[domain.Stream]domain.Revision{}
	var events []*domain.Event
	for i, line := range golden {
		e, err := domain.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		next[e.Stream] = e.Revision + 1
		for _, before := range append(events, e) {
			again := *before
			again.Revision = next[before.Stream]
			line, err := again.AppendCanonical(nil)
			if err != nil {
				t.Fatal(err)
			}
			differsAt(t, append(slices.Clone(golden[:i+1]), line), i+1)
		}
		events = append(events, e)
	}
}

// A report is bought once: its stream begins with it, and only an operator's events follow (I6). It is found at its own
// place also where everything else of it is right.
func TestCheckFindsReportsBoughtTwice(t *testing.T) {
	golden := goldenLines(t)
	again := bytes.Replace(golden[25], []byte(`"revision":0,`), []byte(`"revision":1,`), 1)
	differsAt(t, append(slices.Clone(golden), again), len(golden))
	differsAt(t, slices.Insert(slices.Clone(golden), 26, again), 26)

	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	report := f.recorded(f.buy("p1", "bob", "a key"))
	reversal := f.recorded(f.reverse(report, "bought by mistake"))
	for revision := domain.Revision(2); revision <= 3; revision++ {
		twice := *report
		twice.Revision = revision
		line, err := twice.AppendCanonical(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := f.lines()
		differsAt(t, append(lines, line), len(lines))
		if revision == 2 {
			f.recorded(f.reinstate(reversal, "no mistake"))
		}
	}
}

// A report is of a size behind the publication of its post and at most its own place (I10), and occurs when it is
// recorded: no tariff of another time prices it (I14).
func TestCheckHoldsReportsToTheirPlace(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p0", "ann"), published("p1", "ann"))
	o := f.recorded(f.buy("p1", "bob", "a key"))
	lines := f.lines()
	for name, change := range map[string]func(e *domain.Event){
		"before its post": func(e *domain.Event) {
			whole, own := &domain.Statement{Scope: e.Statement.Scope}, &domain.Statement{Scope: e.OwnStatement.Scope}
			own.Reading = new(domain.Reading)
			e.Size, e.Statement, e.OwnStatement = 2, whole, own
			whole.Size, own.Size = 2, 2
		},
		"behind itself": func(e *domain.Event) { e.Size, e.Statement.Size, e.OwnStatement.Size = 4, 4, 4 },
		"long ago":      func(e *domain.Event) { e.OccurredAt = e.OccurredAt.Add(-time.Hour) },
		"later":         func(e *domain.Event) { e.OccurredAt = e.OccurredAt.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			e := *o
			e.Statement, e.OwnStatement = new(domain.Statement), new(domain.Statement)
			*e.Statement, *e.OwnStatement = *o.Statement, *o.OwnStatement
			change(&e)
			line, err := e.AppendCanonical(nil)
			if err != nil {
				t.Fatal(err)
			}
			differsAt(t, append(slices.Clone(lines[:3]), line), 3)
		})
	}
}

// A message is recorded once on its stream (I13), whatever it says.
func TestCheckFindsRepeatedMessages(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	first := *f.must(read("p1", "bob", 1))
	second := *f.must(named("other", read("p1", "bob", 1)))
	lines := f.lines()
	second.SourceID, second.ID = first.SourceID, first.ID
	forged, err := second.AppendCanonical(nil)
	if err != nil {
		t.Fatal(err)
	}
	lines[3] = forged
	differsAt(t, lines, 3)
}

// A message that stands on two streams was paid twice: no difference, but named.
func TestCheckNamesMessagesRecordedTwice(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{ManyWriters: true})
	f.must(published("p1", "ann"))
	blind := f.second(func(cfg *domain.Config) { cfg.Messages = nothingFound{} })
	for _, e := range []domain.Engagement{named("m", liked("p1", "bob")), named("m", liked("p1", "dan"))} {
		f.recorded(blind.Record(t.Context(), received(e))[0])
	}
	twice := f.check().RecordedTwice
	want := domain.TwiceRecorded{Message: domain.Message{Source: "/web", ID: "m"}, First: 2, Second: 3}
	if len(twice) != 1 || twice[0] != want {
		t.Errorf("recorded twice: %+v", twice)
	}
	for _, actor := range []string{"bob", "dan"} {
		if o := f.one(named("m", liked("p1", actor))); o.Result != domain.Duplicate {
			t.Errorf("sent again: %s", o.AppendJSON(nil, "", 0))
		}
	}
}

type nothingFound struct{ domain.MessageFinder }

func (nothingFound) FindMessage(context.Context, domain.Message) (e domain.LogEvent, found bool, err error) {
	return e, false, nil
}

// What was decided on another stream's state of a moment before is concurrent, and no difference.
func TestCheckCountsConcurrentEvents(t *testing.T) {
	for name, race := range map[string][2]domain.Engagement{
		"a reaction and a removal": {commentLiked("c1", "bob"), removed("c1")},
		"a read and a change":      {read("p1", "bob", 60), changed("p1", 90)},
	} {
		f := newFixture(t, logtest.MemoryOptions{})
		article(f)
		raced := false
		l := f.second(hook(&hookedLog{beforeAppend: func([]domain.Append) {
			if !raced {
				raced = true
				f.must(race[1])
			}
		}}))
		e := f.recorded(l.Record(t.Context(), received(race[0]))[0])
		if len(e.Postings) == 0 {
			t.Errorf("%s: it does not pay: %s", name, e.Reason)
		}
		if n := f.check().Concurrent; len(n) != 1 || n[0] != uint64(len(f.lines())-1) {
			t.Errorf("%s: the concurrent events are %d", name, n)
		}
		late := *e
		late.RecordedAt = late.RecordedAt.Add(third)
		line, err := late.AppendCanonical(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := f.lines()
		lines[len(lines)-1] = line
		var d *domain.Difference
		if _, err := domain.Check(source(lines), nil); !errors.As(err, &d) || d.Index != uint64(len(lines)-1) {
			t.Errorf("%s, long after: %v", name, err)
		}
	}
}

// Errors of the source come through, and a type of a newer program is unsupported, not wrong.
func TestCheckPassesErrorsOn(t *testing.T) {
	golden := goldenLines(t)
	broken := func() iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, line := range golden[:5] {
				if !yield(line, nil) {
					return
				}
			}
			yield(nil, errAway)
		}
	}
	var d *domain.Difference
	if _, err := domain.Check(broken, nil); !errors.Is(err, errAway) || errors.As(err, &d) {
		t.Errorf("a read that breaks off: %v", err)
	}
	newer := slices.Clone(golden)
	newer[5] = bytes.Replace(newer[5], []byte("PostRead"), []byte("PostSkimmed"), 1)
	if _, err := domain.Check(source(newer), nil); !errors.Is(err, domain.ErrUnsupported) || errors.As(err, &d) || !strings.Contains(fmt.Sprint(err), "5") {
		t.Errorf("a newer type: %v", err)
	}
	newer[5] = bytes.Replace(newer[5], []byte(`"post_id"`), []byte(`"amount_praised":[null],"post_id"`), 1)
	if _, err := domain.Check(source(newer), nil); !errors.Is(err, domain.ErrUnsupported) || errors.As(err, &d) {
		t.Errorf("a newer type with members of its own: %v", err)
	}
	var told uint64
	summary, err := domain.Check(source(golden), func(events uint64) { told = events })
	if err != nil || told != uint64(len(golden)) || summary.Events != told {
		t.Errorf("told of %d events, the summary is %+v: %v", told, summary, err)
	}
	if _, err := domain.Check(source(nil), nil); err != nil {
		t.Errorf("an empty log: %v", err)
	}
}

// restate changes the statements of a report, and reports whether the event is one.
func restate(e *domain.Event, change func(whole, own *domain.Statement)) bool {
	if e.Type != domain.PnLReportIssued {
		return false
	}
	whole, own := *e.Statement, *e.OwnStatement
	change(&whole, &own)
	e.Statement, e.OwnStatement = &whole, &own
	return true
}
