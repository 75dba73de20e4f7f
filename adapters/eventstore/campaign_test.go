package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// told is what a writer was told of an append.
type told struct {
	append domain.Append
	answer domain.Appended
}

// writer appends to a few streams, which others append to as well.
type writer struct {
	number int
	log    *Log
	rng    *rand.Rand
	at     [4]domain.Revision
	told   []told
	failed error
}

func (w *writer) write(count int) {
	for i := range w.at {
		w.at[i] = domain.NoStream
	}
	for i := range count {
		a := w.next(i)
		answer := w.log.Append(context.Background(), []domain.Append{a})[0]
		if errors.Is(answer.Err, domain.ErrOutcomeUnknown) || errors.Is(answer.Err, domain.ErrUnavailable) {
			answer = w.log.settle(context.Background(), a)
		}
		var conflict *domain.RevisionConflictError
		at := &w.at[a.Stream[len(a.Stream)-1]-'0']
		switch {
		case answer.Err == nil:
			*at = a.Expected + domain.Revision(len(a.Events))
		case errors.As(answer.Err, &conflict):
			*at = conflict.Actual
		default:
			w.failed = answer.Err
			return
		}
		w.told = append(w.told, told{a, answer})
	}
}

// next returns an append of one event or two that nobody else makes.
func (w *writer) next(i int) domain.Append {
	stream := w.rng.IntN(len(w.at))
	a := domain.Append{Stream: domain.PostStream(fmt.Sprint(stream)), Expected: w.at[stream]}
	for j := range 1 + w.rng.IntN(2) {
		a.Events = append(a.Events, domain.EncodedEvent{
			Type: domain.PostLiked, Canonical: fmt.Appendf(nil, "\x00writer %d append %d event %d", w.number, i, j),
		})
	}
	return a
}

// Three processes write to the same streams while the store fails in all ways at once: what was acknowledged is there
// just once, at the revision and position that were told, and nothing that was refused. A fourth one follows.
func TestFaultsAtRandom(t *testing.T) {
	for name, old := range map[string]bool{"22.6": false, "before 22.6": true} {
		t.Run(name, func(t *testing.T) {
			faultsAtRandom(t, esdbtest.Options{Nodes: 3, WriteTimeout: 200 * time.Millisecond, NoStreamPositions: old})
		})
	}
}

func faultsAtRandom(t *testing.T, options esdbtest.Options) {
	const processes, writers, count = 3, 4, 200
	server := double(t, options)
	server.LagFollowers(5)
	server.PlayAtRandom(20, esdbtest.Rates{
		RefuseAppend: 0.03, DropAppend: 0.005, AbortAppend: 0.03, LateAppend: 0.1, ChangeLeader: 0.003,
		CutRead: 0.05, CutSubscription: 0.002, SilenceSubscription: 0.0005, BogusCheckpoint: 0.01,
	})
	opened := Options{Prefix: "ledger.", Silence: 200 * time.Millisecond}
	f := following(t, openLog(t, server.ConnectionString(), opened))
	var all []*writer
	var writing sync.WaitGroup
	for range processes {
		l := openLog(t, server.ConnectionString(), opened)
		for range writers {
			n := len(all)
			w := &writer{number: n, log: l, rng: rand.New(rand.NewPCG(uint64(n), 0))}
			all = append(all, w)
			writing.Go(func() { w.write(count) })
		}
	}
	writing.Wait()
	server.PlayAtRandom(0, esdbtest.Rates{})
	held := server.Events("")
	at := map[string]int{}
	for i, e := range held {
		if _, twice := at[string(e.Data)]; twice {
			t.Errorf("%q is there twice", e.Data)
		}
		at[string(e.Data)] = i
	}
	acknowledged, refused := 0, 0
	for _, w := range all {
		if w.failed != nil {
			t.Errorf("writer %d: %v", w.number, w.failed)
		}
		for _, told := range w.told {
			if told.answer.Err != nil {
				refused++
			}
			acknowledged += len(told.answer.Positions)
			told.check(t, held, at)
		}
	}
	if acknowledged != len(held) || refused == 0 {
		t.Errorf("%d events were acknowledged, the store has %d; %d conflicts", acknowledged, len(held), refused)
	}
	want := domain.Append{}
	for _, e := range held {
		want.Events = append(want.Events, domain.EncodedEvent{Canonical: e.Data})
	}
	f.sees(t, []domain.Append{want})
}

// check compares what was told with what is held; at has the places of the lines there.
func (told *told) check(t *testing.T, held []esdbtest.Event, at map[string]int) {
	t.Helper()
	for i, e := range told.append.Events {
		place, there := at[string(e.Canonical)]
		if told.answer.Err != nil {
			if there {
				t.Errorf("%q is there, and was answered with %v", e.Canonical, told.answer.Err)
			}
			continue
		}
		if !there {
			t.Errorf("%q is acknowledged and not there", e.Canonical)
			continue
		}
		is, revision := held[place], uint64(told.append.Expected)+1+uint64(i)
		if is.Stream != "ledger."+string(told.append.Stream) || is.Revision != revision ||
			told.answer.Positions[i] != domain.NewPosition(is.Commit, is.Prepare) {
			t.Errorf("%q is acknowledged at revision %d of %s, position %s, and held as %+v",
				e.Canonical, revision, told.append.Stream, told.answer.Positions[i], is)
		}
	}
}
