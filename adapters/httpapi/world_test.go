package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/metrics"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

func TestMain(m *testing.M) {
	if server := os.Getenv(listenersOf); server != "" {
		listenFor(server)
		return
	}
	goleak.VerifyTestMain(m)
}

// world is a ledger with everything below it, served on a loopback port. What goes through its client is held to the
// OpenAPI document.
type world struct {
	t      testing.TB
	log    *logtest.Memory
	views  *projections.Views
	ledger *domain.Ledger
	api    *API
	server *httptest.Server
	client *http.Client
	// logged is what the API told its logger, but for the lines of requests.
	logged *lockedBuffer
	// fault is asked for every append.
	fault atomic.Pointer[func(domain.Append) logtest.Fault]
	// stopViews ends the fold, and returns when it has ended.
	stopViews func()
}

// openWorld returns a world whose views are followed; its tariff is the default.
func openWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, logged: new(lockedBuffer)}
	w.log = logtest.NewMemory(logtest.MemoryOptions{T: t, Fault: func(a domain.Append) logtest.Fault {
		if f := w.fault.Load(); f != nil {
			return (*f)(a)
		}
		return logtest.NoFault
	}})
	store, err := pebbleviews.Open("views", pebbleviews.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	if w.views, err = projections.Open(t.Context(), store, w.log); err != nil {
		t.Fatal(err)
	}
	w.ledger = domain.NewLedger(domain.Config{Log: w.log, Clock: time.Now, Messages: w.log, Events: w.views, Statements: w.views})
	if err := w.ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.runViews()
	cfg := Config{Ledger: w.ledger, Views: w.views, Log: w.log, Logger: slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	reg := prometheus.NewRegistry()
	metrics.RegisterProcess(reg, "v0", "0")
	cfg.Metrics = metrics.Handler(reg, cfg.Logger)
	for _, c := range change {
		c(&cfg)
	}
	w.api = New(cfg)
	w.server = httptest.NewUnstartedServer(w.api)
	w.server.Config.ErrorLog = log.New(complaints{t}, "", 0)
	w.server.Start()
	w.client = &http.Client{Transport: &conforming{t: t, base: w.server.Client().Transport}}
	t.Cleanup(func() {
		w.api.Drain()
		w.server.Close()
		w.stopViews()
		if err := errors.Join(store.Close(), w.log.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// complaints are what net/http has to say of a handler: nothing.
type complaints struct{ t testing.TB }

func (c complaints) Write(b []byte) (int, error) {
	c.t.Errorf("the server complains: %s", b)
	return len(b), nil
}

// lockedBuffer is a buffer that handlers write while a test reads it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (w *world) runViews() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.views.Run(ctx)
	}()
	w.stopViews = func() { cancel(); <-ended }
}

// settle waits until the views have folded the whole log.
func (w *world) settle() {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	if err == nil {
		err = w.views.Wait(w.t.Context(), head)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// members returns the body, a JSON object.
func (a *answer) members(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return m
}

// change changes a request before it is sent.
type change func(*http.Request)

func header(name, value string) change {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

// malformed marks a request that the document does not allow.
func malformed(r *http.Request) {
	*r = *r.WithContext(context.WithValue(r.Context(), malformedKey{}, true))
}

type malformedKey struct{}

// do sends a request and reads the answer to its end.
func (w *world) do(method, path, contentType, body string, changes ...change) *answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == "" {
		r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, c := range changes {
		c(r)
	}
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{res.StatusCode, res.Header, text}
}

func (w *world) get(path string, changes ...change) *answer {
	w.t.Helper()
	return w.do("GET", path, "", "", changes...)
}

// want fails the test unless the answer has a status and holds texts.
func (a *answer) want(t testing.TB, status int, texts ...string) *answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !bytes.Contains(a.body, []byte(text)) {
			t.Fatalf("%d %s has no %s", a.status, a.body, text)
		}
	}
	return a
}

// event returns an engagement in structured mode.
func event(kind, id, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","type":"tweiledger.%s.v1","source":"/web","id":%q,"time":"2020-01-29T12:00:00Z","data":%s}`, kind, id, data)
}

// post records one engagement.
func (w *world) post(event string) *answer {
	w.t.Helper()
	return w.do("POST", "/v1/events", mediaStructured, event)
}

// publish records a post by u1.
func (w *world) publish(post string) {
	w.t.Helper()
	w.post(event("post.published", "publish-"+post, fmt.Sprintf(`{"post_id":%q,"account_id":"u1","title":"T","time_to_read_seconds":60}`, post))).want(w.t, 201)
	w.settle()
}

func liked(id, post, account string) string {
	return event("post.liked", id, fmt.Sprintf(`{"post_id":%q,"account_id":%q}`, post, account))
}
