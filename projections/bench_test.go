package projections_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// benchLog returns a log of b.N engagements of many accounts on many posts, and nothing else in memory.
func benchLog(b *testing.B) *fixedLog {
	source := logtest.NewMemory(logtest.MemoryOptions{BatchEvents: 1000})
	newWorld(b, source).traffic(b.N, 1000, 100_000)
	log := readAll(b, source)
	log.EventLog = nil
	return log
}

// BenchmarkFold folds a log of b.N engagements, many accounts on many posts, into views on disk.
func BenchmarkFold(b *testing.B) {
	log := benchLog(b)
	store, err := pebbleviews.Open(b.TempDir(), pebbleviews.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	views, err := projections.Open(b.Context(), store, log)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	b.ResetTimer()
	cpu := cpuTime()
	start := time.Now()
	go func() { ended <- views.Run(ctx) }()
	if err := views.Wait(ctx, log.head()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(len(log.events))/time.Since(start).Seconds(), "events/s")
	b.ReportMetric((cpuTime()-cpu).Seconds()*1e6/float64(len(log.events)), "cpu-µs/event")
	cancel()
	<-ended
}

// cpuTime returns what the process has used of the processors.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkDecode only decodes the same events, on as many goroutines as the fold does.
func BenchmarkDecode(b *testing.B) {
	log := benchLog(b)
	b.ResetTimer()
	start := time.Now()
	done := make(chan error)
	for half := range 2 {
		go func() {
			var err error
			for i := half; i < len(log.events) && err == nil; i += 2 {
				_, err = domain.DecodeEvent(log.events[i].Canonical)
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(log.events))/time.Since(start).Seconds(), "events/s")
}

// BenchmarkStatement reads statements of accounts under posts.
func BenchmarkStatement(b *testing.B) {
	source := logtest.NewMemory(logtest.MemoryOptions{BatchEvents: 1000})
	w := newWorld(b, source)
	w.traffic(50_000, 100, 1000)
	store, err := pebbleviews.Open(b.TempDir(), pebbleviews.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	views := folded(b, store, source)
	scopes := make([]domain.Scope, 1000)
	for i := range scopes {
		scopes[i] = domain.Scope{PostID: postID(i % 100), AccountID: accountID(i)}
	}
	b.ResetTimer()
	for i := range b.N {
		s := views.Snapshot()
		if _, err := s.Statement(context.Background(), scopes[i%len(scopes)], projections.AsOf{}); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
