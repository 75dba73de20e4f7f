package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
)

// waiting is a process that was started while its store refuses connections.
type waiting struct {
	t     *testing.T
	store *esdbtest.Server
	*process
	client *client
}

// startWaiting starts tweiledger serve, whose store Accept brings back.
func startWaiting(t *testing.T, args ...string) *waiting {
	t.Helper()
	w := &waiting{t: t, store: esdbtest.New(t, esdbtest.Options{})}
	w.store.Node(0).Refuse()
	program, err := exec.LookPath("tweiledger")
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"serve", "--log", w.store.ConnectionString(), "--listen", "127.0.0.1:0",
		"--data", filepath.Join(t.TempDir(), "views")}, args...)
	if w.process, err = startProcess(program, t.TempDir(), nil, args...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kill)
	if w.client, err = newClient(w.url); err != nil {
		t.Fatal(err)
	}
	return w
}

// ask sends a request, and wants an answer with a status and texts in its body.
func (w *waiting) ask(method, path, body string, status int, texts ...string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	answer, err := w.client.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s, %v; want %d", method, path, answer.StatusCode, text, err, status)
	}
	for _, want := range texts {
		if !strings.Contains(string(text), want) {
			w.t.Errorf("%s %s: %s has no %s", method, path, text, want)
		}
	}
	answer.Body = io.NopCloser(strings.NewReader(string(text)))
	return answer
}

// whileAway sees what is answered before the store is there.
func (w *waiting) whileAway(post string) {
	w.t.Helper()
	w.ask("GET", "/livez", "", 200, `"live":true`)
	read, write := `{"purpose":"read","code":"log_away","detail":"`, `{"purpose":"write","code":"log_away","detail":"`
	w.ask("GET", "/readyz", "", 503, `"ready":false`, read, write, "connection refused")
	w.ask("GET", "/readyz?for=write", "", 503, `"reasons":[`+write)
	w.ask("GET", "/readyz?for=nonsense", "", 400)
	w.ask("GET", "/metrics", "", 200, "tweiledger_log_writable 0\n", "tweiledger_build_info{")
	refused := w.ask("POST", "/v1/events", post, 503, `"code":"failed"`, "the service is starting")
	var problem struct {
		RequestID string `json:"request_id"`
	}
	if err := json.NewDecoder(refused.Body).Decode(&problem); err != nil || problem.RequestID == "" ||
		problem.RequestID != refused.Header.Get("X-Request-Id") || refused.Header.Get("Retry-After") == "" ||
		refused.Header.Get("Content-Type") != "application/problem+json" {
		w.t.Errorf("POST /v1/events: %v, %v, %+v", refused.Header, err, problem)
	}
	for _, logged := range []string{"msg=waiting_for_the_log", "msg=request .* status=503 .* request_id=" + problem.RequestID} {
		if !w.await(regexp.MustCompile(logged)) {
			w.t.Fatalf("%s was not logged: %s", logged, w.stderr())
		}
	}
}

// untilReady returns once the process says that it is ready.
func (w *waiting) untilReady() {
	w.t.Helper()
	for ; ; time.Sleep(20 * time.Millisecond) {
		if _, err := w.client.read(w.t.Context(), "/readyz", nil); err == nil {
			return
		}
		select {
		case <-w.ended:
			w.t.Fatalf("it ended: %v: %s", w.err, w.stderr())
		default:
		}
	}
}

// TestServeWaitsForItsStore: a process that is started while its store is away says so, becomes ready by itself once the
// store is there, and takes engagements at the address that it has told before.
func TestServeWaitsForItsStore(t *testing.T) {
	const post = `{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"/web","id":"1",` +
		`"time":"2026-01-29T09:00:00Z","data":{"post_id":"p1","account_id":"ann","title":"T","time_to_read_seconds":60}}`
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writeCertificate(certificate, key); err != nil {
		t.Fatal(err)
	}
	for scheme, args := range map[string][]string{"http": nil, "https": {"--tls-cert", certificate, "--tls-key", key}} {
		t.Run(scheme, func(t *testing.T) {
			w := startWaiting(t, args...)
			if err := w.client.trust(certificate); err != nil || !strings.HasPrefix(w.url, scheme+":") {
				t.Fatalf("served at %s, %v", w.url, err)
			}
			w.whileAway(post)
			w.store.Node(0).Accept()
			w.untilReady()
			w.ask("POST", "/v1/events", post, 201)
			w.ask("GET", "/metrics", "", 200, "tweiledger_log_writable 1\n")
			if err := w.terminate(); err != nil {
				t.Error(err)
			}
			if n := len(w.store.Events("tweiledger.post-p1")); n != 1 {
				t.Errorf("the store has %d events of the post", n)
			}
		})
	}
}

// TestServeWaitingEnds by SIGTERM as any serving process does.
func TestServeWaitingEnds(t *testing.T) {
	w := startWaiting(t)
	if err := w.terminate(); err != nil {
		t.Error(err)
	}
}

// TestServeWaitingFails at what waiting does not mend: the store is there, and holds what is not the ledger's.
func TestServeWaitingFails(t *testing.T) {
	w := startWaiting(t)
	w.store.Insert(esdbtest.RawEvent{Stream: "tweiledger.tariff", Type: "TariffPublished", Data: []byte(`{"not":"ours"}`)})
	w.store.Node(0).Accept()
	<-w.ended
	if notes := w.stderr(); w.command.ProcessState.ExitCode() != exitNo || !strings.Contains(notes, "tweiledger.tariff") {
		t.Errorf("%v: %s", w.err, notes)
	}
}
