package eventstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// otherwise returns an append to the place of another one, of other bytes.
func otherwise(a domain.Append) domain.Append {
	line := logtest.Line(a.Stream, a.Expected+1, "other", 0)
	a.Events = []domain.EncodedEvent{{Type: domain.PostDisliked, Canonical: line}}
	return a
}

// holds checks that a double has just these appends, each once and at its revisions.
func holds(t testing.TB, server *esdbtest.Server, prefix string, appends ...domain.Append) {
	t.Helper()
	count := 0
	for _, a := range appends {
		events := server.Events(prefix + string(a.Stream))
		for i, e := range a.Events {
			revision := int(a.Expected) + 1 + i
			if revision >= len(events) || string(events[revision].Data) != string(e.Canonical) ||
				events[revision].Revision != uint64(revision) {
				t.Fatalf("stream %s has not %q at revision %d: %+v", a.Stream, e.Canonical, revision, events)
			}
			count++
		}
	}
	if n := server.Length(); n != count {
		t.Errorf("the store has %d events, want %d", n, count)
	}
}

// An append that was taken, but whose answer did not come, is of unknown outcome; sent again it is found, at its place.
func TestAnswerLost(t *testing.T) {
	for name, play := range map[string]func(*esdbtest.Server){
		"the connection breaks":   func(s *esdbtest.Server) { s.DropAppends(1) },
		"the store times out":     func(s *esdbtest.Server) { s.AbortAppends(1) },
		"another node leads then": func(s *esdbtest.Server) { s.HoldAnswers(); s.ChangeLeaderAfter(1, 1) },
		"the answer is late":      func(s *esdbtest.Server) { s.DelayAnswers(time.Minute) },
	} {
		for _, events := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				server := double(t, esdbtest.Options{Nodes: 3, SplitPositions: true})
				l := openLog(t, server.ConnectionString()+"&defaultDeadline=500&gossipTimeout=1", Options{Prefix: "ledger."})
				ready(t, l)
				play(server)
				a := appendOf("post-p", domain.NoStream, events)
				err := fails(t, l, a, domain.ErrOutcomeUnknown)
				if errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrRevisionConflict) {
					t.Errorf("the answer says more than is known: %v", err)
				}
				server.ReleaseAnswers()
				server.DelayAnswers(0)
				answer := settled(t, l, a)
				if answer.Err != nil {
					t.Fatal(answer.Err)
				}
				for i, e := range server.Events("ledger.post-p") {
					if answer.Positions[i] != domain.NewPosition(e.Commit, e.Prepare) {
						t.Errorf("event %d is at %d/%d, not %s", i, e.Commit, e.Prepare, answer.Positions[i])
					}
				}
				if again := must(t, l, a); !slices.Equal(again, answer.Positions) {
					t.Errorf("sent again it is at %v, not %v", again, answer.Positions)
				}
				holds(t, server, "ledger.", a)
			})
		}
	}
}

// A store that refuses for now has nothing, and takes the append later.
func TestStoreNotReady(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	server.RefuseAppends(2)
	a := appendOf("post-p", domain.NoStream, 1)
	answer := l.Append(patient(t), []domain.Append{a})[0]
	if !errors.Is(answer.Err, domain.ErrOutcomeUnknown) {
		t.Errorf("the append was answered %v", answer.Err)
	}
	holds(t, server, "ledger.")
	if answer := settled(t, l, a); answer.Err != nil {
		t.Fatal(answer.Err)
	}
	holds(t, server, "ledger.", a)
}

// Another node leads in the middle of a call: each append is recorded once in the end, and what is read comes from the
// new leader, since the old one lags from then on.
func TestLeaderChangesInACall(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	said := &journal{}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
	ready(t, l)
	server.LagFollowers(1000)
	server.ChangeLeaderAfter(20, 2)
	appends := newAppends(0, 100)
	unknown := 0
	for i, answer := range l.Append(patient(t), appends) {
		if errors.Is(answer.Err, domain.ErrOutcomeUnknown) || errors.Is(answer.Err, domain.ErrUnavailable) {
			unknown++
			answer = settled(t, l, appends[i])
		}
		if answer.Err != nil {
			t.Fatalf("append %d: %v", i, answer.Err)
		}
	}
	if unknown == 0 {
		t.Error("the leader's change was not noticed")
	}
	holds(t, server, "ledger.", appends...)
	for _, a := range appends {
		if lines := linesOf(t, l, a.Stream); len(lines) != 1 {
			t.Errorf("stream %s reads as %q", a.Stream, lines)
		}
	}
	if text := said.String(); said.count("store_connected") != 2 || said.count("store_away") != 0 {
		t.Errorf("the leader that the old one names was not followed at once:\n%s", text)
	}
}

// What is not replicated counts for a conflict before a read shows it.
func TestConflictWithTheUnreplicated(t *testing.T) {
	server := double(t, esdbtest.Options{WriteTimeout: 50 * time.Millisecond})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	server.HoldReplication()
	a := appendOf("post-p", 0, 1)
	fails(t, l, a, domain.ErrOutcomeUnknown)
	err := fails(t, l, otherwise(a), domain.ErrRevisionConflict)
	if conflict := (*domain.RevisionConflictError)(nil); !errors.As(err, &conflict) ||
		*conflict != (domain.RevisionConflictError{Stream: "post-p", Expected: 0, Actual: 1}) {
		t.Errorf("the conflict is %#v", err)
	}
	if lines := linesOf(t, l, "post-p"); len(lines) != 1 {
		t.Errorf("the stream reads as %q", lines)
	}
	// The store never answers what repeats it now, other than by time.
	fails(t, l, a, domain.ErrOutcomeUnknown)
	server.ReleaseReplication()
	must(t, l, a)
	if lines := linesOf(t, l, "post-p"); len(lines) != 2 {
		t.Errorf("the stream reads as %q", lines)
	}
}

// What the leader loses before anybody else has it was never recorded.
func TestUnreplicatedIsLost(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	ready(t, l)
	server.HoldReplication()
	a := appendOf("post-p", domain.NoStream, 2)
	answered := make(chan domain.Appended, 1)
	go func() { answered <- l.Append(context.Background(), []domain.Append{a})[0] }()
	eventually(t, "the append is stored", func() bool { return server.Length() == 2 })
	server.LoseUnreplicated()
	if answer := <-answered; !errors.Is(answer.Err, domain.ErrOutcomeUnknown) {
		t.Errorf("the append was answered %v", answer)
	}
	server.ReleaseReplication()
	other := otherwise(a)
	must(t, l, other)
	fails(t, l, a, domain.ErrRevisionConflict)
	holds(t, server, "ledger.", other)
}

// A call of more appends than may be in flight goes through.
func TestFewInFlight(t *testing.T) {
	address := addressOf(t, esdbtest.Options{})
	l := openLog(t, address, Options{InFlight: 2})
	for i, answer := range l.Append(patient(t), newAppends(0, 100)) {
		if answer.Err != nil {
			t.Fatalf("append %d: %v", i, answer.Err)
		}
	}
}

// A caller who gives up while the store holds its answer is told at once which appends may be recorded.
func TestCallerGivesUp(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", InFlight: 1})
	ready(t, l)
	server.HoldAnswers()
	ctx, cancel := context.WithCancel(context.Background())
	appends := newAppends(0, 2)
	answered := make(chan []domain.Appended, 1)
	go func() { answered <- l.Append(ctx, appends) }()
	eventually(t, "the append is stored", func() bool { return server.Length() == 1 })
	cancel()
	answers := <-answered
	if err := answers[0].Err; !errors.Is(err, domain.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("what was sent: %v", err)
	}
	if err := answers[1].Err; !errors.Is(err, domain.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("what was not sent: %v", err)
	}
	server.ReleaseAnswers()
	must(t, l, appends...)
	holds(t, server, "ledger.", appends...)
}

func TestImport(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	// Appends that build on those before them, in the order of the log that they come from.
	var appends []domain.Append
	for i := range domain.Revision(10) {
		appends = append(appends, appendOf("post-p", i-1, 1), appendOf("post-q", 2*i-1, 2))
	}
	server.AbortAppends(1)
	if taken, err := l.Import(patient(t), appends[:10]); err != nil || taken != 15 {
		t.Fatal(taken, err)
	}
	server.DropAppends(1)
	if taken, err := l.Import(patient(t), appends[10:]); err != nil || taken != 15 {
		t.Fatal(taken, err)
	}
	// Once more is nothing new.
	if taken, err := l.Import(patient(t), appends); err != nil || taken != 30 {
		t.Fatal(taken, err)
	}
	holds(t, server, "ledger.", appends...)
	at := 0
	for _, a := range appends {
		for _, e := range a.Events {
			if held := server.Events("")[at]; string(held.Data) != string(e.Canonical) {
				t.Fatalf("event %d is %q, want %q", at, held.Data, e.Canonical)
			}
			at++
		}
	}
	taken, err := l.Import(patient(t), []domain.Append{otherwise(appends[0])})
	if taken != 0 || !errors.Is(err, domain.ErrRevisionConflict) || errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("another event at a place: %v", err)
	}
}

// TestImportStops: an import stops at what cannot be appended, and nothing behind that is there.
func TestImportStops(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	appends := newAppends(0, 5)
	server.RefuseAppends(1)
	if taken, err := l.Import(patient(t), appends[:2]); err != nil || taken != 2 {
		t.Errorf("after a refusal that passes: %d, %v", taken, err)
	}
	appends[2].Expected = 7
	taken, err := l.Import(patient(t), appends[2:])
	var gap *domain.RevisionConflictError
	if taken != 0 || !errors.As(err, &gap) || gap.Stream != appends[2].Stream {
		t.Errorf("behind a gap: %d, %v", taken, err)
	}
	holds(t, server, "ledger.", appends[:2]...)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if taken, err := l.Import(ended, appends[3:]); taken != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %d, %v", taken, err)
	}
}

// Where the events of very many appends are is read side by side, so that it does not take as long as all of them.
func TestManyPositions(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString()+"&defaultDeadline=2000", Options{Prefix: "ledger."})
	ready(t, l)
	const late, count = 50 * time.Millisecond, 100
	server.DelayAnswers(late)
	appends := make([]domain.Append, count)
	for i := range appends {
		appends[i] = appendOf(domain.PostStream(fmt.Sprint(i)), domain.NoStream, 2)
	}
	must(t, l, appends...)
	holds(t, server, "ledger.", appends...)
}
