package logtest

import (
	"context"
	"errors"
	"testing"

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
	l.must(entry("post-p", domain.NoStream, "a"))
	l.conflicts(entry("post-p", domain.NoStream, "b"), 0)
	l.missing("post-p")
	l.missing("post-p")
	if n := len(l.stream("post-p", 0)); n != 1 {
		t.Fatalf("%d events after the lag, want 1", n)
	}
	// What a reader has seen stays seen.
	l.conflicts(entry("post-p", domain.NoStream, "c"), 0)
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
		if err := l.try(entry("post-p", domain.NoStream, "a")).Err; !errors.Is(err, row.err) || m.Len() != row.taken {
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
	at = l.must(entries("post-p", domain.NoStream, "a", 20))[0][11]
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
	m.Append(context.Background(), []domain.Append{entry("post-p", domain.NoStream, "a")})
	m.events[0].line[0] ^= 1
	watch.cleanup()
	if !watch.failed {
		t.Fatal("a changed line went unnoticed")
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
