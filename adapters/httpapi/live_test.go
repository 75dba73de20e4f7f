package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tmaxmax/go-sse"
)

// heard is one who listens.
type heard struct {
	t    testing.TB
	res  *http.Response
	next func() (sse.Event, error, bool)
}

// listen asks for a stream of events, and holds it to be one.
func (w *world) listen(query string, changes ...change) *heard {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/v1/stream"+query, nil)
	for _, c := range changes {
		c(r)
	}
	res, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		body, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%d %v %s", res.StatusCode, res.Header, body)
	}
	next, stop := iter.Pull2(sse.Read(res.Body, nil))
	w.t.Cleanup(func() { cancel(); res.Body.Close(); stop() })
	return &heard{w.t, res, next}
}

// state is what an event tells.
type state struct {
	Size       uint64            `json:"size"`
	Position   string            `json:"position"`
	Statements []json.RawMessage `json:"statements"`
}

// want returns what is told next.
func (h *heard) want() (s state) {
	h.t.Helper()
	event, err, ok := h.next()
	if !ok || err != nil {
		h.t.Fatal(err, ok)
	}
	if err := json.Unmarshal([]byte(event.Data), &s); err != nil || event.Type != "statement" || event.LastEventID != s.Position {
		h.t.Fatalf("%+v: %v", event, err)
	}
	return s
}

// until returns the first state in which the last statement is as a route gives it now.
func (h *heard) until(w *world, path string) state {
	h.t.Helper()
	final := string(w.get(path).want(h.t, 200).body)
	for {
		if s := h.want(); string(s.Statements[len(s.Statements)-1]) == final {
			return s
		}
	}
}

// TestLiveFraming holds the very bytes of a stream.
func TestLiveFraming(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	h := w.listen("?post=p1")
	post := w.get("/v1/posts/p1/pnl").want(t, 200)
	w.api.Drain()
	w2, err := io.ReadAll(h.res.Body)
	if err != nil {
		t.Fatal(err)
	}
	at := post.header.Get("Ledger-Position")
	want := fmt.Sprintf("retry: 2000\n: the ledger tells what changes\n\nid: %s\nevent: statement\ndata: {\"size\":%s,\"position\":%q,\"statements\":[%s]}\n\n",
		at, post.header.Get("Ledger-Size"), at, post.body)
	if string(w2) != want {
		t.Errorf("%s\nwant %s", w2, want)
	}
}

// TestLiveStatements: each subject has its statements, at once and when they change, as the routes give them.
func TestLiveStatements(t *testing.T) {
	w := openWorld(t)
	w.api.hub.interval = 1
	w.publish("p1")
	for i, row := range []struct{ query, paths string }{
		{"?post=p1", "/v1/posts/p1/pnl"}, {"?post=p1&account=u2", "/v1/posts/p1/pnl /v1/posts/p1/pnl?account=u2"},
		{"?account=u2", "/v1/accounts/u2/pnl"}, {"", "/v1/pnl"},
	} {
		h := w.listen(row.query)
		paths := strings.Fields(row.paths)
		first := h.want()
		for j, path := range paths {
			if want := w.get(path).body; len(first.Statements) != len(paths) || !bytes.Equal(first.Statements[j], want) {
				t.Errorf("%q: %s, want %s", row.query, first.Statements, want)
			}
		}
		kind := []string{"post.liked", "post.disliked"}[i%2]
		w.post(event(kind, fmt.Sprint("e-", i), `{"post_id":"p1","account_id":"u2"}`)).want(t, 201)
		w.settle()
		h.until(w, paths[len(paths)-1])
	}
	w.get("/v1/stream?post=p9").want(t, 404, `"code":"unknown_post"`)
	w.get("/v1/stream?post=p%201", malformed).want(t, 400, `"field":"post"`)
	w.get("/v1/stream?post=p1&at=now", malformed).want(t, 400, `"field":"at"`)
	w.do("HEAD", "/v1/stream?post=p1", "", "").want(t, 200)
}

// TestLiveResumption: who knows the newest state is not told it again, whatever else was recorded since.
func TestLiveResumption(t *testing.T) {
	w := openWorld(t)
	w.api.hub.interval = 1
	w.publish("p1")
	known := w.listen("?post=p1").want()
	w.publish("p2")
	h := w.listen("?post=p1", header("Last-Event-ID", known.Position))
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
	w.settle()
	if got := h.want(); got.Size != known.Size+2 {
		t.Errorf("told of size %d, known %d", got.Size, known.Size)
	}
	for _, id := range []string{known.Position, "nonsense", ""} {
		if got := w.listen("?post=p1", header("Last-Event-ID", id)).want(); got.Size != known.Size+2 {
			t.Errorf("behind %q: told of size %d", id, got.Size)
		}
	}
}

// TestResumedWhileItChanges: what changes between the reading of the first state and its telling is told.
func TestResumedWhileItChanges(t *testing.T) {
	w := openWorld(t)
	w.api.hub.interval = 1
	w.publish("p1")
	for i := range 100 {
		known := w.listen("?post=p1").want()
		h := w.listen("?post=p1", header("Last-Event-ID", known.Position))
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
		if got := h.want(); got.Size != known.Size+1 {
			t.Fatalf("told of size %d, known %d", got.Size, known.Size)
		}
		w.settle()
	}
}

// TestSlowListener: who does not read keeps nothing but the newest state, and nobody waits.
func TestSlowListener(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	s := w.views.Snapshot()
	defer s.Close()
	h := hub{source: viewsSource{w.views}, logger: discarded(), interval: time.Hour}
	slow := h.join(subject{post: "p1"})
	defer h.leave(slow)
	for i := range 1000 {
		h.tell(slow.topic, &news{position: s.Position(), statements: fmt.Append(nil, i)})
	}
	if n := slow.slot.Load(); string(n.statements) != "999" || len(slow.ready) != 1 {
		t.Errorf("the slot holds %s, told %d times", n.statements, len(slow.ready))
	}
	h.tell(slow.topic, &news{statements: []byte("older")})
	if n := slow.slot.Load(); string(n.statements) != "999" {
		t.Errorf("what is older replaced what is newer: %s", n.statements)
	}
}

// TestRoundsArePaced: with a change every millisecond there are at most 4 rounds a second, and none without any.
func TestRoundsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &countedSource{changed: make(chan struct{})}
		h := hub{logger: discarded(), interval: liveInterval, source: source}
		l := h.join(subject{})
		for range 10_000 {
			time.Sleep(time.Millisecond)
			source.change()
		}
		synctest.Wait()
		if n := source.count(); n > 41 || n < 39 {
			t.Errorf("%d rounds in 10 seconds", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		before := source.count()
		time.Sleep(time.Hour)
		if n := source.count(); n != before {
			t.Errorf("%d rounds without a change", n-before)
		}
		h.leave(l)
		if h.stop != nil || len(h.topics) != 0 {
			t.Error("something is left of the hub")
		}
	})
}

// countedSource is what a hub watches, without anything to tell.
type countedSource struct {
	mu      sync.Mutex
	changed chan struct{}
	rounds  int
}

func (s *countedSource) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *countedSource) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *countedSource) read(context.Context, []*topic, func(*topic, *news)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rounds++
	return nil
}

// count returns how many rounds there were.
func (s *countedSource) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rounds
}

// TestLiveAccess: who may read an account alone is told of that part of a post, and a stream ends with its token.
func TestLiveAccess(t *testing.T) {
	g := openGuarded(t, true)
	g.do("POST", "/v1/events", mediaStructured, event("post.published", "e-1", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`), g.as("write")).want(t, 201)
	g.settle()
	for _, row := range []struct {
		query, caller string
		statements    int
	}{{"?post=p1", "", 1}, {"?post=p1&account=u1", "own", 1}, {"?post=p1&account=u1", "read", 2}, {"?account=u1", "own", 1}, {"", "read", 1}} {
		if s := g.listen(row.query, g.as(row.caller)).want(); len(s.Statements) != row.statements {
			t.Errorf("%q as %q: %s", row.query, row.caller, s.Statements)
		}
	}
	h := g.listen("?post=p1&account=u1", g.as("own"))
	h.want()
	delete(g.lines, "own")
	g.write(t, true)
	g.tokens.Reload()
	if _, err, more := h.next(); more {
		t.Errorf("a stream goes on without its token: %v", err)
	}
}

// TestManyListenersAndSlowOnes each end on the final state, and there are only so many.
func TestManyListenersAndSlowOnes(t *testing.T) {
	w := openWorld(t)
	w.api.hub.interval, w.api.maxListeners = time.Millisecond, 53
	w.publish("p1")
	var listeners []*heard
	for i := range 50 {
		encoding := header("Accept-Encoding", "identity")
		if i%2 == 0 {
			// The client decodes it.
			encoding = func(*http.Request) {}
		}
		listeners = append(listeners, w.listen("?post=p1", encoding))
	}
	for range 3 {
		slow, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		_ = slow.(*net.TCPConn).SetReadBuffer(1)
		fmt.Fprintf(slow, "GET /v1/stream?post=p1 HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := slow.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	w.get("/v1/stream?post=p1").want(t, 503, `"code":"too_busy"`)
	for i := range 200 {
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
	}
	w.settle()
	for _, h := range listeners {
		h.until(w, "/v1/posts/p1/pnl")
	}
}

// TestLiveGzip: the stream that is put together of shared parts is one to its very end.
func TestLiveGzip(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	h := w.listen("?post=p1", header("Accept-Encoding", "gzip"))
	if h.res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal(h.res.Header)
	}
	w.api.Drain()
	text, err := gzip.NewReader(h.res.Body)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(text)
	if err != nil || !bytes.HasPrefix(all, greeting) || !bytes.HasSuffix(all, []byte("]}\n\n")) {
		t.Errorf("%s: %v", all, err)
	}
}
