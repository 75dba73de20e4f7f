package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/metrics"
	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/adapters/web"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// service is a ledger: the log, in a folder or in a store, the views in a folder that follow it, and who decides.
type service struct {
	log ledgerLog
	// embedded is the log where the folder holds it, nil where a store does.
	embedded    *pebblelog.Log
	generations *pebbleviews.Generations
	views       *projections.Views
	ledger      *domain.Ledger

	dir     string
	minFree byteSize
	// publisher is the demo's, nil for none.
	publisher *web.Demo
	// metrics are those of everything in it.
	metrics *prometheus.Registry

	// stopFolding ends the fold, which goes on in folding.
	stopFolding context.CancelFunc
	folding     sync.WaitGroup
}

// openService opens the ledger of a place, which is made if it is not there, and lets the views follow the log. It
// keeps minFree bytes of the file system free. Close it.
func openService(ctx context.Context, at home, minFree byteSize) (*service, error) {
	log, err := at.openLog(minFree)
	if err != nil {
		return nil, err
	}
	s, err := openServiceOn(ctx, log, at.dir, minFree)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return s, nil
}

// openServiceOn opens the views of a log in a folder. Closing the service closes the log; an error leaves it open.
func openServiceOn(ctx context.Context, log ledgerLog, dir string, minFree byteSize) (s *service, err error) {
	s = &service{log: log, dir: dir, minFree: minFree, metrics: prometheus.NewRegistry()}
	s.generations, err = pebbleviews.Open(viewsFolder(dir), pebbleviews.Options{MinFree: uint64(minFree)})
	if err != nil {
		return nil, err
	}
	if s.views, err = projections.Open(ctx, metrics.NewGenerations(s.metrics, s.generations), s.log); err != nil {
		return nil, errors.Join(err, s.generations.Close())
	}
	config := domain.Config{Log: metrics.NewLog(s.metrics, s.log), Clock: time.Now, Events: s.views, Statements: s.views}
	if s.embedded, _ = s.log.(*pebblelog.Log); s.embedded != nil {
		config.Messages = s.embedded
	} else {
		config.Messages, config.ManyWriters = s.views, true
	}
	s.ledger = domain.NewLedger(config)
	s.fold()
	return s, nil
}

// replaced returns a channel that is closed once a store has another log than before.
func (s *service) replaced() <-chan struct{} {
	if log, ok := s.log.(*eventstore.Log); ok {
		return log.Replaced()
	}
	return nil
}

// begin begins the log with the tariffs where it is empty, else it must have the same. Where the views decide whether a
// message was recorded, it waits until they can.
func (s *service) begin(ctx context.Context, c console, tariffs domain.Tariffs) error {
	err := s.ledger.Start(ctx, tariffs)
	if err == nil && s.embedded == nil {
		err = s.caughtUp(ctx, c)
	}
	return err
}

// openService opens the ledger of a place that no process serves, which must be there.
func (p *place) openService(ctx context.Context) (*service, error) {
	if !p.isStore() {
		if err := checkFolder(p.Data, true); err != nil {
			return nil, err
		}
	}
	return openService(ctx, p.home(), defaultMinFree)
}

// fold lets the views follow the log. Where an event cannot be folded they stay as they are, and are still read.
func (s *service) fold() {
	ctx, stop := context.WithCancel(context.Background())
	s.stopFolding = stop
	if why := s.views.Status().Rebuilt; why != "" {
		slog.Warn("views_rebuilding", "reason", why)
		s.folding.Go(func() { s.tellRebuilt(ctx) })
	}
	s.folding.Go(func() {
		if err := s.views.Run(ctx); err != nil && ctx.Err() == nil {
			slog.Error("fold_stopped", "error", err)
		}
	})
}

// tellRebuilt logs that the views have caught up again, if they do before ctx ends.
func (s *service) tellRebuilt(ctx context.Context) {
	head, err := s.log.Head(ctx)
	if err == nil && s.views.Wait(ctx, head) == nil {
		slog.Info("views_rebuilt", "size", s.views.Status().Size)
	}
}

// Close lets the views write what they have folded, and closes everything. No reads may be under way.
func (s *service) Close() error { return errors.Join(s.closeViews(), s.log.Close()) }

func (s *service) closeViews() error {
	s.stopFolding()
	s.folding.Wait()
	return s.generations.Close()
}

// caughtUp waits until the views hold everything that is in the log now, with a progress bar where that takes time.
func (s *service) caughtUp(ctx context.Context, c console) error {
	head, err := s.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the log: %w", err)
	}
	showing, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := s.showFold(showing, c)
	err = s.await(ctx, head)
	cancel()
	<-shown
	if err != nil {
		return fmt.Errorf("folding the log: %w", err)
	}
	return nil
}

// await waits until the views hold everything up to a position, but not for space.
func (s *service) await(ctx context.Context, at domain.Position) error {
	for {
		aWhile, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
		err := s.views.Wait(aWhile, at)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if waiting := s.views.Status().Waiting; waiting != nil {
			return waiting
		}
	}
}

// settle waits until the views hold what was recorded, and tells where they do not.
func (s *service) settle(ctx context.Context, c console) {
	if err := s.caughtUp(ctx, c); err != nil {
		fmt.Fprintln(c.notes, "statements do not show everything yet:", err)
	}
}

// showFold shows on a terminal how the views catch up, or those that are built beside them, until they have or ctx
// ends; then it closes the channel.
func (s *service) showFold(ctx context.Context, c console) <-chan struct{} {
	shown := make(chan struct{})
	if !isTerminal(c.notes) {
		close(shown)
		return shown
	}
	go func() {
		defer close(shown)
		bar := newBar(c.notes, "folding", "events", 1)
		defer bar.end()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				status := s.views.Status()
				folded, read, done := status.Size, status.Read, status.CaughtUp || status.Err != nil
				if b := status.Rebuild; b != nil {
					folded, read, done = b.Size, b.Read, b.Err != nil
				}
				if done {
					return
				}
				// A log is read only a little ahead.
				if s.embedded != nil {
					if size, err := s.embedded.Size(ctx); err == nil {
						read = max(read, size)
					}
				}
				bar.ChangeMax64(int64(read))
				_ = bar.Set64(int64(folded))
			}
		}
	}()
	return shown
}
