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
// themselves.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	answerTimeout = 90 * time.Second
	idleTimeout   = 2 * time.Minute
	// shutdownTimeout bounds what is answered after Serve was told to end. It leaves time for what ends after it.
	shutdownTimeout = 8 * time.Second
)

// errDraining answers what would have to go on while the service ends.
var errDraining = problemf(codeFailed, "", "the service is shutting down")

// Drain makes streams of lines stop reading, answer what they took, and end; reads that wait or follow end too. Other
// requests are served as before. It returns at once and is to be followed by http.Server.Shutdown.
func (a *API) Drain() { a.drain() }

// Serve serves on a listener until ctx ends, then answers what was accepted, at most for shutdownTimeout, and returns nil:
// by then no handler runs that was not cut off. Otherwise it returns why it cannot serve. The listener is closed.
func (a *API) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		a.Drain()
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	a.Drain()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		a.Logger.WarnContext(ctx, "requests were cut off at shutdown")
		err = server.Close()
	}
	<-ended
	return err
}
