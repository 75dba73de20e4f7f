package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// TestBadReads has a row for each way in which a read can be asked wrongly.
func TestBadReads(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	long := strings.Repeat("x", domain.MaxIDBytes+1)
	hundredAndOne := strings.Repeat("post=p1&", maxStatements) + "post=p2"
	for _, test := range []struct {
		path   string
		status int
		texts  []string
	}{
		{"/v1/posts/a%20b", 400, []string{`"code":"bad_request"`, `"field":"post"`}},
		{"/v1/posts/a%2Fb/pnl", 400, []string{`"field":"post"`}},
		{"/v1/posts/treasury", 400, []string{`"field":"post"`}},
		{"/v1/posts/" + long, 400, []string{`"field":"post"`}},
		{"/v1/posts/p1/pnl?account=", 400, []string{`"field":"account"`}},
		{"/v1/posts/p1/pnl?account=..", 400, []string{`"field":"account"`}},
		{"/v1/posts/p1/pnl?account=a&account=b", 400, []string{`"field":"account"`}},
		{"/v1/posts/p1/pnl?a;b", 400, nil},
		{"/v1/posts/p1/pnl?account=%zz", 400, nil},
		{"/v1/posts/p1/pnl?min_position=", 400, []string{`"field":"min_position"`}},
		{"/v1/posts/p1/pnl?min_position=-1", 400, []string{`"field":"min_position"`}},
		{"/v1/posts/p1/pnl?min_position=01", 400, []string{`"field":"min_position"`}},
		{"/v1/accounts/treasury/pnl", 400, []string{`"field":"account"`}},
		{"/v1/pnl?account=u1", 400, []string{`"field":"account"`}},
		{"/v1/statements", 400, []string{`"field":"post"`}},
		{"/v1/statements?post=p1&post=p1", 400, []string{"twice"}},
		{"/v1/statements?post=a%20b", 400, []string{`"field":"post"`}},
		{"/v1/statements?" + hundredAndOne, 400, []string{"101 times"}},
		{"/v1/events/e-1", 400, []string{`"field":"event"`}},
		{"/v1/events/6F2C1B6E-5D0E-5A38-9A5C-0D5D5D1C9B11", 400, []string{`"field":"event"`}},
		{"/v1/events", 400, []string{`"field":"source"`}},
		{"/v1/events?source=a", 400, []string{`"field":"id"`}},
		{"/v1/events?source=%ff&id=b", 400, []string{`"field":"source"`}},
		{"/v1/log?from=-1", 400, []string{`"field":"from"`}},
		{"/v1/log?from=", 400, []string{`"field":"from"`}},
		{"/v1/log?from=1e3", 400, []string{`"field":"from"`}},
		{"/v1/log?from=9007199254740992", 400, []string{`"field":"from"`}},
		{"/v1/log?follow=yes", 400, []string{`"field":"follow"`}},
		{"/v1/tariffs/0", 400, []string{`"field":"version"`}},
		{"/v1/tariffs/one", 400, []string{`"field":"version"`}},
		{"/readyz?for=ever", 400, []string{`"field":"for"`}},
		{"/livez?x", 400, []string{`"field":"x"`}},
		{"/v1/posts/p9", 404, []string{`"code":"unknown_post"`, `"field":"post"`, "p9"}},
		{"/v1/tariffs/2", 404, []string{`"code":"not_found"`}},
		{"/", 404, []string{`"code":"not_found"`}},
		{"/v1/posts/p1/", 404, []string{`"code":"not_found"`}},
		{"/v1//pnl", 404, []string{`"code":"not_found"`}},
		{"/v2/pnl", 404, []string{`"code":"not_found"`}},
	} {
		t.Run(test.path, func(t *testing.T) {
			a := w.get(test.path, malformed).want(t, test.status, test.texts...)
			if got := a.header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if a.header.Get("ETag") != "" {
				t.Error("a problem has an ETag")
			}
			if strings.Contains(string(a.body), "unknown_") && a.header.Get("Ledger-Size") == "" {
				t.Error("the answer does not say as of which size it is")
			}
		})
	}
	if w.logged.String() != "" {
		t.Errorf("logged as the service's fault: %s", w.logged)
	}
}

// TestIdentifiersMayBeEncoded asks for an id with every kind of character, as a careful client encodes it.
func TestIdentifiersMayBeEncoded(t *testing.T) {
	w := openWorld(t)
	w.publish("a:b@c~d.e_f-g")
	w.get("/v1/posts/a%3Ab%40c%7Ed%2Ee_f-g/pnl").want(t, 200, `"post_id":"a:b@c~d.e_f-g"`)
	w.get("/v1/posts/a:b@c~d.e_f-g").want(t, 200)
}

func TestOtherMethods(t *testing.T) {
	w := openWorld(t)
	for path, allow := range map[string]string{
		"/v1/pnl": "GET, HEAD, OPTIONS", "/v1/events": "GET, HEAD, POST, OPTIONS", "/v1/reversals": "POST, OPTIONS", "/v1/posts/p1": "GET, HEAD, OPTIONS",
	} {
		for _, method := range []string{"PUT", "DELETE", "PATCH", "FOO"} {
			a := w.do(method, path, "", "").want(t, 405, `"code":"method_not_allowed"`)
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, got, allow)
			}
		}
		if a := w.do("OPTIONS", path, "", "").want(t, 204); a.header.Get("Allow") != allow {
			t.Errorf("OPTIONS %s: Allow is %q", path, a.header.Get("Allow"))
		}
	}
	w.do("OPTIONS", "/nowhere", "", "").want(t, 404)
}

// TestOtherOrigins: pages of any origin may read and none may write.
func TestOtherOrigins(t *testing.T) {
	w := openWorld(t)
	a := w.get("/v1/pnl", header("Origin", "https://news.example")).want(t, 200)
	if a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Ledger-Size") {
		t.Errorf("a read answers %v", a.header)
	}
	preflight := func(path, method string) http.Header {
		return w.do("OPTIONS", path, "", "", header("Origin", "https://news.example"), header("Access-Control-Request-Method", method),
			header("Access-Control-Request-Headers", "if-none-match")).want(t, 204).header
	}
	if h := preflight("/v1/pnl", "GET"); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "Authorization, If-None-Match, X-Request-Id" {
		t.Errorf("the preflight of a read answers %v", h)
	}
	for _, path := range []string{"/v1/events", "/v1/tariffs", "/v1/reversals"} {
		if h := preflight(path, "POST"); h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the preflight of a write to %s answers %v", path, h)
		}
	}
	if h := w.post(liked("e-1", "p1", "u2")).header; h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a write answers %v", h)
	}
}

// TestETags: a tag changes when the scope's statement does, and stays when something else happens.
func TestETags(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.publish("p2")
	const path = "/v1/posts/p1/pnl"
	first := w.get(path)
	tag := first.header.Get("ETag")
	w.post(liked("e-1", "p2", "u2")).want(t, 201)
	w.settle()
	same := w.get(path, header("If-None-Match", tag)).want(t, 304)
	if same.header.Get("ETag") != tag || same.header.Get("Ledger-Size") == first.header.Get("Ledger-Size") {
		t.Errorf("304 with %v after %v", same.header, first.header)
	}
	for _, field := range []string{"*", `"x", ` + tag, "W/" + tag, `W/"a,b" ,` + tag} {
		w.get(path, header("If-None-Match", field)).want(t, 304)
		w.do("HEAD", path, "", "", header("If-None-Match", field)).want(t, 304)
	}
	for _, field := range []string{`"x"`, strings.Trim(tag, `"`), `"`, "", "x, " + tag} {
		w.get(path, header("If-None-Match", field)).want(t, 200)
	}
	w.post(liked("e-2", "p1", "u2")).want(t, 201)
	w.settle()
	changed := w.get(path, header("If-None-Match", tag)).want(t, 200)
	if changed.header.Get("ETag") == tag || bytes.Equal(changed.body, first.body) {
		t.Error("the statement did not change")
	}
	head := w.do("HEAD", path, "", "").want(t, 200)
	if head.header.Get("Content-Length") != fmt.Sprint(len(changed.body)) || head.header.Get("ETag") != changed.header.Get("ETag") {
		t.Errorf("HEAD answers %v", head.header)
	}
}

func FuzzMatches(f *testing.F) {
	f.Add(`"a", W/"b"`, "b")
	f.Add(`*`, "x")
	f.Add(`"a`, "a")
	f.Fuzz(func(t *testing.T, field, tag string) {
		tag = `"` + strings.ReplaceAll(tag, `"`, "") + `"`
		got := matches([]string{field}, tag)
		if got && strings.Trim(field, " \t") != "*" && !strings.Contains(field, tag) {
			t.Fatalf("%q matches %q", field, tag)
		}
		if !matches([]string{`"other"`, `W/"x" , ` + tag}, tag) {
			t.Fatalf("%q is not found in a list", tag)
		}
	})
}

// TestMinPosition: who posted can read what it posted, and who asks for more than there is waits in vain.
func TestMinPosition(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	for i := range 20 {
		position := w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201).members(t)["position"].(string)
		w.get("/v1/posts/p1/pnl?min_position="+position).want(t, 200, fmt.Sprintf(`"likes":%d`, i+1))
	}
	w.api.patience = time.Millisecond
	a := w.get("/v1/pnl?min_position=999999999").want(t, 503, `"code":"position_not_reached"`, `"field":"min_position"`)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// The wait ends with the service.
	w.api.patience = time.Hour
	waiting := make(chan int)
	go func() { waiting <- w.get("/v1/pnl?min_position=999999999").status }()
	w.api.Drain()
	if status := <-waiting; status != 503 {
		t.Errorf("status %d", status)
	}
}

// TestMinPositionHasTwoNumbers: a position with a slash may stand in a query as it is.
func TestMinPositionHasTwoNumbers(t *testing.T) {
	w := openWorld(t)
	w.get("/v1/pnl?min_position=0/0", malformed).want(t, 400)
	head, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.get("/v1/pnl?min_position="+head.String()).want(t, 200)
}

// TestReadsGoOnWhereTheFoldStopped serves views that nobody folds.
func TestReadsGoOnWhereTheFoldStopped(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	before := w.get("/v1/posts/p1/pnl").want(t, 200)
	w.stopViews()
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
	after := w.get("/v1/posts/p1/pnl").want(t, 200)
	if !bytes.Equal(before.body, after.body) || before.header.Get("Ledger-Size") != after.header.Get("Ledger-Size") {
		t.Errorf("before %s, after %s", before.body, after.body)
	}
	w.runViews()
}

// TestLog compares the log's lines from each index on with the log.
func TestLog(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	for i := range 30 {
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
	}
	w.settle()
	var lines [][]byte
	for events, err := range w.log.Read(t.Context(), domain.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			lines = append(lines, append(e.Canonical, '\n'))
		}
	}
	for _, from := range []int{0, 1, 17, len(lines) - 1, len(lines), len(lines) + 5} {
		a := w.get(fmt.Sprintf("/v1/log?from=%d", from)).want(t, 200)
		if want := bytes.Join(lines[min(from, len(lines)):], nil); !bytes.Equal(a.body, want) {
			t.Errorf("from %d: %s", from, a.body)
		}
	}
	w.stopViews()
	more := w.post(liked("e-x", "p1", "u-x")).want(t, 201)
	if a := w.get(fmt.Sprintf("/v1/log?from=%d", len(lines))); !bytes.Contains(a.body, []byte(`"source_id":"e-x"`)) || bytes.Count(a.body, []byte("\n")) != 1 {
		t.Errorf("beyond the views after %s: %s", more.body, a.body)
	}
	if a := w.get(fmt.Sprintf("/v1/log?from=%d", len(lines)+1)).want(t, 200); len(a.body) > 0 {
		t.Errorf("beyond the end: %s", a.body)
	}
	w.runViews()
}

// TestFollowLog follows the log over what comes, from beyond its end.
func TestFollowLog(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	res, err := w.server.Client().Get(w.server.URL + "/v1/log?from=3&follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for i := range 5 {
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
		// Index 0 is the tariff, 1 the post, 2 the first like.
		if i == 0 {
			continue
		}
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf(`"source_id":"e-%d"`, i); err != nil || !strings.Contains(line, want) {
			t.Fatalf("%s %v, want %s", line, err, want)
		}
	}
	w.api.Drain()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("the end is %q %v", rest, err)
	}
}

// TestLogThatBreaks: an answer that an error interrupts is cut off.
func TestLogThatBreaks(t *testing.T) {
	broken := &brokenLog{}
	w := openWorld(t, func(c *Config) { broken.EventLog = c.Log; c.Log = broken })
	w.publish("p1")
	res, err := w.server.Client().Get(w.server.URL + "/v1/log")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d %q ended as if it were whole", res.StatusCode, text)
	}
	if !strings.Contains(w.logged.String(), "the log is damaged") {
		t.Errorf("logged: %s", w.logged)
	}
}
