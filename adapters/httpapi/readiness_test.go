package httpapi

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

func TestReadiness(t *testing.T) {
	var away error
	w := openWorld(t, func(c *Config) { c.Writable = func() error { return away } })
	w.publish("p1")
	w.get("/readyz").want(t, 200, `{"ready":true,"reasons":[]}`)
	w.get("/readyz?for=read").want(t, 200)
	away = errors.New("211 MiB are free")
	a := w.get("/readyz").want(t, 503, `"ready":false`,
		`{"purpose":"write","code":"log_not_writable","detail":"211 MiB are free"}`)
	if a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
	w.get("/readyz?for=write").want(t, 503)
	w.get("/readyz?for=read").want(t, 200)
	w.get("/livez").want(t, 200)
}

// ofSize is a log's size.
func ofSize(n uint64) func(context.Context) (uint64, error) {
	return func(context.Context) (uint64, error) { return n, nil }
}

// ready wants what /readyz says of a purpose: that it is, or the details of why not; and that the other purpose is
// ready.
func (w *world) ready(purpose purpose, details ...string) {
	w.t.Helper()
	other := purposeRead
	if purpose == purposeRead {
		other = purposeWrite
	}
	w.get("/readyz?for="+string(other)).want(w.t, 200)
	if len(details) == 0 {
		w.get("/readyz").want(w.t, 200)
		return
	}
	for _, path := range []string{"/readyz", "/readyz?for=" + string(purpose)} {
		got := w.get(path).want(w.t, 503).members(w.t)["reasons"].([]any)
		if len(got) != len(details) {
			w.t.Fatalf("%s: the reasons are %v", path, got)
		}
		for i, reason := range got {
			reason := reason.(map[string]any)
			if !strings.HasPrefix(reason["detail"].(string), details[i]) || reason["purpose"] != string(purpose) {
				w.t.Errorf("%s: %v, not %s", path, reason, details[i])
			}
		}
	}
}

// TestReadinessTellsStrangersLittle: who shows no token of a role that reads or operates is told what is wrong by its
// code alone, and nothing of the machine.
func TestReadinessTellsStrangersLittle(t *testing.T) {
	g := openGuarded(t, false, func(c *Config) { c.Writable = func() error { return errors.New("/srv/ledger is full") } })
	codes := `{"ready":false,"reasons":[{"purpose":"write","code":"log_not_writable"}]}`
	for caller, change := range g.callers() {
		a := g.get("/readyz?for=write", change).want(t, 503)
		told := caller == "read" || caller == "operate" || caller == "all"
		if got := string(a.body); got == codes == told || strings.Contains(got, "/srv") != told {
			t.Errorf("%s is told %s", caller, got)
		}
	}
}

// TestUnreadyFoldStopped names the event, and how far the views are behind.
func TestUnreadyFoldStopped(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.LogSize = ofSize(5) })
	w.publish("p1")
	answer := w.log.Append(t.Context(), []domain.Append{{
		Stream: "praise-p1", Expected: domain.NoStream, Message: domain.Message{Source: "/newer", ID: "1"},
		Events: []domain.EncodedEvent{{Canonical: []byte(`{"id":"01234567-89ab-cdef-0123-456789abcdef","type":"PostPraised"}`)}},
	}})[0]
	if err := w.views.Wait(t.Context(), answer.Positions[0]); !errors.Is(err, domain.ErrUnsupported) {
		t.Fatal(err)
	}
	w.ready(purposeRead, "the fold has stopped, with 2 of 5 events folded: event 2 at position "+answer.Positions[0].String()+
		" with id 01234567-89ab-cdef-0123-456789abcdef cannot be folded: ")
	w.get("/v1/posts/p1/pnl").want(t, 200)
}

// memoryStore is where views are kept in memory.
func memoryStore(t *testing.T) *pebbleviews.Generations {
	store, err := pebbleviews.Open("views", pebbleviews.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// openViews returns views of a log that nobody folds.
func openViews(t *testing.T, store projections.Generations, log domain.EventLog) *projections.Views {
	views, err := projections.Open(t.Context(), store, log)
	if err != nil {
		t.Fatal(err)
	}
	return views
}

// run folds until the views have got to the log's end, and then no more.
func run(t *testing.T, views *projections.Views, log domain.EventLog) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = views.Run(ctx)
	}()
	head, err := log.Head(t.Context())
	if err == nil {
		err = views.Wait(t.Context(), head)
	}
	cancel()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnreadyNotCaughtUp says how far the views are, of how many events where the log can tell.
func TestUnreadyNotCaughtUp(t *testing.T) {
	for size, folded := range map[uint64]string{7: "0 of 7 events folded", 0: "0 events folded"} {
		w := openWorld(t, func(c *Config) {
			if c.Views = openViews(t, memoryStore(t), c.Log); size > 0 {
				c.LogSize = ofSize(size)
			}
		})
		w.ready(purposeRead, `the views have not caught up, with `+folded)
		run(t, w.api.Views, w.log)
		w.ready(purposeRead)
	}
}

// TestUnreadyRebuilding says that the views are built anew, and why.
func TestUnreadyRebuilding(t *testing.T) {
	another := openWorld(t)
	another.publish("p9")
	store := memoryStore(t)
	run(t, openViews(t, store, another.log), another.log)
	w := openWorld(t, func(c *Config) {
		c.Views, c.LogSize = openViews(t, store, c.Log), ofSize(1)
	})
	w.ready(purposeRead, `the views are being rebuilt, with 0 of 1 events folded: the log `)
	run(t, w.api.Views, w.log)
	w.ready(purposeRead)
}

// awayLog is a log that cannot be reached by the views while away is set. Each try is sent on tried.
type awayLog struct {
	domain.EventLog
	away  atomic.Bool
	tried chan struct{}
}

func (l *awayLog) Head(ctx context.Context) (domain.Position, error) {
	if !l.away.Load() {
		return l.EventLog.Head(ctx)
	}
	select {
	case l.tried <- struct{}{}:
	default:
	}
	return domain.Position{}, domain.ErrUnavailable
}

// TestUnreadyLogAway: views that cannot read the log say so, until they can.
func TestUnreadyLogAway(t *testing.T) {
	log := &awayLog{tried: make(chan struct{}, 10)}
	w := openWorld(t, func(c *Config) {
		log.EventLog = c.Log
		c.Views = openViews(t, memoryStore(t), log)
	})
	log.away.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.api.Views.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()
	<-log.tried
	<-log.tried // what the first try came to was noted before the second
	w.ready(purposeRead, "the views have not caught up, with 0 events folded", "the log cannot be read: the log takes no appends now")
	log.away.Store(false)
	head, err := w.log.Head(t.Context())
	if err == nil {
		err = w.api.Views.Wait(t.Context(), head)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.ready(purposeRead)
}

// TestUnreadyForWritesUntilCaughtUp: where the views tell which messages were recorded, nothing is taken before they can.
func TestUnreadyForWritesUntilCaughtUp(t *testing.T) {
	w := openWorld(t, func(c *Config) {
		c.ViewsDecide = true
		c.Views = openViews(t, memoryStore(t), c.Log)
	})
	got := w.get("/readyz?for=write").want(t, 503)
	if body := string(got.body); !strings.Contains(body, `"purpose":"write","code":"views_behind"`) {
		t.Errorf("the reasons are %s", body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.api.Views.Run(ctx) })
	defer running.Wait()
	defer cancel()
	head, err := w.log.Head(t.Context())
	if err == nil {
		err = w.api.Views.Wait(t.Context(), head)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.get("/readyz?for=write").want(t, 200)
}

// fullStore is a store without space. Each refusal is sent on refused.
type fullStore struct {
	projections.Store
	refused chan struct{}
}

func (s fullStore) Commit([]projections.Row) error {
	select {
	case s.refused <- struct{}{}:
	default:
	}
	return projections.ErrPaused
}

// fullGenerations make such stores.
type fullGenerations struct {
	projections.Generations
	refused chan struct{}
}

func (g fullGenerations) Create() (projections.Store, error) {
	store, err := g.Generations.Create()
	return fullStore{store, g.refused}, err
}

// TestUnreadyNoSpaceToCatchUp: views that wait for space have not caught up, and say what they wait for.
func TestUnreadyNoSpaceToCatchUp(t *testing.T) {
	full := fullGenerations{memoryStore(t), make(chan struct{}, 10)}
	w := openWorld(t, func(c *Config) { c.Views = openViews(t, full, c.Log) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.api.Views.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()
	<-full.refused
	<-full.refused // the first refusal was noted before the second
	w.ready(purposeRead, "the views have not caught up, with 0 events folded", "the fold waits for space: the views take no writes now")
}

// unreadable is a log whose streams cannot be read while away is set.
type unreadable struct {
	domain.EventLog
	away atomic.Bool
}

func (l *unreadable) ReadStream(ctx context.Context, s domain.Stream, from domain.Revision) iter.Seq2[domain.LogEvent, error] {
	if !l.away.Load() {
		return l.EventLog.ReadStream(ctx, s, from)
	}
	return func(yield func(domain.LogEvent, error) bool) {
		yield(domain.LogEvent{}, domain.ErrUnavailable)
	}
}

// TestUnreadyTariffsTooOld: tariffs that cannot be read again are good for a third of the lead, and no longer.
func TestUnreadyTariffsTooOld(t *testing.T) {
	log := new(unreadable)
	var ahead atomic.Int64
	w := openWorld(t, func(c *Config) {
		log.EventLog = c.Log
		l := domain.NewLedger(domain.Config{Log: log, Messages: c.Log.(domain.MessageFinder), Events: c.Views,
			Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
		if err := l.Start(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		c.Ledger = l
	})
	w.settle()
	log.away.Store(true)
	ahead.Store(int64(4 * time.Minute))
	w.ready(purposeWrite)
	ahead.Store(int64(6 * time.Minute))
	w.ready(purposeWrite, "nothing can be priced: reading the tariffs: the log takes no appends now")
	log.away.Store(false)
	w.ready(purposeWrite)
}

// TestUnreadyLogClosed: a log that was closed takes nothing, and is followed no more.
func TestUnreadyLogClosed(t *testing.T) {
	log, err := pebblelog.Open("log", pebblelog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, func(c *Config) { c.Writable, c.Views = log.Writable, openViews(t, memoryStore(t), log) })
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Views.Run(t.Context()); !errors.Is(err, domain.ErrClosed) {
		t.Fatal(err)
	}
	w.get("/readyz?for=write").want(t, 503, `{"purpose":"write","code":"log_not_writable","detail":"the log is closed"}`)
	w.get("/readyz?for=read").want(t, 503, `{"purpose":"read","code":"fold_stopped","detail":"the fold has stopped, with 0 events folded: `, "the log is closed")
}

// TestUnreadyShuttingDown: reads are answered to the end.
func TestUnreadyShuttingDown(t *testing.T) {
	w := openWorld(t)
	w.settle()
	w.api.Drain()
	w.ready(purposeWrite, "the service is shutting down")
}
