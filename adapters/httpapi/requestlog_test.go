package httpapi

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// logLines returns what was logged as JSON, one object a line.
func logLines(t *testing.T, logged *lockedBuffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, members)
	}
	return lines
}

// observed is what Observe was told.
type observed struct {
	mu   sync.Mutex
	seen []string // guarded by mu
}

func (o *observed) observe(method, route string, status int, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, fmt.Sprint(method, " ", route, " ", status))
}

// TestRequestLog: a request is one line, with its route's template, its id and the token's name, and nothing that the
// client made up but a sane id.
func TestRequestLog(t *testing.T) {
	logged, told := new(lockedBuffer), new(observed)
	g := openGuarded(t, false, func(c *Config) {
		c.Logger = slog.New(slog.NewJSONHandler(logged, nil))
		c.Observe = told.observe
	})
	a := g.get("/v1/accounts/u1/pnl?min_position=0", g.as("own"), header("X-Request-Id", "page-17")).want(t, 200)
	if got := a.header.Get("X-Request-Id"); got != "page-17" {
		t.Errorf("the id is %q", got)
	}
	forbidden := g.get("/v1/accounts/secret-account/pnl", g.as("own")).want(t, 403)
	g.get("/livez").want(t, 200)
	g.get("/v1/nowhere").want(t, 404)
	g.do("BREW", "/v1/pnl", "", "").want(t, 405)
	g.get("/v1/pnl", header("X-Request-Id", "a\tb")).want(t, 401)
	// An answer is there before its line is: one more has ended what came before on the same connection.
	g.server.Close()

	want := []string{
		"GET /v1/accounts/{account}/pnl 200", "GET /v1/accounts/{account}/pnl 403", "GET /livez 200", "GET other 404",
		"other other 405", "GET /v1/pnl 401",
	}
	if got := strings.Join(told.seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("observed\n%s", got)
	}
	lines := logLines(t, logged)
	var got []string
	for _, line := range lines {
		got = append(got, fmt.Sprint(line["method"], " ", line["route"], " ", line["status"]))
		for _, name := range []string{"bytes", "duration", "request_id", "remote"} {
			if _, there := line[name]; !there {
				t.Errorf("%v has no %s", line, name)
			}
		}
	}
	want = append(want[:2], want[3:]...) // /livez is told at debug only.
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s", strings.Join(got, "\n"))
	}
	if lines[0]["request_id"] != "page-17" || lines[0]["token"] != "own" || lines[0]["bytes"] != float64(len(a.body)) {
		t.Errorf("%v", lines[0])
	}
	id := forbidden.header.Get("X-Request-Id")
	if id == "" || lines[1]["request_id"] != id || forbidden.members(t)["request_id"] != id {
		t.Errorf("%v for %s", lines[1], forbidden.body)
	}
	for _, secret := range []string{"min_position", "secret-account", "nowhere", "BREW", secretPrefix, "Bearer", `a\tb`} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("%s is in the log: %s", secret, logged)
		}
	}
}

// TestFailuresAreLoggedWithTheirRequest: why a request failed is told with the id of its problem document, and one that
// was cut off says so.
func TestFailuresAreLoggedWithTheirRequest(t *testing.T) {
	logged, told := new(lockedBuffer), new(observed)
	w := openWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewJSONHandler(logged, nil))
		c.Observe = told.observe
	})
	w.api.Router().HandleFunc("/broken", func(http.ResponseWriter, *http.Request) { panic("broken") })
	w.api.Router().HandleFunc("/begun", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("x"))
		panic("begun")
	})
	w.api.Router().HandleFunc("/gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, path := range []string{"/broken", "/begun", "/gone"} {
		if res, err := w.server.Client().Get(w.server.URL + path); err == nil {
			res.Body.Close()
		}
	}
	w.server.Close()
	if got, want := fmt.Sprint(told.seen), "[GET /broken 500 GET /begun 200 GET /gone 499]"; got != want {
		t.Errorf("observed %s, want %s", got, want)
	}
	lines := logLines(t, logged)
	if len(lines) != 5 {
		t.Fatalf("%v", lines)
	}
	for i, want := range []string{"ERROR", "INFO", "ERROR", "INFO", "INFO"} {
		if lines[i]["level"] != want {
			t.Errorf("line %d is %v", i, lines[i])
		}
	}
	if lines[0]["request_id"] != lines[1]["request_id"] || lines[0]["error"] == nil {
		t.Errorf("%v, %v", lines[0], lines[1])
	}
	for i, cut := range map[int]any{1: nil, 3: true, 4: true} {
		if lines[i]["cut_off"] != cut {
			t.Errorf("line %d is %v", i, lines[i])
		}
	}
}

// TestRequestIDs: an id is taken if it can stand anywhere as it is.
func TestRequestIDs(t *testing.T) {
	w := openWorld(t)
	for given, taken := range map[string]bool{
		"a": true, strings.Repeat("x", maxRequestIDBytes): true, "0f8b7c6e-1d2c-4f00-9a5c-0d5d5d1c9b11": true, "a:b@c~d.e_f": true,
		strings.Repeat("x", maxRequestIDBytes+1): false, "a b": false, `a"b`: false, "ä": false, "": false,
	} {
		got := w.get("/livez", header("X-Request-Id", given)).header.Get("X-Request-Id")
		if (got == given) != taken || !saneRequestID(got) {
			t.Errorf("%q gives %q", given, got)
		}
	}
	twice := w.get("/livez", header("X-Request-Id", "a"), header("X-Request-Id", "b")).header.Get("X-Request-Id")
	if twice == "a" || twice == "b" {
		t.Errorf("two ids give %q", twice)
	}
	if one, other := w.get("/livez").header.Get("X-Request-Id"), w.get("/livez").header.Get("X-Request-Id"); one == other {
		t.Errorf("two requests have the id %q", one)
	}
}
