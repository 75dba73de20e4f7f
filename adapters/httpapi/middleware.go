package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// response is the writer of one answer, which knows whether the answer has begun.
type response struct {
	http.ResponseWriter
	begun bool
	// status is the answer's, 0 before it has begun; route the template of the route that gives it, "" for none.
	status int
	route  string
}

func (w *response) begin(status int) {
	if !w.begun {
		w.begun, w.status = true, status
	}
}

func (w *response) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// FlushError begins the answer too.
func (w *response) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Headers that many answers share. They are never changed.
var (
	anyOrigin      = []string{"*"}
	exposedHeaders = []string{"ETag, Ledger-Position, Ledger-Size, Retry-After"}
	noSniff        = []string{"nosniff"}
)

// ServeHTTP serves a request: who may ask, the route, and the answer to a panic.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.running.TryRLock() {
		// Serve has ended, and what is below may be closed.
		panic(http.ErrAbortHandler)
	}
	defer a.running.RUnlock()
	res := &response{ResponseWriter: w}
	a.inFlight.Add(1)
	began := time.Now()
	defer func() {
		a.Observe(r.Method, res.route, res.status, time.Since(began))
		a.inFlight.Add(-1)
	}()
	defer a.recover(res, r)
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposedHeaders
	}
	if a.LoopbackOnly && !isLoopbackName(r.Host) {
		a.fail(res, r, problemf(codeMisdirected, "", "%.80q is no loopback name, and the service answers only to those", r.Host))
		return
	}
	a.router.ServeHTTP(res, r)
}

// noteRoute has an answer know its route.
func noteRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if res, ok := w.(*response); ok {
			// A route without a template is none of ours.
			res.route, _ = mux.CurrentRoute(r).GetPathTemplate()
		}
		next.ServeHTTP(w, r)
	})
}

// recover answers a panic of a handler with 500, or cuts an answer that has begun.
func (a *API) recover(w *response, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.fail(w, r, panicked(p))
}

// errPanic is the service's own fault, whatever became of the client meanwhile.
var errPanic = errors.New("panic")

// panicked is the error for a panic that was recovered, with the stack of the goroutine that calls.
func panicked(p any) error { return fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack()) }

// isLoopbackName reports whether a Host header names this machine: localhost, 127.0.0.0/8 or [::1], with any port.
func isLoopbackName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback() && addr.Zone() == ""
}

// otherMethod answers a method that the path does not have: OPTIONS with the methods that it has, and a preflight of a
// read with leave for any origin; anything else with 405. A write is never given leave.
func (a *API) otherMethod(w http.ResponseWriter, r *http.Request) error {
	allowed := a.methods(r)
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method != http.MethodOptions {
		return problemf(codeMethodNotAllowed, "", "the path takes %s", strings.Join(allowed, ", "))
	}
	asked := r.Header.Get("Access-Control-Request-Method")
	if allowed[0] == http.MethodGet && (asked == http.MethodGet || asked == http.MethodHead) {
		w.Header()["Access-Control-Allow-Origin"] = anyOrigin
		w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD")
		w.Header().Set("Access-Control-Allow-Headers", "If-None-Match")
		w.Header().Set("Access-Control-Max-Age", "86400")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// methods returns the methods that a path takes, those of a read first; never none, for the path is known.
func (a *API) methods(r *http.Request) (methods []string) {
	probe := *r
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe.Method = method
		if match := (mux.RouteMatch{}); a.router.Match(&probe, &match) && match.MatchErr == nil {
			methods = append(methods, method)
		}
	}
	return methods
}
