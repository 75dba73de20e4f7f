package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// errAway is why a service cannot begin.
var errAway = errors.New("the store at esdb://nodes: connection refused")

// notBegun returns a world of a client before a service that cannot begin. It has what do needs, and no more.
func notBegun(t *testing.T, cfg Config) *world {
	server := httptest.NewServer(newStarting(cfg, func() error { return errAway }))
	t.Cleanup(server.Close)
	return &world{t: t, server: server, client: &http.Client{
		Transport: &conforming{t: t, base: server.Client().Transport},
	}}
}

// TestStarting: a service that cannot begin answers for itself, and refuses all else as the running one would refuse who
// may not.
func TestStarting(t *testing.T) {
	g := openGuarded(t, true)
	w := notBegun(t, g.api.Config)
	w.get("/livez").want(t, 200, `{"live":true}`)
	w.get("/openapi.yaml").want(t, 200, "openapi:")
	w.get("/metrics").want(t, 401)
	w.get("/metrics", g.as("read")).want(t, 200, "go_goroutines")
	for _, row := range []struct {
		method, path, caller string
		status               int
	}{
		{"POST", "/v1/events", "write", 503}, {"POST", "/v1/events", "read", 403}, {"POST", "/v1/events", "", 401},
		{"GET", "/v1/pnl", "read", 503}, {"GET", "/v1/posts/p1/pnl", "", 503}, {"GET", "/v1/log?follow=true", "audit", 503},
		{"POST", "/v1/tariffs", "operate", 503}, {"GET", "/v1/accounts/u1/pnl", "own", 503},
		{"GET", "/v1/accounts/u1/pnl", "other", 403}, {"BREW", "/v1/pnl", "", 405},
	} {
		a := w.do(row.method, row.path, "", "", g.as(row.caller), malformed)
		a.want(t, row.status)
		if row.status == 503 {
			a.want(t, 503, `"code":"failed"`, `"detail":"the service is starting: the log is away`)
			if a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: headers %v", row.method, row.path, a.header)
			}
		}
	}
}

// TestStartingKnowsNoRoutes that others add once the service has begun: there may be any.
func TestStartingKnowsNoRoutes(t *testing.T) {
	answer := httptest.NewRecorder()
	newStarting(Config{}, func() error { return errAway }).ServeHTTP(answer, httptest.NewRequest("GET", "/page", nil))
	if answer.Code != 503 || !strings.Contains(answer.Body.String(), `"code":"failed"`) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// TestStartingIsNotReady for anything, and says why to whom it says such.
func TestStartingIsNotReady(t *testing.T) {
	g := openGuarded(t, false)
	w := notBegun(t, g.api.Config)
	read, write := `{"purpose":"read","code":"log_away"`, `{"purpose":"write","code":"log_away"`
	why := `,"detail":"the service waits for the log: ` + errAway.Error() + `"}`
	for query, want := range map[string][]string{"": {read, write}, "?for=read": {read}, "?for=write": {write}} {
		for caller, end := range map[string]string{"": "}", "write": "}", "read": why, "operate": why} {
			a := w.get("/readyz"+query, g.as(caller)).want(t, 503)
			if want := `{"ready":false,"reasons":[` + strings.Join(want, end+",") + end + `]}`; string(a.body) != want {
				t.Errorf("%s as %q: %s, want %s", query, caller, a.body, want)
			}
			if a.header.Get("Retry-After") == "" {
				t.Errorf("headers %v", a.header)
			}
		}
	}
	w.get("/readyz?for=nonsense").want(t, 400, `"field":"for"`)
	w = notBegun(t, Config{LoopbackOnly: true})
	w.get("/readyz").want(t, 503, why)
	w.get("/livez", func(r *http.Request) { r.Host = "ledger.example" }).want(t, 421)
}

// TestStartingLogsRequests with the id that their problem documents have.
func TestStartingLogsRequests(t *testing.T) {
	logged := new(lockedBuffer)
	w := notBegun(t, Config{Logger: slog.New(slog.NewJSONHandler(logged, nil))})
	a := w.post("{}").want(t, 503)
	given := w.get("/v1/pnl", header("X-Request-Id", "page-17")).want(t, 503)
	w.server.Close()
	lines := logLines(t, logged)
	if len(lines) != 2 || lines[0]["route"] != "/v1/events" || lines[0]["status"] != 503.0 {
		t.Fatalf("%v", lines)
	}
	for i, id := range []any{a.header.Get("X-Request-Id"), "page-17"} {
		if lines[i]["request_id"] != id {
			t.Errorf("%v, not %s", lines[i], id)
		}
	}
	if a.members(t)["request_id"] != lines[0]["request_id"] || given.members(t)["request_id"] != "page-17" {
		t.Errorf("%s, %s", a.body, given.body)
	}
}

// TestServeStarting hands its listener over, also while a client has sent nothing yet, and by TLS.
func TestServeStarting(t *testing.T) {
	dir := t.TempDir()
	files := certificateFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	pool := x509.NewCertPool()
	pool.AddCert(files.write(t, "own"))
	certificate, err := OpenCertificate(files.cert, files.key, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	for scheme, change := range map[string]func(*Config){
		"http": func(*Config) {}, "https": func(c *Config) { c.Certificate, c.MaxConnections = certificate, 10 },
	} {
		w := openWorld(t, change)
		w.settle()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- ServeStarting(ctx, listener.(*net.TCPListener), w.api.Config, func() error { return errAway })
		}()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		status := func() int {
			res, err := client.Get(scheme + "://" + listener.Addr().String() + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res.StatusCode
		}
		if got := status(); got != 503 {
			t.Errorf("%s: %d while it starts", scheme, got)
		}
		idle, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		stop()
		if err := <-served; err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		w.serving(listener)
		if got := status(); got != 200 {
			t.Errorf("%s: %d afterwards", scheme, got)
		}
		client.CloseIdleConnections()
	}
}

// TestServeStartingFails where it is given no listener that it can use.
func TestServeStartingFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	err = ServeStarting(t.Context(), listener.(*net.TCPListener), Config{}, func() error { return errAway })
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
