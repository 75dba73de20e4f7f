package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// measureRebuild measures folding a log into views from nothing, over only reading and decoding it on as many
// goroutines as the fold decodes on.
func measureRebuild(ctx context.Context, r *benchRun) (f figures, err error) {
	f.Unit = "1/s"
	source, err := r.small(ctx)
	if err != nil {
		return f, err
	}
	log, err := openLog(source.dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	head, err := log.Head(ctx)
	if err != nil {
		return f, err
	}
	size, err := log.Size(ctx)
	if err != nil {
		return f, err
	}
	n := int(size)
	bar := newBar(r.notes, "rebuild", "rounds", int64(r.rounds))
	defer bar.Exit()
	dir := filepath.Join(r.dir, "rebuilt")
	for range r.rounds {
		numerator, err := perSecond(n, func() error { return rebuildViews(ctx, log, head, dir) })
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			return f, err
		}
		denominator, err := perSecond(n, func() error { return decodeLog(ctx, log) })
		if err != nil {
			return f, err
		}
		f.add(numerator, denominator)
		_ = bar.Add(1)
	}
	return f, nil
}

// rebuildViews folds a log up to its head into views in a new folder. They are on the disk when it returns.
func rebuildViews(ctx context.Context, log domain.EventLog, head domain.Position, dir string) (err error) {
	store, err := pebbleviews.Open(dir, pebbleviews.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	views, err := projections.Open(ctx, store, log)
	if err != nil {
		return err
	}
	folding, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = views.Run(folding) }) // Wait tells why it stopped
	err = views.Wait(ctx, head)
	stop()
	running.Wait()
	return err
}

// decodeLog reads a log and decodes its events, as the fold does before it folds.
func decodeLog(ctx context.Context, log domain.EventLog) error {
	batches := make(chan []domain.LogEvent, projections.Decoders)
	errs := make(chan error, projections.Decoders)
	var decoding sync.WaitGroup
	for range projections.Decoders {
		decoding.Go(func() { errs <- decodeAll(batches) })
	}
	err := readAll(ctx, log, batches)
	decoding.Wait()
	for range projections.Decoders {
		err = errors.Join(err, <-errs)
	}
	return err
}

// readAll hands on all events of a log, and closes the channel.
func readAll(ctx context.Context, log domain.EventLog, to chan<- []domain.LogEvent) error {
	defer close(to)
	for events, err := range log.Read(ctx, domain.Position{}) {
		if err != nil {
			return err
		}
		to <- events
	}
	return nil
}

// decodeAll takes all batches, whatever is wrong with one, and returns the first error.
func decodeAll(batches <-chan []domain.LogEvent) (first error) {
	for events := range batches {
		for _, event := range events {
			if _, err := domain.DecodeEvent(event.Canonical); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}
