package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeStarting serves on a listener while the service cannot begin yet, because the log is away: GET /livez as ever, GET
// /readyz with 503, and all else with 503 too. It goes on until ctx ends, and leaves the listener open for Serve. A
// certificate, which may be nil, makes it speak TLS.
func ServeStarting(ctx context.Context, listener *net.TCPListener, certificate *Certificate, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(answerStarting),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      headerTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	serve := server.Serve
	if certificate != nil {
		server.TLSConfig = certificate.config()
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(keptOpen{listener}) }()
	select {
	case err := <-ended:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close()
	}
	<-ended
	return listener.SetDeadline(time.Time{})
}

// keptOpen is a listener whose Close only ends Accept.
type keptOpen struct{ *net.TCPListener }

func (l keptOpen) Close() error { return l.SetDeadline(time.Unix(1, 0)) }

func answerStarting(w http.ResponseWriter, r *http.Request) {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case read && r.URL.Path == "/livez":
		writeNow(w, http.StatusOK, alive)
		return
	case read && r.URL.Path == "/readyz":
		w.Header().Set("Retry-After", retryAfterSeconds)
		writeNow(w, http.StatusServiceUnavailable, appendReadiness(nil, notBegun(r.URL.Query().Get("for")), nil))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", retryAfterSeconds)
	w.WriteHeader(http.StatusServiceUnavailable)
	// Who does not read the answer cannot be told.
	_, _ = w.Write(errStarting.appendJSON(nil, rand.Text()))
}

// errStarting answers everything while the service cannot begin.
var errStarting = problemf(codeFailed, "", "the service is starting: the log is away, and is tried again")

// notBegun is what keeps a service from being ready that cannot begin, for a purpose, or for both.
func notBegun(asked string) (reasons []unreadiness) {
	for _, p := range []purpose{purposeRead, purposeWrite} {
		if asked != string(purposeRead) && asked != string(purposeWrite) || asked == string(p) {
			reasons = append(reasons, unreadiness{purpose: p, lack: lackLogAway})
		}
	}
	return reasons
}
