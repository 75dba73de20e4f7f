package main

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// BenchmarkStoreFollow measures following a log in a store with all views, over draining the same subscription without
// folding, in turns. An operation is both, over the whole log once.
//
//	go test ./cmd/tweiledger -run '^$' -bench StoreFollow -benchtime 5x
func BenchmarkStoreFollow(b *testing.B) {
	const engagements = 200_000
	log := openBenchStore(b, engagements)
	head, err := log.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var ratios []float64
	var drained, folded time.Duration
	for b.Loop() {
		drain := timed(b, func(ctx context.Context) error { return drainUpTo(ctx, log, head) })
		fold := timed(b, func(ctx context.Context) error {
			return rebuildViews(ctx, log, head, filepath.Join(b.TempDir(), "views"))
		})
		ratios = append(ratios, drain.Seconds()/fold.Seconds())
		drained += drain
		folded += fold
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(b.N)*engagements/drained.Seconds(), "drained/s")
	b.ReportMetric(float64(b.N)*engagements/folded.Seconds(), "folded/s")
}

// openBenchStore opens a log in a double that holds what generate makes.
func openBenchStore(b *testing.B, engagements int) *eventstore.Log {
	b.Helper()
	s, err := openService(b.Context(), home{dir: filepath.Join(b.TempDir(), "data")}, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.ledger.Start(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	feed := startFeed(workload.Options{Engagements: engagements, Seed: 1})
	defer feed.stop()
	for batch := feed.take(benchBatch); len(batch) > 0; batch = feed.take(benchBatch) {
		if _, err := record(b.Context(), s.ledger, batch); err != nil {
			b.Fatal(err)
		}
	}
	log, err := openStore("--log", esdbtest.New(b, esdbtest.Options{}).ConnectionString(), eventstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	copied := &logCopy{to: storeLog{log}, hash: sha256.New(), progress: func() {}}
	if err := copied.run(b.Context(), folderLog{s.embedded}); err != nil {
		b.Fatal(err)
	}
	return log
}

func timed(b *testing.B, f func(context.Context) error) time.Duration {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	start := time.Now()
	if err := f(ctx); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// drainUpTo follows a log up to a position, and does nothing with it.
func drainUpTo(ctx context.Context, log domain.EventLog, head domain.Position) error {
	for events, err := range log.Follow(ctx, domain.Position{}) {
		if err != nil {
			return err
		}
		if events[len(events)-1].Position.Compare(head) >= 0 {
			return nil
		}
	}
	return nil
}
