package httpapi

import (
	"net/http"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// maxStatements is how many posts' statements one answer holds.
const maxStatements = 100

// getPostStatement serves GET /v1/posts/{post}/pnl: the statement of a post, or of an account under it.
func (a *API) getPostStatement(w http.ResponseWriter, r *http.Request) error {
	post, err := pathID(r, "post")
	if err != nil {
		return err
	}
	values, err := query(r, paramMinPosition, param{name: "account"})
	if err != nil {
		return err
	}
	account, err := queryID(values, "account")
	if err != nil {
		return err
	}
	return a.read(w, r, values, statementOf(domain.Scope{PostID: post, AccountID: account}))
}

// getAccountStatement serves GET /v1/accounts/{account}/pnl.
func (a *API) getAccountStatement(w http.ResponseWriter, r *http.Request) error {
	account, err := pathID(r, "account")
	if err != nil {
		return err
	}
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, statementOf(domain.Scope{AccountID: account}))
}

// getPlatformStatement serves GET /v1/pnl.
func (a *API) getPlatformStatement(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, statementOf(domain.Scope{}))
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
		dst = append(dst, `{"statements":[`...)
		for i, post := range posts {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendStatement(s, dst, domain.Scope{PostID: post}); err != nil {
				return nil, err
			}
		}
		return append(dst, `]}`...), nil
	})
}

func statementOf(scope domain.Scope) appendBody {
	return func(s *projections.Snapshot, dst []byte) ([]byte, error) { return appendStatement(s, dst, scope) }
}

func appendStatement(s *projections.Snapshot, dst []byte, scope domain.Scope) ([]byte, error) {
	statement, err := s.Statement(scope, projections.AsOf{})
	if err != nil {
		return nil, err
	}
	return statement.AppendJSON(dst)
}
