package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// conversation is an open stream of lines.
type conversation struct {
	t       *testing.T
	to      io.WriteCloser
	answers *bufio.Scanner
	status  int
}

// converse opens a stream. The answer's headers are there before the first line is sent.
func converse(t *testing.T, origin string, changes ...change) *conversation {
	t.Helper()
	body, to := io.Pipe()
	// A client of its own, for its transport would keep the connection.
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), "POST", origin+"/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaLines)
	for _, c := range changes {
		c(r)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close(); res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != mediaLines {
		t.Fatalf("content type %q", got)
	}
	return &conversation{t, to, bufio.NewScanner(res.Body), res.StatusCode}
}

func (c *conversation) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.to, text); err != nil {
		c.t.Fatal(err)
	}
}

// outcome reads the next outcome, which must be as the document says.
func (c *conversation) outcome() map[string]any {
	c.t.Helper()
	if !c.answers.Scan() {
		c.t.Fatalf("the stream ended: %v", c.answers.Err())
	}
	var m map[string]any
	if err := json.Unmarshal(c.answers.Bytes(), &m); err != nil {
		c.t.Fatal(err)
	}
	if err := schema("LineOutcome").VisitJSON(m, openapi3.EnableJSONSchema2020()); err != nil {
		c.t.Errorf("%s contradicts the document: %v", c.answers.Bytes(), err)
	}
	return m
}

func (c *conversation) want(line int, outcome string) map[string]any {
	c.t.Helper()
	m := c.outcome()
	if m["line"] != float64(line) || m["outcome"] != outcome {
		c.t.Fatalf("%v, want line %d %s", m, line, outcome)
	}
	return m
}

// ended wants nothing more, and an answer that ends as it should.
func (c *conversation) ended() {
	c.t.Helper()
	if c.answers.Scan() {
		c.t.Errorf("more: %s", c.answers.Bytes())
	}
	if err := c.answers.Err(); err != nil {
		c.t.Errorf("cut off: %v", err)
	}
}

// TestStreamIsAnsweredLineByLine sends each line only after the one before was answered.
func TestStreamIsAnsweredLineByLine(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	c := converse(t, w.server.URL)
	if c.status != 200 {
		t.Fatalf("status %d", c.status)
	}
	c.send(liked("e-1", "p1", "u2") + "\n")
	c.want(1, "recorded")
	c.send("\n \t\r\n" + event("post.disliked", "e-2", `{"post_id":"p1","account_id":"u2"}`) + "\r\n")
	if m := c.want(4, "recorded"); m["also"] == nil {
		t.Errorf("%v carries no withdrawal", m)
	}
	c.send(liked("e-1", "p1", "u2") + "\n")
	c.want(5, "duplicate")
	c.send("no JSON\n")
	if m := c.want(6, "rejected"); m["code"] != "invalid" {
		t.Errorf("%v", m)
	}
	c.send(strings.Repeat("x", maxLineBytes+1) + "\n" + liked("e-7", "p1", "u7") + "\n")
	if m := c.want(7, "rejected"); m["code"] != "invalid" {
		t.Errorf("%v", m)
	}
	c.want(8, "recorded")
	c.send(strings.Replace(liked("e-8", "p1", "u8"), `"u8"`, "\"\xff\"", 1) + "\n" + liked("e-9", "p1", "u9"))
	c.want(9, "rejected")
	c.to.Close()
	c.want(10, "recorded")
	c.ended()
}

// TestStreamKeepsOrder sends many lines at once, so that they share appends.
func TestStreamKeepsOrder(t *testing.T) {
	const lines = 5_000
	w := openWorld(t)
	w.publish("p1")
	c := converse(t, w.server.URL)
	go func() {
		defer c.to.Close()
		for i := range lines {
			if _, err := fmt.Fprintf(c.to, "%s\n", liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))); err != nil {
				return
			}
		}
	}()
	for i := range lines {
		c.answers.Scan()
		if want := fmt.Sprintf(`"id":"e-%d"`, i); !bytes.Contains(c.answers.Bytes(), []byte(want)) || !bytes.HasSuffix(c.answers.Bytes(), fmt.Appendf(nil, `"line":%d}`, i+1)) {
			t.Fatalf("%s, want %s", c.answers.Bytes(), want)
		}
	}
	c.ended()
}

// counting counts what was read of a reader.
type counting struct {
	io.Reader
	bytes int
}

func (c *counting) Read(b []byte) (n int, err error) {
	n, err = c.Reader.Read(b)
	c.bytes += n
	return n, err
}

// TestUnansweredLinesAreBounded watches how far the reader goes ahead of who answers nothing, and that all is there in
// the end.
func TestUnansweredLinesAreBounded(t *testing.T) {
	const lines, line = 50_000, "[]\n"
	synctest.Test(t, func(t *testing.T) {
		body := &counting{Reader: strings.NewReader(strings.Repeat(line, lines))}
		arrived := queueLines(body).arrived
		synctest.Wait()
		// What is queued, the chunk that waits to be, and what a buffer holds.
		if most := (queuedChunks+1)*chunkLines*len(line) + 2*maxLineBytes; body.bytes > most {
			t.Errorf("%d bytes were read ahead, at most %d are allowed", body.bytes, most)
		}
		taken := 0
		for c := range arrived {
			c = gather(c, arrived)
			if len(c.lines) >= batchLines+chunkLines {
				t.Errorf("one Record call takes %d lines", len(c.lines))
			}
			for i, n := range c.lines {
				if n != taken+i+1 {
					t.Fatalf("line %d has number %d", taken+i+1, n)
				}
			}
			taken += len(c.lines)
		}
		if taken != lines {
			t.Errorf("%d lines, want %d", taken, lines)
		}
	})
}

// TestStreamThatWaitsForContinue sends nothing before the service says that it goes on.
func TestStreamThatWaitsForContinue(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", mediaLines)
	answers := bufio.NewReader(conn)
	if status, err := answers.ReadString('\n'); err != nil || !strings.Contains(status, "100 Continue") {
		t.Fatalf("%q %v", status, err)
	}
	line := liked("e-1", "p1", "u2") + "\n"
	fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(line), line)
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !bytes.Contains(body, []byte(`"recorded"`)) {
		t.Errorf("%s %v", body, err)
	}
}

// TestRefusedStream: what is wrong with a stream is said before its end.
func TestRefusedStream(t *testing.T) {
	w := openWorld(t)
	for path, contentType := range map[string]string{"/v1/events?x=1": mediaLines, "/v1/events": "text/plain", "/v1/nothing": mediaLines} {
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", path, contentType)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode < 400 {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
		res.Body.Close()
		conn.Close()
	}
}

// TestDrainAnswersWhatWasTaken drains while lines are being recorded: they are answered, and the answer ends.
func TestDrainAnswersWhatWasTaken(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	stuck, release := make(chan struct{}), make(chan struct{})
	holdUp := func(domain.Append) logtest.Fault {
		stuck <- struct{}{}
		<-release
		return logtest.NoFault
	}
	w.fault.Store(&holdUp)
	idle := converse(t, w.server.URL)
	c := converse(t, w.server.URL)
	c.send(liked("e-1", "p1", "u2") + "\n" + `{"half a`)
	<-stuck
	w.api.Drain()
	w.fault.Store(nil)
	close(release)
	c.want(1, "recorded")
	c.ended()
	idle.ended()
	w.do("POST", "/v1/events", mediaLines, "[]\n", malformed).want(t, 503, `"code":"failed"`)
	w.get("/readyz?for=write").want(t, 503, "shutting down")
}

// TestRefusedStreamKeepsItsConnection: a stream that is refused is read to its end where that is known, and the
// connection goes on.
func TestRefusedStreamKeepsItsConnection(t *testing.T) {
	w := openWorld(t)
	w.api.Drain()
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for range 50 {
		for request, status := range map[string]int{
			"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Type: " + mediaLines + "\r\n\r\n[]\n": 503,
			"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n":                                                                   200,
		} {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != status {
				t.Fatalf("%d, %v", res.StatusCode, err)
			}
		}
	}
}

// TestStreamOfAClientThatGoesAway leaves no goroutine behind and keeps what was recorded.
func TestStreamOfAClientThatGoesAway(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	line := liked("e-1", "p1", "u2") + "\n"
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n7\r\n{\"half\"", mediaLines, len(line), line)
	answers := bufio.NewReader(conn)
	for text := ""; !strings.Contains(text, `"recorded"`); {
		if text, err = answers.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	w.post(liked("e-1", "p1", "u2")).want(t, 200, `"duplicate"`)
}

// TestCurlTalksToTheStream runs the commands that the document gives. With "-T ." curl reads its input without
// blocking, so a person sees each outcome before the next line is sent; with "-T -" it waits for more to send before it
// shows an outcome, so that only the end shows that all are answered.
func TestCurlTalksToTheStream(t *testing.T) {
	t.Run("typing", func(t *testing.T) { talkByCurl(t, ".", true) })
	t.Run("piping", func(t *testing.T) { talkByCurl(t, "-", false) })
}

func talkByCurl(t *testing.T, input string, eachAtOnce bool) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("curl is not installed")
		}
		t.Skip("curl is not installed")
	}
	w := openWorld(t)
	w.publish("p1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, curl, "-sN", "-X", "POST", "-T", input, "-H", "Content-Type: "+mediaLines, w.server.URL+"/v1/events")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &conversation{t: t, to: in, answers: bufio.NewScanner(out)}
	for i := 1; i <= 3; i++ {
		c.send(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i)) + "\n")
		if eachAtOnce {
			c.want(i, "recorded")
		}
	}
	in.Close()
	for i := 1; i <= 3 && !eachAtOnce; i++ {
		c.want(i, "recorded")
	}
	c.ended()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestServeFinishesWhatItAccepted ends Serve while a stream and a follower are open and one request is being recorded.
func TestServeFinishesWhatItAccepted(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.api.Serve(ctx, listener) }()
	origin := "http://" + listener.Addr().String()
	c := converse(t, origin)
	c.send(liked("e-1", "p1", "u2") + "\n")
	c.want(1, "recorded")
	follower, err := http.Get(origin + "/v1/log?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()

	stuck, release := make(chan struct{}), make(chan struct{})
	holdUp := func(domain.Append) logtest.Fault {
		close(stuck)
		<-release
		return logtest.NoFault
	}
	w.fault.Store(&holdUp)
	answered := make(chan *answer, 1)
	go func() {
		res, err := http.Post(origin+"/v1/events", mediaStructured, strings.NewReader(liked("e-2", "p1", "u3")))
		if err != nil {
			answered <- &answer{body: []byte(err.Error())}
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answered <- &answer{status: res.StatusCode, body: body}
	}()
	<-stuck
	stop()
	c.ended()
	if _, err := io.Copy(io.Discard, follower.Body); err != nil {
		t.Errorf("the follower was cut off: %v", err)
	}
	select {
	case err := <-served:
		t.Fatalf("Serve ended before it answered: %v", err)
	default:
	}
	close(release)
	(<-answered).want(t, 201)
	if err := <-served; err != nil {
		t.Error(err)
	}
}
