package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// TestEntriesAddUp walks through the entries of each line of each kind of scope, now and as of sizes and times, and
// holds their sum against the statement, which the page says too.
func TestEntriesAddUp(t *testing.T) {
	w := openListed(t).article()
	post := workload.ArticlePost
	var likes []domain.Engagement
	for n := range entriesPerPage + 3 {
		likes = append(likes, liked(post, fmt.Sprint("u", n)))
	}
	w.record(likes...)
	w.record(domain.Engagement{Type: domain.ReactionWithdrawn, PostID: post, AccountID: "u1"})
	at := time.Date(2026, time.January, 29, 9, 10, 0, 0, time.UTC)
	for path, scope := range map[string]domain.Scope{
		"/entries": {}, "/posts/" + post + "/entries": {PostID: post},
		"/accounts/raphael/entries":                    {AccountID: "raphael"},
		"/posts/" + post + "/entries?account=leonardo": {PostID: post, AccountID: "leonardo"},
	} {
		for asked, asOf := range map[string]projections.AsOf{
			"": {}, "&size=20": {Size: 20, Sized: true}, "&at=2026-01-29T09:10:00Z": {At: at},
			"&size=9&at=2026-01-29T09:10:00Z": {Size: 9, Sized: true, At: at},
		} {
			statement := w.statement(scope, asOf)
			for l := domain.EarnedForPluses; l.Valid(); l++ {
				address := path + "?line=" + l.String() + asked
				if strings.Contains(path, "?") {
					address = path + "&line=" + l.String() + asked
				}
				wantAll(t, w.get(address, http.StatusOK), lineLabel(l)+"</h1>",
					`data-key="sum">`+string(amount(statement.Sums.Of(l))))
				if sum := w.sumOf(address); sum != statement.Sums.Of(l) {
					t.Errorf("%s: the entries come to %s, not %s", address, sum, statement.Sums.Of(l))
				}
			}
		}
	}
}

// sumOf adds up the entries on all pages.
func (w *listed) sumOf(address string) (sum domain.Twei) {
	w.t.Helper()
	for address != "" {
		c, _ := content[*entriesContent](w, address, (*Pages).entries)
		for _, row := range c.Rows {
			var err error
			sum, err = sum.Add(row.Change)
			w.must(err)
		}
		address = c.Pager.Next
	}
	return sum
}

func TestEntries(t *testing.T) {
	w := openListed(t).article()
	post := workload.ArticlePost
	ids := w.record(liked(post, "u1"), liked(post, "leonardo"))
	if o := w.ledger.Reverse(t.Context(), ids[0], "a mistake", "ops"); o.Rejection != nil {
		t.Fatal(o.Rejection)
	}
	w.settle()
	page := w.get("/posts/"+post+"/entries", http.StatusOK)
	wantAll(t, page, "All entries</h1>", workload.ArticleTitle, `href="/events/`+ids[0].String()+`"`,
		"u1 liked the post", "taken back since", "what it takes back", "moved nothing: <bdi>leonardo wrote the post",
		`href="/tariff?version=1#row-2">version 1, row 2</a>`, "the actor", `data-live="post=`+post+`"`)
	frozen := w.get("/posts/"+post+"/entries?line=earned_for_pluses&size=10&account=raphael", http.StatusOK)
	wantAll(t, frozen, "the first 10 events", `href="/posts/`+post+`/entries?account=raphael&amp;line=earned_for_pluses"`,
		`href="/posts/`+post+`?account=raphael&amp;size=10"`)
	if strings.Contains(frozen, "data-live=") {
		t.Error("a page as of a size is live")
	}
	wantAll(t, w.get("/entries?size=0", http.StatusOK), "Nothing moved it by then")
	wantAll(t, w.get("/accounts/nobody/entries", http.StatusOK), "Nothing moved it.", `data-live="account=nobody"`)
	for _, address := range []string{"/entries?line=x", "/entries?cursor=x", "/entries?size=1000", "/entries?at=x"} {
		w.get(address, http.StatusBadRequest)
	}
	for _, address := range []string{"/entries?account=a/b", "/accounts/treasury/entries"} {
		w.get(address, http.StatusNotFound)
	}
}

// TestEventPages reads the page of every event.
func TestEventPages(t *testing.T) {
	w := openListed(t).article()
	post := workload.ArticlePost
	ids := w.record(liked(post, "u1"), liked(post, "leonardo"),
		domain.Engagement{Type: domain.PostDisliked, PostID: post, AccountID: "u2"},
		domain.Engagement{Type: domain.ReactionWithdrawn, PostID: post, AccountID: "u2"})
	reversal := w.ledger.Reverse(t.Context(), ids[0], "a mistake", "ops")
	w.settle()
	bought := w.ledger.IssueReport(t.Context(), post, "raphael", "k1")
	w.settle()
	s := w.views.Snapshot()
	defer s.Close()
	for index := range s.Size() {
		place, err := s.Place(index)
		w.must(err)
		e, err := projections.NewExplainer(t.Context(), w.log, s).Explain(place)
		w.must(err)
		wantAll(t, w.get(eventHref(e.Event.ID), http.StatusOK), fmt.Sprintf("<dt>Index</dt><dd>%d</dd>", index),
			nounOf(e.Event.Type)+"</h1>", "<code>"+e.Event.ID.String()+"</code>")
	}
	wantAll(t, w.get(eventHref(ids[0]), http.StatusOK), `<a href="/tariff?version=1#row-2">Tariff version 1, row 2</a>`,
		`the treasury pays <strong>`+string(amount(twei(t, "0.5")))+`</strong> Twei to the actor `, "for a like of a post.",
		"on the line Earned for Pluses of", `It was taken back by <a href="`+eventHref(reversal.Recorded.ID))
	wantAll(t, w.get(eventHref(reversal.Recorded.ID), http.StatusOK), "gives back", "a mistake",
		`It takes back <a href="`+eventHref(ids[0]), "of what was moved for a like of a post")
	wantAll(t, w.get(eventHref(ids[1]), http.StatusOK), "Nothing: <bdi>leonardo wrote the post")
	wantAll(t, w.get(eventHref(ids[2]), http.StatusOK), "the actor <a", "pays", "on the balance")
	wantAll(t, w.get(eventHref(bought.Recorded.ID), http.StatusOK), `href="/reports/`)
	first, err := s.Place(0)
	w.must(err)
	e, err := projections.NewExplainer(t.Context(), w.log, s).Explain(first)
	w.must(err)
	wantAll(t, w.get(eventHref(e.Event.ID), http.StatusOK), `href="/tariff?version=1">Version 1`, "Nothing.")
	for _, id := range []string{"x", "00000000-0000-0000-0000-000000000000", strings.ToUpper(ids[0].String()), "%ff"} {
		wantAll(t, w.get("/events/"+id, http.StatusNotFound), "There is no such event")
	}
}

func twei(t *testing.T, text string) domain.Twei {
	t.Helper()
	a, err := domain.ParseTwei(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestReportPage(t *testing.T) {
	w := openListed(t).article()
	before := w.statement(domain.Scope{PostID: workload.ArticlePost}, projections.AsOf{})
	bought := w.ledger.IssueReport(t.Context(), workload.ArticlePost, "raphael", "k1")
	if bought.Result != domain.Recorded {
		t.Fatalf("%+v", bought)
	}
	w.settle()
	id := bought.Recorded.Event.ReportID
	address := "/reports/" + id
	page := w.get(address, http.StatusOK)
	_, _, total, err := before.Sums.Subtotals()
	w.must(err)
	wantAll(t, page, workload.ArticleTitle, `data-key="total">`+string(signedAmount(total)), `href="/accounts/raphael"`,
		"tweiledger verify", `href="/v1/reports/`+id, `href="`+eventHref(bought.Recorded.ID)+`"`,
		fmt.Sprintf(`href="/posts/%s?size=%d"`, workload.ArticlePost, before.Size), "<dt>Price</dt>")
	if strings.Contains(page, "data-live=") {
		t.Error("a report is live")
	}
	// What comes later changes nothing of it.
	w.record(liked(workload.ArticlePost, "u1"),
		domain.Engagement{Type: domain.PostChanged, PostID: workload.ArticlePost, Title: "Another title"})
	later := w.get(address, http.StatusOK)
	head, tail := "<main", "</main>"
	if between(page, head, tail) != between(later, head, tail) {
		t.Error("the report changed")
	}
	for _, unknown := range []string{"x", "treasury", "a%2Fb", "%ff", strings.Repeat("x", domain.MaxIDBytes)} {
		w.get("/reports/"+unknown, http.StatusNotFound)
	}
}

func between(text, head, tail string) string {
	_, text, _ = strings.Cut(text, head)
	text, _, _ = strings.Cut(text, tail)
	return text
}

// TestHostilePages holds that no title, id or note gets out of its place.
func TestHostilePages(t *testing.T) {
	w := openListed(t)
	long := strings.Repeat("W", domain.MaxIDBytes)
	post := published(1)
	post.Title, post.AccountID = `<script>alert(1)</script>"><img src=x onerror=alert(1)>`, long
	ids := w.record(post, liked("p01", "javascript:alert"), liked("p01", "entries"))
	reversal := w.ledger.Reverse(t.Context(), ids[1], `<b>"{{.Content}}`, "<script>ops")
	if reversal.Rejection != nil {
		t.Fatal(reversal.Rejection)
	}
	w.settle()
	bought := w.ledger.IssueReport(t.Context(), "p01", long, `"><script>`)
	w.settle()
	addresses := []string{"/entries", "/posts/p01/entries", "/accounts/entries/entries",
		"/accounts/javascript:alert/entries?line=earned_for_pluses&x=%22%3E%3Cscript%3E",
		"/posts/p01/entries?size=3&account=" + long + "&%3Cscript%3E=%3Cb%3E",
		"/reports/" + bought.Recorded.Event.ReportID, eventHref(bought.Recorded.ID), eventHref(reversal.Recorded.ID)}
	for _, id := range ids {
		addresses = append(addresses, eventHref(id))
	}
	for _, address := range addresses {
		page := w.get(address, http.StatusOK)
		if n := strings.Count(page, "<script"); n != 1 { // The layout's own.
			t.Errorf("%s: %d scripts", address, n)
		}
		for _, text := range []string{"<img", `href="javascript:`, "<b>", "style=", "ZgotmplZ"} {
			if strings.Contains(page, text) {
				t.Errorf("%s: the page has %q", address, text)
			}
		}
	}
}
