package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tweiledger/tweiledger/domain"
)

// The roles of a token (DESIGN section 6). A token has all of those that its line gives it.
const (
	// roleWrite sends engagements and buys reports.
	roleWrite = "write"
	// roleOperate publishes tariffs, reverses and reinstates.
	roleOperate = "operate"
	// roleRead reads everything.
	roleRead = "read"
	// roleAudit reads the log, its tiles and its proofs.
	roleAudit = "audit"
	// readPrefix and an account's id read what is that account's, and nothing else.
	readPrefix = roleRead + ":"
)

// checkRole says what is wrong with a role.
func checkRole(role string) error {
	switch role {
	case roleWrite, roleOperate, roleRead, roleAudit:
		return nil
	}
	account, ofAccount := strings.CutPrefix(role, readPrefix)
	if !ofAccount {
		return fmt.Errorf("%.80q is no role: those are write, operate, read, read:ACCOUNT and audit", role)
	}
	if !domain.ValidID(account) {
		return fmt.Errorf("%.140q is no account's id", account)
	}
	return nil
}

// access is what a route asks of who calls it, where there are tokens. Without tokens every route is open.
type access uint8

const (
	// accessOpen is for everybody.
	accessOpen access = iota + 1
	// accessWrite is for the role write.
	accessWrite
	// accessOperate is for the role operate.
	accessOperate
	// accessRead is for the role read.
	accessRead
	// accessLog is for the roles read and audit.
	accessLog
	// accessAccount is for the role read, and for read:ACCOUNT where {account} in the path is it.
	accessAccount
	// accessPart is for the role read, and for read:ACCOUNT where ?account= is it.
	accessPart
	// accessStatement is like accessPart; without ?account= it is public too.
	accessStatement
	// accessPublic is for the role read, and for everybody where posts' statements are public.
	accessPublic
	// accessReport is for the role read, and for read:ACCOUNT where ACCOUNT bought the report in the path: that is known
	// only when it was read, so getReport looks at it.
	accessReport
	// accessLive is for the role read, for read:ACCOUNT where ?account= is it, and for everybody where posts' statements are
	// public and ?post= stands alone.
	accessLive
	accessEnd
)

// missing says which roles open a route, as a problem names them. Where a role opens the account's part only, its name
// ends with ACCOUNT.
var missing = [accessEnd]string{
	accessWrite:     `role "write"`,
	accessOperate:   `role "operate"`,
	accessRead:      `role "read"`,
	accessLog:       `role "read" or "audit"`,
	accessAccount:   `role "read", or "read:ACCOUNT" of the account in the path`,
	accessPart:      `role "read", or "read:ACCOUNT" and ?account= of the same account`,
	accessStatement: `role "read", or "read:ACCOUNT" and ?account= of the same account`,
	accessPublic:    `role "read"`,
	accessLive:      `role "read", or "read:ACCOUNT" and ?account= of the same account`,
	accessReport:    `role "read", or "read:ACCOUNT" of who bought the report`,
}

// admits reports whether a request may be answered: t is who asks, nil for nobody that is known, and public says that
// posts' statements are for everybody. What cannot be read in a request opens nothing.
func (a access) admits(t *token, public bool, r *http.Request) bool {
	switch a {
	case accessOpen:
		return true
	case accessWrite:
		return t.has(roleWrite)
	case accessOperate:
		return t.has(roleOperate)
	case accessRead:
		return t.has(roleRead)
	case accessLog:
		return t.has(roleRead) || t.has(roleAudit)
	case accessAccount:
		return t.has(roleRead) || t.readsPath(r)
	case accessPart:
		return t.has(roleRead) || t.readsPart(r)
	case accessStatement:
		return t.has(roleRead) || t.readsPart(r) || public && namesNoAccount(r)
	case accessLive:
		return t.has(roleRead) || t.readsPart(r) || public && namesNoAccount(r) && r.URL.Query().Has("post")
	case accessPublic:
		return t.has(roleRead) || public
	case accessReport:
		return t.has(roleRead) || t.readsSomebody()
	}
	return false
}

// readsPath reports whether a token has the role for the account in the path, decoded as the route does it.
func (t *token) readsPath(r *http.Request) bool {
	if t == nil {
		return false
	}
	account, err := pathText(r, "account")
	return err == nil && t.has(readPrefix+account)
}

// readsPart reports whether a token has the role for the one account that the query names.
func (t *token) readsPart(r *http.Request) bool {
	if t == nil {
		return false
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	accounts := values["account"]
	return err == nil && len(accounts) == 1 && t.has(readPrefix+accounts[0])
}

// readsSomebody reports whether a token has the role for any account.
func (t *token) readsSomebody() bool {
	return t != nil && slices.ContainsFunc(t.roles, func(role string) bool { return strings.HasPrefix(role, readPrefix) })
}

// namesNoAccount reports whether a query can be read and names no account, so that its answer is of all of them.
func namesNoAccount(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return true
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	return err == nil && !values.Has("account")
}

// toldOfMachine reports whether who asks an open route may know of the machine, of its paths and free space: everybody
// without tokens, with them the roles read and operate.
func (a *API) toldOfMachine(w http.ResponseWriter) bool {
	caller := w.(*response).caller
	return a.Tokens == nil || caller.has(roleRead) || caller.has(roleOperate)
}

// admit sees who asks, and returns a problem unless they may.
func (a *API) admit(res *response, r *http.Request) error {
	if a.Tokens == nil {
		return nil
	}
	set := a.Tokens.current()
	given := r.Header["Authorization"]
	res.caller = set.find(given)
	if res.route.access.admits(res.caller, set.public, r) {
		return nil
	}
	return res.route.access.refusal(res.caller, len(given) > 0)
}

// refusal is the problem of a request that is not admitted: t is who asks, nil for nobody that is known, and given says
// that there was a token, known or not.
func (a access) refusal(t *token, given bool) *problem {
	p := problemf(codeUnauthorized, "", "a bearer token is needed with %s", missing[a])
	p.challenge = "Bearer"
	switch {
	case t != nil:
		p.code, p.challenge = codeForbidden, `Bearer error="insufficient_scope"`
		p.detail = "the token needs " + missing[a]
	case given:
		p.challenge = `Bearer error="invalid_token"`
		p.detail = "Authorization holds no token of this service: " + p.detail
	}
	return p
}
