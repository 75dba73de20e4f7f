package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// ServeStarting serves on a listener as API.Serve does, while the service cannot begin yet because the log is away. GET
// /readyz says so, with what why returns, and what does not need the log is served: GET /livez, /metrics and
// /openapi.yaml. All else is 503, to whom may ask for it. Of a Config it needs neither ledger, views nor log. It goes
// on until ctx ends, and leaves the listener open for Serve.
func ServeStarting(ctx context.Context, listener *net.TCPListener, cfg Config, why func() error) error {
	err := newStarting(cfg, why).Serve(ctx, keptOpen{listener})
	return errors.Join(err, listener.SetDeadline(time.Time{}))
}

// keptOpen is a listener whose Close only ends Accept.
type keptOpen struct{ *net.TCPListener }

func (l keptOpen) Close() error { return l.SetDeadline(time.Unix(1, 0)) }

// newStarting returns the API of a service that cannot begin yet. No path is unknown to it, for others may add routes.
func newStarting(cfg Config, why func() error) *API {
	a := newAPI(cfg, func(r *route) handler {
		switch r.path {
		case "/livez", "/metrics", "/openapi.yaml":
			return r.handler
		case "/readyz":
			return func(a *API, w http.ResponseWriter, r *http.Request) error { return a.getNotBegun(w, r, why()) }
		}
		return (*API).notBegun
	})
	a.starting = true
	// Nothing here takes long, and the service waits for it to end.
	a.shutdownPatience = drainTimeout
	a.router.NotFoundHandler = a.answering((*API).notBegun)
	return a
}

// errStarting answers what needs the log while the service cannot begin.
var errStarting = problemf(codeFailed, "", "the service is starting: the log is away, and is tried again")

func (a *API) notBegun(http.ResponseWriter, *http.Request) error { return errStarting }

// getNotBegun serves GET /readyz of a service that cannot begin, and why not.
func (a *API) getNotBegun(w http.ResponseWriter, r *http.Request, why error) error {
	asked, err := askedPurpose(r)
	if err != nil {
		return err
	}
	var reasons []unreadiness
	for _, p := range []purpose{purposeRead, purposeWrite} {
		if asked == "" || asked == p {
			reasons = append(reasons, unreadiness{p, lackLogAway, "the service waits for the log: " + why.Error()})
		}
	}
	a.writeReadiness(w, reasons, nil)
	return nil
}
