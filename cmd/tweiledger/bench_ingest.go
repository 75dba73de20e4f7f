package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

const (
	benchBatch   = 1_000
	benchPosts   = 1_000
	benchCallers = 32
)

// benchLedger is a ledger on an embedded log of its own, fed by the generator.
type benchLedger struct {
	*domain.Ledger
	log  *pebblelog.Log
	next func() ([]byte, bool)
	stop func()
	read domain.Position
}

func newBenchLedger(ctx context.Context, dir string, engagements int) (*benchLedger, error) {
	log, err := pebblelog.Open(dir, pebblelog.Options{})
	if err != nil {
		return nil, err
	}
	b := &benchLedger{log: log, Ledger: domain.NewLedger(domain.Config{Log: log, Clock: time.Now, Messages: log})}
	b.next, b.stop = iter.Pull(workload.Generate(workload.Options{Posts: benchPosts, Engagements: engagements, Seed: 1}))
	if err := b.Start(ctx, nil); err != nil {
		return nil, err
	}
	// The posts come first; they are no part of what is measured.
	_, err = b.record(ctx, b.take(benchPosts))
	return b, err
}

func (b *benchLedger) close() error {
	b.stop()
	return b.log.Close()
}

// take returns the next engagements of the generator.
func (b *benchLedger) take(n int) [][]byte {
	lines := make([][]byte, 0, n)
	for len(lines) < n {
		line, ok := b.next()
		if !ok {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

// record does what an ingest does: CloudEvents in, outcomes out.
func (b *benchLedger) record(ctx context.Context, batch [][]byte) ([]byte, error) {
	var answer []byte
	outcomes := b.Record(ctx, domain.ParseEngagements(batch))
	for i := range outcomes {
		if outcomes[i].Result == domain.Failed {
			return nil, fmt.Errorf("an engagement failed: %s", outcomes[i].Detail)
		}
		answer = outcomes[i].AppendJSON(answer, "index", i)
	}
	return answer, nil
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

// perRound is how many engagements a round of ingest takes.
func (r *benchRun) perRound() int { return min(r.events/20, 50_000) / benchBatch * benchBatch }

// perSecond runs do and returns how many of n were done a second.
func perSecond(n int, do func() error) (float64, error) {
	start := time.Now()
	err := do()
	return float64(n) / time.Since(start).Seconds(), err
}

func measureIngestBatch(ctx context.Context, r *benchRun) (f figures, err error) {
	f.Unit = "1/s"
	n := r.perRound()
	ledger, err := newBenchLedger(ctx, filepath.Join(r.dir, "ingest-batch"), n*(benchRounds+1))
	if err != nil {
		return f, err
	}
	defer ledger.close()
	bare, err := pebble.Open(filepath.Join(r.dir, "bare"), pebblelog.EventOptions(vfs.Default))
	if err != nil {
		return f, err
	}
	defer bare.Close()
	bar := newBar(r.notes, "ingest_batch", "rounds", benchRounds)
	defer bar.Exit()
	if _, err := ledger.recorded(ctx); err != nil {
		return f, err
	}
	var key uint64
	for range benchRounds {
		batches := make([][][]byte, 0, n/benchBatch)
		for range n / benchBatch {
			batches = append(batches, ledger.take(benchBatch))
		}
		numerator, err := perSecond(n, func() error {
			for _, batch := range batches {
				if _, err := ledger.record(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return f, err
		}
		lines, err := ledger.recorded(ctx)
		if err != nil {
			return f, err
		}
		denominator, err := perSecond(len(lines), func() error { return appendBare(bare, lines, &key) })
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
	n := r.perRound() / 2
	ledger, err := newBenchLedger(ctx, filepath.Join(r.dir, "ingest-single"), n*(benchRounds+1))
	if err != nil {
		return f, err
	}
	defer ledger.close()
	file, err := os.Create(filepath.Join(r.dir, "lines"))
	if err != nil {
		return f, err
	}
	defer file.Close()
	bar := newBar(r.notes, "ingest_single", "rounds", benchRounds)
	defer bar.Exit()
	if _, err := ledger.recorded(ctx); err != nil {
		return f, err
	}
	for range benchRounds {
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
				if _, err := b.record(ctx, engagements[i:i+1]); err != nil {
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
