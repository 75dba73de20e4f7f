package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// TestBadSingleEngagements has a row for each way in which one engagement can be wrong in itself.
func TestBadSingleEngagements(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	before := w.log.Len()
	like := liked("e-1", "p1", "u2")
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		texts                   []string
	}{
		{"not JSON", mediaStructured, `{"specversion":`, 422, []string{`"code":"invalid"`}},
		{"empty", mediaStructured, ``, 422, []string{`"code":"invalid"`}},
		{"more behind it", mediaStructured, like + "x", 422, []string{`"code":"invalid"`, `"source":"/web","id":"e-1"`}},
		{"an array", mediaStructured, "[" + like + "]", 422, []string{`"code":"invalid"`}},
		{"a wrong type", mediaStructured, strings.Replace(like, `"u2"`, `2`, 1), 422, []string{`"field":"data.account_id"`, `"id":"e-1"`}},
		{"null", mediaStructured, strings.Replace(like, `"u2"`, `null`, 1), 422, []string{`"field":"data.account_id"`}},
		{"an unknown field", mediaStructured, strings.Replace(like, `"u2"`, `"u2","x":1`, 1), 422, []string{`"field":"data.x"`}},
		{"a duplicate name", mediaStructured, strings.Replace(like, `"post_id"`, `"account_id":"u2","post_id"`, 1), 422, []string{`"code":"invalid"`, "twice"}},
		{"a duplicate attribute", mediaStructured, strings.Replace(like, `"id":"e-1"`, `"id":"e-1","id":"e-2"`, 1), 422, []string{`"field":"id"`}},
		{"invalid UTF-8", mediaStructured, strings.Replace(like, `"u2"`, "\"u\xff\"", 1), 422, []string{`"code":"invalid"`}},
		{"a number out of range", mediaStructured, event("post.read", "e-1", `{"post_id":"p1","account_id":"u2","seconds_read":9007199254740992}`), 422, []string{`"field":"data.seconds_read"`}},
		{"a fraction", mediaStructured, event("post.read", "e-1", `{"post_id":"p1","account_id":"u2","seconds_read":1.0}`), 422, []string{`"field":"data.seconds_read"`}},
		{"an unknown type", mediaStructured, event("post.burnt", "e-1", `{"post_id":"p1"}`), 422, []string{`"field":"type"`}},
		{"an unknown post", mediaStructured, liked("e-1", "p9", "u2"), 422, []string{`"code":"unknown_post"`, `"outcome":"rejected"`}},
		{"too long", mediaStructured, like + strings.Repeat(" ", maxLineBytes), 413, []string{`"code":"too_large"`}},
		{"no content type", "", like, 415, []string{`"code":"unsupported_media_type"`}},
		{"another content type", "text/plain", like, 415, []string{`"code":"unsupported_media_type"`}},
		{"a form", "application/x-www-form-urlencoded", "a=b", 415, nil},
		{"CloudEvents of another format", "application/cloudevents+xml", "<a/>", 415, nil},
		{"another charset", mediaStructured + "; charset=latin1", like, 415, []string{`charset`}},
		{"no media type", "???", like, 415, nil},
		{"JSON that is no CloudEvent", "application/json", like, 415, []string{"ce- headers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := w.do("POST", "/v1/events", test.contentType, test.body).want(t, test.status, test.texts...)
			if got := a.members(t)["status"]; got != float64(test.status) {
				t.Errorf("the document says status %v", got)
			}
		})
	}
	w.do("POST", "/v1/events", mediaStructured, like, header("Content-Encoding", "gzip")).want(t, 415, "Content-Encoding")
	w.do("POST", "/v1/events?sync=true", mediaStructured, like, malformed).want(t, 400, `"field":"sync"`)
	if w.log.Len() != before {
		t.Errorf("%d events were recorded", w.log.Len()-before)
	}
	w.do("POST", "/v1/events", mediaStructured+"; charset=UTF-8", like).want(t, 201)
}

func TestBodyOfUnknownLengthOverTheLimit(t *testing.T) {
	w := openWorld(t)
	w.do("POST", "/v1/events", mediaStructured, strings.Repeat(" ", maxLineBytes+1), func(r *http.Request) { r.ContentLength = -1 }).want(t, 413)
}

// TestRecordedAndDuplicate follows one message, and the event that it became.
func TestRecordedAndDuplicate(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	first := w.post(liked("e-1", "p1", "u2")).want(t, 201, `"outcome":"recorded"`, `"earned_for_pluses"`)
	again := w.post(liked("e-1", "p1", "u2")).want(t, 200, `"outcome":"duplicate"`)
	if strings.Replace(string(again.body), "duplicate", "recorded", 1) != string(first.body) {
		t.Errorf("recorded %s, duplicate %s", first.body, again.body)
	}
	w.settle()
	w.get(first.header.Get("Location")).want(t, 200, `"source_id":"e-1"`)
	w.post(event("post.liked", "e-1", `{"post_id":"p1","account_id":"u3"}`)).want(t, 409, `"code":"conflicting_duplicate"`, `"id":"e-1"`)
}

// binary returns the headers of a like in binary mode, and what to change of them.
func binary(id, source string, changes ...change) []change {
	return append([]change{header("ce-specversion", "1.0"), header("ce-type", "tweiledger.post.liked.v1"), header("ce-id", id),
		header("ce-source", source), header("CE-Time", "2020-01-29T12:00:00Z")}, changes...)
}

func TestBinaryMode(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	data := func(account string) string { return fmt.Sprintf(`{"post_id":"p1","account_id":%q}`, account) }
	for _, test := range []struct {
		name, account string
		changes       []change
		status        int
		texts         []string
	}{
		{"plain", "a1", binary("e-1", "/web"), 201, []string{`"source":"/web","id":"e-1"`}},
		{"percent-encoded", "a2", binary("Euro%20%E2%82%AC%20%F0%9F%98%80", "/a%25b"), 201, []string{`"source":"/a%b","id":"Euro € 😀"`}},
		{"quoted", "a3", binary(`"e \"3\""`, "/web"), 201, []string{`"id":"e \"3\""`}},
		{"with extensions", "a4", binary("e-4", "/web", header("ce-traceparent", "00-ab-cd-01")), 201, nil},
		{"a repeated header", "a5", binary("e-5", "/web", header("ce-id", "e-6")), 422, []string{`"field":"id"`, `"source":"/web"`}},
		{"bad percent-encoding", "a6", binary("100%", "/web"), 422, []string{`"field":"id"`}},
		{"percent-encoded bytes that are not UTF-8", "a7", binary("%ff", "/web"), 422, []string{`"field":"id"`}},
		{"a control character", "a8", binary("%0a", "/web"), 422, []string{`"field":"id"`}},
		{"no id", "a9", binary("", "/web"), 422, []string{`"field":"id"`}},
		{"a bad account", "..", binary("e-10", "/web"), 422, []string{`"field":"data.account_id"`, `"id":"e-10"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.do("POST", "/v1/events", "application/json; charset=utf-8", data(test.account), append(test.changes, malformed)...).want(t, test.status, test.texts...)
		})
	}
	w.do("POST", "/v1/events", "application/vnd.platform+json", data("a11"), append(binary("e-11", "/web"), malformed)...).want(t, 201)
	w.do("POST", "/v1/events", "text/xml", "<a/>", binary("e-12", "/web")...).want(t, 415)
	w.do("POST", "/v1/events", "application/json", `{"post_id":`, binary("e-13", "/web")...).want(t, 422, `"code":"invalid"`, `"id":"e-13"`)
}

// TestBatch sends good and bad elements together.
func TestBatch(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	elements := []string{
		liked("e-1", "p1", "u2"),
		`"no object"`,
		strings.Replace(liked("e-2", "p1", "u3"), `"post_id"`, `"account_id":"u3","post_id"`, 1),
		strings.Replace(liked("e-3", "p1", "u3"), `"u3"`, "\"\xff\"", 1),
		`{"id":"e-4","source":"\ud800"}`,
		liked("e-5", "p9", "u3"),
		liked("e-6", "p1", "u4"),
		event("post.disliked", "e-7", `{"post_id":"p1","account_id":"u2"}`),
	}
	want := []string{"recorded", "rejected", "rejected", "rejected", "rejected", "rejected", "recorded", "recorded"}
	a := w.do("POST", "/v1/events", mediaBatch, " ["+strings.Join(elements, " ,\n")+"]\n", malformed).want(t, 200)
	outcomes := a.members(t)["outcomes"].([]any)
	if len(outcomes) != len(want) {
		t.Fatalf("%d outcomes: %s", len(outcomes), a.body)
	}
	for i, o := range outcomes {
		o := o.(map[string]any)
		if o["outcome"] != want[i] || o["index"] != float64(i) {
			t.Errorf("outcome %d is %v", i, o)
		}
		if i >= 1 && i <= 4 && o["code"] != "invalid" {
			t.Errorf("outcome %d is %v", i, o)
		}
	}
	if outcomes[7].(map[string]any)["also"] == nil {
		t.Error("the switch carries no withdrawal")
	}
	w.do("POST", "/v1/events", mediaBatch, "[]").want(t, 200, `{"outcomes":[]}`)
}

// TestBadBatch holds that what is not a batch to its end records nothing.
func TestBadBatch(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	before := w.log.Len()
	like := liked("e-1", "p1", "u2")
	for name, body := range map[string]string{
		"cut off": "[" + like + ",", "no end": "[" + like, "no comma": "[" + like + like + "]", "a comma more": "[" + like + ",]", "more behind it": "[" + like + "]]",
		"another value behind it": "[" + like + "] {}", "one event": like, "empty": "", "a number cut off": "[1.", "a mark": "\ufeff[]", "a control character": "[\"\n\"]",
	} {
		t.Run(name, func(t *testing.T) {
			w.do("POST", "/v1/events", mediaBatch, body).want(t, 400, `"code":"bad_request"`)
		})
	}
	w.do("POST", "/v1/events", mediaBatch, "["+strings.Repeat("0,", maxBatchEvents)+"0]").want(t, 413, `"code":"too_large"`)
	w.do("POST", "/v1/events", mediaBatch, "["+strings.Repeat(" ", maxBatchBytes)+"]").want(t, 413, `"code":"too_large"`)
	if w.log.Len() != before {
		t.Errorf("%d events were recorded", w.log.Len()-before)
	}
	w.do("POST", "/v1/events", mediaBatch, "["+strings.Repeat("0,", maxBatchEvents-1)+"0]", malformed).want(t, 200, `"index":9999`)
}

// TestFailed has a log that takes nothing.
func TestFailed(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	away := func(domain.Append) logtest.Fault { return logtest.Unavailable }
	w.fault.Store(&away)
	a := w.post(liked("e-1", "p1", "u2")).want(t, 503, `"outcome":"failed"`, `"code":"failed"`, `"id":"e-1"`)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.do("POST", "/v1/events", mediaBatch, "["+liked("e-1", "p1", "u2")+"]").want(t, 200, `"outcome":"failed"`)
	w.fault.Store(nil)
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
}

func FuzzSplitBatch(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,{"a":[2,"]"]},"x"]`, `[{"a":1,"a":2}]`, "[\"\xff\"]", `[1,]`, `{}`, `[1]]`, ` [ null , true ] `, `["\ud800"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		elements, err := splitBatch(text)
		var want []json.RawMessage
		wantErr := json.Unmarshal(text, &want)
		if isNull := wantErr == nil && want == nil; isNull {
			return
		}
		// The standard library takes invalid UTF-8 and duplicate names too.
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if len(elements) != len(want) {
			t.Fatalf("%q: %d elements, encoding/json has %d", text, len(elements), len(want))
		}
		for i := range elements {
			if string(elements[i]) != string(want[i]) {
				t.Fatalf("%q: element %d is %q, encoding/json has %q", text, i, elements[i], want[i])
			}
		}
	})
}
