package httpapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

// statementPath returns the path of a scope's statement.
func statementPath(scope domain.Scope, query url.Values) string {
	path := "/v1/pnl"
	switch {
	case scope.PostID != "":
		path = "/v1/posts/" + scope.PostID + "/pnl"
	case scope.AccountID != "":
		path = "/v1/accounts/" + scope.AccountID + "/pnl"
	}
	if scope.PostID != "" && scope.AccountID != "" {
		query.Set("account", scope.AccountID)
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// drawMoment draws a time about which something occurred, or between all that did.
func drawMoment(t *rapid.T, log naive) time.Time {
	if rapid.Bool().Draw(t, "at an event") {
		at := rapid.SampledFrom(log).Draw(t, "event").OccurredAt
		return at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "nanoseconds after")))
	}
	return livelyStart.Add(time.Duration(rapid.Int64Range(int64(-time.Hour), int64(97*time.Hour)).Draw(t, "since the start")))
}

// TestStatementsAsOf: every statement as of any size, any time and both is, byte for byte, what the log's lines give
// when they are added up.
func TestStatementsAsOf(t *testing.T) {
	l := openLively(t, 1, 1_500)
	log := l.events()
	scopes := l.scopes()
	rapid.Check(t, func(rt *rapid.T) {
		scope := rapid.SampledFrom(scopes).Draw(rt, "scope")
		query := url.Values{}
		var size uint64
		var at time.Time
		sized := rapid.Bool().Draw(rt, "sized")
		if sized {
			size = rapid.Uint64Range(0, uint64(len(log))).Draw(rt, "size")
			query.Set("size", fmt.Sprint(size))
		}
		if !sized || rapid.Bool().Draw(rt, "timed") {
			at = drawMoment(rt, log)
			query.Set("at", domain.FormatTime(at))
		}
		a := l.get(statementPath(scope, query))
		want := log.statement(scope, size, sized, at)
		if want == nil {
			if a.status != 404 || !strings.Contains(string(a.body), `"unknown_post"`) {
				rt.Fatalf("a post that was not published is %d %s", a.status, a.body)
			}
			return
		}
		text, err := want.AppendJSON(nil)
		if err != nil || a.status != 200 || string(a.body) != string(text) {
			rt.Fatalf("as of %v: %d\n%s, not\n%s %v", query, a.status, a.body, text, err)
		}
	})
}

// TestPostsAsOf: a post is what it was said to be by then, and before its publication only its id is known.
func TestPostsAsOf(t *testing.T) {
	w := openWorld(t)
	w.publish("p1") // index 1
	w.post(event("post.changed", "c-1", `{"post_id":"p1","title":"Better","time_to_read_seconds":90}`)).want(t, 201)
	w.post(`{"specversion":"1.0","type":"tweiledger.post.changed.v1","source":"/web","id":"c-2","time":"2020-01-30T00:00:00Z","data":{"post_id":"p1","url":"https://news.example/p1"}}`).want(t, 201)
	w.settle()
	for _, test := range []struct {
		query  string
		status int
		texts  []string
	}{
		{"", 200, []string{`"title":"Better","url":"https://news.example/p1","time_to_read_seconds":90`, `"size":4`}},
		{"?size=4", 200, []string{`"url":`}},
		{"?size=3", 200, []string{`"title":"Better","time_to_read_seconds":90`, `"size":3`}},
		{"?size=2", 200, []string{`"title":"T","time_to_read_seconds":60`}},
		{"?size=1", 404, []string{`"unknown_post"`}},
		{"?size=0", 404, []string{`"unknown_post"`}},
		{"?size=5", 400, []string{`"field":"size"`, "5 is beyond the Ledger-Size, 4"}},
		{"?at=2020-01-29T23:59:59.999999999Z", 200, []string{`"title":"Better","time_to_read_seconds":90`, `"as_of":"2020-01-29T23:59:59.999999999Z"`}},
		{"?at=2020-01-30T01:00:00%2B01:00", 200, []string{`"url":`, `"as_of":"2020-01-30T00:00:00Z"`}},
		{"?at=2020-01-29T11:59:59Z", 200, []string{`{"post":{"post_id":"p1"},"statement":{"scope":{"post_id":"p1"},"size":0,"as_of":`}},
		{"?at=2020-01-30T00:00:00Z&size=2", 200, []string{`"title":"T","time_to_read_seconds":60`, `"size":2`, `"as_of":`}},
	} {
		w.get("/v1/posts/p1"+test.query).want(t, test.status, test.texts...)
	}
	w.get("/v1/posts/p1").want(t, 200, `,"report_price":"1","comment_min_level":13}`)
	for _, query := range []string{"?size=4", "?at=2020-01-30T01:00:00Z"} {
		if strings.Contains(string(w.get("/v1/posts/p1"+query).body), "report_price") {
			t.Errorf("%s says what a report costs now", query)
		}
	}
	if strings.Contains(string(w.get("/v1/posts/p1?size=2").body), "as_of") {
		t.Error("a statement as of a size has a time")
	}
}

// TestAsOfNeverChanges: an answer as of a size is the same whatever is recorded afterwards, and so is its tag.
func TestAsOfNeverChanges(t *testing.T) {
	l := openLively(t, 2, 300)
	size := fmt.Sprint(len(l.events()))
	type asked struct{ path, tag string }
	var before []asked
	for _, scope := range l.scopes() {
		path := statementPath(scope, url.Values{"size": {size}})
		before = append(before, asked{path, l.get(path).want(t, 200).header.Get("ETag")})
	}
	l.happen(300)
	for _, a := range before {
		l.get(a.path, header("If-None-Match", a.tag)).want(t, 304)
	}
}
