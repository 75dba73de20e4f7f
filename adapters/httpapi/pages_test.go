package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/projections"
)

// shownProblem is the ErrorPage of tests.
func shownProblem(w http.ResponseWriter, _ *http.Request, status int, code, detail string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<p>%d %s %s", status, code, detail)
}

// look asks for a page, past what the OpenAPI document says.
func (w *world) look(path string, changes ...change) *answer {
	w.t.Helper()
	r, _ := http.NewRequest(http.MethodGet, w.server.URL+path, nil)
	for _, c := range changes {
		c(r)
	}
	res, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, body}
}

// browser makes a request one of a browser.
var browser = header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")

// answering is an error that says how it is answered.
type answering struct{}

func (answering) Error() string                 { return "answering" }
func (answering) Answer() (int, string, string) { return 404, "unknown_event", "no such event" }

// TestPagesAreGuarded: a page is for whom it says, an error is shown as a page, with the headers of any, and Admits
// agrees with what is answered.
func TestPagesAreGuarded(t *testing.T) {
	for _, public := range []bool{true, false} {
		g := openGuarded(t, public, func(c *Config) { c.ErrorPage = shownProblem })
		for path, access := range map[string]PageAccess{"/open": PageOpen, "/public": PagePublic, "/read": PageRead, "/none": 0} {
			g.api.Handle("GET", path+"/{id}", access, access == PageRead, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, g.api.Admits(r, PageOpen), g.api.Admits(r, PagePublic), g.api.Admits(r, PageRead))
			}))
		}
		for _, row := range []struct{ caller, admits, statuses string }{
			{"", fmt.Sprint(true, public, false), map[bool]string{true: "200 200 401 401", false: "200 401 401 401"}[public]},
			{"own", fmt.Sprint(true, public, false), map[bool]string{true: "200 200 403 403", false: "200 403 403 403"}[public]},
			{"read", "true true true", "200 200 200 200"},
		} {
			var statuses []string
			for _, path := range []string{"/open", "/public", "/read", "/none"} {
				a := g.look(path+"/p1?unheard=of", g.as(row.caller))
				statuses = append(statuses, fmt.Sprint(a.status))
				switch {
				case a.status == 200 && string(a.body) != row.admits:
					t.Errorf("%s as %q: admits %s, want %s", path, row.caller, a.body, row.admits)
				case a.status == 200:
				case !strings.HasPrefix(string(a.body), "<p>"+fmt.Sprint(a.status)) || a.header.Get("Content-Type") != "text/html":
					t.Errorf("%s as %q: %s", path, row.caller, a.body)
				case a.header.Get("WWW-Authenticate") == "" || a.header.Get("Cache-Control") != "no-store":
					t.Errorf("%s as %q: headers %v", path, row.caller, a.header)
				}
			}
			if got := strings.Join(statuses, " "); got != row.statuses {
				t.Errorf("public %t, as %q: %s, want %s", public, row.caller, got, row.statuses)
			}
		}
	}
}

// TestFailedPages: the errors of a page are answered as those of the API are.
func TestFailedPages(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.ErrorPage = shownProblem })
	for i, row := range []struct {
		err  error
		want string
	}{
		{projections.ErrUnknownPost, "<p>404 unknown_post"}, {projections.ErrBadCursor, "<p>400 bad_request"},
		{projections.ErrDamaged, "<p>503 failed"}, {projections.ErrNotFolded, "<p>503 position_not_reached"},
		{fmt.Errorf("as %w", answering{}), "<p>404 unknown_event no such event"}, {errors.New("broken"), "<p>500 internal"},
	} {
		for _, costly := range []bool{true, false} {
			path := fmt.Sprintf("/failing/%d/%t", i, costly)
			w.api.Handle("GET", path, PageOpen, costly, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.api.Fail(rw, r, row.err)
			}))
			a := w.look(path)
			if !strings.HasPrefix(string(a.body), row.want) {
				t.Errorf("%v: %s", row.err, a.body)
			}
			if a.status == 503 && a.header.Get("Retry-After") == "" {
				t.Errorf("%v: headers %v", row.err, a.header)
			}
		}
	}
	if !strings.Contains(w.logged.String(), "broken") {
		t.Errorf("logged: %s", w.logged)
	}
}

// TestPanickingPage is answered, in a place too, and the place is free again.
func TestPanickingPage(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.ErrorPage = shownProblem })
	w.api.Handle("GET", "/broken", PageOpen, true, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	for range 2 * maxExpensive {
		w.look("/broken").want(t, 500, "<p>500 internal")
	}
}

// TestCostlyPages: so many are made at a time, and one that is made keeps nobody out while it is read.
func TestCostlyPages(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.ErrorPage = shownProblem })
	w.api.busyPatience = 1
	inside, leave := make(chan bool), make(chan bool)
	w.api.Handle("GET", "/slow", PageOpen, true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		inside <- true
		<-leave
		_, _ = w.Write(make([]byte, 32<<20))
	}))
	w.api.Handle("GET", "/other", PageOpen, true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	for range maxExpensive {
		got := make(chan *http.Response)
		go func() {
			res, _ := w.server.Client().Get(w.server.URL + "/slow")
			got <- res
		}()
		<-inside
		defer func() {
			if res := <-got; res != nil {
				res.Body.Close()
			}
		}()
	}
	w.look("/other").want(t, 503, "<p>503 too_busy")
	close(leave)
	w.api.busyPatience = busyPatience * 20
	w.look("/other").want(t, 200)
}

// TestUnknownPaths: a browser gets a page, and everybody else what they always got.
func TestUnknownPaths(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.ErrorPage = shownProblem })
	w.look("/nowhere", browser).want(t, 404, "<p>404 not_found")
	w.look("/v1/nowhere", browser).want(t, 404, "<p>404 not_found")
	w.look("/v1/posts/p9", browser).want(t, 404, `"code":"unknown_post"`)
	for _, accept := range []string{"", "*/*", "application/json", "application/json, text/html;q=0.5", "text/*;q=0.5, */*"} {
		a := w.look("/nowhere", header("Accept", accept)).want(t, 404, `"code":"not_found"`)
		if a.header.Get("Vary") == "" {
			t.Errorf("headers %v", a.header)
		}
	}
	openWorld(t).look("/nowhere", browser).want(t, 404, `"code":"not_found"`)
}

// TestStartingPages: while the service cannot begin no page is known, and each is answered by one that says so.
func TestStartingPages(t *testing.T) {
	w := notBegun(t, Config{ErrorPage: shownProblem})
	w.look("/posts/p1").want(t, 503, "<p>503 failed the service is starting")
	w.look("/v1/nowhere", browser).want(t, 503, "<p>503 failed")
	w.look("/v1/pnl", browser).want(t, 503, `"code":"failed"`)
	if a := w.look("/v1/nowhere").want(t, 503, `"code":"failed"`); a.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", a.header)
	}
}

// TestPagesAreObserved under their template.
func TestPagesAreObserved(t *testing.T) {
	told := make(chan string, 1)
	w := openWorld(t, func(c *Config) {
		c.Observe = func(method, route string, status int, _ time.Duration) {
			told <- fmt.Sprint(method, " ", route, " ", status)
		}
	})
	w.api.Handle("GET", "/posts/{post}", PageOpen, false, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w.look("/posts/p1")
	if got := <-told; got != "GET /posts/{post} 200" {
		t.Errorf("observed %s", got)
	}
}
