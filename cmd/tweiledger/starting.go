package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
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
		s, err = cmd.waitAndStart(ctx, log, at, tariffs)
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

// waitAndStart tries to start until the store is there.
func (cmd *serveCommand) waitAndStart(
	ctx context.Context, log ledgerLog, at starting, tariffs domain.Tariffs,
) (s *service, err error) {
	tcp, ok := at.listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%T is no listener for TCP", at.listener)
	}
	answering, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- httpapi.ServeStarting(answering, tcp, at.guards.certificate, slog.Default()) }()
	at.announce()
	tick := time.NewTicker(startPatience)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		case failed := <-ended:
			return nil, fmt.Errorf("answering while the log is away: %w", failed)
		}
		if err = errors.Join(ctx.Err(), log.Writable()); err == nil {
			s, err = cmd.start(ctx, log, tariffs)
		}
		if ctx.Err() != nil || !isAway(err) {
			break
		}
	}
	stop()
	if failed := <-ended; err == nil && failed != nil {
		return nil, errors.Join(failed, s.closeViews())
	}
	return s, err
}

// isAway reports whether an error says that a log is away, which may have been so in the middle of an append.
func isAway(err error) bool {
	return errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrOutcomeUnknown)
}
