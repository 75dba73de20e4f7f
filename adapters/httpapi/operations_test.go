package httpapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// brokenLog is a log whose Read ends with an error after the first batch.
type brokenLog struct{ domain.EventLog }

func (l *brokenLog) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for events, err := range l.EventLog.Read(ctx, after) {
			if !yield(events, err) {
				return
			}
			break
		}
		yield(nil, domain.ErrCorrupt)
	}
}

// TestLoopbackOnly: only a Host that names this machine is answered.
func TestLoopbackOnly(t *testing.T) {
	w := openWorld(t, func(c *Config) { c.LoopbackOnly = true })
	host := func(name string) change { return func(r *http.Request) { r.Host = name } }
	for _, name := range []string{"localhost", "LocalHost:80", "127.0.0.1", "127.8.9.10:8080", "[::1]", "[::1]:8080"} {
		w.get("/livez", host(name)).want(t, 200)
	}
	for _, name := range []string{"news.example", "localhost.news.example:8080", "127.0.0.1.nip.io", "10.0.0.1", "0.0.0.0:8080", "[::]", "[fe80::1]", "128.0.0.1"} {
		w.get("/v1/pnl", host(name)).want(t, 421, `"code":"misdirected_request"`)
	}
	if isLoopbackName("") {
		t.Error("no Host at all is answered")
	}
	w.do("POST", "/v1/events", mediaStructured, liked("e-1", "p1", "u2"), host("news.example")).want(t, 421)
}

// TestPanic: a handler that panics is answered with 500, logged once, and the service goes on.
func TestPanic(t *testing.T) {
	w := openWorld(t)
	w.api.Router().HandleFunc("/v1/pnl/panic", func(http.ResponseWriter, *http.Request) { panic("a broken invariant") })
	res, err := w.server.Client().Get(w.server.URL + "/v1/pnl/panic")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 500 || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if strings.Count(w.logged.String(), "a broken invariant") != 1 {
		t.Errorf("logged: %s", w.logged)
	}
	w.get("/livez").want(t, 200)
}

// TestBadOperatorRequests has a row for each way in which an operator can ask wrongly.
func TestBadOperatorRequests(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	id := w.post(liked("e-1", "p1", "u2")).want(t, 201).members(t)["event_id"].(string)
	before := w.log.Len()
	for _, test := range []struct {
		name, body string
		texts      []string
	}{
		{"not JSON", `{"event_id":`, []string{`"code":"invalid"`}},
		{"empty", ``, nil},
		{"no object", `[]`, nil},
		{"more behind it", fmt.Sprintf(`{"event_id":%q,"note":"n"} {}`, id), nil},
		{"invalid UTF-8", fmt.Sprintf("{\"event_id\":%q,\"note\":\"\xff\"}", id), nil},
		{"a duplicate name", fmt.Sprintf(`{"event_id":%q,"note":"n","note":"n"}`, id), []string{`"field":"note"`}},
		{"an unknown member", fmt.Sprintf(`{"event_id":%q,"note":"n","by":"me"}`, id), []string{`"field":"by"`}},
		{"null", fmt.Sprintf(`{"event_id":%q,"note":null}`, id), []string{`"field":"note"`}},
		{"a number", `{"event_id":1,"note":"n"}`, []string{`"field":"event_id"`}},
		{"an object", fmt.Sprintf(`{"event_id":%q,"note":{"a":"b"}}`, id), []string{`"field":"note"`}},
		{"no id", `{"note":"n"}`, []string{`"field":"event_id"`}},
		{"a bad id", `{"event_id":"e-1","note":"n"}`, []string{`"field":"event_id"`}},
		{"no note", fmt.Sprintf(`{"event_id":%q}`, id), []string{`"field":"note"`}},
		{"an empty note", fmt.Sprintf(`{"event_id":%q,"note":""}`, id), []string{`"field":"note"`}},
		{"a long note", fmt.Sprintf(`{"event_id":%q,"note":%q}`, id, strings.Repeat("n", domain.MaxNoteBytes+1)), []string{`"field":"note"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/v1/reversals", "/v1/reinstatements"} {
				w.do("POST", path, "application/json", test.body).want(t, 422, append(test.texts, `"code":"invalid"`)...)
			}
		})
	}
	body := fmt.Sprintf(`{"event_id":%q,"note":"n"}`, id)
	w.do("POST", "/v1/reversals", "text/plain", body).want(t, 415)
	w.do("POST", "/v1/reversals", mediaStructured, body).want(t, 415)
	w.do("POST", "/v1/reversals?x=1", "application/json", body, malformed).want(t, 400)
	w.do("POST", "/v1/reversals", "application/json", body+strings.Repeat(" ", maxLineBytes)).want(t, 413)
	if w.log.Len() != before {
		t.Errorf("%d events were recorded", w.log.Len()-before)
	}
}

// TestOperatorsKnowWhatWasJustRecorded reverses events right after their outcome, and is told to come back where the
// views stand still.
func TestOperatorsKnowWhatWasJustRecorded(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	reverse := func(id string) *answer {
		return w.do("POST", "/v1/reversals", "application/json", fmt.Sprintf(`{"event_id":%q,"note":"n"}`, id))
	}
	for i := range 10 {
		reverse(w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201).members(t)["event_id"].(string)).want(t, 201)
	}
	w.settle()
	known := w.post(liked("e-k", "p1", "u-k")).want(t, 201).members(t)["event_id"].(string)
	w.settle()
	w.stopViews()
	w.api.operatorPatience = time.Millisecond
	unseen := w.post(liked("e-x", "p1", "u-x")).want(t, 201).members(t)["event_id"].(string)
	reverse(unseen).want(t, 503, `"code":"position_not_reached"`)
	reverse(known).want(t, 201)
	w.runViews()
}

func TestBadTariffs(t *testing.T) {
	w := openWorld(t)
	two := domain.DefaultTariff()
	two.Version = 2
	good := tariffFrom(two, "2099-01-01T00:00:00Z")
	for name, test := range map[string]struct {
		body  string
		texts []string
	}{
		"not JSON":          {good[:len(good)-1], nil},
		"an unknown member": {strings.Replace(good, `"version"`, `"x":1,"version"`, 1), []string{`"field":"x"`}},
		"an unknown line":   {strings.Replace(good, "likes_own", "likes_all", 1), []string{`.line"`}},
		"a bad amount":      {strings.Replace(good, `"0.5"`, `"0.50"`, 1), []string{`.amount"`}},
		"a number":          {strings.Replace(good, `"0.5"`, `0.5`, 1), []string{`.amount"`}},
		"a version too far": {strings.Replace(good, `"version":2`, `"version":3`, 1), []string{`"field":"version"`}},
		"no time":           {strings.Replace(good, `"effective_from":"2099-01-01T00:00:00Z",`, "", 1), []string{`"field":"effective_from"`}},
	} {
		t.Run(name, func(t *testing.T) {
			w.do("POST", "/v1/tariffs", "application/json", test.body).want(t, 422, append(test.texts, `"code":"invalid"`)...)
		})
	}
	w.do("POST", "/v1/tariffs", "application/json", good+strings.Repeat(" ", maxTariffBytes)).want(t, 413)
	w.do("POST", "/v1/tariffs", "application/yaml", good).want(t, 415)
	w.do("POST", "/v1/tariffs", "application/json", good).want(t, 201)
	w.get("/v1/tariffs/2").want(t, 200, good)
}
