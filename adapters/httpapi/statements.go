package httpapi

import (
	"net/http"
	"net/url"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// maxStatements is how many posts' statements one answer holds.
const maxStatements = 100

// getPostStatement serves GET /v1/posts/{post}/pnl: the statement of a post, or of an account under it.
func (a *API) getPostStatement(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := postScope(r, asOfParams)
	if err != nil {
		return err
	}
	return a.readStatement(w, r, values, scope)
}

// getAccountStatement serves GET /v1/accounts/{account}/pnl.
func (a *API) getAccountStatement(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := accountScope(r, asOfParams)
	if err != nil {
		return err
	}
	return a.readStatement(w, r, values, scope)
}

// getPlatformStatement serves GET /v1/pnl.
func (a *API) getPlatformStatement(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, asOfParams...)
	if err != nil {
		return err
	}
	return a.readStatement(w, r, values, domain.Scope{})
}

// readStatement answers with a scope's statement, as of what the query says.
func (a *API) readStatement(w http.ResponseWriter, r *http.Request, values url.Values, scope domain.Scope) error {
	return a.readAsOf(w, r, values, func(s *projections.Snapshot, dst []byte, asOf projections.AsOf) ([]byte, error) {
		return appendStatement(r.Context(), s, dst, scope, asOf)
	})
}

// getStatements serves GET /v1/statements: those of several posts, as of one size.
func (a *API) getStatements(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition, param{name: "post", repeated: true})
	if err != nil {
		return err
	}
	posts := values["post"]
	if len(posts) < 1 || len(posts) > maxStatements {
		return problemf(codeBadRequest, "post", "stands %d times, 1 to %d are allowed", len(posts), maxStatements)
	}
	named := map[string]bool{}
	for _, post := range posts {
		if _, err := validID("post", post); err != nil {
			return err
		}
		if named[post] {
			return problemf(codeBadRequest, "post", "%q stands twice", post)
		}
		named[post] = true
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		dst, err := appendList(append(dst, `{"statements":`...), posts, func(dst []byte, post *string) ([]byte, error) {
			return appendStatement(r.Context(), s, dst, domain.Scope{PostID: *post}, projections.AsOf{})
		})
		return append(dst, '}'), err
	})
}
