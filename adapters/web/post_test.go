package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// A post's page is whole without the role read, but leads nowhere that needs it, and shows no account's part: who sent no
// token is asked for one, who sent another is told that it does not do.
func TestPostWithoutRole(t *testing.T) {
	w := openListed(t).article()
	w.pages.MayRead = func(*http.Request) bool { return false }
	page := w.get("/posts/"+workload.ArticlePost, http.StatusOK)
	wantAll(t, page, "Total Twei Earned", "Post Publish Tribute", "Available from LVL 13", "muchacha")
	for _, path := range []string{"/entries", `href="/accounts/`} {
		if strings.Contains(page, path) {
			t.Errorf("the page leads to %s", path)
		}
	}
	for token, status := range map[string]int{"": http.StatusUnauthorized, "Bearer other": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/posts/"+workload.ArticlePost+"?account=raphael", nil)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		answer := httptest.NewRecorder()
		w.router.ServeHTTP(answer, r)
		if answer.Code != status {
			t.Errorf("with the token %q it is %d, not %d", token, answer.Code, status)
		}
	}
}
