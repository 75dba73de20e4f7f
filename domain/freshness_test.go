package domain_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// hookedLog is a log with hooks.
type hookedLog struct {
	domain.EventLog
	// beforeAppend, if set, is called before each Append.
	beforeAppend func([]domain.Append)
	// failStream, if set, may give a ReadStream an error.
	failStream func(domain.Stream) error
}

func (l *hookedLog) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	if l.beforeAppend != nil {
		l.beforeAppend(appends)
	}
	return l.EventLog.Append(ctx, appends)
}

func (l *hookedLog) ReadStream(ctx context.Context, stream domain.Stream, from domain.Revision) iter.Seq2[domain.LogEvent, error] {
	if l.failStream != nil {
		if err := l.failStream(stream); err != nil {
			return func(yield func(domain.LogEvent, error) bool) { yield(domain.LogEvent{}, err) }
		}
	}
	return l.EventLog.ReadStream(ctx, stream, from)
}

// hook puts hooks before a ledger's log.
func hook(h *hookedLog) func(*domain.Config) {
	return func(cfg *domain.Config) { h.EventLog, cfg.Log = cfg.Log, h }
}

var errAway = errors.New("the log is away")

func TestEngagementsMayBeAThirdAhead(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"), at(third, liked("p1", "bob")))
}

// An engagement at the very moment a version takes effect is priced by it, one before by the version before (I5).
func TestTariffTakesEffect(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	f.recorded(f.publish(tariffFrom(2, lead, nil)))
	f.clock.advance(lead)
	for _, row := range []struct {
		offset  time.Duration
		version uint64
	}{{lead - 1, 1}, {lead, 2}, {lead + 1, 2}, {lead - time.Hour, 1}} {
		e := f.must(at(row.offset, named(row.offset.String(), read("p1", "bob", 60))))
		if e.Tariff != row.version {
			t.Errorf("at noon%+v tariff %d is in force, not %d", row.offset, e.Tariff, row.version)
		}
	}
}

// A version that another process records is used in time, however far ahead of now an engagement is.
func TestTariffOfAnotherProcess(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	outcome := f.second(nil).PublishTariff(t.Context(), tariffFrom(2, lead, nil), "ops")
	f.recorded(outcome)
	for offset := time.Duration(0); offset <= 2*lead; offset += 30 * time.Second {
		e := f.must(at(offset+third, named(offset.String(), read("p1", "bob", 60))))
		if want := e.OccurredAt.Before(noon.Add(lead)); want != (e.Tariff == 1) {
			t.Fatalf("at %s tariff %d gave the price of %s", offset, e.Tariff, e.OccurredAt)
		}
		f.clock.advance(30 * time.Second)
	}
}

// A ledger that cannot read the tariffs goes on for a third of the lead, then accepts nothing until it can.
func TestTariffsThatCannotBeRead(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	var away bool
	h := &hookedLog{failStream: func(s domain.Stream) error {
		if away && s == domain.TariffStream {
			return errAway
		}
		return nil
	}}
	l := f.second(hook(h))
	send := func(id string, offset time.Duration) domain.Outcome {
		return l.Record(t.Context(), received(at(offset, named(id, read("p1", "bob", 60)))))[0]
	}
	away = true
	f.recorded(f.publish(tariffFrom(2, lead, nil)))
	f.clock.advance(third - 1)
	if o := send("a", third-1); o.Result != domain.Recorded || o.Recorded.Tariff != 1 {
		t.Errorf("shortly before a third: %s", o.AppendJSON(nil, "", 0))
	}
	f.clock.advance(2)
	if o := send("b", 0); o.Result != domain.Failed || !strings.Contains(o.Detail, errAway.Error()) {
		t.Errorf("shortly after a third: %s", o.AppendJSON(nil, "", 0))
	}
	if err := l.Ready(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("Ready() = %v", err)
	}
	if o := l.PublishTariff(t.Context(), tariffFrom(3, time.Hour, nil), "ops"); o.Result != domain.Failed {
		t.Errorf("a tariff published unread: %s", o.AppendJSON(nil, "", 0))
	}
	f.clock.advance(lead)
	away = false
	if o := send("b", lead+third); o.Result != domain.Recorded || o.Recorded.Tariff != 2 {
		t.Errorf("when it can be read again: %s", o.AppendJSON(nil, "", 0))
	}
}

// What is decided late in a long batch is priced by the tariffs of that moment, not by those of the batch's beginning.
func TestTariffsAreFreshForEachDecision(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	slow := &hookedLog{beforeAppend: func(appends []domain.Append) {
		if appends[0].Message.ID == "first" {
			f.recorded(f.publish(tariffFrom(2, lead, nil)))
			f.clock.advance(lead + third)
		}
	}}
	outcomes := f.second(hook(slow)).Record(t.Context(), received(
		named("first", liked("p1", "bob")), at(lead+1, named("second", disliked("p1", "bob")))))
	f.recorded(outcomes[0])
	if e := f.recorded(outcomes[1]); e.Tariff != 2 {
		t.Errorf("recorded at %s, what occurred at %s has the price of tariff %d", e.RecordedAt, e.OccurredAt, e.Tariff)
	}
}

// What a batch decides is in its order, also where a race is lost on the way.
func TestBatchOrderAfterALostRace(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	article(f)
	rival := f.second(nil)
	raced := false
	l := f.second(hook(&hookedLog{beforeAppend: func([]domain.Append) {
		if !raced {
			raced = true
			f.recorded(rival.Record(t.Context(), received(named("rival", commentDisliked("c1", "bob"))))[0])
		}
	}}))
	for _, o := range l.Record(t.Context(), received(commentLiked("c1", "bob"), removed("c1"))) {
		f.recorded(o)
	}
}

func TestStart(t *testing.T) {
	two := domain.Tariffs{tariffFrom(1, -time.Hour, nil), tariffFrom(2, -time.Minute, nil)}
	other := tariffFrom(2, -time.Minute, noAuthorReactions)
	three := append(slices.Clone(two), tariffFrom(3, time.Hour, nil))
	for _, row := range []struct {
		name         string
		first, again domain.Tariffs
		want         int
		refused      string
	}{
		{name: "empty log without tariffs", first: nil, want: 1},
		{name: "empty log with tariffs", first: two, want: 2},
		{name: "the same again", first: two, again: two, want: 2},
		{name: "the first of them again", first: two, again: two[:1], want: 2},
		{name: "none again", first: two, again: nil, want: 2},
		{name: "the default again", first: nil, again: domain.Tariffs{domain.DefaultTariff()}, want: 1},
		{name: "another second version", first: two, again: domain.Tariffs{two[0], other}, want: 2, refused: "version 2"},
		{name: "another first version", first: nil, again: two[:1], want: 1, refused: "version 1"},
		{name: "more than the log", first: two, again: three, want: 2, refused: "tariff 3"},
		{name: "invalid", first: domain.Tariffs{tariffFrom(2, 0, nil)}, want: 0, refused: "version"},
		{name: "not in order", first: domain.Tariffs{two[0], tariffFrom(2, -time.Hour, nil)}, want: 0, refused: "effective_from"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newBareFixture(t, logtest.MemoryOptions{T: t})
			err := f.Start(t.Context(), row.first)
			if row.again != nil || row.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				err = f.Start(t.Context(), row.again)
			}
			if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
				t.Errorf("Start: %v, not %q", err, row.refused)
			}
			if n := f.log.Len(); n != row.want {
				t.Errorf("%d events after the start, not %d", n, row.want)
			}
			if n := f.log.Len(); n > 0 {
				if e := f.events()[0]; e.Type != domain.TariffPublished || e.By != "" || e.SourceID != "tariff/1" || !e.OccurredAt.Equal(noon) {
					t.Errorf("index 0 is %+v", e)
				}
				f.check()
			}
		})
	}
}

// Two processes that start on one empty log agree on one first tariff.
func TestStartRace(t *testing.T) {
	f := newBareFixture(t, logtest.MemoryOptions{T: t, LagReads: 3})
	cfg := f.config(false)
	raced := false
	hook(&hookedLog{beforeAppend: func([]domain.Append) {
		if !raced {
			raced = true
			f.start()
		}
	}})(&cfg)
	if err := domain.NewLedger(cfg).Start(t.Context(), domain.Tariffs{tariffFrom(1, 0, nil)}); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("the other tariff was taken: %v", err)
	}
	if n := f.log.Len(); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A ledger that was not started accepts nothing.
func TestNotStarted(t *testing.T) {
	f := newBareFixture(t, logtest.MemoryOptions{T: t})
	outcomes := []domain.Outcome{
		f.one(published("p1", "ann")),
		f.publish(tariffFrom(1, time.Hour, nil)),
		f.publish(tariffFrom(2, time.Hour, nil)),
	}
	for _, o := range outcomes {
		if o.Result == domain.Recorded || o.Result == domain.Duplicate {
			t.Errorf("accepted: %s", o.AppendJSON(nil, "", 0))
		}
	}
	if err := f.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	if n := f.log.Len(); n != 0 {
		t.Errorf("%d events", n)
	}
}

// A read of the tariffs that hangs holds up nobody while they are known freshly enough.
func TestTariffReadHangs(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	hanging, goOn := make(chan struct{}), make(chan struct{})
	first := true
	log := &hookedLog{failStream: func(s domain.Stream) error {
		if s == domain.TariffStream && !first {
			close(hanging)
			<-goOn
		}
		first = false
		return nil
	}}
	ledger := f.second(hook(log))
	if _, err := ledger.Tariffs(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(2 * time.Minute)
	done := make(chan domain.Outcome)
	go func() { done <- ledger.Record(t.Context(), received(liked("p1", "bob")))[0] }()
	<-hanging
	if o := ledger.Record(t.Context(), received(liked("p1", "cid")))[0]; o.Result != domain.Recorded {
		t.Errorf("beside a read that hangs: %s %s", o.Result, o.Detail)
	}
	close(goOn)
	if o := <-done; o.Result != domain.Recorded {
		t.Errorf("the one that reads: %s %s", o.Result, o.Detail)
	}
}

// Who waited for another's read of the tariffs does not read them again.
func TestTariffReadIsShared(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	hanging, goOn := make(chan struct{}), make(chan struct{})
	reads := 0
	ledger := f.second(hook(&hookedLog{failStream: func(s domain.Stream) error {
		if reads++; reads == 2 {
			close(hanging)
			<-goOn
		}
		return nil
	}}))
	// Too old to be used: both have to wait for a read.
	f.clock.advance(third)
	answers := make(chan error)
	ask := func() {
		_, err := ledger.Tariffs(t.Context())
		answers <- err
	}
	go ask()
	<-hanging
	go ask()
	close(goOn)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if reads != 2 {
		t.Errorf("%d reads, the start's included", reads)
	}
}

// A request that ends while its race is decided is answered as failed, never with no result.
func TestOperatorGivesUp(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	ctx, cancel := context.WithCancel(t.Context())
	ledger := f.second(hook(&hookedLog{beforeAppend: func(appends []domain.Append) {
		f.recorded(f.publish(tariffFrom(2, lead, nil)))
		cancel()
	}}))
	o := ledger.PublishTariff(ctx, tariffFrom(2, 2*lead, nil), "ops")
	if o.Result != domain.Failed || o.Detail == "" {
		t.Errorf("%+v", o)
	}
}
