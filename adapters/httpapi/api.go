package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// Config is what an API serves.
type Config struct {
	// Ledger takes engagements. It must have been started.
	Ledger Ledger
	// Views answer reads. Somebody else runs them.
	Views *projections.Views
	// Log is the log that the ledger appends to and the views follow.
	Log domain.EventLog
	// Writable says why the log takes no appends now, nil if it does. Nil for a log that cannot tell.
	Writable func() error
	// LogSize tells how many events the log has. Nil for a log that cannot tell without being read.
	LogSize func(context.Context) (uint64, error)
	// ViewsDecide says that the ledger asks the views whether a message was recorded: it takes nothing before they have
	// caught up, nor once they stand.
	ViewsDecide bool
	// Metrics serves GET /metrics. Nil for none.
	Metrics http.Handler
	// Backup takes a backup of the log. Nil for a log that is backed up by its own store.
	Backup func() (Backup, error)
	// LoopbackOnly refuses requests whose Host is no loopback name: for a service that listens on a loopback address and
	// asks nobody who they are, so that no foreign page reaches it by a rebound name.
	LoopbackOnly bool
	// Tokens say who may; nil lets everybody do everything. Somebody else watches the file.
	Tokens *Tokens
	// Certificate makes Serve speak TLS; nil for none. Somebody else watches its files.
	Certificate *Certificate
	// MaxConnections is how many connections Serve has open at a time, others wait; 0 for no bound.
	MaxConnections int
	// Logger is told of each request, and why one failed by the service's fault; nil for slog.Default.
	Logger *slog.Logger
	// Observe is told of each request when it has ended, by many goroutines: its method, the template of the route that
	// served it, each "other" where it is none that the routes have, and the status of its answer, 499 where it was cut
	// off before that began. Nil for nobody.
	Observe func(method, route string, status int, elapsed time.Duration)
	// ErrorPage shows a problem as a page, where a page was asked for (see Handle), and to a browser that asks for nothing
	// that there is: with what the problem document would say. Nil for the document there too.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, code, detail string)
}

// Ledger is who decides and records: *domain.Ledger, which says what the methods do, or what wraps it.
type Ledger interface {
	Record(ctx context.Context, engagements []domain.Received) []domain.Outcome
	PublishTariff(ctx context.Context, t domain.Tariff, by string) domain.Outcome
	Reverse(ctx context.Context, event domain.EventID, note, by string) domain.Outcome
	Reinstate(ctx context.Context, reversal domain.EventID, note, by string) domain.Outcome
	IssueReport(ctx context.Context, post, account, key string) domain.Outcome
	Tariffs(ctx context.Context) (domain.Tariffs, error)
	Ready(ctx context.Context) error
}

var _ Ledger = (*domain.Ledger)(nil)

// API is the HTTP API, an http.Handler. It is safe for any number of goroutines.
type API struct {
	Config
	router *mux.Router
	// known are the routes of the table.
	known map[*mux.Route]*route
	// pages are those of them that Handle mounted.
	pages map[*route]bool
	// starting: others will mount pages once the service has begun.
	starting bool
	// streams and listeners are those that are open, hub tells listeners, and places are what expensive requests take.
	streams, listeners streamCounts
	hub                hub
	places             chan struct{}
	// maxStreams and maxListeners bound those of a token, busyPatience the wait for a place.
	maxStreams, maxListeners int
	busyPatience             time.Duration
	// patience bounds the wait for min_position, operatorPatience that for the event that an operator names.
	patience, operatorPatience time.Duration
	// followPatience is how long a log that is away is left alone.
	followPatience time.Duration
	// shutdownPatience bounds what Serve still answers when it was told to end.
	shutdownPatience time.Duration
	// draining ends when Drain is called, with errDraining as the cause.
	draining context.Context
	drain    context.CancelCauseFunc
	// running is held for reading by each request, and by Serve for good once it has ended.
	running sync.RWMutex
	// inFlight is how many requests are being served.
	inFlight atomic.Int64
}

// Limits of how long a request waits for the views.
const (
	maxWait         = 10 * time.Second
	maxOperatorWait = 3 * time.Second
)

// handler serves a route. Its error is answered by API.fail.
type handler func(a *API, w http.ResponseWriter, r *http.Request) error

// route is a row of the table of routes. A row states every column: one that does not say who may does not compile.
type route struct {
	method, path string
	access       access
	cost         cost
	handler      handler
}

// routes are all routes, in the order in which a request is compared with them: the busiest first. A route for GET is
// one for HEAD.
var routes = []route{
	{http.MethodPost, "/v1/events", accessWrite, cheap, (*API).postEvents},
	{http.MethodGet, "/v1/posts/{post}/pnl", accessStatement, cheap, (*API).getPostStatement},
	{http.MethodGet, "/v1/posts/{post}", accessPublic, cheap, (*API).getPost},
	{http.MethodGet, "/v1/statements", accessPublic, expensive, (*API).getStatements},
	{http.MethodGet, "/v1/accounts/{account}/pnl", accessAccount, cheap, (*API).getAccountStatement},
	{http.MethodGet, "/v1/pnl", accessRead, cheap, (*API).getPlatformStatement},
	{http.MethodGet, "/v1/posts", accessRead, expensive, (*API).getPosts},
	{http.MethodGet, "/v1/posts/{post}/entries", accessPart, expensive, (*API).getPostEntries},
	{http.MethodGet, "/v1/posts/{post}/comments", accessRead, expensive, (*API).getComments},
	{http.MethodGet, "/v1/posts/{post}/history", accessPart, expensive, (*API).getPostHistory},
	{http.MethodGet, "/v1/accounts", accessRead, cheap, (*API).getAccounts},
	{http.MethodGet, "/v1/accounts/{account}/entries", accessAccount, expensive, (*API).getAccountEntries},
	{http.MethodGet, "/v1/accounts/{account}/posts", accessAccount, expensive, (*API).getAccountPosts},
	{http.MethodGet, "/v1/accounts/{account}/history", accessAccount, expensive, (*API).getAccountHistory},
	{http.MethodGet, "/v1/history", accessRead, expensive, (*API).getPlatformHistory},
	{http.MethodPost, "/v1/posts/{post}/reports", accessWrite, cheap, (*API).postReport},
	{http.MethodGet, "/v1/reports/{report}", accessReport, cheap, (*API).getReport},
	{http.MethodGet, "/v1/accounts/{account}/reports", accessAccount, expensive, (*API).getAccountReports},
	{http.MethodGet, "/v1/events", accessRead, cheap, (*API).findMessage},
	{http.MethodGet, "/v1/events/{event}", accessRead, cheap, (*API).getEvent},
	{http.MethodGet, "/v1/stream", accessLive, cheap, (*API).getStream},
	{http.MethodGet, "/v1/log", accessLog, cheap, (*API).getLog},
	{http.MethodGet, "/v1/tariffs", accessRead, cheap, (*API).getTariffs},
	{http.MethodPost, "/v1/tariffs", accessOperate, cheap, (*API).postTariff},
	{http.MethodGet, "/v1/tariffs/{version}", accessRead, cheap, (*API).getTariff},
	{http.MethodPost, "/v1/reversals", accessOperate, cheap, (*API).postReversal},
	{http.MethodPost, "/v1/reinstatements", accessOperate, cheap, (*API).postReinstatement},
	{http.MethodPost, "/v1/backups", accessOperate, cheap, (*API).postBackup},
	{http.MethodGet, "/livez", accessOpen, cheap, (*API).getLiveness},
	{http.MethodGet, "/readyz", accessOpen, cheap, (*API).getReadiness},
	{http.MethodGet, "/metrics", accessRead, cheap, (*API).getMetrics},
	{http.MethodGet, "/openapi.yaml", accessOpen, cheap, (*API).getOpenAPI},
}

// New returns the API of a ledger.
func New(cfg Config) *API {
	a := newAPI(cfg, func(r *route) handler { return r.handler })
	a.router.NotFoundHandler = a.answering((*API).notFound)
	return a
}

// newAPI returns an API whose routes are answered by what serves returns, and that does not know yet what to answer
// where there is none.
func newAPI(cfg Config, serves func(*route) handler) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Writable == nil {
		cfg.Writable = func() error { return nil }
	}
	a := &API{
		Config: cfg, router: mux.NewRouter(), known: map[*mux.Route]*route{}, pages: map[*route]bool{},
		hub:    hub{source: viewsSource{cfg.Views}, logger: cfg.Logger, interval: liveInterval},
		places: make(chan struct{}, maxExpensive), maxStreams: maxStreams, maxListeners: maxListeners,
		busyPatience: busyPatience, patience: maxWait, operatorPatience: maxOperatorWait,
		followPatience: followPatience, shutdownPatience: shutdownTimeout,
	}
	a.draining, a.drain = context.WithCancelCause(context.Background())
	// An identifier may be percent-encoded; a slash in one must not become the path's own. Nothing is redirected.
	a.router.UseEncodedPath().SkipClean(true)
	a.router.Use(a.guarding)
	for i := range routes {
		a.mount(&routes[i], a.answering(serves(&routes[i])))
	}
	a.router.MethodNotAllowedHandler = a.answering((*API).otherMethod)
	return a
}

// mount adds a route, which is known from now on.
func (a *API) mount(route *route, h http.HandlerFunc) {
	methods := []string{route.method}
	if route.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	a.known[a.router.HandleFunc(route.path, h).Methods(methods...)] = route
}

// Router returns the router, for routes that others add before the API serves. Their requests pass what the API's own
// pass: who may ask, which is the role read where there are tokens, the answer to a panic, and the line in the log.
func (a *API) Router() *mux.Router { return a.router }

// InFlight returns how many requests are being served now.
func (a *API) InFlight() int64 { return a.inFlight.Load() }

// answering makes an http.HandlerFunc of a handler.
func (a *API) answering(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(a, w, r); err != nil {
			a.fail(w, r, err)
		}
	}
}

func (a *API) notFound(http.ResponseWriter, *http.Request) error {
	return problemf(codeNotFound, "", "there is no such path")
}
