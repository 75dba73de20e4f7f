package httpapi

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// entryJSON is an entry as the routes give it.
type entryJSON struct {
	Index      uint64 `json:"index"`
	EventID    string `json:"event_id"`
	Type       string `json:"type"`
	OccurredAt string `json:"occurred_at"`
	RecordedAt string `json:"recorded_at"`
	PostID     string `json:"post_id"`
	CommentID  string `json:"comment_id"`
	AccountID  string `json:"account_id"`
	Party      string `json:"party"`
	Line       string `json:"line"`
	Change     string `json:"change"`
	Posting    *struct {
		Debit    sideJSON `json:"debit"`
		Credit   sideJSON `json:"credit"`
		Amount   string   `json:"amount"`
		Reversal bool     `json:"reversal"`
	} `json:"posting"`
	Tariff struct {
		Version uint64 `json:"version"`
		Row     *int   `json:"row"`
	} `json:"tariff"`
	Reason      string `json:"reason"`
	TakenBackBy string `json:"taken_back_by"`
	MadeGoodBy  string `json:"made_good_by"`
	TakesBack   string `json:"takes_back"`
	Origin      string `json:"origin"`
}

type sideJSON struct {
	Account string `json:"account"`
	Line    string `json:"line"`
}

// record is what stands of the entry in CSV.
func (e *entryJSON) record() []string {
	posting := make([]string, 6)
	row := ""
	if p := e.Posting; p != nil {
		posting = []string{p.Debit.Account, p.Debit.Line, p.Credit.Account, p.Credit.Line, p.Amount, fmt.Sprint(p.Reversal)}
		row = fmt.Sprint(*e.Tariff.Row)
	}
	return slices.Concat(
		[]string{fmt.Sprint(e.Index), e.EventID, e.Type, e.OccurredAt, e.RecordedAt, e.PostID, e.CommentID, e.AccountID, e.Party, e.Line, e.Change},
		posting, []string{fmt.Sprint(e.Tariff.Version), row, e.Reason, e.TakenBackBy, e.MadeGoodBy, e.TakesBack, e.Origin})
}

// entriesPath returns the path of a scope's journal, of which the platform has none.
func entriesPath(scope domain.Scope, query url.Values) string {
	path := "/v1/accounts/" + scope.AccountID + "/entries"
	if scope.PostID != "" {
		path = "/v1/posts/" + scope.PostID + "/entries"
		if scope.AccountID != "" {
			query.Set("account", scope.AccountID)
		}
	}
	return path + "?" + query.Encode()
}

// follow reads a list to its end, from page to page by the header Link, and calls page for each answer.
func (w *world) follow(path string, page func(*answer), changes ...change) {
	w.t.Helper()
	for path != "" {
		a := w.get(path, changes...).want(w.t, 200)
		page(a)
		link := a.header.Get("Link")
		next := ""
		if a.header.Get("Content-Type") == mediaJSON {
			if next, _ = a.members(w.t)["next"].(string); (next == "") != (link == "") {
				w.t.Fatalf("%s: Link is %q, next is %q", path, link, next)
			}
		}
		if link == "" {
			return
		}
		query, ok := strings.CutSuffix(strings.TrimPrefix(link, "<?"), `>; rel="next"`)
		values, err := url.ParseQuery(query)
		if !ok || err != nil || next != "" && values.Get("cursor") != next {
			w.t.Fatalf("%s: Link is %q, next is %q", path, link, next)
		}
		path = path[:strings.IndexByte(path, '?')] + "?" + query
	}
}

// readEntries reads a whole journal.
func (w *world) readEntries(path string) (entries []entryJSON) {
	w.t.Helper()
	w.follow(path, func(a *answer) { entries = append(entries, decodePage[entryJSON](w.t, a, "entries")...) })
	return entries
}

// decodePage returns the elements of a page.
func decodePage[T any](t testing.TB, a *answer, name string) (elements []T) {
	t.Helper()
	var page map[string]json.RawMessage
	err := json.Unmarshal(a.body, &page)
	if err == nil {
		err = json.Unmarshal(page[name], &elements)
	}
	if err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return elements
}

// TestEntriesAddUp: the entries of every scope are what its events' postings say, in log order, add up to the lines of
// its statement, and are the same as CSV and the newest first.
func TestEntriesAddUp(t *testing.T) {
	l := openLively(t, 3, 700)
	log := l.events()
	for _, scope := range l.scopes()[1:] {
		statement := log.statement(scope, 0, false, time.Time{})
		entries := l.readEntries(entriesPath(scope, url.Values{"limit": {"37"}}))
		if got, want := summary(entries), log.entries(scope); !slices.Equal(got, want) {
			t.Fatalf("%+v has the entries\n%q, not\n%q", scope, got, want)
		}
		var sums domain.Sums
		for _, e := range entries {
			if e.Line == "" {
				continue
			}
			line, _ := domain.ParseLine(e.Line)
			change, err := domain.ParseTwei(e.Change)
			if err == nil {
				err = sums.Add(line, change)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if sums != statement.Sums {
			t.Errorf("the entries of %+v add up to %v, not %v", scope, sums, statement.Sums)
		}
		newest := l.readEntries(entriesPath(scope, url.Values{"limit": {"50"}, "order": {"desc"}}))
		if !slices.IsSortedFunc(newest, func(a, b entryJSON) int { return int(b.Index) - int(a.Index) }) || len(newest) != len(entries) {
			t.Errorf("%+v has %d entries, %d the newest first", scope, len(entries), len(newest))
		}
		l.compareCSV(entriesPath(scope, url.Values{"limit": {"64"}}), entries)
	}
}

// compareCSV reads a journal as CSV and compares it with its entries as JSON.
func (l *lively) compareCSV(path string, entries []entryJSON) {
	l.t.Helper()
	var records [][]string
	l.follow(path, func(a *answer) {
		if !strings.HasSuffix(string(a.body), "\r\n") || strings.Count(string(a.body), "\n") != strings.Count(string(a.body), "\r\n") {
			l.t.Errorf("the lines of %.200q do not end as RFC 4180 says", a.body)
		}
		page, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
		if err != nil || !slices.Equal(page[0], entryHeader) {
			l.t.Fatalf("%v: %.300s", err, a.body)
		}
		records = append(records, page[1:]...)
	}, header("Accept", "text/csv"))
	for i := range max(len(records), len(entries)) {
		if i >= len(records) || i >= len(entries) || !slices.Equal(records[i], entries[i].record()) {
			l.t.Fatalf("%s: row %d of %d is not entry %d of %d: %v", path, i, len(records), i, len(entries), records[min(i, len(records)-1)])
		}
	}
}

// summary says of each entry what naive.entries can say too.
func summary(entries []entryJSON) (texts []string) {
	for _, e := range entries {
		texts = append(texts, fmt.Sprintf("%d %s %s %s %s %s", e.Index, e.EventID, e.AccountID, e.Line, e.Change, e.Reason))
	}
	return texts
}

// entries works out what summary says of a scope's journal.
func (n naive) entries(scope domain.Scope) (texts []string) {
	for i, e := range n {
		if !touches(e, scope) {
			continue
		}
		if e.Reason != "" {
			texts = append(texts, fmt.Sprintf("%d %s %s   %s", i, e.ID, e.AccountID, e.Reason))
		}
		for _, entry := range entriesIn(e, scope) {
			texts = append(texts, fmt.Sprintf("%d %s %s %s %s ", i, e.ID, entry.Account, entry.Line, entry.Change))
		}
	}
	return texts
}

// TestEntryFilters: a line, a first and a last moment leave just the entries that have them.
func TestEntryFilters(t *testing.T) {
	l := openLively(t, 4, 500)
	for _, scope := range []domain.Scope{{PostID: "p1"}, {AccountID: "ann"}, {PostID: "p2", AccountID: "bob"}} {
		all := l.readEntries(entriesPath(scope, url.Values{}))
		middle := all[len(all)/2].OccurredAt
		for _, test := range []struct {
			query url.Values
			keep  func(e *entryJSON) bool
		}{
			{url.Values{"line": {"comment_rewards"}}, func(e *entryJSON) bool { return e.Line == "comment_rewards" }},
			{url.Values{"line": {"dislikes_author"}}, func(e *entryJSON) bool { return e.Line == "dislikes_author" }},
			{url.Values{"from": {middle}}, func(e *entryJSON) bool { return !moment(t, e.OccurredAt).Before(moment(t, middle)) }},
			{url.Values{"to": {middle}}, func(e *entryJSON) bool { return moment(t, e.OccurredAt).Before(moment(t, middle)) }},
			{url.Values{"from": {middle}, "line": {"likes_own"}},
				func(e *entryJSON) bool {
					return e.Line == "likes_own" && !moment(t, e.OccurredAt).Before(moment(t, middle))
				}},
		} {
			test.query.Set("limit", "10")
			var want []entryJSON
			for _, e := range all {
				if test.keep(&e) {
					want = append(want, e)
				}
			}
			if got := l.readEntries(entriesPath(scope, test.query)); !slices.Equal(summary(got), summary(want)) {
				t.Errorf("%+v with %v has %d entries, not %d", scope, test.query, len(got), len(want))
			}
		}
	}
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := domain.ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestEntriesOfAnEventStayTogether: the limit counts events, and an event with three entries is on one page.
func TestEntriesOfAnEventStayTogether(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.post(event("comment.added", "c", `{"post_id":"p1","comment_id":"c1","account_id":"u2","level":13}`)).want(t, 201)
	w.post(event("comment.liked", "l", `{"comment_id":"c1","account_id":"u3"}`)).want(t, 201)
	w.settle()
	var sizes []int
	w.follow("/v1/posts/p1/entries?limit=1", func(a *answer) { sizes = append(sizes, len(decodePage[entryJSON](t, a, "entries"))) })
	if !slices.Equal(sizes, []int{1, 2, 3}) {
		t.Errorf("the pages have %v entries", sizes)
	}
}

// TestExplained follows one like through all that can become of it: what each event names, and by which row it is
// explained.
func TestExplained(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	id := func(a *answer) string { return a.members(t)["event_id"].(string) }
	like := id(w.post(liked("l", "p1", "u2")).want(t, 201))
	ask := func(route, event string) string {
		w.settle()
		return id(w.do("POST", "/v1/"+route, "application/json", fmt.Sprintf(`{"event_id":%q,"note":"n"}`, event)).want(t, 201))
	}
	reversal := ask("reversals", like)
	reinstatement := ask("reinstatements", reversal)
	w.settle()
	short := id(w.post(event("post.read", "r", `{"post_id":"p1","account_id":"u2","seconds_read":59}`)).want(t, 201))
	later := strings.Replace(event("reaction.withdrawn", "w", `{"post_id":"p1","account_id":"u2"}`), "2020-01-29T12:00:00Z", domain.FormatTime(time.Now()), 1)
	withdrawal := id(w.post(later).want(t, 201))
	w.settle()
	row := func(debit, credit, more string) string {
		return fmt.Sprintf(`"explanation":{"tariff":1,"postings":[{"row":2,"engagement":"post_liked","debit":{%s},"credit":{%s},"amount":"0.5"%s`, debit, credit, more)
	}
	const treasury, actor = `"party":"treasury","account":"treasury"`, `"party":"actor","account":"u2","line":"earned_for_pluses"`
	made, back := row(treasury, actor, "}]"), row(actor, treasury, `,"reversal":true}]`)
	for _, test := range []struct{ event, explanation, links string }{
		{like, made, fmt.Sprintf(`,"taken_back_by":%q}}`, reversal)},
		{reversal, back, fmt.Sprintf(`,"made_good_by":%q,"takes_back":%q,"origin":%q}}`, reinstatement, like, like)},
		{reinstatement, made, fmt.Sprintf(`,"taken_back_by":%q,"origin":%q}}`, withdrawal, like)},
		{withdrawal, back, fmt.Sprintf(`,"takes_back":%q,"origin":%q}}`, reinstatement, like)},
		{short, `"explanation":{"tariff":1,"postings":[],"reason":{"code":"too_short","because":"seconds_read 59 < time_to_read_seconds 60 × read_min_fraction \"1\"",` +
			`"facts":{"seconds_read":59,"time_to_read_seconds":60,"read_min_fraction":"1"}}`, "}}"},
	} {
		w.get("/v1/events/"+test.event).want(t, 200, test.explanation+test.links)
	}
	w.get("/v1/events?source=%2Fweb&id=l").want(t, 200, made)
	w.get("/v1/events?source=tweiledger&id=tariff%2F1").want(t, 200, `"explanation":{"postings":[]}`)
	entries := w.readEntries("/v1/accounts/u2/entries?limit=10")
	if len(entries) != 5 || entries[0].TakenBackBy != reversal || entries[1].MadeGoodBy != reinstatement || entries[1].Party != "actor" ||
		entries[1].Change != "-0.5" || entries[3].Reason != "too_short" || entries[4].TakesBack != reinstatement || *entries[4].Tariff.Row != 2 {
		t.Errorf("the entries are %+v", entries)
	}
}
