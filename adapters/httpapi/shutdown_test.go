package httpapi

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// endless is a log whose reads never end.
type endless struct{ *logtest.Memory }

func (l endless) Read(ctx context.Context, _ domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	line := []byte(strings.Repeat("x", 1<<16))
	return func(yield func([]domain.LogEvent, error) bool) {
		for ctx.Err() == nil {
			if !yield([]domain.LogEvent{{Canonical: line}}, nil) {
				return
			}
		}
		yield(nil, ctx.Err())
	}
}

// TestServeEndsDespiteSlowReaders ends Serve while a client reads nothing of an answer that has no end. The request is
// cut off without the whole patience of a shutdown, which would be logged.
func TestServeEndsDespiteSlowReaders(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.Log = endless{c.Log.(*logtest.Memory)} })
	w.publish("p1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.api.Serve(ctx, listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/log HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if logged := w.logged.String(); logged != "" {
		t.Errorf("logged: %s", logged)
	}
	if rest, err := io.ReadAll(conn); err == nil && strings.HasSuffix(string(rest), "0\r\n\r\n") {
		t.Error("an answer that was cut off ends like a whole one")
	}
}

// broken is a body whose reader panics.
type broken struct{}

func (broken) Read([]byte) (int, error) { panic("a broken reader") }
func (broken) Close() error             { return nil }

// TestPanicInStream: a stream whose reader or whose recording panics is cut off and logged, and the service goes on.
func TestPanicInStream(t *testing.T) {
	w := openWorld(t)
	reader := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = broken{}
		w.api.ServeHTTP(rw, r)
	}))
	defer reader.Close()
	c := converse(t, reader.URL)
	if c.answers.Scan() || c.answers.Err() == nil {
		t.Errorf("the stream was not cut off: %q, %v", c.answers.Text(), c.answers.Err())
	}
	if n := strings.Count(w.logged.String(), "a broken reader"); n != 1 {
		t.Errorf("logged %d times: %s", n, w.logged)
	}
	w.get("/livez").want(t, 200)

	w = openWorld(t, func(c *Config) { c.Ledger = nil })
	c = converse(t, w.server.URL)
	c.send(liked("e-1", "p1", "u2") + "\n")
	if c.answers.Scan() || c.answers.Err() == nil {
		t.Errorf("the stream was not cut off: %q, %v", c.answers.Text(), c.answers.Err())
	}
	if n := strings.Count(w.logged.String(), "panic"); n == 0 {
		t.Error("nothing was logged")
	}
	w.get("/livez").want(t, 200)
}

// TestBatchThatTakesLong is answered although its time to answer ended before it was recorded.
func TestBatchThatTakesLong(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	late := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(rw).SetWriteDeadline(time.Unix(1, 0))
		w.api.ServeHTTP(rw, r)
	}))
	defer late.Close()
	res, err := late.Client().Post(late.URL+"/v1/events", mediaBatch, strings.NewReader("["+liked("e-1", "p1", "u2")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), `"recorded"`) {
		t.Errorf("%s, %v", body, err)
	}
}
