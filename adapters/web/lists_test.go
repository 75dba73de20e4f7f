package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// listed is a ledger whose pages of lists are read.
type listed struct {
	t      testing.TB
	log    *logtest.Memory
	views  *projections.Views
	ledger *domain.Ledger
	pages  *Pages
	router *mux.Router
	sent   int
}

// openListed returns a ledger with tariffs, the default one for none.
func openListed(t testing.TB, tariffs ...domain.Tariff) *listed {
	t.Helper()
	w := &listed{t: t, log: logtest.NewMemory(logtest.MemoryOptions{T: t})}
	store, err := pebbleviews.Open("views", pebbleviews.Options{FS: vfs.NewMem()})
	w.must(err)
	w.views, err = projections.Open(t.Context(), store, w.log)
	w.must(err)
	w.ledger = domain.NewLedger(domain.Config{
		Log: w.log, Clock: time.Now, Messages: w.log, Events: w.views, Statements: w.views,
	})
	w.must(w.ledger.Start(t.Context(), tariffs))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.views.Run(t.Context())
	}()
	t.Cleanup(func() {
		<-ended // The test's context is done by now.
		w.must(errors.Join(store.Close(), w.log.Close()))
	})
	w.pages = New(Config{
		Views: w.views, Log: w.log, Tariffs: w.ledger.Tariffs, Open: true,
		MayRead: func(*http.Request) bool { return true },
		Fail: func(rw http.ResponseWriter, r *http.Request, err error) {
			own := &Error{http.StatusInternalServerError, "failed", err.Error()}
			if errors.Is(err, projections.ErrBadCursor) {
				own = &Error{http.StatusBadRequest, "bad_request", err.Error()}
			}
			errors.As(err, &own)
			w.pages.Problem(rw, r, own.Status, own.Code, own.Detail)
		},
	})
	w.router = mux.NewRouter().UseEncodedPath()
	for _, r := range w.pages.Routes() {
		w.router.HandleFunc(r.Path, r.Handler)
	}
	return w
}

func (w *listed) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// record records engagements, none of which may be refused, and waits until the views have folded them.
func (w *listed) record(engagements ...domain.Engagement) (ids []domain.EventID) {
	w.t.Helper()
	var received []domain.Received
	for _, e := range engagements {
		w.sent++
		if e.ID == "" {
			e.Message = domain.Message{Source: "/lists", ID: fmt.Sprint(w.sent)}
		}
		if e.OccurredAt.IsZero() {
			e.OccurredAt = time.Now().Add(time.Duration(w.sent-10_000) * time.Second).UTC().Round(0)
		}
		received = append(received, domain.Received{Engagement: e})
	}
	for _, o := range w.ledger.Record(w.t.Context(), received) {
		if o.Result != domain.Recorded {
			w.t.Fatalf("%+v", o)
		}
		ids = append(ids, o.Recorded.ID)
	}
	w.settle()
	return ids
}

func (w *listed) settle() {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	w.must(err)
	w.must(w.views.Wait(w.t.Context(), head))
}

func (w *listed) article() *listed {
	w.t.Helper()
	for _, line := range workload.Article() {
		w.record(domain.ParseEngagement(line).Engagement)
	}
	return w
}

// get returns the page under an address, which must answer with a status.
func (w *listed) get(address string, status int) string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, address, nil))
	if rec.Code != status {
		w.t.Fatalf("%s: %d, not %d:\n%s", address, rec.Code, status, rec.Body)
	}
	return rec.Body.String()
}

// content returns what the page under an address shows. The snapshot is closed by then.
func content[T any](w *listed, address string, show func(*Pages, *request) (*page, error)) (T, *page) {
	w.t.Helper()
	s := w.views.Snapshot()
	defer s.Close()
	var shown *page
	var err error
	router := mux.NewRouter().UseEncodedPath()
	for _, row := range pages {
		router.HandleFunc(row.path, func(_ http.ResponseWriter, r *http.Request) {
			shown, err = show(w.pages, &request{Request: r, ctx: r.Context(), views: s, query: r.URL.Query(), mayRead: true})
		})
	}
	address, _, _ = strings.Cut(address, "#")
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, address, nil))
	w.must(err)
	return shown.Content.(T), shown
}

// statement returns a statement of now.
func (w *listed) statement(scope domain.Scope, asOf projections.AsOf) *domain.Statement {
	w.t.Helper()
	s := w.views.Snapshot()
	defer s.Close()
	statement, err := s.Statement(w.t.Context(), scope, asOf)
	w.must(err)
	return statement
}

// wantAll fails unless a page has all texts.
func wantAll(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

func published(n int) domain.Engagement {
	return domain.Engagement{Type: domain.PostPublished, PostID: fmt.Sprintf("p%02d", n),
		AccountID: fmt.Sprintf("author%02d", n), Title: fmt.Sprintf("Post %d", n), TimeToReadSeconds: 60}
}

func liked(post, account string) domain.Engagement {
	return domain.Engagement{Type: domain.PostLiked, PostID: post, AccountID: account}
}

func TestPlatform(t *testing.T) {
	w := openListed(t).article()
	page := w.get("/", http.StatusOK)
	whole := w.statement(domain.Scope{}, projections.AsOf{})
	balance, err := whole.Balance()
	w.must(err)
	wantAll(t, page, workload.ArticleTitle, `href="/accounts/leonardo"`, "29 January 2026",
		`data-key="treasury">`+string(signedAmount(mustSub(t, domain.Twei{}, balance))),
		`data-key="read_to_earn">`+string(amount(whole.Sums.Of(domain.ReadToEarn))), `data-live=""`)
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		wantAll(t, page, `href="/entries?line=`+l.String()+`"`)
	}
	for _, n := range countFacts(&whole.Counts, false) {
		wantAll(t, page, fmt.Sprintf(`<dt>%s</dt><dd class="n" data-key="%s">%d</dd>`, n.Label, n.Key, n.N))
	}
}

func mustSub(t testing.TB, a, b domain.Twei) domain.Twei {
	t.Helper()
	difference, err := a.Sub(b)
	if err != nil {
		t.Fatal(err)
	}
	return difference
}

// TestPostOrders holds each order of the list of posts, from both ends, against the statements, through all pages.
func TestPostOrders(t *testing.T) {
	w := openListed(t)
	var engagements []domain.Engagement
	for n := range 2*perPage + 3 {
		engagements = append(engagements, published(n))
	}
	w.record(engagements...)
	for n := range 9 {
		for i := range n {
			w.record(liked(fmt.Sprintf("p%02d", n), fmt.Sprint("u", i)))
		}
	}
	value := map[string]func(listedPost) string{
		"total":     func(p listedPost) string { return p.Total.String() },
		"profit":    func(p listedPost) string { return p.Profit.String() },
		"loss":      func(p listedPost) string { return p.Loss.String() },
		"published": func(p listedPost) string { return domain.FormatTime(p.PublishedAt) },
	}
	for _, o := range postOrders {
		for _, end := range []string{"desc", "asc"} {
			posts := w.walk(t, "/?sort="+o.Name+"&order="+end)
			ids := map[string]bool{}
			for i, p := range posts {
				ids[p.ID] = true
				if i == 0 {
					continue
				}
				before, after := posts[i-1], p
				if end == "asc" {
					before, after = after, before
				}
				compare := map[string]int{"total": before.Total.Cmp(after.Total), "profit": before.Profit.Cmp(after.Profit),
					"loss": before.Loss.Cmp(after.Loss), "published": before.PublishedAt.Compare(after.PublishedAt)}
				if compare[o.Name] < 0 {
					t.Errorf("%s %s: %s comes before %s", o.Name, end, value[o.Name](posts[i-1]), value[o.Name](p))
				}
			}
			if len(posts) != len(engagements) || len(ids) != len(engagements) {
				t.Errorf("%s %s: %d posts, %d of them different, not %d", o.Name, end, len(posts), len(ids), len(engagements))
			}
		}
	}
}

// walk returns the posts of all pages of the list, and reads each page.
func (w *listed) walk(t *testing.T, address string) (posts []listedPost) {
	t.Helper()
	for address != "" {
		w.get(address, http.StatusOK)
		c, _ := content[*platformContent](w, address, (*Pages).platform)
		if len(c.Posts) > perPage {
			t.Fatalf("%d posts on a page", len(c.Posts))
		}
		posts = append(posts, c.Posts...)
		address = c.Listing.Pager.Next
	}
	return posts
}

func TestListsRefuse(t *testing.T) {
	w := openListed(t)
	for _, address := range []string{
		"/?sort=balance", "/?order=up", "/?cursor=x", "/accounts?sort=loss", "/accounts?cursor=x", "/accounts/u1?posts=x",
		"/accounts/u1?reports=x", "/accounts/u1?size=2", "/accounts/u1?size=-1", "/accounts/u1?at=yesterday",
		"/accounts/u1?interval=year", "/tariff?version=x", "/log?before=x",
	} {
		w.get(address, http.StatusBadRequest)
	}
	for _, address := range []string{"/tariff?version=0", "/tariff?version=2", "/accounts/treasury", "/accounts/a%2Fb"} {
		w.get(address, http.StatusNotFound)
	}
}

func TestSearch(t *testing.T) {
	w := openListed(t).article()
	w.record(domain.Engagement{Type: domain.PostPublished, PostID: "raphael", AccountID: "u1", Title: "Namesake",
		TimeToReadSeconds: 1})
	wantAll(t, w.get("/?q=+raphael+", http.StatusOK), "A post", "Namesake", `href="/posts/raphael"`, "An account",
		`href="/accounts/raphael"`)
	c, _ := content[*platformContent](w, "/?q="+workload.ArticlePost, (*Pages).platform)
	if c.Found.Post == nil || c.Found.Account != nil || c.Posts != nil {
		t.Errorf("%+v", c.Found)
	}
	for _, nothing := range []string{"Raphael", "treasury", "%3Cscript%3E", strings.Repeat("x", 500), "a/b", "%00"} {
		page := w.get("/?q="+nothing, http.StatusOK)
		wantAll(t, page, "No post has the id")
		if strings.Contains(page, "<script>") {
			t.Errorf("%s: a script in the page", nothing)
		}
	}
	wantAll(t, w.get("/?q=+", http.StatusOK), "All posts")
}

func TestAccounts(t *testing.T) {
	w := openListed(t).article()
	w.get("/accounts", http.StatusOK)
	for _, o := range accountOrders {
		c, _ := content[*accountsContent](w, "/accounts?sort="+o.Name, (*Pages).accounts)
		if len(c.Accounts) != 10 {
			t.Fatalf("%d accounts", len(c.Accounts))
		}
		for i, a := range c.Accounts {
			s := w.statement(domain.Scope{AccountID: a.ID}, projections.AsOf{})
			balance, err := s.Balance()
			w.must(err)
			if balance != a.Balance || mustSub(t, a.Balance, a.Reading) != a.Total || mustSub(t, a.Profit, a.Loss) != a.Total {
				t.Errorf("%+v: its balance is %s", a, balance)
			}
			if i == 0 {
				continue
			}
			before := c.Accounts[i-1]
			compare := map[string]int{"balance": before.Balance.Cmp(a.Balance), "total": before.Total.Cmp(a.Total),
				"profit": before.Profit.Cmp(a.Profit)}
			if compare[o.Name] < 0 {
				t.Errorf("by %s: %s before %s", o.Name, before.ID, a.ID)
			}
		}
	}
}

func TestAccount(t *testing.T) {
	w := openListed(t).article()
	outcome := w.ledger.IssueReport(t.Context(), workload.ArticlePost, "raphael", "k1")
	if outcome.Result != domain.Recorded {
		t.Fatalf("%+v", outcome)
	}
	w.settle()
	page := w.get("/accounts/raphael", http.StatusOK)
	s := w.statement(domain.Scope{AccountID: "raphael"}, projections.AsOf{})
	balance, err := s.Balance()
	w.must(err)
	wantAll(t, page, `data-live="account=raphael"`, `data-key="balance">`+string(signedAmount(balance)),
		"1 rewarded read<", `href="/accounts/raphael/entries?line=earned_for_pluses"`,
		`href="/accounts/raphael/entries?line=read_to_earn"`, `href="/posts/`+workload.ArticlePost+`?account=raphael"`,
		"Reports bought</dt><dd class=\"n\" data-key=\"counts.reports\">1<", `href="/reports/`, `id="course"`)
	c, _ := content[*accountContent](w, "/accounts/raphael", (*Pages).account)
	if len(c.Posts) != 1 || len(c.Course.Rows) == 0 || len(c.Reports) != 1 ||
		c.Reports[0].PostTitle != workload.ArticleTitle {
		t.Errorf("posts %+v, reports %+v", c.Posts, c.Reports)
	}
}

func TestAccountAsOf(t *testing.T) {
	w := openListed(t).article()
	at := time.Date(2026, time.January, 29, 9, 10, 0, 0, time.UTC)
	for address, asOf := range map[string]projections.AsOf{
		"size=10":                        {Size: 10, Sized: true},
		"at=2026-01-29T09:10:00Z":        {At: at},
		"at=2026-01-29T09:10":            {At: at},
		"size=4&at=2026-01-29T09:10:00Z": {Size: 4, Sized: true, At: at},
	} {
		page := w.get("/accounts/raphael?"+address, http.StatusOK)
		balance, err := w.statement(domain.Scope{AccountID: "raphael"}, asOf).Balance()
		w.must(err)
		asked, err := url.ParseQuery(address)
		w.must(err)
		asked.Set("line", "likes_own")
		wantAll(t, page, "As of", `data-key="balance">`+string(signedAmount(balance)),
			`href="/accounts/raphael/entries?`+strings.ReplaceAll(asked.Encode(), "&", "&amp;")+`"`,
			`href="/accounts/raphael">Show it as of now`)
		for _, text := range []string{"data-live=", `id="posts"`, `id="reports"`, `id="course"`} {
			if strings.Contains(page, text) {
				t.Errorf("%s: the page has %q", address, text)
			}
		}
	}
	wantAll(t, w.get("/accounts/raphael?size=1", http.StatusOK), "Nothing was recorded of this account by then")
	wantAll(t, w.get("/accounts/nobody", http.StatusOK), "Nothing is recorded of this account",
		`data-key="balance">`+string(amount(domain.Twei{})))
}

// TestAccountLists walks through the posts and the reports of an account with more than a page of each.
func TestAccountLists(t *testing.T) {
	w := openListed(t)
	for n := range perPage + 3 {
		w.record(published(n), liked(fmt.Sprintf("p%02d", n), "u1"))
		if o := w.ledger.IssueReport(t.Context(), "p00", "u1", fmt.Sprint(n)); o.Result != domain.Recorded {
			t.Fatalf("%+v", o)
		}
	}
	w.settle()
	posts, reports := map[string]bool{}, map[string]bool{}
	for address := "/accounts/u1"; address != ""; {
		c, _ := content[*accountContent](w, address, (*Pages).account)
		for _, p := range c.Posts {
			posts[p.ID] = true
		}
		address = c.PostPager.Next
	}
	for address := "/accounts/u1"; address != ""; {
		c, _ := content[*accountContent](w, address, (*Pages).account)
		for _, r := range c.Reports {
			reports[r.ReportID] = true
		}
		if address = c.ReportPager.Next; address == "" && !strings.HasSuffix(c.ReportPager.First, "/accounts/u1#reports") {
			t.Errorf("the first page is %q", c.ReportPager.First)
		}
	}
	if len(posts) != perPage+3 || len(reports) != perPage+3 {
		t.Errorf("%d posts, %d reports", len(posts), len(reports))
	}
}

func TestTariffPage(t *testing.T) {
	first, second := domain.DefaultTariff(), domain.DefaultTariff()
	second.Version, second.EffectiveFrom = 2, time.Now().Add(-time.Hour).UTC().Round(0)
	second.CommentMinLevel, second.ReadMinFraction = 0, domain.WholeFraction/2
	second.OwnPostCommentPays, second.AuthorReactionPays = false, false
	second.Rows = second.Rows[:len(second.Rows)-1]
	w := openListed(t, first, second)
	third := domain.DefaultTariff()
	third.Version, third.EffectiveFrom = 3, time.Now().Add(time.Hour).UTC().Round(0)
	if o := w.ledger.PublishTariff(t.Context(), third, "ops"); o.Rejection != nil {
		t.Fatal(o.Rejection)
	}
	w.settle()
	wantAll(t, w.get("/tariff", http.StatusOK), "Version 2, ", "taken at every level", "at least 0.5 of the post",
		"comments under their own post are recorded and move nothing", "reactions under their own post are recorded",
		"moves nothing", `href="/tariff?version=2" aria-current="page"`, ">to come<", ">earlier<")
	page := w.get("/tariff?version=1", http.StatusOK)
	wantAll(t, page, "from level 13 on", "at least the post&#39;s time to read", "A like of a post", "from the beginning")
	for i, r := range first.Rows {
		wantAll(t, page, fmt.Sprintf(`<tr id="row-%d">`, i), string(amount(r.Amount)))
	}
	c, _ := content[*tariffContent](w, "/tariff?version=1", (*Pages).tariff)
	var rows []string
	for _, engagement := range c.Engagements {
		for _, r := range engagement.Rows {
			rows = append(rows, fmt.Sprint(r.Number, " ", engagement.Noun, " ", r.Does, ": ", r.Lines, " ", r.Amount))
		}
	}
	want := map[int]string{
		0: "0 A publication of a post costs the author, to the treasury: [Post Publish Tribute] 10",
		1: "1 A read of a post pays the reader, from the treasury: [Read-to-Earn] 1",
		2: "2 A like of a post pays the actor, from the treasury: [Earned for Pluses] 0.5",
		9: "9 A dislike of a comment costs the actor, and pays the author: [Dislikes Own Dislikes Author] 0.1",
	}
	for i, text := range want {
		if rows[i] != text {
			t.Errorf("row %d is %q, not %q", i, rows[i], text)
		}
	}
}

// TestLogPage reads the log to its beginning and holds what its lines say was moved against the balances.
func TestLogPage(t *testing.T) {
	w := openListed(t).article()
	ids := w.record(liked(workload.ArticlePost, "u1"), liked(workload.ArticlePost, "u2"),
		domain.Engagement{Type: domain.ReactionWithdrawn, PostID: workload.ArticlePost, AccountID: "u2"},
		domain.Engagement{Type: domain.CommentRemoved, CommentID: "comment-raphael"},
		domain.Engagement{Type: domain.PostChanged, PostID: workload.ArticlePost, Title: "Another title"})
	if o := w.ledger.Reverse(t.Context(), ids[0], "a mistake", "ops"); o.Rejection != nil {
		t.Fatal(o.Rejection)
	}
	for n := range eventsPerPage {
		w.record(published(n))
	}
	var indexes []uint64
	balances := map[string]domain.Twei{}
	for address := "/log"; address != ""; {
		w.get(address, http.StatusOK)
		c, shown := content[*logContent](w, address, (*Pages).log)
		if shown.IsLive != (address == "/log") || c.Newest != shown.IsLive || len(c.Events) > eventsPerPage {
			t.Errorf("%s: live %t, newest %t, %d events", address, shown.IsLive, c.Newest, len(c.Events))
		}
		for _, e := range c.Events {
			indexes = append(indexes, e.Index)
			for _, m := range e.Moves {
				sum, err := balances[m.Account].Add(m.Effect)
				w.must(err)
				balances[m.Account] = sum
			}
		}
		address = c.Pager.Next
	}
	for i, index := range indexes {
		if want := uint64(len(indexes) - 1 - i); index != want {
			t.Fatalf("event %d stands where %d does", index, want)
		}
	}
	for _, account := range slices.Sorted(maps.Keys(balances)) {
		balance, err := w.statement(domain.Scope{AccountID: account}, projections.AsOf{}).Balance()
		w.must(err)
		if balances[account] != balance {
			t.Errorf("the lines of the log give %s to %s, its balance is %s", balances[account], account, balance)
		}
	}
	earlier := w.get("/log?before=52", http.StatusOK)
	wantAll(t, earlier, "ops", "took back an event under the post", "withdrew a reaction to the post", "Another title",
		"The platform", "taken back", "Spent for Minuses", "moved nothing: ")
	wantAll(t, w.get("/log?before=0", http.StatusOK), "There is nothing before it")
	w.get("/log?before=18446744073709551615", http.StatusOK)
}

// TestLogCutsLong holds that an event with many entries stays a line or two.
func TestLogCutsLong(t *testing.T) {
	tariff := domain.DefaultTariff()
	for range 10 {
		tariff.Rows = append(tariff.Rows, tariff.Rows[2])
	}
	w := openListed(t, tariff)
	w.record(published(1), liked("p01", "u1"))
	c, _ := content[*logContent](w, "/log", (*Pages).log)
	if e := c.Events[0]; len(e.Moves) != movesShown || e.More != 11-movesShown {
		t.Errorf("%d shown, %d more", len(e.Moves), e.More)
	}
}

// TestHostileLists holds that no title, id or name gets out of its place.
func TestHostileLists(t *testing.T) {
	w := openListed(t)
	long := strings.Repeat("W", domain.MaxIDBytes)
	for i, title := range []string{`<script>alert(1)</script>`, "\u202eturned\u202c",
		`"><img src=x onerror=alert(1)>`, "🎉", strings.Repeat("M", 200), "{{.Content}}", "javascript:alert(1)"} {
		post := published(i)
		post.Title, post.AccountID = title, long
		w.record(post, liked(post.PostID, "entries"), liked(post.PostID, "javascript:alert"))
	}
	ids := w.record(liked("p00", "u1"))
	if o := w.ledger.Reverse(t.Context(), ids[0], "<b>", "<script>ops"); o.Rejection != nil {
		t.Fatal(o.Rejection)
	}
	w.settle()
	for _, address := range []string{"/", "/accounts", "/accounts/entries", "/accounts/" + long,
		"/accounts/javascript:alert", "/log", "/tariff", "/?q=" + long} {
		page := w.get(address, http.StatusOK)
		if n := strings.Count(page, "<script"); n != 1 { // The layout's own.
			t.Errorf("%s: %d scripts", address, n)
		}
		for _, text := range []string{"<img", `href="javascript:`, "<b>", "style="} {
			if strings.Contains(page, text) {
				t.Errorf("%s: the page has %q", address, text)
			}
		}
	}
}

func TestEventWords(t *testing.T) {
	if len(eventWords) != int(domain.EventReinstated)+1 {
		t.Fatalf("%d types have words", len(eventWords)-1)
	}
	for of := domain.PostPublished; of.Valid(); of++ {
		if eventWords[of].did == "" || nounOf(of) == "" {
			t.Errorf("%s has no words", of)
		}
	}
	for _, name := range domain.CountNames {
		if countLabels[name] == [2]string{} {
			t.Errorf("the count %s has no labels", name)
		}
	}
}
