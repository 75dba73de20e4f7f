package logtest

import (
	"context"
	"errors"
	"testing"

	"github.com/anishathalye/porcupine"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	for name, o := range map[string]MemoryOptions{
		"plain":       {},
		"lags":        {LagReads: 3},
		"manyWriters": {ManyWriters: true, BatchEvents: 1},
	} {
		t.Run(name, func(t *testing.T) {
			Run(t, func(t *testing.T) domain.EventLog {
				o := o
				o.T = t
				m := NewMemory(o)
				t.Cleanup(func() { m.Close() })
				return m
			}, Traits{ManyWriters: o.ManyWriters})
		})
	}
}

func TestMemoryLagsAfterConflict(t *testing.T) {
	l := &log{t, NewMemory(MemoryOptions{T: t, LagReads: 2})}
	l.must(one("post-p", domain.NoStream, "a"))
	l.conflicts(one("post-p", domain.NoStream, "b"), 0)
	l.missing("post-p")
	l.missing("post-p")
	if n := len(l.stream("post-p", 0)); n != 1 {
		t.Fatalf("%d events after the lag, want 1", n)
	}
	// What a reader has seen stays seen.
	l.conflicts(one("post-p", domain.NoStream, "c"), 0)
	if n := len(l.stream("post-p", 0)); n != 1 {
		t.Fatalf("%d events, want the one already shown", n)
	}
}

func TestMemoryFaults(t *testing.T) {
	fault := NoFault
	m := NewMemory(MemoryOptions{T: t, Fault: func(domain.Append) Fault { return fault }})
	l := &log{t, m}
	for i, row := range []struct {
		fault Fault
		err   error
		taken int
	}{
		{Unavailable, domain.ErrUnavailable, 0},
		{LostRequest, domain.ErrOutcomeUnknown, 0},
		{LostAnswer, domain.ErrOutcomeUnknown, 1},
		{NoFault, nil, 1},
	} {
		fault = row.fault
		if err := l.try(one("post-p", domain.NoStream, "a")).Err; !errors.Is(err, row.err) || m.Len() != row.taken {
			t.Fatalf("row %d: %v and %d events, want %v and %d", i, err, m.Len(), row.err, row.taken)
		}
	}
}

func TestMemoryFailsReads(t *testing.T) {
	broken := errors.New("broken")
	var at domain.Position
	m := NewMemory(MemoryOptions{T: t, FailRead: func(p domain.Position) error {
		if p == at {
			return broken
		}
		return nil
	}})
	l := &log{t, m}
	at = l.must(several("post-p", domain.NoStream, "a", 20))[0][11]
	if events, err := collect(l, t.Context(), domain.Position{}); len(events) != 11 || !errors.Is(err, broken) {
		t.Fatalf("%d events and %v, want 11 and the fault", len(events), err)
	}
	if events, err := collectStream(l, t.Context(), "post-p", 5); len(events) != 6 || !errors.Is(err, broken) {
		t.Fatalf("%d events and %v, want 6 and the fault", len(events), err)
	}
}

func TestMemoryPolices(t *testing.T) {
	watch := &recorder{TB: t}
	m := NewMemory(MemoryOptions{T: watch})
	m.Append(context.Background(), []domain.Append{one("post-p", domain.NoStream, "a")})
	m.events[0].line[0] ^= 1
	watch.cleanup()
	if !watch.failed {
		t.Fatal("a changed line went unnoticed")
	}
}

// TestModelRefuses gives the check of one stream's writers answers that no order explains.
func TestModelRefuses(t *testing.T) {
	op := func(client int, call, end int64, in streamInput, out streamOutput) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end}
	}
	a, b := streamInput{domain.NoStream, "a"}, streamInput{domain.NoStream, "b"}
	taken, lost := streamOutput{ok: true}, func(actual domain.Revision) streamOutput { return streamOutput{actual: actual} }
	for name, row := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"one wins":               {[]porcupine.Operation{op(1, 0, 9, a, taken), op(2, 1, 8, b, lost(0))}, true},
		"repeated":               {[]porcupine.Operation{op(1, 0, 2, a, taken), op(1, 3, 4, a, taken)}, true},
		"both win":               {[]porcupine.Operation{op(1, 0, 9, a, taken), op(2, 1, 8, b, taken)}, false},
		"lost to nothing":        {[]porcupine.Operation{op(1, 0, 2, a, lost(0))}, false},
		"lost before the winner": {[]porcupine.Operation{op(1, 0, 2, b, lost(0)), op(2, 3, 4, a, taken)}, false},
		"told an old revision": {[]porcupine.Operation{op(1, 0, 1, a, taken), op(1, 2, 3, streamInput{0, "c"}, taken),
			op(2, 4, 5, b, lost(0))}, false},
	} {
		if got := porcupine.CheckOperations(streamModel, narrowed(row.history)); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// recorder is a testing.TB that only notes that it failed.
type recorder struct {
	testing.TB
	failed  bool
	cleanup func()
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Cleanup(f func())      { r.cleanup = f }
