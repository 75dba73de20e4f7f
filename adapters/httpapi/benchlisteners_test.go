package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

const (
	// listenersOf is set for a process of the tests that listens to the server at that address.
	listenersOf = "TWEILEDGER_TEST_LISTENERS_OF"
	// manyListeners listen to manyPosts posts, as many to each.
	manyListeners, manyPosts = 1_000, 100
)

// listenFor listens for another process, which says on standard input when. "listen" connects all, "final" wants each
// to have come to what its route gives now, and lets go. Each is answered with a line.
func listenFor(server string) {
	commands := bufio.NewScanner(os.Stdin)
	var listeners []*remote
	for commands.Scan() {
		var err error
		switch commands.Text() {
		case "listen":
			for i := range manyListeners {
				var l *remote
				if l, err = dialStream(server, fmt.Sprint("p-", i%manyPosts)); err != nil {
					break
				}
				listeners = append(listeners, l)
			}
			for i := 0; err == nil && i < len(listeners); i++ {
				err = listeners[i].await([]byte("statements"))
			}
		case "final":
			err = awaitFinal(server, listeners)
			listeners = nil
		}
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("done")
	}
}

// remote is a listener that keeps the last event, as cheaply as can be: what it spends counts against the server.
type remote struct {
	conn  net.Conn
	post  string
	mu    sync.Mutex
	tail  []byte
	ended chan struct{}
}

func dialStream(server, post string) (*remote, error) {
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return nil, err
	}
	l := &remote{conn: conn, post: post, ended: make(chan struct{})}
	fmt.Fprintf(conn, "GET /v1/stream?post=%s HTTP/1.1\r\nHost: %s\r\n\r\n", post, server)
	go func() {
		defer close(l.ended)
		buffer := make([]byte, 8<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.tail = append(l.tail[:0], buffer[:n]...)
			l.mu.Unlock()
		}
	}()
	return l, nil
}

// await waits until the last event holds a text.
func (l *remote) await(text []byte) error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		tail := string(l.tail)
		l.mu.Unlock()
		if strings.Contains(tail, string(text)) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a listener to %s has %s, not %s", l.post, tail, text)
		}
	}
}

// awaitFinal waits until each listener has been told what its route gives, and ends them.
func awaitFinal(server string, listeners []*remote) error {
	final := map[string][]byte{}
	for _, l := range listeners {
		if final[l.post] == nil {
			res, err := http.Get("http://" + server + "/v1/posts/" + l.post + "/pnl")
			if err != nil {
				return err
			}
			final[l.post], _ = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err := l.await(final[l.post]); err != nil {
			return err
		}
	}
	for _, l := range listeners {
		l.conn.Close()
		<-l.ended
	}
	return nil
}

// listening is such a process.
type listening struct {
	b     *testing.B
	in    io.Writer
	lines *bufio.Scanner
}

func startListening(b *testing.B, server string) *listening {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), listenersOf+"="+server)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = command.Wait() })
	return &listening{b, in, bufio.NewScanner(out)}
}

func (l *listening) do(command string) {
	l.b.Helper()
	fmt.Fprintln(l.in, command)
	if !l.lines.Scan() || l.lines.Text() != "done" {
		l.b.Fatalf("%s: %s", command, l.lines.Text())
	}
}

// openOnDisk serves a log and views on the disk.
func openOnDisk(b *testing.B) (views *projections.Views, log domain.EventLog, server *httptest.Server) {
	events, err := pebblelog.Open(b.TempDir(), pebblelog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	store, err := pebbleviews.Open(b.TempDir(), pebbleviews.Options{})
	if err != nil {
		b.Fatal(err)
	}
	w := &world{t: b}
	if w.views, err = projections.Open(b.Context(), store, events); err != nil {
		b.Fatal(err)
	}
	ledger := domain.NewLedger(domain.Config{Log: events, Clock: time.Now, Messages: events, Events: w.views})
	if err := ledger.Start(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	w.runViews()
	api := New(Config{Ledger: ledger, Views: w.views, Log: events, Logger: slog.New(slog.DiscardHandler)})
	server = httptest.NewServer(api)
	b.Cleanup(func() {
		api.Drain()
		server.Close()
		w.stopViews()
		store.Close()
		events.Close()
	})
	return w.views, events, server
}

// inUse is what heap and stacks of this process take, after a collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkListeners takes engagements as fast as they come, in rounds with and without 1,000 listeners in another
// process, and prints how much slower the former are, and what a listener costs.
func BenchmarkListeners(b *testing.B) {
	views, log, server := openOnDisk(b)
	address := server.Listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	sent := 0
	ingest := func(lines int, line func(i int) string) time.Duration {
		var body strings.Builder
		for range lines {
			body.WriteString(line(sent) + "\n")
			sent++
		}
		began := time.Now()
		res, err := client.Post(server.URL+"/v1/events", mediaLines, strings.NewReader(body.String()))
		if err != nil {
			b.Fatal(err)
		}
		outcomes, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if n := bytes.Count(outcomes, []byte(`"outcome":"recorded"`)); n != lines {
			b.Fatalf("%d of %d recorded", n, lines)
		}
		head, err := log.Head(b.Context())
		if err == nil {
			err = views.Wait(b.Context(), head)
		}
		if err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	ingest(manyPosts, func(i int) string {
		return event("post.published", fmt.Sprint("e-", i), fmt.Sprintf(`{"post_id":"p-%d","account_id":"u1","title":"T","time_to_read_seconds":60}`, i))
	})
	like := func(i int) string {
		return liked(fmt.Sprint("e-", i), fmt.Sprint("p-", i%manyPosts), fmt.Sprint("u-", i))
	}
	const lines = 250_000
	ingest(lines, like)
	children := startListening(b, address)
	before := inUse()
	children.do("listen")
	perListener := (inUse() - before) / manyListeners
	children.do("final")
	var ratios []float64
	for b.Loop() {
		for round := range 9 {
			var took [2]time.Duration
			for _, with := range [2]int{round % 2, 1 - round%2} {
				if with == 1 {
					children.do("listen")
				}
				took[with] = ingest(lines, like)
				if with == 1 {
					children.do("final")
				}
			}
			ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
			b.Logf("%d engagements: %s with listeners, %s without", lines, took[1], took[0])
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "times-as-long")
	b.ReportMetric(float64(perListener), "B/listener")
}
