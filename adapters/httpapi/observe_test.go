package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// observation is one call of Config.Observe.
type observation struct {
	method, route string
	status        int
}

// TestObserve: who watches is told of each request once, by the route's template and not by what the client sent.
func TestObserve(t *testing.T) {
	calls := make(chan observation, 2)
	w := openWorld(t, func(c *Config) {
		c.Log = &brokenLog{c.Log}
		c.Observe = func(method, route string, status int, elapsed time.Duration) {
			if elapsed < 0 {
				t.Errorf("it took %v", elapsed)
			}
			calls <- observation{method, route, status}
		}
	})
	w.api.Router().HandleFunc("/page/{page}", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, w.api.InFlight())
	})
	w.api.Router().HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a broken invariant") })
	w.api.Router().HandleFunc("/gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, row := range []struct {
		method, path, body string
		want               observation
	}{
		{"POST", "/v1/events", event("post.published", "p", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`),
			observation{"POST", "/v1/events", 201}},
		{"POST", "/v1/events", "{}", observation{"POST", "/v1/events", 422}},
		{"GET", "/v1/posts/p9/pnl", "", observation{"GET", "/v1/posts/{post}/pnl", 404}},
		{"GET", "/v1/posts/p1/pnl?no=such", "", observation{"GET", "/v1/posts/{post}/pnl", 400}},
		{"GET", "/v1/accounts/a%2Fb/pnl", "", observation{"GET", "/v1/accounts/{account}/pnl", 400}},
		{"HEAD", "/livez", "", observation{"HEAD", "/livez", 200}},
		{"GET", "/no/such/path", "", observation{"GET", "other", 404}},
		{"DELETE", "/v1/pnl", "", observation{"other", "other", 405}},
		{"OPTIONS", "/v1/pnl", "", observation{"OPTIONS", "other", 204}},
		{"BREW", "/v1/pnl", "", observation{"other", "other", 405}},
		{"GET", "/page/1", "", observation{"GET", "/page/{page}", 200}},
		{"GET", "/panic", "", observation{"GET", "/panic", 500}},
		{"GET", "/gone", "", observation{"GET", "/gone", 499}},
		{"GET", "/v1/log", "", observation{"GET", "/v1/log", 200}}, // and then cut off
	} {
		r, err := http.NewRequest(row.method, w.server.URL+row.path, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", mediaStructured)
		r.Close = true // a client sends again what was cut off on a connection that it had used before
		res, err := w.server.Client().Do(r)
		if err == nil {
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if row.path == "/page/1" && string(text) != "1" {
				t.Errorf("%s requests are being served", text)
			}
		}
		if got := <-calls; got != row.want {
			t.Errorf("%s %s: %v, want %v", row.method, row.path, got, row.want)
		}
	}
	w.server.Close() // waits for the handlers
	if n := w.api.InFlight(); n != 0 {
		t.Errorf("%d requests are being served", n)
	}
}

// TestMetricsRoute serves what it is given, fresh each time; nothing where it is given nothing.
func TestMetricsRoute(t *testing.T) {
	w := openWorld(t)
	a := w.get("/metrics").want(t, 200, "go_goroutines")
	if a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("headers %v", a.header)
	}
	w.get("/metrics?name=x", malformed).want(t, 400)
	w = openWorld(t, func(c *Config) { c.Metrics = nil })
	w.get("/metrics").want(t, 404, `"code":"not_found"`)
}
