package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// TestTooManyStreams opens as many streams as a token may: the next is told to come back, other tokens are not touched,
// and an ended stream makes room.
func TestTooManyStreams(t *testing.T) {
	g := openGuarded(t, false)
	g.api.maxStreams = 2
	first, second := converse(t, g.server.URL, g.as("write")), converse(t, g.server.URL, g.as("write"))
	a := g.do("POST", "/v1/events", mediaLines, liked("e-1", "p1", "u2")+"\n", g.as("write")).want(t, 503, `"code":"too_busy"`)
	if a.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", a.header)
	}
	g.do("POST", "/v1/events", mediaStructured, liked("e-1", "p1", "u2"), g.as("write")).want(t, 422)
	g.do("POST", "/v1/events", mediaLines, liked("e-1", "p1", "u2")+"\n", g.as("all")).want(t, 200)
	g.follow(t, "read")
	g.follow(t, "read")
	g.get("/v1/log", g.as("read")).want(t, 503, `"code":"too_busy"`)
	first.to.Close()
	first.ended()
	g.do("POST", "/v1/events", mediaLines, liked("e-1", "p1", "u2")+"\n", g.as("write")).want(t, 200)
	second.to.Close()
	second.ended()
}

// TestBackupIsAStream: a backup is one of the streams that a token may have open.
func TestBackupIsAStream(t *testing.T) {
	b := endlessBackup{make(chan struct{}), make(chan struct{})}
	g := openGuarded(t, false, func(c *Config) { c.Backup = func() (Backup, error) { return b, nil } })
	g.api.maxStreams = 1
	r, err := http.NewRequest("POST", g.server.URL+"/v1/backups", strings.NewReader(backupBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaJSON)
	g.as("all")(r)
	res, err := g.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	<-b.begun
	g.get("/v1/log", g.as("all")).want(t, 503, `"code":"too_busy"`)
	g.get("/v1/log", g.as("read")).want(t, 200)
	g.take(t, "all")
	<-b.closed
}

// TestWaitingTakesNoPlace: expensive requests that wait for the views, however many, keep no others out.
func TestWaitingTakesNoPlace(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.api.patience, w.api.busyPatience = time.Hour, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 2 * maxExpensive {
		r, err := http.NewRequestWithContext(ctx, "GET", w.server.URL+"/v1/posts?min_position=999999", nil)
		if err != nil {
			t.Fatal(err)
		}
		waiting.Go(func() {
			if res, err := w.server.Client().Do(r); err == nil {
				res.Body.Close()
				t.Errorf("%s came of what never will be", res.Status)
			}
		})
	}
	for w.api.InFlight() < int64(2*maxExpensive) {
		runtime.Gosched()
	}
	w.get("/v1/posts").want(t, 200)
	cancel()
	waiting.Wait()
}

// TestTooManyExpensiveRequests fills every place: an expensive request waits a while and is told to come back, cheap
// ones are served, and a place that becomes free is taken.
func TestTooManyExpensiveRequests(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.api.busyPatience = time.Millisecond
	releases := []func(){}
	for range maxExpensive {
		release, err := w.api.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	a := w.get("/v1/statements?post=p1").want(t, 503, `"code":"too_busy"`)
	if a.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", a.header)
	}
	w.get("/v1/posts/p1/pnl").want(t, 200)
	w.api.busyPatience = time.Hour
	waited := make(chan *answer)
	go func() { waited <- w.get("/v1/statements?post=p1") }()
	releases[0]()
	(<-waited).want(t, 200)
	for range 2 * maxExpensive {
		// Each gives its place back.
		releases[1]()
		w.get("/v1/statements?post=p1").want(t, 200)
		releases[1], _ = w.api.enter(t.Context())
	}
}

// serving serves a world by Serve, as a process does, and returns the address.
func (w *world) serving(listener net.Listener) (address string) {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.api.Serve(ctx, listener) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			w.t.Error(err)
		}
	})
	return listener.Addr().String()
}

// TestSlowClients holds 1,000 connections open that send a byte now and then, or nothing, or read nothing, and asks for
// statements and records engagements meanwhile.
func TestSlowClients(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := w.serving(listener)
	kinds := []string{
		// Nothing at all, half a request, a body that does not come, a stream that says nothing.
		"", "GET /v1/posts/p1/pnl HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + mediaBatch + "\r\nContent-Length: 10000000\r\n\r\n[",
		"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + mediaLines + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		// Answers that nobody reads.
		strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 50),
	}
	var slow []net.Conn
	defer func() {
		for _, conn := range slow {
			conn.Close()
		}
	}()
	for i := range 1_000 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
		if _, err := io.WriteString(conn, kinds[i%len(kinds)]); err != nil {
			t.Fatal(err)
		}
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() {
			for j := range 25 {
				// Slow ones send on, as far as they are still listened to.
				_, _ = slow[(i*25+j)*len(kinds)+1].Write([]byte("x"))
				id := fmt.Sprint(i, "-", j)
				for _, ask := range []func() (*http.Response, error){
					func() (*http.Response, error) { return client.Get("http://" + address + "/v1/posts/p1/pnl") },
					func() (*http.Response, error) {
						return client.Post("http://"+address+"/v1/events", mediaStructured, strings.NewReader(liked(id, "p1", id)))
					},
				} {
					res, err := ask()
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode >= 300 {
						t.Errorf("status %d", res.StatusCode)
					}
				}
			}
		})
	}
	asking.Wait()
}

// TestBodyIsNotHeldBeforeItArrives: what a client says it will send takes no room.
func TestBodyIsNotHeldBeforeItArrives(t *testing.T) {
	r, err := http.NewRequest("POST", "/v1/events", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = maxBatchBytes
	body, err := readBody(nil, r, maxBatchBytes)
	if err != nil || cap(body) > 2*firstBodyBytes {
		t.Errorf("%d bytes for %d, %v", cap(body), len(body), err)
	}
}

// TestHeadersAreBounded: longer ones are refused, and a CloudEvent's longest attributes are not.
func TestHeadersAreBounded(t *testing.T) {
	w := openWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + w.serving(listener)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(bytes int) int {
		r, _ := http.NewRequest("GET", origin+"/livez", nil)
		r.Header.Set("ce-source", strings.Repeat("x", bytes))
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := ask(9*domain.MaxSourceBytes + 9*domain.MaxMessageIDBytes); got != 200 {
		t.Errorf("long attributes: %d", got)
	}
	if got := ask(maxHeaderBytes + 8<<10); got != 431 {
		t.Errorf("too long: %d", got)
	}
}

// pipes is a listener that always has another connection.
type pipes struct{ net.Listener }

func (pipes) Accept() (net.Conn, error) {
	conn, _ := net.Pipe()
	return conn, nil
}

func (pipes) Close() error { return nil }

// TestConnectionsAreBounded: those beyond the bound wait until one ends, and Close ends the wait.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := boundConnections(pipes{}, 2)
		var accepted []net.Conn
		var err error
		go func() {
			for err == nil {
				var conn net.Conn
				if conn, err = l.Accept(); err == nil {
					accepted = append(accepted, conn)
				}
			}
		}()
		for want := 2; want < 4; want++ {
			synctest.Wait()
			if len(accepted) != want {
				t.Fatalf("%d connections are open, want %d", len(accepted), want)
			}
			// A connection that is closed twice has one place.
			conn := accepted[want-2]
			conn.Close()
			conn.Close()
		}
		synctest.Wait()
		if closed := l.Close(); closed != nil {
			t.Error(closed)
		}
		synctest.Wait()
		if len(accepted) != 4 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%d connections were accepted, %v", len(accepted), err)
		}
	})
}
