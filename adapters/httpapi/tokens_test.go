package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

// aHash is a hash that no token of a test has.
var aHash = strings.Repeat("0f", 32)

// TestBadTokensFiles has a row for each way in which a tokens' file can be wrong, with its place.
func TestBadTokensFiles(t *testing.T) {
	good := func(name, hash, roles string) string {
		return fmt.Sprintf("- {name: %s, sha256: %s, roles: %s}\n", name, hash, roles)
	}
	web := "tokens:\n" + good("web", aHash, "[write]")
	other := strings.Repeat("1e", 32)
	for name, test := range map[string]struct{ text, want string }{
		"empty":              {"", "f:1:1: nothing is in it: tokens must be a list of at least one token"},
		"only comments":      {"# none\n", "f:1:1: nothing is in it"},
		"two documents":      {web + "---\n" + web, "f:1:1: must be one YAML document, not 2"},
		"no mapping":         {"- web\n", "f:1:1: must be a mapping"},
		"no YAML":            {"tokens: [\n", "f:1:9: not valid YAML"},
		"no UTF-8":           {"tokens: \xff\n", "f:1:1: not valid UTF-8"},
		"no tokens":          {"public_statements: true\n", "tokens: must be a list of at least one token"},
		"an empty list":      {"tokens: []\n", "f:1:9: tokens: must be a list"},
		"nothing":            {"tokens:\n", "tokens: must be a list"},
		"an unknown member":  {"token: []\n" + web, `f:1:1: "token" is not known here`},
		"one of a token":     {"tokens:\n- {name: web, sha256: " + aHash + ", roles: [write], x: 1}\n", `"x" is not known here`},
		"a member twice":     {web + web, "f:3:1: tokens stands twice"},
		"not true or false":  {"public_statements: yes\n" + web, "f:1:20: public_statements: must be true or false"},
		"no name":            {"tokens:\n- {sha256: " + aHash + ", roles: [write]}\n", "f:2:3: name: is missing"},
		"no hash":            {"tokens:\n- {name: web, roles: [write]}\n", "f:2:3: sha256: is missing"},
		"no roles":           {"tokens:\n- {name: web, sha256: " + aHash + "}\n", "f:2:3: roles: is missing"},
		"a token's text":     {"tokens: [web]\n", "f:1:10: must be a mapping with name"},
		"a bad name":         {"tokens:\n" + good(`"a b"`, aHash, "[write]"), `f:2:10: name: "a b" is no name`},
		"a name's list":      {"tokens:\n" + good("[a]", aHash, "[write]"), "f:2:10: name: must be a text"},
		"the same name":      {web + good("web", other, "[read]"), "f:3:10: name: another token has the name web"},
		"the same secret":    {web + good("app", aHash, "[read]"), "f:3:23: sha256: the token web has the same secret"},
		"a short hash":       {"tokens:\n" + good("web", aHash[2:], "[write]"), "f:2:23: sha256: must be the SHA-256"},
		"a hash of other":    {"tokens:\n" + good("web", strings.Repeat("g", 64), "[write]"), "f:2:23: sha256: must be the SHA-256"},
		"no role":            {"tokens:\n" + good("web", aHash, "[]"), "roles: must be a list"},
		"a role's text":      {"tokens:\n" + good("web", aHash, "write"), "roles: must be a list"},
		"an unknown role":    {"tokens:\n" + good("web", aHash, "[write, admin]"), `f:2:104: roles: "admin" is no role`},
		"a role in capitals": {"tokens:\n" + good("web", aHash, "[Write]"), `"Write" is no role`},
		"a role twice":       {"tokens:\n" + good("web", aHash, "[read, read]"), "the role read stands twice"},
		"a bad account":      {"tokens:\n" + good("web", aHash, `["read:a/b"]`), `"a/b" is no account's id`},
		"no account":         {"tokens:\n" + good("web", aHash, `["read:"]`), `"" is no account's id`},
		"the treasury":       {"tokens:\n" + good("web", aHash, `["read:treasury"]`), `"treasury" is no account's id`},
		"an anchor":          {"tokens:\n" + good("&x web", aHash, "[write]"), "f:2:10: name: must be a text"},
		"a pair as a role":   {"tokens:\n" + good("web", aHash, "[write: u1]"), `write "read:ACCOUNT" in quotes`},
	} {
		set, err := parseTokens("f", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%s: %+v, %v, want %s", name, set, err, test.want)
		}
	}
}

// TestTokensFile reads a file as a person writes it.
func TestTokensFile(t *testing.T) {
	digits := strings.Repeat("12", 30) + "e123"
	set, err := parseTokens("f", []byte(`# who may
public_statements: true
tokens:
- {name: 4711, sha256: `+digits+`, roles: [read:u1, "read:a:b", audit]}
- name: app
  sha256: "`+strings.ToUpper(aHash)+`"
  roles:
    - write
    - read:u2
`))
	if err != nil {
		t.Fatal(err)
	}
	if !set.public || len(set.tokens) != 2 {
		t.Fatalf("%+v", set)
	}
	for i, want := range []string{"4711 [read:u1 read:a:b audit]", "app [write read:u2]"} {
		if got := fmt.Sprint(set.tokens[i].name, " ", set.tokens[i].roles); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestNewTokensAreTaken: the line that NewToken gives is one of a tokens' file, and its secret is found by it.
func TestNewTokensAreTaken(t *testing.T) {
	id := rapid.StringMatching(`[A-Za-z0-9._~:@-]{1,20}`).Filter(domain.ValidID)
	word := rapid.SampledFrom([]string{"true", "null", "y", "~", "-", ":", "a:", "1e5", "0x1f", "-.inf", "@", "...", "---", "2026-01-29"})
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(id, word).Draw(t, "name")
		roles := []string{readPrefix + rapid.OneOf(id, word).Draw(t, "account"), roleWrite}
		secret, line, err := NewToken(name, roles)
		if err != nil {
			t.Fatal(err)
		}
		set, err := parseTokens("f", []byte("tokens:\n"+line+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		found := set.find([]string{"Bearer " + secret})
		if found == nil || found.name != name || fmt.Sprint(found.roles) != fmt.Sprint(roles) {
			t.Fatalf("%s gives %+v", line, found)
		}
		if strings.Contains(line, secret) || len(secret) < len(secretPrefix)+43 || !strings.HasPrefix(secret, secretPrefix) {
			t.Fatalf("the secret %s of %s", secret, line)
		}
	})
	first, _, _ := NewToken("a", []string{roleRead})
	second, _, _ := NewToken("a", []string{roleRead})
	if first == second {
		t.Error("two tokens have one secret")
	}
	for _, roles := range [][]string{nil, {"admin"}, {"read:"}, {roleRead, roleRead}} {
		if _, _, err := NewToken("a", roles); err == nil {
			t.Errorf("a token with the roles %q is made", roles)
		}
	}
	if _, _, err := NewToken("a b", []string{roleRead}); err == nil {
		t.Error("a bad name is taken")
	}
}

// TestTokensAreReadAgain: the file's changes hold from the second look on that finds them, and errors leave the old in
// force and are told once.
func TestTokensAreReadAgain(t *testing.T) {
	var logged bytes.Buffer
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(name string) (secret, line string) {
		secret, line, err := NewToken(name, []string{roleRead})
		if err != nil {
			t.Fatal(err)
		}
		return secret, "tokens:\n" + line + "\n"
	}
	one, first := line("one")
	two, second := line("two")
	write(first)
	tokens, err := OpenTokens(path, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	knows := func(secret string) bool { return tokens.current().find([]string{"Bearer " + secret}) != nil }
	look := func(times int) {
		for range times {
			tokens.file.look(true)
		}
	}
	write(second)
	look(1)
	if !knows(one) || knows(two) {
		t.Error("what one look found is taken already")
	}
	look(1)
	if knows(one) || !knows(two) || strings.Count(logged.String(), "tokens_reloaded") != 1 {
		t.Errorf("the change was not taken: %s", logged.String())
	}
	loaded := tokens.Status().Loaded

	for _, broken := range []func(){func() { write("tokens: [\n") }, func() { os.Remove(path) }, func() { write(strings.Repeat("#", maxReloadedBytes+1)) }} {
		logged.Reset()
		broken()
		look(5)
		tokens.Reload()
		status := tokens.Status()
		if !knows(two) || status.Err == nil || status.Tokens != 1 || !status.Loaded.Equal(loaded) {
			t.Errorf("a broken file: %+v", status)
		}
		if n := strings.Count(logged.String(), "level=ERROR msg=tokens_refused"); n != 1 {
			t.Errorf("told %d times: %s", n, logged.String())
		}
	}
	// Put right as it was, and then replaced by another file at once.
	write(second)
	look(2)
	if status := tokens.Status(); !knows(two) || status.Err != nil {
		t.Errorf("put right: %+v", status)
	}
	if err := os.WriteFile(path+".new", []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	tokens.Reload()
	if !knows(one) || knows(two) {
		t.Error("Reload waits for a second look")
	}
}

// TestWatchLooksAgain lets time pass until a change is taken.
func TestWatchLooksAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	_, line, _ := NewToken("a", []string{roleRead})
	if err := os.WriteFile(path, []byte("tokens:\n"+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		tokens, err := OpenTokens(path, discarded())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go tokens.Watch(ctx)
		_, more, _ := NewToken("b", []string{roleRead})
		if err := os.WriteFile(path, []byte("tokens:\n"+line+"\n"+more+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * pollInterval)
		synctest.Wait()
		if n := tokens.Status().Tokens; n != 2 {
			t.Errorf("%d tokens", n)
		}
		cancel()
	})
}

// follow follows the log as a token, line by line.
func (g *guarded) follow(t *testing.T, name string) *bufio.Scanner {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), "GET", g.server.URL+"/v1/log?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	g.as(name)(r)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("status %d", res.StatusCode)
	}
	return bufio.NewScanner(res.Body)
}

// take takes a token away.
func (g *guarded) take(t *testing.T, name string) {
	t.Helper()
	delete(g.lines, name)
	g.write(t, false)
	g.tokens.Reload()
}

// TestWhyStreamsEnd: a stream of a token that was taken away, or lost the role, ends for that, and one that the service
// ends for that.
func TestWhyStreamsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*guarded)
		want *problem
	}{
		"no token": {func(g *guarded) { g.take(t, "read") }, accessRead.refusal(nil, true)},
		"no role": {func(g *guarded) {
			g.lines["read"] = strings.Replace(g.lines["read"], "read]", "audit]", 1)
			g.write(t, false)
			g.tokens.Reload()
		}, accessRead.refusal(&token{}, true)},
		"service": {func(g *guarded) { g.api.Drain() }, errDraining},
	} {
		g := openGuarded(t, false)
		r := httptest.NewRequest("GET", "/v1/accounts", nil)
		g.as("read")(r)
		res := &response{ResponseWriter: httptest.NewRecorder(), route: &route{access: accessRead}}
		if err := g.api.admit(res, r); err != nil {
			t.Fatal(err)
		}
		s, err := g.api.openStream(res, r, drainTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.why(); err != nil {
			t.Errorf("%s: ended at once: %v", name, err)
		}
		test.end(g)
		<-s.ending.Done()
		list := &balanceList{to: s}
		var got *problem
		if err := list.flush(); !errors.As(err, &got) || *got != *test.want {
			t.Errorf("%s: a listing ends with %v, not %v", name, err, test.want)
		}
		s.close()
	}
}

// TestStreamsEndWithTheirToken takes the token of open streams away: each answers what it took and ends, as when the
// service drains, and those of others go on.
func TestStreamsEndWithTheirToken(t *testing.T) {
	g := openGuarded(t, false)
	g.do("POST", "/v1/events", mediaStructured, event("post.published", "publish-p1", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`), g.as("all")).want(t, 201)
	removed := converse(t, g.server.URL, g.as("write"))
	removed.send(liked("e-1", "p1", "u2") + "\n")
	removed.want(1, "recorded")
	kept := converse(t, g.server.URL, g.as("all"))
	follows := g.follow(t, "audit")
	if !follows.Scan() {
		t.Fatal(follows.Err())
	}

	delete(g.lines, "write")
	delete(g.lines, "audit")
	g.write(t, false)
	g.tokens.Reload()
	removed.ended()
	for follows.Scan() {
	}
	if err := follows.Err(); err != nil {
		t.Errorf("what follows the log was cut off: %v", err)
	}
	kept.send(liked("e-2", "p1", "u3") + "\n")
	kept.want(1, "recorded")
	g.get("/v1/log", g.as("audit")).want(t, 401)

	// A token that lost the role ends its streams too.
	g.lines["all"] = strings.Replace(g.lines["all"], "write, ", "", 1)
	g.write(t, false)
	g.tokens.Reload()
	kept.ended()
}
