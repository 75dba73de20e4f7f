package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// optionalMembers are those that an object of an answer may lack, by the name of the member.
var optionalMembers = map[string]bool{
	"also": true, "reason": true, "url": true, "recorded_through": true, "effective_from": true, "date": true,
	"field": true, "commenter": true, "comment_id": true, "by": true, "note": true, "reversal": true, "as_of": true,
	"next": true, "removed_at": true, "author_reaction_pays": true, "own_post_comment_pays": true,
	"taken_back_by": true, "made_good_by": true, "takes_back": true, "origin": true,
}

// TestEveryRouteConforms asks every route for every kind of answer that it has, through a client that holds both ways
// to the document, and then shows that the document refuses each answer with a member more and with one less.
func TestEveryRouteConforms(t *testing.T) {
	w := openWorld(t, func(c *Config) {
		c.Backup = func() (Backup, error) { return fakeBackup{text: "an archive"}, nil }
	})
	askEveryRoute(t, w)
	client := w.client.Transport.(*conforming)
	for _, route := range routes {
		if route.path == "/v1/stream" {
			// It has no end, and is held to the document by the tests of its own.
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(client.seen)), func(key string) bool {
			return strings.HasPrefix(key, route.method+" "+route.path+" 2")
		}) {
			t.Errorf("%s %s was not asked with success", route.method, route.path)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(client.seen)) {
		x := client.seen[key]
		if x.request.Request.Method == http.MethodHead || len(x.answer.body) == 0 {
			continue
		}
		t.Run(strings.ReplaceAll(key, "/", "|"), func(t *testing.T) { refusesChanges(t, x) })
	}
}

// askEveryRoute asks each route at least once with success and, where it has such an answer, with each other status.
func askEveryRoute(t *testing.T, w *world) {
	batch := "[" + string(joined(workload.Article(), ",")) + "]"
	w.do("POST", "/v1/events", mediaBatch, batch).want(t, 200, `"recorded"`)
	w.do("POST", "/v1/events", mediaLines, string(joined(workload.Article(), "\n"))).want(t, 200, `"duplicate"`)
	w.publish("p1")
	first := w.post(liked("e-1", "p1", "u2")).want(t, 201, `"recorded"`)
	w.post(liked("e-1", "p1", "u2")).want(t, 200, `"duplicate"`)
	w.post(event("post.disliked", "e-2", `{"post_id":"p1","account_id":"u2"}`)).want(t, 201, `"also"`)
	w.post(event("post.disliked", "e-3", `{"post_id":"p1","account_id":"u2"}`)).want(t, 409, `"already_reacted"`)
	w.post(event("post.disliked", "e-4", `{"post_id":"p1"}`)).want(t, 422, `"data.account_id"`)
	w.post(event("post.read", "e-5", `{"post_id":"p1","account_id":"u2","seconds_read":60}`)).want(t, 201)
	w.do("POST", "/v1/events", "application/json", `{"post_id":"p1","account_id":"u3"}`, header("ce-specversion", "1.0"), header("ce-id", "e-6"),
		header("ce-type", "tweiledger.post.liked.v1"), header("ce-source", "/web"), header("ce-time", "2020-01-29T12:00:00Z")).want(t, 201)
	bought := w.purchase("p1", "u2", "k-1").want(t, 201).reportID(t)
	w.purchase("p1", "u2", `"k-1"`).want(t, 200, `"duplicate"`)
	w.purchase(workload.ArticlePost, "u2", "k-1").want(t, 409, `"conflicting_duplicate"`)
	w.purchase("p9", "u2", "k-2").want(t, 404, `"unknown_post"`)
	w.purchase("p1", "treasury", "k-2").want(t, 422, `"account_id"`)
	w.settle()

	id := first.members(t)["event_id"].(string)
	position := first.members(t)["position"].(string)
	for _, path := range []string{
		"/v1/posts/p1", "/v1/posts/p1/pnl", "/v1/posts/p1/pnl?account=u2", "/v1/posts/p1/pnl?account=nobody", "/v1/accounts/u2/pnl",
		"/v1/pnl?min_position=" + strings.ReplaceAll(position, "/", "%2F"), "/v1/statements?post=p1&post=" + workload.ArticlePost, "/v1/events/" + id,
		"/v1/events?source=%2Fweb&id=e-2", "/v1/tariffs", "/v1/tariffs/1", "/openapi.yaml",
		"/v1/posts/p1?size=49", "/v1/posts/p1?at=2019-01-01T00:00:00Z", "/v1/posts/p1/pnl?account=u2&size=49&at=2020-01-29T12:00:00Z",
		"/v1/accounts/u2/pnl?at=2020-01-29T13:00:00%2B01:00", "/v1/pnl?size=0", "/v1/posts", "/v1/posts?sort=published&order=asc&limit=1",
		"/v1/posts/p1/entries", "/v1/posts/p1/entries?account=u2&limit=1", "/v1/accounts/u2/entries?line=earned_for_pluses&order=desc",
		"/v1/posts/" + workload.ArticlePost + "/comments?limit=2", "/v1/posts/p1/history", "/v1/posts/p1/history?account=u2",
		"/v1/accounts/u2/history?interval=hour&from=2020-01-29T12:00:00Z&to=2020-01-30T12:00:00Z", "/v1/history?limit=1",
		"/v1/accounts/u2/posts", "/v1/accounts?sort=total&limit=3", "/v1/accounts/nobody/entries", "/v1/accounts/nobody/posts",
		"/v1/reports/" + bought, "/v1/accounts/u2/reports", "/v1/accounts/nobody/reports",
	} {
		tag := w.get(path).want(t, 200).header.Get("ETag")
		w.get(path, header("If-None-Match", tag)).want(t, 304)
		w.do("HEAD", path, "", "").want(t, 200)
	}
	for _, path := range []string{"/v1/posts/p1/entries", "/v1/accounts/u2/entries"} {
		w.get(path, header("Accept", "text/csv")).want(t, 200, "PostLiked")
		w.do("HEAD", path, "", "", header("Accept", "text/csv")).want(t, 200)
		w.get(path, header("Accept", "text/html")).want(t, 406, `"not_acceptable"`)
	}
	w.get("/v1/reports/"+bought, header("Accept", "text/csv")).want(t, 200, "earned_for_pluses")
	w.do("HEAD", "/v1/reports/"+bought, "", "", header("Accept", "text/csv")).want(t, 200)
	w.get("/v1/reports/"+bought, header("Accept", "text/html")).want(t, 406, `"not_acceptable"`)
	w.get("/v1/accounts", header("Accept", mediaLines)).want(t, 200, `"treasury"`)
	w.do("HEAD", "/v1/accounts", "", "", header("Accept", mediaLines)).want(t, 200)
	w.get("/v1/accounts", header("Accept", "text/csv")).want(t, 406, `"not_acceptable"`)
	w.get("/v1/log").want(t, 200, `"TariffPublished"`)
	w.do("HEAD", "/v1/log?follow=true", "", "").want(t, 200)
	w.get("/livez").want(t, 200)
	w.get("/readyz").want(t, 200, `"ready":true`)
	w.get("/readyz?for=write").want(t, 200)
	w.get("/metrics").want(t, 200, "\ntweiledger_build_info{")
	w.do("HEAD", "/metrics", "", "").want(t, 200)

	for _, path := range []string{"/v1/posts/p9", "/v1/posts/p9/pnl", "/v1/statements?post=p1&post=p9", "/v1/events/" + domain.EventID{}.String(),
		"/v1/events?source=a&id=b", "/v1/tariffs/2", "/v1/posts/p1/pnl?size=0", "/v1/posts/p1?size=0", "/v1/posts/p9/entries",
		"/v1/posts/p9/comments", "/v1/posts/p9/history?account=u2", "/v1/reports/r1"} {
		w.get(path).want(t, 404)
	}
	askOperatorRoutes(t, w, id)
}

func askOperatorRoutes(t *testing.T, w *world, event string) {
	request := func(event string) string { return fmt.Sprintf(`{"event_id":%q,"note":"a robot"}`, event) }
	w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 200)
	// The like was withdrawn by the switch.
	w.do("POST", "/v1/reversals", "application/json", request(event)).want(t, 409, `"already_reversed"`)
	read := w.get("/v1/events?source=%2Fweb&id=e-5").want(t, 200).members(t)["events"].([]any)[0].(map[string]any)["event"].(map[string]any)["id"].(string)
	reversal := w.do("POST", "/v1/reversals", "application/json", request(read)).want(t, 201, `"EventReversed"`).members(t)["event_id"].(string)
	w.do("POST", "/v1/reversals", "application/json", request(read)).want(t, 200, `"duplicate"`)
	w.do("POST", "/v1/reversals", "application/json", request(domain.EventID{}.String())).want(t, 404, `"unknown_event"`)
	w.do("POST", "/v1/reversals", "application/json", `{"note":"x"}`).want(t, 422, `"event_id"`)
	w.do("POST", "/v1/reinstatements", "application/json", request(reversal)).want(t, 201, `"EventReinstated"`)
	w.do("POST", "/v1/reinstatements", "application/json", request(reversal)).want(t, 200, `"duplicate"`)
	w.do("POST", "/v1/reinstatements", "application/json", request(read)).want(t, 422, `"not_reversible"`)
	w.settle()
	w.get("/v1/log").want(t, 200, `"EventReversed"`, `"EventReinstated"`)

	tariff := domain.DefaultTariff()
	tariff.Version = 2
	w.do("POST", "/v1/tariffs", "application/json", tariffFrom(tariff, "2099-01-01T00:00:00Z")).want(t, 201, `"TariffPublished"`)
	w.do("POST", "/v1/tariffs", "application/json", tariffFrom(tariff, "2099-01-01T00:00:00Z")).want(t, 200, `"duplicate"`)
	w.do("POST", "/v1/tariffs", "application/json", tariffFrom(tariff, "2099-01-02T00:00:00Z")).want(t, 409, `"version_taken"`)
	tariff.Version = 3
	w.do("POST", "/v1/tariffs", "application/json", tariffFrom(tariff, "2020-01-01T00:00:00Z")).want(t, 422, `"tariff_too_early"`)
	w.get("/v1/tariffs").want(t, 200, `"effective_from":"2099-01-01T00:00:00Z"`)
}

// tariffFrom returns a tariff's document.
func tariffFrom(t domain.Tariff, from string) string {
	t.EffectiveFrom, _ = domain.ParseTime(from)
	return string(t.AppendJSON(nil))
}

func joined(lines [][]byte, separator string) (text []byte) {
	for i, line := range lines {
		if i > 0 {
			text = append(text, separator...)
		}
		text = append(text, line...)
	}
	return text
}

// refusesChanges changes an answer in every place that has an object, and wants the document to refuse each change.
func refusesChanges(t *testing.T, x *exchange) {
	switch media, _, _ := strings.Cut(x.answer.header.Get("Content-Type"), ";"); media {
	case "application/x-tar":
		// Any bytes will do.
	case mediaLines:
		// One line stands for all; TestGoldenEventsConform has a line of each type.
		line, _, _ := bytes.Cut(x.answer.body, []byte("\n"))
		refusesJSONChanges(t, line, x.answer.status, func(changed []byte) error { return x.validate(append(changed, '\n')) })
	case "text/csv":
		if _, others, _ := bytes.Cut(x.answer.body, []byte(",")); x.validate(others) == nil {
			t.Error("another header row is taken")
		}
	case "application/yaml":
		if x.validate(append(bytes.Clone(x.answer.body), "unexpected: x\n"...)) == nil {
			t.Error("a document with a member more is taken")
		}
		if x.validate(bytes.TrimPrefix(x.answer.body, []byte("openapi: 3.1.0\n"))) == nil {
			t.Error("a document without its version is taken")
		}
	case "text/plain":
		if x.validate(append([]byte("{}\n"), x.answer.body...)) == nil {
			t.Error("metrics with a line more are taken")
		}
	default:
		refusesJSONChanges(t, x.answer.body, x.answer.status, x.validate)
	}
}

func refusesJSONChanges(t *testing.T, text []byte, status int, validate func(changed []byte) error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		changed, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(changed); err == nil {
			t.Errorf("%s: %s is taken", what, changed)
		}
	}
	walkObjects(value, "", func(place string, object map[string]any) {
		object["unexpected"] = "x"
		refused(place + " with a member more")
		delete(object, "unexpected")
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if optionalMembers[name] || place == "" && status >= 400 && (name == "outcome" || name == "source" || name == "id") {
				continue
			}
			kept := object[name]
			delete(object, name)
			changed := object["type"] == "PostChanged" && (name == "title" || name == "time_to_read_seconds")
			if changed || name == "time_to_read_seconds" && strings.HasSuffix(place, "reading") || name == "account_id" && strings.HasSuffix(place, "scope") {
				object[name] = kept
				continue
			}
			refused(place + " without " + name)
			object[name] = kept
		}
	})
}

// walkObjects calls do for every object in a value, the first of those in an array standing for all.
func walkObjects(value any, place string, do func(place string, object map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		do(place, v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			walkObjects(v[name], place+"."+name, do)
		}
	case []any:
		if len(v) > 0 {
			walkObjects(v[0], place+"[0]", do)
		}
	}
}
