package main

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
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
	server := esdbtest.New(b, esdbtest.Options{})
	fillDouble(b, server, engagements)
	log, err := openStore("--log", server.ConnectionString(), eventstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
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
