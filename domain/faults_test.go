package domain_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if long {
		if err := flag.Set("rapid.checks", "3000"); err != nil {
			panic(err)
		}
	}
	domain.SplitWavesOf(4)
	os.Exit(m.Run())
}

// replay holds a log against the model: taken in the log's order, each event is what the model says of its engagement,
// and no message is there twice. sent are the engagements by their messages.
func replay(t failer, f *fixture, sent map[domain.Message]domain.Engagement) (recorded map[domain.Message]*domain.Event) {
	t.Helper()
	m := &model{}
	recorded = map[domain.Message]*domain.Event{}
	events := f.events()
	for i, e := range events {
		m.now = e.RecordedAt
		switch {
		case e.Type == domain.TariffPublished:
			m.start(*e.Published)
			continue
		case e.ID == domain.WithdrawnID(domain.NewEventID(e.Message(), e.Stream)):
			if i+1 == len(events) || events[i+1].Message() != e.Message() {
				t.Fatalf("the withdrawal %s has no reaction behind it", e.ID)
			}
			continue
		}
		if recorded[e.Message()] != nil {
			t.Fatalf("the message %v is there twice", e.Message())
		}
		recorded[e.Message()] = e
		want, _ := m.send(sent[e.Message()])
		o := domain.Outcome{Result: domain.Recorded, Recorded: domain.RecordedEvent{Event: e}}
		if i > 0 && events[i-1].ID == domain.WithdrawnID(e.ID) {
			o.Also.Event = events[i-1]
		}
		if got := given(o); got != want {
			t.Fatalf("event %d is\n%s, the model's\n%s", i, got, want)
		}
	}
	return recorded
}

// A log that is away, or does not say whether it has an append, loses nothing and takes nothing twice: sent again until
// nothing fails, each engagement has one outcome, what an outcome said is recorded is in the log, and the log is the
// model's (I13, I14).
func TestFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "faults"), 0))
		var mu sync.Mutex // guards random
		var calm atomic.Bool
		fault := func(domain.Append) logtest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if calm.Load() || random.IntN(3) > 0 {
				return logtest.NoFault
			}
			return []logtest.Fault{logtest.Unavailable, logtest.LostRequest, logtest.LostAnswer}[random.IntN(3)]
		}
		f := newBareFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
			if a.Stream == domain.TariffStream {
				return logtest.NoFault
			}
			return fault(a)
		}, LagReads: 2})
		f.start()
		w := &world{t: t, model: &model{now: noon, facts: []*fact{{}}}}
		sent := map[domain.Message]domain.Engagement{}
		promised := map[domain.Message]domain.EventID{}
		note := func(e domain.Engagement, o domain.Outcome) {
			if o.Result != domain.Recorded && o.Result != domain.Duplicate {
				return
			}
			if id, ok := promised[e.Message]; ok && id != o.Recorded.ID {
				t.Fatalf("%v was recorded as %s and is now %s", e, id, o.Recorded.ID)
			}
			promised[e.Message], sent[e.Message] = o.Recorded.ID, e
		}
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			var batch []domain.Engagement
			for range rapid.IntRange(1, 10).Draw(t, "size") {
				e := w.engagement()
				// One content for each message, so that the log tells what was sent.
				e.ID = fmt.Sprintf("%s %s%s %s %d %d %d %s %d", e.Type, e.PostID, e.CommentID, e.AccountID, e.SecondsRead, e.TimeToReadSeconds, e.Level, e.Title, e.OccurredAt.Unix())
				sent[e.Message] = e
				batch = append(batch, e)
			}
			calm.Store(false)
			for attempt := 0; ; attempt++ {
				calm.Store(attempt > 3)
				failed := 0
				for i, o := range f.record(batch...) {
					note(batch[i], o)
					if o.Result == domain.Failed {
						failed++
						if o.Detail == "" || o.Recorded.Event != nil {
							t.Fatalf("failed without a word: %+v", o)
						}
					}
				}
				if failed == 0 {
					break
				}
				if attempt > 4 {
					t.Fatalf("%d fail although the log is well", failed)
				}
			}
			f.clock.advance(time.Minute)
			w.now = f.clock.Now()
		}
		f.check()
		recorded := replay(t, f, sent)
		for message, id := range promised {
			if e := recorded[message]; e == nil || e.ID != id {
				t.Fatalf("%v was given out as recorded, and is not in the log", message)
			}
		}
		for message := range recorded {
			if _, ok := promised[message]; !ok {
				t.Fatalf("%v is in the log, and was never given out", message)
			}
		}
	})
}

// An append that the log never answers for is failed, and sent again it is recorded or a duplicate.
func TestUnknownOutcome(t *testing.T) {
	for _, fault := range []logtest.Fault{logtest.LostRequest, logtest.LostAnswer} {
		away := true
		f := newFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
			if away && a.Stream != domain.TariffStream {
				return fault
			}
			return logtest.NoFault
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		o := f.Record(ctx, received(published("p1", "ann"), liked("p1", "bob")))
		cancel()
		if o[0].Result != domain.Failed || o[1].Result != domain.Failed || !strings.Contains(o[0].Detail, domain.ErrOutcomeUnknown.Error()) {
			t.Errorf("fault %d: %s, %s", fault, o[0].AppendJSON(nil, "", 0), o[1].AppendJSON(nil, "", 0))
		}
		away = false
		o = f.record(published("p1", "ann"), liked("p1", "bob"))
		if want := map[logtest.Fault]domain.Result{logtest.LostRequest: domain.Recorded, logtest.LostAnswer: domain.Duplicate}[fault]; o[0].Result != want || o[1].Result != domain.Recorded {
			t.Errorf("fault %d, sent again: %s, %s", fault, o[0].AppendJSON(nil, "", 0), o[1].AppendJSON(nil, "", 0))
		}
		if n := f.log.Len(); n != 3 {
			t.Errorf("fault %d: %d events", fault, n)
		}
	}
}

// A log that takes its time to say that it does not know is not asked for minutes.
func TestUnknownOutcomeTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
			if a.Stream == domain.TariffStream {
				return logtest.NoFault
			}
			time.Sleep(2 * time.Second)
			return logtest.LostRequest
		}})
		began := time.Now()
		if o := f.one(published("p1", "ann")); o.Result != domain.Failed {
			t.Errorf("%s", o.AppendJSON(nil, "", 0))
		}
		if took := time.Since(began); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("it was tried for %v", took)
		}
	})
}

// What builds on an engagement that failed fails too; the rest of the batch does not.
func TestOneFailureInABatch(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{Fault: func(a domain.Append) logtest.Fault {
		if a.Stream == "post-p1" {
			return logtest.Unavailable
		}
		return logtest.NoFault
	}})
	want := []domain.Result{domain.Failed, domain.Failed, domain.Recorded, domain.Failed, domain.Recorded, domain.Rejected, domain.Failed}
	for i, o := range f.record(published("p1", "ann"), commented("p1", "c1", "cid"), published("p2", "ann"),
		commentLiked("c1", "bob"), liked("p2", "bob"), liked("p3", "bob"), liked("p1", "bob")) {
		if o.Result != want[i] {
			t.Errorf("%d: %s, not %s", i, o.AppendJSON(nil, "", 0), want[i])
		}
	}
}

// A context that ended fails all, and leaves nothing half done.
func TestCancelledRecord(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, o := range f.Record(ctx, received(published("p1", "ann"), liked("p1", "bob"))) {
		if o.Result != domain.Failed {
			t.Errorf("%s", o.AppendJSON(nil, "", 0))
		}
	}
	if n := f.log.Len(); n != 1 {
		t.Errorf("%d events", n)
	}
}

// racers is how many goroutines race for one thing.
const racers = 24

// race lets each racer record an engagement at once, in turn through each ledger, and returns the outcomes.
func race(ledgers []*domain.Ledger, engagement func(n int) domain.Engagement) []domain.Outcome {
	outcomes := make([]domain.Outcome, racers)
	var ready, done sync.WaitGroup
	ready.Add(racers)
	for n := range racers {
		done.Go(func() {
			r := received(engagement(n))
			ready.Done()
			ready.Wait()
			outcomes[n] = ledgers[n%len(ledgers)].Record(context.Background(), r)[0]
		})
	}
	done.Wait()
	return outcomes
}

// However many race for one thing, through one ledger or two, one is recorded, and each of the others has the outcome
// that says so; also where a log shows the winner only a little later (I6, I13).
func TestRaces(t *testing.T) {
	unique := func(e domain.Engagement, n int) domain.Engagement { return named(fmt.Sprint(n), e) }
	for _, row := range []struct {
		name       string
		engagement func(n int) domain.Engagement
		// others counts, by result and code or reason, what is not the one that was recorded and moved something.
		others map[string]int
	}{
		{"one message", func(int) domain.Engagement { return liked("p1", "bob") }, map[string]int{"duplicate": racers - 1}},
		{"one reaction", func(n int) domain.Engagement { return unique(commentLiked("c1", "bob"), n) }, map[string]int{"already_reacted": racers - 1}},
		{"one read", func(n int) domain.Engagement { return unique(read("p1", "bob", 60), n) }, map[string]int{"already_rewarded": racers - 1}},
		{"one post", func(n int) domain.Engagement { return unique(published("p2", fmt.Sprint("a", n)), n) }, map[string]int{"post_exists": racers - 1}},
		{"one comment", func(n int) domain.Engagement { return unique(commented("p1", "c2", fmt.Sprint("a", n)), n) }, map[string]int{"comment_exists": racers - 1}},
		{"one removal", func(n int) domain.Engagement { return unique(removed("c1"), n) }, map[string]int{"comment_removed": racers - 1}},
		{"one message on many streams", func(n int) domain.Engagement { return named("m", liked("p1", fmt.Sprint("a", n))) },
			map[string]int{"conflicting_duplicate": racers - 1}},
	} {
		for _, two := range []bool{false, true} {
			for _, lag := range []int{0, 3} {
				t.Run(fmt.Sprintf("%s/two ledgers %t/lag %d", row.name, two, lag), func(t *testing.T) {
					// A message on many streams is noticed at once only by a log with one writer.
					f := newFixture(t, logtest.MemoryOptions{LagReads: lag, ManyWriters: two && row.name != "one message on many streams"})
					article(f)
					ledgers := []*domain.Ledger{f.Ledger}
					if two {
						ledgers = append(ledgers, f.second(nil))
					}
					before := f.log.Len()
					got := map[string]int{}
					recorded := map[domain.Position]bool{}
					for _, o := range race(ledgers, row.engagement) {
						switch {
						case o.Result == domain.Recorded && recorded[o.Recorded.Position]:
							// Both came to the same bytes at the same moment, which for a log is one append sent twice.
							got[string(domain.Duplicate)]++
						case o.Result == domain.Recorded && o.Recorded.Reason == "":
							recorded[o.Recorded.Position] = true
						case o.Result == domain.Recorded:
							got[string(o.Recorded.Reason)]++
						case o.Result == domain.Rejected:
							got[string(o.Rejection.Code)]++
						default:
							got[string(o.Result)+o.Detail]++
						}
					}
					if len(recorded) != 1 || fmt.Sprint(got) != fmt.Sprint(row.others) {
						t.Errorf("%v recorded, and of the others %v, not %v", recorded, got, row.others)
					}
					if n := f.log.Len() - before; n != 1+row.others["already_rewarded"] {
						t.Errorf("%d events", n)
					}
				})
			}
		}
	}
}

// Many goroutines send everything at once through two ledgers, each engagement twice: the log is the model's.
func TestCrowd(t *testing.T) {
	const sends = 40
	f := newFixture(t, logtest.MemoryOptions{LagReads: 2, ManyWriters: true})
	article(f)
	ledgers := []*domain.Ledger{f.Ledger, f.second(nil)}
	sent := map[domain.Message]domain.Engagement{}
	for _, e := range []domain.Engagement{published("p1", "ann"), commented("p1", "c1", "cid")} {
		sent[e.Message] = e
	}
	var mu sync.Mutex // guards sent
	var crowd sync.WaitGroup
	for n := range 8 {
		crowd.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n/2)))
			for i := range sends {
				account := fmt.Sprint("a", random.IntN(3))
				kinds := []domain.Engagement{liked("p1", account), disliked("p1", account), withdrawn("p1", account),
					commentLiked("c1", account), commentDisliked("c1", account), commentWithdrawn("c1", account), read("p1", account, uint64(random.IntN(90)))}
				e := named(fmt.Sprintf("%d-%d", n/2, i), kinds[random.IntN(len(kinds))])
				mu.Lock()
				sent[e.Message] = e
				mu.Unlock()
				if o := ledgers[n%2].Record(context.Background(), received(e))[0]; o.Result == domain.Failed {
					t.Errorf("failed: %s", o.Detail)
				}
			}
		})
	}
	crowd.Wait()
	replay(t, f, sent)
}

// Operators and engagements that race for one stream leave a log that keeps all invariants.
func TestOperatorRaces(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{LagReads: 2})
	article(f)
	like := f.must(liked("p1", "bob"))
	second := f.second(nil)
	var recorded atomic.Int64
	var crowd sync.WaitGroup
	for n := range 8 {
		l := []*domain.Ledger{f.Ledger, second}[n%2]
		crowd.Go(func() {
			// Each by another, so that no two make the same line: the clock stands, and a line that is there already is
			// answered as if it were the first.
			o := l.Reverse(context.Background(), like.ID, fmt.Sprint("note ", n/4), fmt.Sprint("ops", n))
			if o.Result == domain.Recorded {
				recorded.Add(1)
			} else if o.Result == domain.Failed {
				t.Errorf("failed: %s", o.Detail)
			}
		})
		crowd.Go(func() {
			if o := l.PublishTariff(context.Background(), tariffFrom(2, time.Hour, nil), "ops"); o.Result == domain.Failed {
				t.Errorf("failed: %s", o.Detail)
			}
		})
	}
	crowd.Wait()
	if n := recorded.Load(); n != 1 {
		t.Errorf("%d reversals of one event", n)
	}
	if n := f.log.Len(); n != 6 {
		t.Errorf("%d events", n)
	}
}

// lateFinder finds nothing until it is told to: views that are behind.
type lateFinder struct {
	domain.MessageFinder
	awake atomic.Bool
}

func (l *lateFinder) FindMessage(ctx context.Context, m domain.Message) (domain.LogEvent, bool, error) {
	if !l.awake.Load() {
		return domain.LogEvent{}, false, nil
	}
	return l.MessageFinder.FindMessage(ctx, m)
}

// A log with many writers refuses a used message as soon as the views have seen it; until then its own stream does.
func TestUsedMessageAndLateViews(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{ManyWriters: true})
	article(f)
	late := &lateFinder{}
	l := f.second(func(cfg *domain.Config) { late.MessageFinder, cfg.Messages = cfg.Messages, late })
	send := func(e domain.Engagement) string {
		o := l.Record(t.Context(), received(e))[0]
		if o.Rejection != nil {
			return string(o.Rejection.Code)
		}
		return string(o.Result)
	}
	for i, step := range []struct {
		e    domain.Engagement
		wake bool
		want string
	}{
		{named("m", liked("p1", "bob")), false, "recorded"},
		{named("m", liked("p1", "bob")), false, "duplicate"},
		{named("m", disliked("p1", "bob")), false, "conflicting_duplicate"},
		{named("m", liked("p1", "dan")), true, "conflicting_duplicate"},
		{named("m", liked("p9", "dan")), true, "conflicting_duplicate"},
		{named("m", liked("p1", "bob")), true, "duplicate"},
		{named("n", liked("p1", "dan")), true, "recorded"},
	} {
		late.awake.Store(step.wake)
		if got := send(step.e); got != step.want {
			t.Errorf("step %d: %s, not %s", i, got, step.want)
		}
	}
}

// Views that are away fail what depends on them, and nothing else.
func TestViewsAway(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	article(f)
	l := f.second(func(cfg *domain.Config) { cfg.Messages, cfg.Events = awayFinder{}, awayFinder{} })
	if o := l.Record(t.Context(), received(liked("p1", "bob")))[0]; o.Result != domain.Recorded {
		t.Errorf("a like: %s", o.AppendJSON(nil, "", 0))
	}
	if o := l.Record(t.Context(), received(liked("p9", "bob")))[0]; o.Result != domain.Failed {
		t.Errorf("what is rejected unless it is a conflicting duplicate: %s", o.AppendJSON(nil, "", 0))
	}
	if o := l.Reverse(t.Context(), f.events()[0].ID, "a note", "ops"); o.Result != domain.Failed {
		t.Errorf("a reversal: %s", o.AppendJSON(nil, "", 0))
	}
}

type awayFinder struct{}

func (awayFinder) FindMessage(context.Context, domain.Message) (e domain.LogEvent, found bool, err error) {
	return e, false, errAway
}

func (awayFinder) FindEvent(context.Context, domain.EventID) (e domain.LogEvent, found bool, err error) {
	return e, false, errAway
}

// A stream that holds what none may hold fails whatever depends on it, and names the place; nothing is skipped.
func TestDamagedStreams(t *testing.T) {
	golden := goldenLines(t)
	for _, row := range []struct {
		name   string
		stream domain.Stream
		lines  []int
		send   domain.Engagement
	}{
		{"a change before its post", "post-minerals", []int{2}, changed("minerals", 5)},
		{"a reinstatement of nothing", "reading-minerals/bob", []int{3, 17}, read("minerals", "bob", 5)},
		{"a removal of nothing", "comment-c-1", []int{22}, removed("c-1")},
		{"a withdrawal of nothing", "reaction-post/minerals/bob", []int{12}, liked("minerals", "bob")},
		{"a revision left out", "reading-minerals/bob", []int{3, 15}, read("minerals", "bob", 5)},
		{"what is no event", "reading-minerals/bob", []int{-1}, read("minerals", "bob", 5)},
		{"a newer type", "reading-minerals/bob", []int{-2}, read("minerals", "bob", 5)},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newBareFixture(t, logtest.MemoryOptions{T: t})
			f.start()
			var place domain.Position
			for i, n := range row.lines {
				line := []byte("no event")
				if n == -2 {
					line = []byte(strings.Replace(string(golden[3]), "PostRead", "PostSkimmed", 1))
				} else if n >= 0 {
					line = golden[n]
				}
				answer := f.log.Append(t.Context(), []domain.Append{{Stream: row.stream, Expected: domain.Revision(i - 1),
					Message: domain.Message{Source: "/damage", ID: fmt.Sprint(i)}, Events: []domain.EncodedEvent{{Type: domain.PostRead, Canonical: line}}}})[0]
				if answer.Err != nil {
					t.Fatal(answer.Err)
				}
				place = answer.Positions[0]
			}
			before := f.log.Len()
			o := f.one(row.send)
			if o.Result != domain.Failed || !strings.Contains(o.Detail, place.String()) {
				t.Errorf("the outcome is %s, the damage at position %s", o.AppendJSON(nil, "", 0), place)
			}
			if f.log.Len() != before {
				t.Error("something was appended")
			}
		})
	}
}
