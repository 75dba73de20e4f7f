package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// benchFeed hands out the engagements of the generator.
type benchFeed struct {
	next func() ([]byte, bool)
	stop func()
}

// newFeed returns a feed of the run's posts and then a number of engagements. It must be stopped.
func (r *benchRun) newFeed(engagements int) benchFeed {
	return startFeed(workload.Options{Posts: r.posts, Engagements: engagements, Seed: 1})
}

func startFeed(o workload.Options) (f benchFeed) {
	f.next, f.stop = iter.Pull(workload.Generate(o))
	return f
}

// take returns the next lines, fewer than n at the end.
func (f *benchFeed) take(n int) [][]byte {
	lines := make([][]byte, 0, n)
	for len(lines) < n {
		line, ok := f.next()
		if !ok {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

func (f *benchFeed) takeBatches(n int) [][][]byte {
	batches := make([][][]byte, n)
	for i := range batches {
		batches[i] = f.take(benchBatch)
	}
	return batches
}

// filledLog is the folder of a ledger that holds what generate makes, with views that have caught up.
type filledLog struct {
	dir string
	// pairs are accounts under posts, drawn from what happened there.
	pairs []domain.Scope
}

// pairEvery is how many engagements there are for each pair that is remembered.
const pairEvery = 20

// small and large return the two logs that are compared, made once for all keys of a run.
func (r *benchRun) small(ctx context.Context) (*filledLog, error) { return r.filled(ctx, r.events/10) }
func (r *benchRun) large(ctx context.Context) (*filledLog, error) { return r.filled(ctx, r.events) }

func (r *benchRun) filled(ctx context.Context, n int) (*filledLog, error) {
	if log := r.logs[n]; log != nil {
		return log, nil
	}
	log := &filledLog{dir: filepath.Join(r.dir, fmt.Sprintf("log-%d", n))}
	if err := r.fill(ctx, log, n); err != nil {
		return nil, err
	}
	if r.logs == nil {
		r.logs = map[int]*filledLog{}
	}
	r.logs[n] = log
	return log, nil
}

// fill makes a ledger of n engagements.
func (r *benchRun) fill(ctx context.Context, log *filledLog, n int) (err error) {
	s, err := openService(ctx, home{dir: log.dir}, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.ledger.Start(ctx, nil); err != nil {
		return err
	}
	bar := newBar(r.notes, fmt.Sprintf("a log of %d", n), "events", int64(n))
	defer bar.Exit()
	feed := r.newFeed(n)
	defer feed.stop()
	for batch := feed.take(benchBatch); len(batch) > 0; batch = feed.take(benchBatch) {
		if _, err := record(ctx, s.ledger, batch); err != nil {
			return err
		}
		log.remember(batch)
		_ = bar.Add(len(batch))
	}
	head, err := s.log.Head(ctx)
	if err != nil {
		return err
	}
	return s.views.Wait(ctx, head)
}

// remember draws pairs from a batch. A reaction to a comment names no post.
func (l *filledLog) remember(batch [][]byte) {
	for i := 0; i < len(batch); i += pairEvery {
		if e := domain.ParseEngagement(batch[i]); e.PostID != "" {
			l.pairs = append(l.pairs, domain.Scope{PostID: e.PostID, AccountID: e.AccountID})
		}
	}
}
