package httpapi

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// purchase asks to buy a report, as everybody who may.
func (w *world) purchase(post, account, key string, changes ...change) *answer {
	w.t.Helper()
	return w.do("POST", "/v1/posts/"+post+"/reports", mediaJSON, fmt.Sprintf(`{"account_id":%q}`, account),
		append([]change{header(headerKey, key)}, changes...)...)
}

// reportID returns the id of the report that an outcome names.
func (a *answer) reportID(t testing.TB) string {
	t.Helper()
	id, _ := a.members(t)["report_id"].(string)
	if id == "" {
		t.Fatalf("%d %s names no report", a.status, a.body)
	}
	return id
}

// spentOnReports returns what an account was charged for reports under a post.
func (w *world) spentOnReports(post, account string) string {
	w.t.Helper()
	w.settle()
	var s domain.Statement
	if err := s.UnmarshalJSON(w.get("/v1/posts/"+post+"/pnl?account="+account).want(w.t, 200).body); err != nil {
		w.t.Fatal(err)
	}
	return s.Sums.Of(domain.PnLReports).String()
}

// reportJSON is a report as the route gives it.
type reportJSON struct {
	ReportID     string          `json:"report_id"`
	EventID      string          `json:"event_id"`
	AccountID    string          `json:"account_id"`
	PostID       string          `json:"post_id"`
	Author       string          `json:"author"`
	Size         uint64          `json:"size"`
	IssuedAt     string          `json:"issued_at"`
	Price        string          `json:"price"`
	Statement    json.RawMessage `json:"statement"`
	OwnStatement json.RawMessage `json:"own_statement"`
}

func (w *world) report(id string) (r reportJSON) {
	w.t.Helper()
	a := w.get("/v1/reports/"+id).want(w.t, 200)
	if err := json.Unmarshal(a.body, &r); err != nil {
		w.t.Fatalf("%s: %v", a.body, err)
	}
	return r
}

// TestReport buys a report and looks at all that becomes of it.
func TestReport(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
	w.post(event("post.read", "e-2", `{"post_id":"p1","account_id":"u2","seconds_read":60}`)).want(t, 201)
	// Nobody waits for the views: the purchase does.
	bought := w.purchase("p1", "u2", "k-1").want(t, 201, `"type":"PnLReportIssued"`, `"line":"pnl_reports"`)
	id := bought.reportID(t)
	if want := "/v1/reports/" + id; bought.header.Get("Location") != want {
		t.Errorf("Location is %s, not %s", bought.header.Get("Location"), want)
	}
	r := w.report(id)
	if r.ReportID != id || r.EventID != bought.members(t)["event_id"] || r.AccountID != "u2" || r.PostID != "p1" || r.Author != "u1" || r.Size != 4 || r.Price != "1" {
		t.Errorf("%+v", r)
	}
	// More happens, and the report stays.
	tag := w.get("/v1/reports/" + id).header.Get("ETag")
	w.post(liked("e-3", "p1", "u3")).want(t, 201)
	w.settle()
	w.get("/v1/reports/"+id, header("If-None-Match", tag)).want(t, 304)
	for query, text := range map[string]json.RawMessage{"": r.Statement, "&account=u2": r.OwnStatement} {
		if want := w.get(fmt.Sprintf("/v1/posts/p1/pnl?size=%d%s", r.Size, query)).body; string(text) != string(want) {
			t.Errorf("the statement%s is %s, the report has %s", query, want, text)
		}
	}
	if spent := w.spentOnReports("p1", "u2"); spent != "1" {
		t.Errorf("u2 was charged %s", spent)
	}
	w.get("/v1/accounts/u2/reports").want(t, 200, fmt.Sprintf(
		`{"reports":[{"report_id":%q,"post_id":"p1","size":4,"price":"1","issued_at":%q,"index":4}]}`, id, r.IssuedAt))
	w.get("/v1/accounts/u1/reports").want(t, 200, `{"reports":[]}`)
	w.get("/v1/events/"+r.EventID).want(t, 200, `"index":4`, id)
}

// TestReportCSV: one row a line, which adds up, in the order of the statement.
func TestReportCSV(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
	w.post(event("post.disliked", "e-2", `{"post_id":"p1","account_id":"u3"}`)).want(t, 201)
	w.post(event("post.read", "e-3", `{"post_id":"p1","account_id":"u2","seconds_read":60}`)).want(t, 201)
	id := w.purchase("p1", "u2", "k-1").want(t, 201).reportID(t)
	a := w.get("/v1/reports/"+id, header("Accept", "text/csv")).want(t, 200)
	if strings.Count(string(a.body), "\r\n") != 17 || strings.Count(string(a.body), "\n") != 17 {
		t.Errorf("%q is not of 17 lines", a.body)
	}
	records, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	issued := w.report(id).IssuedAt
	var rows []string
	for _, record := range records[1:] {
		if !slices.Equal(record[:5], []string{id, issued, "p1", "u2", "5"}) {
			t.Errorf("%q is not of the report", record)
		}
		rows = append(rows, strings.Join(record[5:], "|"))
	}
	want := []string{
		"profit|earned_for_pluses|Earned for Pluses|0.5|0.5", "profit|comment_rewards|Comment Rewards|0|0",
		"profit|likes_own|Likes Own|0|0", "profit|likes_commenter|Likes Commenter|0|0", "profit|likes_author|Likes Author|0|0",
		"profit|dislikes_author|Dislikes Author|0|0", "profit|subtotal|Profit Subtotal, Twei|0.5|0.5",
		"loss|spent_for_minuses|Spent for Minuses|0.5|0", "loss|comment_tributes|Comment Tributes|0|0",
		"loss|dislikes_own|Dislikes Own|0|0", "loss|dislikes_commenter|Dislikes Commenter|0|0",
		"loss|post_publish_tribute|Post Publish Tribute|10|0", "loss|pnl_reports|PnL Reports|0|0",
		"loss|subtotal|Loss Subtotal, Twei|10.5|0", "|total|Total Twei Earned|-10|0.5", "reading|read_to_earn|Read-to-Earn|1|1",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

// TestReportIsBoughtOnce: one key of one account is one report and one charge, however often and at once it is asked
// for; keys of two accounts never meet.
func TestReportIsBoughtOnce(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.publish("p2")
	const askers = 8
	answers := make([][]*answer, 2)
	var asking sync.WaitGroup
	for i, account := range []string{"u2", "u3"} {
		answers[i] = make([]*answer, askers)
		for k := range askers {
			asking.Go(func() {
				key := "k-1"
				if k%2 == 0 {
					key = `"k-1"`
				}
				answers[i][k] = w.purchase("p1", account, key)
			})
		}
	}
	asking.Wait()
	ids := make([]string, 2)
	for i := range answers {
		recorded := 0
		ids[i] = answers[i][0].reportID(t)
		for _, a := range answers[i] {
			switch a.status {
			case 201:
				recorded++
			case 200:
				a.want(t, 200, `"outcome":"duplicate"`)
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
			if id := a.reportID(t); id != ids[i] {
				t.Errorf("reports %s and %s were bought with one key", ids[i], id)
			}
		}
		if recorded != 1 {
			t.Errorf("%d of %d were told that it was recorded", recorded, askers)
		}
	}
	if ids[0] == ids[1] {
		t.Error("keys of two accounts met")
	}
	for _, account := range []string{"u2", "u3"} {
		if spent := w.spentOnReports("p1", account); spent != "1" {
			t.Errorf("%s was charged %s", account, spent)
		}
	}
	w.purchase("p2", "u2", "k-1").want(t, 409, `"code":"conflicting_duplicate"`, `"source":"report/u2"`, `"id":"k-1"`)
	w.purchase("p2", "u2", "k-2").want(t, 201)
	w.purchase("p1", "u1", "k-1").want(t, 201, `"account":"u1","line":"pnl_reports"`)
	if spent := w.spentOnReports("p2", "u2"); spent != "1" {
		t.Errorf("u2 was charged %s under p2", spent)
	}
}

// TestReportsList: pages, the newest first.
func TestReportsList(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.publish("p2")
	var want []string
	for i := range 7 {
		id := w.purchase(fmt.Sprint("p", 1+i%2), "u2", fmt.Sprint("k-", i)).want(t, 201).reportID(t)
		want = append([]string{id}, want...)
		w.purchase("p1", "u3", fmt.Sprint("k-", i)).want(t, 201)
	}
	w.settle()
	var got []string
	var sizes []int
	last := uint64(1 << 53)
	w.follow("/v1/accounts/u2/reports?limit=3", func(a *answer) {
		page := decodePage[struct {
			ReportID string `json:"report_id"`
			PostID   string `json:"post_id"`
			Size     uint64 `json:"size"`
			Price    string `json:"price"`
			IssuedAt string `json:"issued_at"`
			Index    uint64 `json:"index"`
		}](t, a, "reports")
		sizes = append(sizes, len(page))
		for _, r := range page {
			got = append(got, r.ReportID)
			one := w.report(r.ReportID)
			if one.PostID != r.PostID || one.Size != r.Size || one.Price != r.Price || one.IssuedAt != r.IssuedAt || r.Index >= last || r.Size > r.Index {
				t.Errorf("%+v is listed, the report is %+v", r, one)
			}
			last = r.Index
		}
	})
	if !slices.Equal(got, want) || !slices.Equal(sizes, []int{3, 3, 1}) {
		t.Errorf("pages of %d reports, %q, want %q", sizes, got, want)
	}
	cursor := w.get("/v1/accounts/u2/reports?limit=3").members(t)["next"].(string)
	w.get("/v1/accounts/u3/reports?limit=3&cursor="+cursor).want(t, 400, `"field":"cursor"`)
}

// TestBadPurchases has a row for each way to ask wrongly. None of them buys anything.
func TestBadPurchases(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	before := w.log.Len()
	for body, texts := range map[string][]string{
		``:                                     nil,
		`{"account_id":"u2"`:                   nil,
		`[]`:                                   nil,
		"{\"account_id\":\"\xff\"}":            nil,
		`{"account_id":"u2"} {}`:               nil,
		`{}`:                                   {`"field":"account_id"`},
		`{"account_id":null}`:                  {`"field":"account_id"`},
		`{"account_id":2}`:                     {`"field":"account_id"`},
		`{"account_id":""}`:                    {`"field":"account_id"`},
		`{"account_id":"a b"}`:                 {`"field":"account_id"`},
		`{"account_id":"treasury"}`:            {`"field":"account_id"`},
		`{"account_id":"u2","account_id":"u"}`: {`"field":"account_id"`},
		`{"account_id":"u2","post_id":"p1"}`:   {`"field":"post_id"`},
		`{"account_id":"u2","size":1}`:         {`"field":"size"`},
		`{"account_id":"u2","level":null}`:     {`"field":"level"`},
	} {
		w.do("POST", "/v1/posts/p1/reports", mediaJSON, body, header(headerKey, "k-1")).
			want(t, 422, append(texts, `"code":"invalid"`, `"outcome":"rejected"`)...)
	}
	const good = `{"account_id":"u2"}`
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", mediaStructured} {
		w.do("POST", "/v1/posts/p1/reports", media, good, header(headerKey, "k-1")).want(t, 415, `"field":"Content-Type"`)
	}
	w.do("POST", "/v1/posts/p1/reports", mediaJSON, good).want(t, 400, `"code":"bad_request"`, `"field":"Idempotency-Key"`, "is missing")
	w.do("POST", "/v1/posts/p1/reports", mediaJSON, good, header(headerKey, "k-1"), header(headerKey, "k-1")).want(t, 400, "more than once")
	w.purchase("p1", "u2", `"k-1";a`).want(t, 400, `"field":"Idempotency-Key"`)
	w.purchase("p1", "u2", strings.Repeat("k", 257)).want(t, 400, "1 to 256 bytes")
	w.do("POST", "/v1/posts/p1/reports?account=u2", mediaJSON, good, header(headerKey, "k-1")).want(t, 400, `"field":"account"`)
	w.purchase("a%20b", "u2", "k-1").want(t, 400, `"field":"post"`)
	w.do("POST", "/v1/posts/p1/reports", mediaJSON, good+strings.Repeat(" ", maxLineBytes), header(headerKey, "k-1")).want(t, 413)
	w.purchase("p9", "u2", "k-1").want(t, 404, `"code":"unknown_post"`, `"source":"report/u2"`)
	w.get("/v1/posts/p1/reports").want(t, 405)
	if w.log.Len() != before {
		t.Errorf("%d events were recorded", w.log.Len()-before)
	}
	w.purchase("p1", "u2", "k-1").want(t, 201)

	w.get("/v1/reports/r1").want(t, 404, `"code":"not_found"`, `"field":"report"`)
	w.get("/v1/reports/r1", header("Accept", "text/csv")).want(t, 404)
	w.get("/v1/reports/r%2F1").want(t, 400, `"field":"report"`)
	w.get("/v1/reports/p1?account=u2", malformed).want(t, 400, `"field":"account"`)
	w.get("/v1/reports/r1", header("Accept", "text/html")).want(t, 406, `"not_acceptable"`)
	w.get("/v1/accounts/treasury/reports").want(t, 400, `"field":"account"`)
}

// TestPurchaseSurvivesALostAnswer: where the log did not say whether it has the report, or took nothing, the same
// purchase again is the same report, charged once.
func TestPurchaseSurvivesALostAnswer(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	faults := []logtest.Fault{logtest.Unavailable, logtest.LostRequest, logtest.LostAnswer}
	for i, fault := range faults {
		var once sync.Once
		f := func(domain.Append) (now logtest.Fault) {
			once.Do(func() { now = fault })
			return now
		}
		w.fault.Store(&f)
		key := fmt.Sprint("k-", i)
		first := w.purchase("p1", "u2", key)
		if fault == logtest.Unavailable {
			first.want(t, 503, `"code":"failed"`, `"outcome":"failed"`)
			if first.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			first = w.purchase("p1", "u2", key)
		}
		id := first.reportID(t)
		if again := w.purchase("p1", "u2", key).want(t, 200, `"duplicate"`).reportID(t); again != id {
			t.Errorf("fault %d: report %s, then %s", fault, id, again)
		}
	}
	if spent := w.spentOnReports("p1", "u2"); spent != fmt.Sprint(len(faults)) {
		t.Errorf("%d reports were charged with %s", len(faults), spent)
	}
}

// TestPurchaseWaitsForTheViews: nothing is sold from views that are behind, and what was sold is found without them.
func TestPurchaseWaitsForTheViews(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	id := w.purchase("p1", "u2", "k-1").want(t, 201).reportID(t)
	w.stopViews()
	w.api.operatorPatience = time.Millisecond
	w.post(liked("e-1", "p1", "u3")).want(t, 201)
	before := w.log.Len()
	w.purchase("p1", "u2", "k-2").want(t, 503, `"code":"position_not_reached"`)
	if again := w.purchase("p1", "u2", "k-1").want(t, 200).reportID(t); again != id {
		t.Errorf("report %s, then %s", id, again)
	}
	w.report(id)
	if w.log.Len() != before {
		t.Errorf("%d events were recorded", w.log.Len()-before)
	}
	w.runViews()
}

// TestReportsWhileTheLogIsAway: a report is in the log alone.
func TestReportsWhileTheLogIsAway(t *testing.T) {
	log := new(unreadable)
	w := openWorld(t, func(c *Config) {
		log.EventLog = c.Log
		c.Log = log
	})
	w.publish("p1")
	id := w.purchase("p1", "u2", "k-1").want(t, 201).reportID(t)
	w.settle()
	log.away.Store(true)
	a := w.get("/v1/reports/"+id).want(t, 503, `"code":"failed"`)
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	w.get("/v1/accounts/u2/reports").want(t, 200, id)
}

// TestWhoMayReadAReport: who may not learns nothing, not even whether there is one.
func TestWhoMayReadAReport(t *testing.T) {
	g := openGuarded(t, true)
	g.do("POST", "/v1/events", mediaStructured, event("post.published", "e-1", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`), g.as("write")).want(t, 201)
	// Bought by somebody of whom no token is, and by u1.
	foreign := g.purchase("p1", "u7", "k-1", g.as("write")).want(t, 201).reportID(t)
	own := g.purchase("p1", "u1", "k-1", g.as("write")).want(t, 201).reportID(t)
	const unknown = "00000000-0000-5000-8000-000000000000"
	for caller, as := range g.callers() {
		refusals := map[string]bool{}
		for id, may := range map[string][]string{foreign: {"read", "all"}, own: {"read", "all", "own", "both"}, unknown: {"read", "all"}} {
			a := g.get("/v1/reports/"+id, as)
			switch reader := slices.Contains(may, caller); {
			case reader && id == unknown:
				a.want(t, 404)
			case reader:
				a.want(t, 200, id)
			default:
				members := a.members(t)
				delete(members, "request_id")
				refusals[fmt.Sprint(a.status, members, a.header.Get("WWW-Authenticate"))] = true
				if a.status != 401 && a.status != 403 {
					t.Errorf("%s gets %d %s", caller, a.status, a.body)
				}
			}
		}
		if len(refusals) > 1 {
			t.Errorf("%s is told one report from another: %v", caller, refusals)
		}
	}
	for caller, status := range map[string]int{"read": 403, "own": 403, "operate": 403, "audit": 403, "all": 200, "write": 200} {
		g.purchase("p1", "u1", "k-1", g.as(caller)).want(t, status)
	}
	g.purchase("p1", "u1", "k-1").want(t, 401)
}
