package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// demoAnswers returns what the demo's routes answer, by path.
func demoAnswers(t *testing.T, d *Demo) map[string]*httptest.ResponseRecorder {
	t.Helper()
	answers := map[string]*httptest.ResponseRecorder{}
	for _, route := range d.routes() {
		if route.Access != Open || route.Costly {
			t.Errorf("%s is not open to everybody", route.Path)
		}
		answers[route.Path] = httptest.NewRecorder()
		route.Handler(answers[route.Path], httptest.NewRequest(http.MethodGet, route.Path, nil))
	}
	return answers
}

// TestDemo reads the publisher's page, and what it loads.
func TestDemo(t *testing.T) {
	answers := demoAnswers(t, &Demo{
		Post: workload.ArticlePost, Author: workload.ArticleAuthor, Reader: workload.ArticleReader,
		Accounts: workload.ArticleAccounts(),
	})
	if to := answers["/demo"].Header().Get("Location"); to != "/demo/" {
		t.Errorf("/demo leads to %q", to)
	}
	for path, mediaType := range map[string]string{"/demo/demo.css": "text/css", "/demo/demo.js": "text/javascript"} {
		a := answers[path]
		if a.Code != http.StatusOK || !strings.HasPrefix(a.Header().Get("Content-Type"), mediaType) || a.Body.Len() == 0 {
			t.Errorf("%s: %d, %s, %d bytes", path, a.Code, a.Header().Get("Content-Type"), a.Body.Len())
		}
	}
	article := answers["/demo/"]
	if got := article.Header().Get("Content-Security-Policy"); got != contentSecurityPolicy {
		t.Errorf("its policy is %q", got)
	}
	page := article.Body.String()
	wantAll(t, page, "<h1>"+workload.ArticleTitle+"</h1>", "<strong>"+workload.ArticleAuthor+"</strong>", "29 January 2026",
		`data-post="`+workload.ArticlePost+`"`, `<tweiledger-statement id="statement" post="`+workload.ArticlePost+`"`,
		`src="/embed.js"`, `href="/posts/`+workload.ArticlePost+`"`, `href="/log"`)
	for _, account := range workload.ArticleAccounts() {
		wantAll(t, page, `<option value="`+account+`">`)
	}
	// Nothing of the page runs or looks but by its files.
	if within := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(>| [^>]*>[^<])`).FindString(page); within != "" {
		t.Errorf("the page has %q in it", within)
	}
}

// TestDemoComments finds words for each comment of the sample, and for no other.
func TestDemoComments(t *testing.T) {
	page := demoAnswers(t, &Demo{Post: workload.ArticlePost})["/demo/"].Body.String()
	var told, made []string
	for _, match := range regexp.MustCompile(`data-comment="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		told = append(told, match[1])
	}
	for _, line := range workload.Article() {
		if !strings.Contains(string(line), "tweiledger.comment.added.v1") {
			continue
		}
		made = append(made, regexp.MustCompile(`"comment_id":"([^"]*)"`).FindStringSubmatch(string(line))[1])
	}
	if !slices.Equal(told, made) {
		t.Errorf("the page has words for %v; the sample has %v", told, made)
	}
}

// TestDemoEscapes names the demo's accounts as they should not be.
func TestDemoEscapes(t *testing.T) {
	hostile := `"><script>alert(1)</script>`
	page := demoAnswers(t, &Demo{Post: hostile, Author: hostile, Reader: hostile, Accounts: []string{hostile}})["/demo/"]
	if strings.Contains(page.Body.String(), "<script>alert") {
		t.Error("a name is read as HTML")
	}
}
