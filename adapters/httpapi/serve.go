package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Patience of the server with its clients. Streams of lines and of the log lift those of bodies and answers for
// themselves: each of their writes has answerTimeout.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	answerTimeout = 90 * time.Second
	idleTimeout   = 2 * time.Minute
	// shutdownTimeout bounds what is answered after Serve was told to end. It leaves time for what ends after it.
	shutdownTimeout = 8 * time.Second
	// drainTimeout bounds the last write of what is cut off then: readers of the log, however slow.
	drainTimeout = time.Second
	// cutOffTimeout bounds how long Serve waits for requests whose connections it closed.
	cutOffTimeout = 2 * time.Second
)

// errDraining answers what would have to go on while the service ends.
var errDraining = problemf(codeFailed, "", "the service is shutting down")

// Drain makes streams of lines stop reading, answer what they took, and end; reads that wait or follow end too, and
// those of the log, however long, are cut off. Other requests are served as before. It returns at once and is to be
// followed by http.Server.Shutdown.
func (a *API) Drain() { a.drain(errDraining) }

// Serve serves on a listener until ctx ends, then answers what was accepted, at most for shutdownTimeout, and returns
// nil: by then no handler runs, unless one outlasted its connection by cutOffTimeout, which is logged. Otherwise it
// returns why it cannot serve. The listener is closed, and the API serves no more.
func (a *API) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelWarn),
	}
	if a.MaxConnections > 0 {
		listener = boundConnections(listener, a.MaxConnections)
	}
	serve := server.Serve
	if a.Certificate != nil {
		server.TLSConfig = a.Certificate.config()
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(listener) }()
	select {
	case err := <-ended:
		a.Drain()
		err = errors.Join(err, server.Close())
		a.awaitHandlers(ctx)
		return err
	case <-ctx.Done():
	}
	a.Drain()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.shutdownPatience)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		a.Logger.WarnContext(ctx, "requests were cut off at shutdown")
		err = server.Close()
	}
	<-ended
	a.awaitHandlers(ctx)
	return err
}

// awaitHandlers returns when no handler runs any more, or after cutOffTimeout. No other begins.
func (a *API) awaitHandlers(ctx context.Context) {
	none := make(chan struct{})
	go func() {
		a.running.Lock()
		close(none)
	}()
	patience := time.NewTimer(cutOffTimeout)
	defer patience.Stop()
	select {
	case <-none:
	case <-patience.C:
		a.Logger.ErrorContext(ctx, "requests go on after shutdown")
	}
}
