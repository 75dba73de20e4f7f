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

// Headers that many answers share. They are never changed.
var (
	anyOrigin      = []string{"*"}
	exposedHeaders = []string{"ETag, Ledger-Position, Ledger-Size, Link, Retry-After, WWW-Authenticate, X-Request-Id"}
	noSniff        = []string{"nosniff"}
	varyEncoding   = []string{"Accept-Encoding"}
)

// ServeHTTP serves a request: its id, who may ask, the route, the answer to a panic, and the line in the log.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.running.TryRLock() {
		// Serve has ended, and what is below may be closed.
		panic(http.ErrAbortHandler)
	}
	defer a.running.RUnlock()
	var out *compressing
	if takesGzip(r) {
		out, r = newCompressing(w, r)
		w = out
	}
	res := &response{ResponseWriter: w, began: time.Now()}
	res.id[0] = requestID(r)
	a.inFlight.Add(1)
	defer a.inFlight.Add(-1)
	defer a.finish(res, r)
	if out != nil {
		defer out.endFor(res)
	}
	defer a.recover(res, r)
	h := w.Header()
	h["Vary"] = varyEncoding
	h["X-Request-Id"] = res.id[:]
	h["X-Content-Type-Options"] = noSniff
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposedHeaders
	}
	if a.LoopbackOnly && !isLoopbackName(r.Host) {
		a.fail(res, r, problemf(codeMisdirected, "", "%.80q is no loopback name, and the service answers only to those",
			r.Host))
		return
	}
	a.router.ServeHTTP(res, r)
}

// foreignRoute is a route that somebody added to the router: where there are tokens it needs the role read.
var foreignRoute = route{access: accessRead, cost: cheap}

// guarding lets a request through to its route if who asks may.
func (a *API) guarding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := w.(*response)
		at := mux.CurrentRoute(r)
		if res.route = a.known[at]; res.route == nil {
			res.route = &foreignRoute
		}
		if res.template = res.route.path; res.template == "" {
			res.template, _ = at.GetPathTemplate()
		}
		if err := a.admit(res, r); err != nil {
			a.fail(w, r, err)
			return
		}
		res.expensive = res.route.cost == expensive
		next.ServeHTTP(w, r)
	})
}

// recover answers a panic of a handler with 500, or cuts an answer that has begun.
func (a *API) recover(w *response, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	// What follows may panic again, to cut the answer off.
	w.cut = true
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.fail(w, r, panicked(p))
	w.cut = false
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
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, If-None-Match, X-Request-Id")
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
