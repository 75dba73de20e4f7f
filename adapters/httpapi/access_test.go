package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// guarded is a world with a tokens' file.
type guarded struct {
	*world
	tokens *Tokens
	// file is the path of the tokens' file, lines are its tokens' by name, and secrets their secrets.
	file           string
	lines, secrets map[string]string
}

// rolesOf are the tokens of every guarded world: their names, and the roles of each.
var rolesOf = map[string][]string{
	"write": {roleWrite}, "operate": {roleOperate}, "read": {roleRead}, "audit": {roleAudit},
	"own": {readPrefix + "u1"}, "other": {readPrefix + "u2"}, "both": {readPrefix + "u2", readPrefix + "u1"},
	"all": {roleWrite, roleOperate, roleRead},
}

// openGuarded returns a world that asks for tokens.
func openGuarded(t testing.TB, public bool, changes ...func(*Config)) *guarded {
	t.Helper()
	g := &guarded{file: filepath.Join(t.TempDir(), "tokens.yaml"), lines: map[string]string{}, secrets: map[string]string{}}
	for name, roles := range rolesOf {
		secret, line, err := NewToken(name, roles)
		if err != nil {
			t.Fatal(err)
		}
		g.secrets[name], g.lines[name] = secret, line
	}
	g.write(t, public)
	guard := func(c *Config) {
		var err error
		if g.tokens, err = OpenTokens(g.file, c.Logger); err != nil {
			t.Fatal(err)
		}
		c.Tokens = g.tokens
	}
	g.world = openWorld(t, append([]func(*Config){guard}, changes...)...)
	return g
}

// write writes the tokens' file.
func (g *guarded) write(t testing.TB, public bool) {
	t.Helper()
	text := fmt.Sprintf("public_statements: %t\ntokens:\n", public)
	for _, line := range g.lines {
		text += line + "\n"
	}
	if err := os.WriteFile(g.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// as makes a request one of a token.
func (g *guarded) as(name string) change {
	return header("Authorization", "Bearer "+g.secrets[name])
}

// openedRow says whom a request is answered.
type openedRow struct {
	method, route, target string
	// to are the tokens that may, in words; public: everybody may where statements are public.
	to     string
	public bool
}

// Reports: one that u1 buys with the key k-1, and one that nobody bought.
var (
	reportOfU1     = domain.NewReportID(domain.Message{Source: domain.ReportSourcePrefix + "u1", ID: "k-1"})
	reportOfNobody = domain.NewReportID(domain.Message{Source: domain.ReportSourcePrefix + "u1", ID: "k-2"})
)

// opened is whom a request is answered: a row for each route, and one for each way in which its query decides.
var opened = []openedRow{
	{"POST", "/v1/events", "/v1/events", "write all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl", "read all", true},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u1", "read all own both", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u2", "read all other both", false},
	{"GET", "/v1/posts/{post}", "/v1/posts/p1", "read all", true},
	{"GET", "/v1/stream", "/v1/stream?post=p9", "read all", true},
	{"GET", "/v1/stream", "/v1/stream?post=p9&account=u1", "read all own both", false},
	{"GET", "/v1/stream", "/v1/stream?account=u2&unheard=of", "read all other both", false},
	{"GET", "/v1/stream", "/v1/stream?unheard=of", "read all", false},
	{"GET", "/v1/statements", "/v1/statements?post=p1", "read all", true},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u1/pnl", "read all own both", false},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u2/pnl", "read all other both", false},
	{"GET", "/v1/pnl", "/v1/pnl", "read all", false},
	{"GET", "/v1/posts", "/v1/posts", "read all", false},
	{"GET", "/v1/posts/{post}/entries", "/v1/posts/p1/entries", "read all", false},
	{"GET", "/v1/posts/{post}/entries", "/v1/posts/p1/entries?account=u1", "read all own both", false},
	{"GET", "/v1/posts/{post}/entries", "/v1/posts/p1/entries?account=u2", "read all other both", false},
	{"GET", "/v1/posts/{post}/comments", "/v1/posts/p1/comments", "read all", false},
	{"GET", "/v1/posts/{post}/history", "/v1/posts/p1/history?interval=day", "read all", false},
	{"GET", "/v1/posts/{post}/history", "/v1/posts/p1/history?interval=day&account=u1", "read all own both", false},
	{"GET", "/v1/accounts", "/v1/accounts", "read all", false},
	{"GET", "/v1/accounts/{account}/entries", "/v1/accounts/u1/entries", "read all own both", false},
	{"GET", "/v1/accounts/{account}/entries", "/v1/accounts/u2/entries", "read all other both", false},
	{"GET", "/v1/accounts/{account}/posts", "/v1/accounts/u1/posts", "read all own both", false},
	{"GET", "/v1/accounts/{account}/history", "/v1/accounts/u1/history", "read all own both", false},
	{"GET", "/v1/accounts/{account}/history", "/v1/accounts/u2/history", "read all other both", false},
	{"GET", "/v1/history", "/v1/history", "read all", false},
	{"POST", "/v1/posts/{post}/reports", "/v1/posts/p1/reports", "write all", false},
	{"GET", "/v1/reports/{report}", "/v1/reports/" + reportOfU1, "read all own both", false},
	{"GET", "/v1/reports/{report}", "/v1/reports/" + reportOfNobody, "read all", false},
	{"GET", "/v1/accounts/{account}/reports", "/v1/accounts/u1/reports", "read all own both", false},
	{"GET", "/v1/accounts/{account}/reports", "/v1/accounts/u2/reports", "read all other both", false},
	{"GET", "/v1/events", "/v1/events?source=%2Fweb&id=publish-p1", "read all", false},
	{"GET", "/v1/events/{event}", "/v1/events/00000000-0000-0000-0000-000000000000", "read all", false},
	{"GET", "/v1/log", "/v1/log", "read all audit", false},
	{"GET", "/v1/tariffs", "/v1/tariffs", "read all", false},
	{"GET", "/v1/tariffs/{version}", "/v1/tariffs/1", "read all", false},
	{"POST", "/v1/tariffs", "/v1/tariffs", "operate all", false},
	{"POST", "/v1/reversals", "/v1/reversals", "operate all", false},
	{"POST", "/v1/reinstatements", "/v1/reinstatements", "operate all", false},
	{"POST", "/v1/backups", "/v1/backups", "operate all", false},
	{"GET", "/livez", "/livez", "everybody", true},
	{"GET", "/readyz", "/readyz", "everybody", true},
	{"GET", "/metrics", "/metrics", "read all", false},
	{"GET", "/openapi.yaml", "/openapi.yaml", "everybody", true},

	// What a path or a query tries opens nothing more.
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u%31/pnl", "read all own both", false},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u%32/pnl", "read all other both", false},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/U1/pnl", "read all", false},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u1%2F..%2Fu2/pnl", "read all", false},
	{"GET", "/v1/accounts/{account}/pnl", "/v1/accounts/u3/pnl?account=u1", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u1&account=u2", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u2&account=u1", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u1&%61ccount=u2", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u1;x", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?%61ccount=u3", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?account=u%3", "read all", false},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?Account=u1", "read all", true},
	{"GET", "/v1/posts/{post}/pnl", "/v1/posts/p1/pnl?access_token=u1", "read all", true},
	{"GET", "/v1/pnl", "/v1/pnl?account=u1", "read all", false},
}

// TestWhoMay asks every route as everybody. A route without a row fails.
func TestWhoMay(t *testing.T) {
	for _, route := range routes {
		if !slices.ContainsFunc(opened, func(row openedRow) bool { return row.method == route.method && row.route == route.path }) {
			t.Errorf("%s %s has no row that says who may", route.method, route.path)
		}
	}
	for _, public := range []bool{false, true} {
		g := openGuarded(t, public)
		g.do("POST", "/v1/events", mediaStructured, event("post.published", "publish-p1", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`), g.as("write")).want(t, 201)
		g.purchase("p1", "u1", "k-1", g.as("write")).want(t, 201)
		g.settle()
		for _, row := range opened {
			for caller := range g.callers() {
				may := row.to == "everybody" || public && row.public || slices.Contains(strings.Fields(row.to), caller)
				methods := []string{row.method}
				if row.method == "GET" {
					methods = append(methods, "HEAD")
				}
				for _, method := range methods {
					g.wantAccess(t, method, row.target, caller, may)
				}
			}
		}
	}
}

// callers are the tokens, and two who have none: by name, what they send.
func (g *guarded) callers() map[string]change {
	callers := map[string]change{"nobody": func(*http.Request) {}, "stranger": header("Authorization", "Bearer twl_unknown")}
	for name := range g.secrets {
		callers[name] = g.as(name)
	}
	return callers
}

// wantAccess asks, and wants an answer, or one that says what is missing.
func (g *guarded) wantAccess(t *testing.T, method, target, caller string, may bool) {
	t.Helper()
	a := g.do(method, target, "", "", g.callers()[caller], malformed)
	status, challenge := 403, `Bearer error="insufficient_scope"`
	switch {
	case may:
		status, challenge = a.status, ""
		if a.status == 401 || a.status == 403 || a.status == 405 || method == "GET" && a.status == 500 {
			t.Errorf("%s %s as %s: %d %s", method, target, caller, a.status, a.body)
		}
	case caller == "nobody":
		status, challenge = 401, "Bearer"
	case caller == "stranger":
		status, challenge = 401, `Bearer error="invalid_token"`
	}
	if a.status != status || a.header.Get("WWW-Authenticate") != challenge {
		t.Errorf("%s %s as %s: %d %s %s", method, target, caller, a.status, a.header.Get("WWW-Authenticate"), a.body)
	}
	if !may && method != "HEAD" && !strings.Contains(string(a.body), `role \"`) {
		t.Errorf("%s %s as %s: %s does not say what is missing", method, target, caller, a.body)
	}
}

// TestAuthorizationHeader has a row for each way to show a token.
func TestAuthorizationHeader(t *testing.T) {
	g := openGuarded(t, false)
	secret := g.secrets["read"]
	for value, status := range map[string]int{
		"Bearer " + secret: 200, "bearer " + secret: 200, "BEARER   " + secret + " ": 200,
		secret: 401, "Basic " + secret: 401, "Bearer" + secret: 401, "Bearer": 401, "Bearer ": 401, "": 401,
		"Bearer " + secret + "x": 401, "Bearer " + secret[:len(secret)-1]: 401, "Bearer " + strings.ToUpper(secret): 401,
		"Bearer " + secret + ", Bearer " + secret: 401,
	} {
		if a := g.get("/v1/pnl", header("Authorization", value)); a.status != status {
			t.Errorf("%q: %d %s", value, a.status, a.body)
		}
	}
	g.get("/v1/pnl", header("Authorization", "Bearer "+secret), header("Authorization", "Bearer "+secret)).want(t, 401)
	g.get("/v1/pnl?access_token="+secret, malformed).want(t, 401)
	g.do("OPTIONS", "/v1/pnl", "", "", header("Access-Control-Request-Method", "GET")).want(t, 204)
	g.get("/v1/nowhere").want(t, 404)
	// A route that somebody else added asks for the role read.
	g.api.Router().HandleFunc("/added", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for name, status := range map[string]int{"read": 204, "write": 403, "own": 403} {
		r, _ := http.NewRequest("GET", g.server.URL+"/added", nil)
		g.as(name)(r)
		res, err := g.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("an added route answers %s with %d", name, res.StatusCode)
		}
	}
}

// TestOperatorsAreNamed: what an operator asks for is by the token's name.
func TestOperatorsAreNamed(t *testing.T) {
	g := openGuarded(t, false)
	g.do("POST", "/v1/events", mediaStructured, event("post.published", "e-1", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`), g.as("all")).want(t, 201)
	g.settle()
	found := g.get("/v1/events?source=%2Fweb&id=e-1", g.as("read")).want(t, 200).members(t)["events"].([]any)[0].(map[string]any)["event"].(map[string]any)["id"]
	g.do("POST", "/v1/reversals", "application/json", fmt.Sprintf(`{"event_id":%q,"note":"n"}`, found), g.as("operate")).want(t, 201)
	g.get("/v1/log", g.as("audit")).want(t, 200, `"type":"EventReversed"`, `"by":"operate"`)
}

// TestDocumentSaysWhoMay holds the document's roles to the table of routes.
func TestDocumentSaysWhoMay(t *testing.T) {
	roles := map[access][]string{
		accessOpen: nil, accessWrite: {roleWrite}, accessOperate: {roleOperate}, accessRead: {roleRead}, accessPublic: {roleRead},
		accessLive: {roleRead, "read:{account}"},
		accessLog:  {roleRead, roleAudit}, accessAccount: {roleRead, "read:{account}"}, accessPart: {roleRead, "read:{account}"},
		accessStatement: {roleRead, "read:{account}"}, accessReport: {roleRead, "read:{account}"},
	}
	doc, _ := document()
	for _, route := range routes {
		operation := doc.Paths.Value(route.path).GetOperation(route.method)
		if operation == nil || operation.Security == nil {
			t.Errorf("%s %s: the document does not say who may", route.method, route.path)
			continue
		}
		var documented []string
		for _, requirement := range *operation.Security {
			documented = append(documented, requirement["bearer"]...)
		}
		if !slices.Equal(documented, roles[route.access]) {
			t.Errorf("%s %s: the document says %q, the table %q", route.method, route.path, documented, roles[route.access])
		}
	}
}

// discarded is a logger that nobody reads.
func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }
