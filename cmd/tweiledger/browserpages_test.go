package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

const articlePage = "/posts/" + workload.ArticlePost

// TestBrowser looks at the pages as people do: with a browser.
func TestBrowser(t *testing.T) {
	b := openBrowser(t)
	t.Run("statement", func(t *testing.T) { testStatementPage(t, b) })
	t.Run("live", func(t *testing.T) { testLivePage(t, b) })
	t.Run("buy", func(t *testing.T) { testBuying(t, b) })
	t.Run("without scripts", func(t *testing.T) { testWithoutScripts(t, b) })
	t.Run("keyboard", func(t *testing.T) { testKeyboard(t, b) })
	t.Run("everywhere", func(t *testing.T) { testEverywhere(t, b) })
	t.Run("print", func(t *testing.T) { testPrint(t, b) })
	t.Run("hostile", func(t *testing.T) { testHostile(t, b) })
	t.Run("demo", func(t *testing.T) { testDemo(t, b) })
	t.Run("block", func(t *testing.T) { testBlock(t, b) })
}

// shownNumbers gives the exact amounts of a page by their keys.
const shownNumbers = `Object.fromEntries([...document.querySelectorAll("[data-key]")].filter(e => e.querySelector("data"))
	.map(e => [e.dataset.key, e.querySelector("data").value]))`

// The page shows the statement that the API gives, number by number; and so of an account's part.
func testStatementPage(t *testing.T, b *browser) {
	origin := serveDemo(t)
	p := b.tab(t, origin)
	p.open(articlePage + "?account=" + workload.ArticleReader)
	shown := eval[map[string]string](p, shownNumbers)
	whole := readStatementJSON(t, origin+"/v1"+articlePage+"/pnl")
	own := readStatementJSON(t, origin+"/v1"+articlePage+"/pnl?account="+workload.ArticleReader)
	compare := func(prefix string, s *statementJSON) {
		for key, amount := range s.numbers() {
			if got := shown[prefix+key]; got != amount {
				t.Errorf("%s shows %q, the API says %q", prefix+key, got, amount)
			}
		}
	}
	compare("", &whole)
	compare("own.", &own)
}

// A like that is posted through the API changes the page without a reload.
func testLivePage(t *testing.T, b *browser) {
	origin := serveDemo(t)
	p := b.tab(t, origin)
	p.open(articlePage)
	eval[int](p, "window.stays = 1")
	send(t, origin, engagement("post.liked", fmt.Sprintf(`{"post_id":%q,"account_id":"newcomer"}`, workload.ArticlePost)))
	want := readStatementJSON(t, origin+"/v1"+articlePage+"/pnl").Profit["earned_for_pluses"]
	p.until(fmt.Sprintf(`(%s)["profit.earned_for_pluses"] === %q && window.stays === 1`, shownNumbers, want))
	p.until(`document.querySelector("[data-key='profit.earned_for_pluses']").classList.contains("changed")`)
	p.open("/log")
	send(t, origin, engagement("post.disliked", fmt.Sprintf(`{"post_id":%q,"account_id":"critic"}`, workload.ArticlePost)))
	p.until(`document.querySelector("main").innerText.includes("critic")`)
}

// A double click buys once, the page says where the report is, and who buys without an account is asked for one.
func testBuying(t *testing.T, b *browser) {
	origin := serveDemo(t)
	p := b.tab(t, origin)
	p.open(articlePage)
	eval[any](p, `document.querySelector("button[data-buy]").click()`)
	p.until(`document.activeElement.id === "account"`)
	p.open(articlePage + "?account=april")
	// A double click is a click, and one that says that it is the second.
	p.do(chromedp.Click("button[data-buy]"), chromedp.DoubleClick("button[data-buy]"))
	p.until(`document.querySelector("[data-bought] a")`)
	if n := readStatementJSON(t, origin+"/v1/accounts/april/pnl").Counts["reports"]; n != 1 {
		t.Errorf("a double click bought %d reports", n)
	}
	if link := eval[string](p, `document.querySelector("[data-bought] a").pathname`); link != "/reports/"+reportOf(t, origin, "april") {
		t.Errorf("the report is at %s", link)
	}
	// The platform may take it over.
	eval[any](p, `document.addEventListener("tweiledger-buy", e => { e.preventDefault(); window.taken = e.detail; })`)
	p.do(chromedp.Click("button[data-buy]"))
	p.until(`window.taken && window.taken.account === "april"`)
	if n := readStatementJSON(t, origin+"/v1/accounts/april/pnl").Counts["reports"]; n != 1 {
		t.Errorf("the platform took it over, and the page bought: %d reports", n)
	}
}

// Every label and every number is there without JavaScript.
func testWithoutScripts(t *testing.T, b *browser) {
	origin := serveDemo(t)
	answer, err := http.Get(origin + articlePage)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"Read-to-Earn opportunity", "Time to Read", "You earned", "Date", "Post Profit",
		"Profit Subtotal, Twei", "Post Loss", "Loss Subtotal, Twei", "Total Twei Earned", "Price for report instance",
		"Comment-to-Earn", "Available from LVL 13"} {
		if !strings.Contains(string(text), label) {
			t.Errorf("the page does not say %q", label)
		}
	}
	p := b.tab(t, origin)
	p.withoutScripts()
	p.open(articlePage)
	title, err := chromedp.Run(p.ctx, chromedp.Text("h1"))
	if err != nil || title != workload.ArticleTitle {
		t.Errorf("%q, %v", title, err)
	}
	total, err := chromedp.Run(p.ctx, chromedp.Text(".total .sum"))
	if err != nil || !strings.HasPrefix(total, "+2.3") {
		t.Errorf("%q, %v", total, err)
	}
	p.picture("post-without-scripts")
}

// By keyboard alone one gets to the content, the numbers, the chooser and the button, and sees where one is.
func testKeyboard(t *testing.T, b *browser) {
	p := b.tab(t, serveDemo(t))
	p.open(articlePage)
	var visited []string
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		at := eval[string](p, `document.activeElement.innerText || document.activeElement.id || document.activeElement.tagName`)
		visited = append(visited, strings.TrimSpace(at))
		if visible := eval[bool](p, `document.activeElement === document.body ||
			getComputedStyle(document.activeElement).outlineStyle !== "none"`); !visible {
			t.Errorf("nothing shows that the focus is on %q", at)
		}
	}
	for _, want := range []string{"Skip to content", "account", "Earned for Pluses", "PnL Reports", "Buy a report", "Hours"} {
		found := false
		for _, at := range visited {
			found = found || strings.Contains(at, want)
		}
		if !found {
			t.Errorf("the keyboard does not get to %q, only to %q", want, visited)
		}
	}
}

// Every page fits a small window, and axe-core has nothing to say of it, light and dark.
func testEverywhere(t *testing.T, b *browser) {
	origin := serveDemo(t)
	report := reportOf(t, origin, workload.ArticleReader)
	p := b.tab(t, origin)
	p.open("/log")
	event := eval[string](p, `document.querySelector("main a[href^='/events/']").getAttribute("href")`)
	for name, path := range map[string]string{
		"platform": "/", "search": "/?q=raphael", "accounts": "/accounts", "account": "/accounts/raphael",
		"account-asof": "/accounts/raphael?size=20", "post": articlePage, "post-account": articlePage + "?account=raphael",
		"post-hours": articlePage + "?interval=hour", "post-asof": articlePage + "?at=2026-01-29T10:00:00Z",
		"entries": articlePage + "/entries?line=likes_commenter", "account-entries": "/accounts/raphael/entries",
		"platform-entries": "/entries", "event": event, "report": "/reports/" + report, "tariff": "/tariff", "log": "/log",
		"no-post": "/posts/nowhere", "no-path": "/nothing", "demo": "/demo/",
	} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 360} {
				what := fmt.Sprintf("%s-%d-%s", name, width, scheme)
				p.looks(width, scheme)
				p.open(path)
				if failed := eval[bool](p, `Boolean(document.querySelector(".problem"))`); failed != strings.HasPrefix(name, "no-") {
					t.Errorf("%s: whether it is an error's page: %v", what, failed)
				}
				p.fits(what)
				p.picture(what)
				p.accessible(what)
			}
		}
	}
}

// A report prints without what is only for screens.
func testPrint(t *testing.T, b *browser) {
	origin := serveDemo(t)
	p := b.tab(t, origin)
	p.open("/reports/" + reportOf(t, origin, workload.ArticleReader))
	p.prints()
	if shown := eval[bool](p, `getComputedStyle(document.querySelector(".bar")).display !== "none"`); shown {
		t.Error("the bar is printed")
	}
	pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF())
	if err != nil || len(pdf) == 0 {
		t.Errorf("%d bytes, %v", len(pdf), err)
	}
	if pages := strings.Count(string(pdf), "/Type /Page\n"); pages > 2 {
		t.Errorf("the report takes %d sheets of paper", pages)
	}
}

// What others chose, titles and names, breaks nothing and runs nowhere.
func testHostile(t *testing.T, b *browser) {
	// The least amount that there is, and the greatest that a tariff may have.
	tariff := domain.DefaultTariff()
	for i := range tariff.Rows {
		tariff.Rows[i].Amount = domain.Wei(1)
		if tariff.Rows[i].Engagement == domain.CommentAdded {
			tariff.Rows[i].Amount = domain.Wei(1_000_000_000_000_000_000)
		}
	}
	_, srv := serveIn(t, tariff)
	long := strings.Repeat("W", 128)
	title := `<script>document.title="run"<\/script> & "quotes" ` + "\u202eright to left 🦖 " + strings.Repeat("x", 200)
	send(t, srv.origin,
		engagement("post.published", fmt.Sprintf(`{"post_id":%q,"account_id":%q,"title":%q,"time_to_read_seconds":1}`,
			long, "entries", strings.ReplaceAll(title, `\/`, "/"))),
		engagement("post.published", `{"post_id":"pnl","account_id":"pnl","title":"🦖","time_to_read_seconds":9007199254740991}`))
	var comments []string
	for i := range 10_000 {
		comments = append(comments, engagement("comment.added", fmt.Sprintf(
			`{"post_id":%q,"comment_id":"c-%d","account_id":%q,"level":9007199254740991}`, long, i, long)))
		if len(comments) == 2_000 {
			send(t, srv.origin, comments...)
			comments = nil
		}
	}
	p := b.tab(t, srv.origin)
	for _, path := range []string{"/", "/accounts", "/posts/" + long, "/posts/" + long + "?account=" + long, "/accounts/" + long,
		"/accounts/entries", "/accounts/pnl", "/accounts/log", "/posts/" + long + "/entries?line=comment_rewards", "/posts/pnl", "/posts/" + long + "/entries", "/log", "/posts/" + url.PathEscape("<b>"),
		"/?q=" + url.QueryEscape(`"><script>document.title="run"</script>`)} {
		p.looks(360, "light")
		p.open(path)
		p.fits("hostile " + path)
		p.accessible("hostile " + path)
		p.picture("hostile-" + strings.NewReplacer("/", "_", "?", "_", "%", "_", "<", "_", ">", "_", long, "long").Replace(path))
		if eval[string](p, "document.title") == "run" {
			t.Errorf("%s runs what others wrote", path)
		}
	}
	p.open("/posts/" + long)
	if n := eval[int](p, `document.querySelectorAll(".comments li").length`); n != 20 {
		t.Errorf("a page shows %d comments", n)
	}
}
