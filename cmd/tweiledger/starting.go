package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/web"
	"github.com/tweiledger/tweiledger/domain"
)

// startPatience is how long a service waits before it tries again to begin on a store that is away.
const startPatience = 500 * time.Millisecond

// starting is where a service answers that it cannot begin yet.
type starting struct {
	listener net.Listener
	guards   guards
	// announce tells the address, once.
	announce func()
}

// meanwhile is a server that answers while the log is away.
type meanwhile struct {
	// reason is why the service cannot begin: what the last try came to.
	reason atomic.Pointer[error]
	stop   context.CancelFunc
	// err is why it ended, once ended is closed.
	err   error
	ended chan struct{}
}

// answer answers on the listener that the service cannot begin, until stop is called.
func (at starting) answer(reason error) (*meanwhile, error) {
	tcp, ok := at.listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%T is no listener for TCP", at.listener)
	}
	m := &meanwhile{ended: make(chan struct{})}
	m.reason.Store(&reason)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	why := func() error { return *m.reason.Load() }
	cfg := at.guards.config()
	cfg.Metrics, cfg.ErrorPage = startingMetrics(why), web.New(web.Config{}).Problem
	wait := at.guards.watch(ctx)
	go func() {
		defer close(m.ended)
		defer wait()
		defer stop()
		m.err = httpapi.ServeStarting(ctx, tcp, cfg, why)
	}()
	at.announce()
	return m, nil
}

// end stops answering, and returns why it could not be done.
func (m *meanwhile) end() error {
	m.stop()
	<-m.ended
	return m.err
}

// begin opens the ledger of a place, whose log begins with the tariffs or must hold the same. While a store is away it
// waits for it, and answers on the listener that it is not ready. It returns the context's error where that ends first.
func (cmd *serveCommand) begin(ctx context.Context, at starting, tariffs domain.Tariffs) (*service, error) {
	log, err := home{cmd.Data, cmd.storeFlags}.openLog(cmd.MinFree)
	if err != nil {
		return nil, err
	}
	s, err := cmd.start(ctx, log, tariffs)
	if isAway(err) && cmd.isStore() {
		slog.Warn("waiting_for_the_log", "error", err)
		s, err = cmd.waitAndStart(ctx, log, at, tariffs, err)
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return s, nil
}

// start opens the views of a log, and begins it where it is empty. An error leaves the log open.
func (cmd *serveCommand) start(ctx context.Context, log ledgerLog, tariffs domain.Tariffs) (*service, error) {
	s, err := openServiceOn(ctx, log, cmd.Data, cmd.MinFree)
	if err != nil {
		return nil, err
	}
	if err := s.ledger.Start(ctx, tariffs); err != nil {
		return nil, errors.Join(err, s.closeViews())
	}
	return s, nil
}

// waitAndStart tries to start until the store is there, for which it is told why it is not.
func (cmd *serveCommand) waitAndStart(
	ctx context.Context, log ledgerLog, at starting, tariffs domain.Tariffs, away error,
) (*service, error) {
	answering, err := at.answer(away)
	if err != nil {
		return nil, err
	}
	s, err := cmd.tryToStart(ctx, log, answering, tariffs)
	if failed := answering.end(); failed != nil && s != nil {
		return nil, errors.Join(failed, s.closeViews())
	}
	return s, err
}

// tryToStart tries until the store is there, ctx ends, something else is wrong, or nothing is answered any more.
func (cmd *serveCommand) tryToStart(
	ctx context.Context, log ledgerLog, answering *meanwhile, tariffs domain.Tariffs,
) (s *service, err error) {
	tick := time.NewTicker(startPatience)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-answering.ended:
			return nil, fmt.Errorf("answering while the log is away: %w", answering.err)
		}
		if err = log.Writable(); err == nil {
			s, err = cmd.start(ctx, log, tariffs)
		}
		if !isAway(err) {
			return s, err
		}
		answering.reason.Store(&err)
	}
}

// isAway reports whether an error says that a log is away for now, which may have been so in the middle of an append.
func isAway(err error) bool {
	return !errors.Is(err, eventstore.ErrReplaced) &&
		(errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrOutcomeUnknown))
}
