package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// playing is a reader at the demo's publisher.
type playing struct {
	*tab
	// want is what the statement of the article is to be.
	want map[string]string
}

// acts does something on the page, after which the statement is as before but for some lines: in the ledger, and in the
// block, without a reload.
func (p *playing) acts(what, script string, changes map[string]string) {
	p.t.Helper()
	eval[any](p.tab, script+"; 0")
	maps.Copy(p.want, changes)
	for key, amount := range p.want {
		p.until(fmt.Sprintf(`document.querySelector("tweiledger-statement").cells[%q].shows === %q`, key, amount))
	}
	got := readStatementJSON(p.t, p.origin+"/v1"+articlePage+"/pnl")
	for key, amount := range got.numbers() {
		if p.want[key] != "" && p.want[key] != amount {
			p.t.Errorf("%s: %s is %s, not %s", what, key, amount, p.want[key])
		}
	}
	if stays := eval[bool](p.tab, "window.stays === 1"); !stays {
		p.t.Errorf("%s: the page was loaded again", what)
	}
}

// answered waits until the newest act was answered.
func (p *playing) answered(outcome, says string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector("#acts li")?.dataset.outcome === %q && document.querySelector("#acts li").innerText.includes(%q)`,
		outcome, says))
}

// What one does at the demo's publisher changes the statement as the tariff says.
func testDemo(t *testing.T, b *browser) {
	p := &playing{tab: b.tab(t, serveDemo(t))}
	p.open("/demo/")
	p.until(`document.querySelector("tweiledger-statement").cells?.total?.shows`)
	eval[any](p.tab, `window.stays = 1; const passed = performance.now.bind(performance); window.skip = 0;
		performance.now = () => passed() + window.skip; 0`)
	before := readStatementJSON(t, p.origin+"/v1"+articlePage+"/pnl")
	p.want = before.numbers()
	p.acts("a look", "0", map[string]string{"total": "2.3", "earned": "0"})

	p.acts("reading to the end", `document.getElementById("fast").click(); document.getElementById("read").click(); window.skip += 30000`,
		map[string]string{"earned": "1"})
	p.answered("recorded", "Read-to-Earn")
	p.acts("a plus", `document.getElementById("plus").click()`, map[string]string{"profit.earned_for_pluses": "3.5",
		"profit.subtotal": "22.9", "total": "2.8", "own.total": "0.5"})
	p.answered("recorded", "post.liked")
	p.acts("taking it back", `document.getElementById("withdraw").click()`, map[string]string{"profit.earned_for_pluses": "3",
		"profit.subtotal": "22.4", "total": "2.3", "own.total": "0"})
	p.acts("a minus", `document.getElementById("minus").click()`, map[string]string{"loss.spent_for_minuses": "1",
		"loss.subtotal": "20.6", "total": "1.8", "own.total": "-0.5"})
	p.acts("a comment", p.comments(13), map[string]string{"profit.comment_rewards": "12", "loss.comment_tributes": "6",
		"profit.subtotal": "24.4", "loss.subtotal": "21.6", "total": "2.8", "own.total": "0.5"})
	p.acts("a comment below the level", p.comments(12), nil)
	p.answered("rejected", "level_too_low")
	reacts := func(act string) string {
		return fmt.Sprintf(`document.querySelector("[data-comment='comment-raphael'] [data-act='%s']").click()`, act)
	}
	p.acts("a like of a comment", reacts("comment.liked"), map[string]string{"profit.likes_own": "1.2",
		"profit.likes_commenter": "6", "profit.likes_author": "2.4", "profit.subtotal": "25.2", "total": "3.6", "own.total": "0.6"})
	p.acts("a dislike instead", reacts("comment.disliked"), map[string]string{"profit.likes_own": "1.1",
		"profit.likes_commenter": "5.5", "profit.likes_author": "2.2", "profit.dislikes_author": "0.7", "loss.dislikes_own": "0.7",
		"loss.dislikes_commenter": "3.5", "profit.subtotal": "24.5", "loss.subtotal": "22.2", "total": "2.3", "own.total": "0.4"})
	p.acts("a report", `document.querySelector("tweiledger-statement").shadowRoot.querySelector("button").click()`,
		map[string]string{"loss.pnl_reports": "2", "loss.subtotal": "23.2", "total": "1.3", "own.total": "-0.6"})
	if report := reportOf(t, p.origin, "you"); report == reportOf(t, p.origin, workload.ArticleReader) {
		t.Errorf("two accounts have one report: %s", report)
	}
	p.picture("demo-played")
}

// comments writes a comment as of a level.
func (p *playing) comments(level int) string {
	return fmt.Sprintf(`document.getElementById("level").value = "%d"; document.getElementById("text").value = "Well said.";
		document.getElementById("send-comment").click()`, level)
}

// The block stands on a page of another origin, and changes with what is posted through the API.
func testBlock(t *testing.T, b *browser) {
	origin := serveDemo(t)
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src %s; connect-src %[1]s", origin))
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>An article</title><script type="module" src="%s/embed.js"></script>
			<main><h1>An article</h1><h2>What it earned</h2><tweiledger-statement post=%q server=%[1]q></tweiledger-statement></main>`, origin, workload.ArticlePost)
	}))
	t.Cleanup(publisher.Close)
	p := b.tab(t, publisher.URL)
	p.open("/")
	shows := func(key, amount string) {
		t.Helper()
		p.until(fmt.Sprintf(`document.querySelector("tweiledger-statement").cells?.[%q]?.shows === %q`, key, amount))
	}
	shows("total", "2.3")
	send(t, origin, engagement("post.liked", fmt.Sprintf(`{"post_id":%q,"account_id":"newcomer"}`, workload.ArticlePost)))
	shows("profit.earned_for_pluses", "3.5")
	shows("total", "2.8")
	for _, scheme := range []string{"light", "dark"} {
		p.looks(360, scheme)
		p.fits("block-" + scheme)
		p.accessible("block-" + scheme)
		p.picture("block-360-" + scheme)
	}
}
