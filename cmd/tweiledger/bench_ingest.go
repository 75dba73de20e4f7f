package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

const (
	benchBatch   = 1_000
	benchCallers = 32
)

// benchLedger is a ledger on an embedded log of its own, fed by the generator.
type benchLedger struct {
	*domain.Ledger
	benchFeed
	log *pebblelog.Log
	// views follow the log; nil where nothing does.
	views  *projections.Views
	closes func() error
	read   domain.Position
}

// newBenchLedger makes a ledger in a new folder of the run, with views or without.
func (r *benchRun) newBenchLedger(
	ctx context.Context, name string, engagements int, folded bool,
) (*benchLedger, error) {
	b, err := openBenchLedger(ctx, filepath.Join(r.dir, name), folded)
	if err != nil {
		return nil, err
	}
	b.benchFeed = r.newFeed(engagements)
	if err := b.begin(ctx, r.posts); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func openBenchLedger(ctx context.Context, dir string, folded bool) (*benchLedger, error) {
	if folded {
		s, err := openService(ctx, home{dir: dir}, 0)
		if err != nil {
			return nil, err
		}
		return &benchLedger{Ledger: s.ledger, log: s.embedded, views: s.views, closes: s.Close}, nil
	}
	log, err := pebblelog.Open(dir, pebblelog.Options{})
	if err != nil {
		return nil, err
	}
	ledger := domain.NewLedger(domain.Config{Log: log, Clock: time.Now, Messages: log})
	return &benchLedger{Ledger: ledger, log: log, closes: log.Close}, nil
}

// begin records the posts, which come first and are no part of what is measured.
func (b *benchLedger) begin(ctx context.Context, posts int) error {
	if err := b.Start(ctx, nil); err != nil {
		return err
	}
	if _, err := record(ctx, b.Ledger, b.take(posts)); err != nil {
		return err
	}
	if _, err := b.recorded(ctx); err != nil {
		return err
	}
	return b.caughtUp(ctx)
}

func (b *benchLedger) close() error {
	b.stop()
	return b.closes()
}

// record does what an ingest does: CloudEvents in, outcomes out.
func record(ctx context.Context, ledger *domain.Ledger, batch [][]byte) ([]byte, error) {
	outcomes := ledger.Record(ctx, domain.ParseEngagements(batch))
	answer := make([]byte, 0, 512*len(outcomes)) // as the route for batches does
	for i := range outcomes {
		if outcomes[i].Result == domain.Failed {
			return nil, fmt.Errorf("an engagement failed: %s", outcomes[i].Detail)
		}
		answer = outcomes[i].AppendJSON(answer, "index", i)
	}
	return answer, nil
}

// recordBatches records one batch after the other, and returns once the views, where there are any, hold all of it.
func (b *benchLedger) recordBatches(ctx context.Context, batches [][][]byte) error {
	for _, batch := range batches {
		if _, err := record(ctx, b.Ledger, batch); err != nil {
			return err
		}
	}
	return b.caughtUp(ctx)
}

// caughtUp waits until the views, where there are any, hold what the log holds.
func (b *benchLedger) caughtUp(ctx context.Context) error {
	if b.views == nil {
		return nil
	}
	head, err := b.log.Head(ctx)
	if err != nil {
		return err
	}
	return b.views.Wait(ctx, head)
}

// recorded returns the lines that came into the log since it was called last.
func (b *benchLedger) recorded(ctx context.Context) (lines [][]byte, _ error) {
	for events, err := range b.log.Read(ctx, b.read) {
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			lines = append(lines, e.Canonical)
			b.read = e.Position
		}
	}
	return lines, nil
}

func measureIngestBatch(ctx context.Context, r *benchRun) (figures, error) {
	return r.measureIngest(ctx, "ingest_batch", false)
}

func measureIngestFolded(ctx context.Context, r *benchRun) (figures, error) {
	return r.measureIngest(ctx, "ingest_folded", true)
}

// measureIngest measures batches, until they are durable or, where they are folded, in the views, over the append of
// the lines that they became to a bare Pebble.
func (r *benchRun) measureIngest(ctx context.Context, key string, folded bool) (f figures, err error) {
	f.Unit = "1/s"
	ledger, err := r.newBenchLedger(ctx, key, r.ingest*r.rounds, folded)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, ledger.close()) }()
	bare, err := pebble.Open(filepath.Join(r.dir, key+"-bare"), pebblelog.EventOptions(vfs.Default))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()
	bar := newBar(r.notes, key, "rounds", int64(r.rounds))
	defer bar.Exit()
	var next uint64
	for range r.rounds {
		batches := ledger.takeBatches(r.ingest / benchBatch)
		numerator, err := perSecond(r.ingest, func() error { return ledger.recordBatches(ctx, batches) })
		if err != nil {
			return f, err
		}
		lines, err := ledger.recorded(ctx)
		if err != nil {
			return f, err
		}
		denominator, err := perSecond(len(lines), func() error { return appendBare(bare, lines, &next) })
		if err != nil {
			return f, err
		}
		f.add(numerator, denominator)
		_ = bar.Add(1)
	}
	return f, nil
}

// appendBare appends lines under sequential keys, one sync a batch.
func appendBare(db *pebble.DB, lines [][]byte, next *uint64) error {
	for len(lines) > 0 {
		n := min(benchBatch, len(lines))
		batch := db.NewBatch()
		for _, line := range lines[:n] {
			if err := batch.Set(binary.BigEndian.AppendUint64(nil, *next), line, nil); err != nil {
				return err
			}
			*next++
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

func measureIngestSingle(ctx context.Context, r *benchRun) (f figures, err error) {
	f.Unit = "1/s"
	n := r.ingest / 2
	ledger, err := r.newBenchLedger(ctx, "ingest_single", n*r.rounds, false)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, ledger.close()) }()
	file, err := os.Create(filepath.Join(r.dir, "lines"))
	if err != nil {
		return f, err
	}
	defer file.Close()
	bar := newBar(r.notes, "ingest_single", "rounds", int64(r.rounds))
	defer bar.Exit()
	for range r.rounds {
		engagements := ledger.take(n)
		numerator, err := perSecond(n, func() error { return ledger.recordSingly(ctx, engagements) })
		if err != nil {
			return f, err
		}
		lines, err := ledger.recorded(ctx)
		if err != nil {
			return f, err
		}
		line := meanLine(lines)
		syncs := max(n/20, 100)
		denominator, err := perSecond(syncs, func() error { return writeAndSync(file, line, syncs) })
		if err != nil {
			return f, err
		}
		f.add(numerator, denominator)
		_ = bar.Add(1)
	}
	return f, nil
}

// recordSingly records each engagement in a call of its own, from many goroutines.
func (b *benchLedger) recordSingly(ctx context.Context, engagements [][]byte) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, benchCallers)
	for range benchCallers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(engagements) {
					return
				}
				if _, err := record(ctx, b.Ledger, engagements[i:i+1]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// meanLine returns a line of the mean size of those given.
func meanLine(lines [][]byte) []byte {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	return make([]byte, size/max(len(lines), 1))
}

func writeAndSync(file *os.File, line []byte, n int) error {
	for range n {
		if _, err := file.Write(line); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return nil
}
