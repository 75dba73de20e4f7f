package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// token is one line of the tokens' file.
type token struct {
	// name is who asks: in logs, and `by` of what an operator asks for.
	name string
	// hash is the SHA-256 of the secret, which nothing here keeps.
	hash  [sha256.Size]byte
	roles []string
}

// has reports whether a token has a role. Nobody has none.
func (t *token) has(role string) bool { return t != nil && slices.Contains(t.roles, role) }

// tokenSet is what a tokens' file says. It is never changed.
type tokenSet struct {
	// public opens posts' statements to everybody.
	public bool
	tokens []token
}

// find returns the token whose secret an Authorization header holds, nil if there is none. How long it takes says
// nothing about the secrets: every one is compared, by its hash, in constant time.
func (s *tokenSet) find(authorization []string) *token {
	secret, ok := bearer(authorization)
	if !ok {
		return nil
	}
	return s.withHash(sha256.Sum256([]byte(secret)))
}

func (s *tokenSet) withHash(hash [sha256.Size]byte) *token {
	found := -1
	for i := range s.tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], s.tokens[i].hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &s.tokens[found]
}

// bearer returns the token that an Authorization header holds (RFC 6750, section 2.1). A header that stands twice holds
// none.
func bearer(authorization []string) (secret string, ok bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, secret, _ := strings.Cut(authorization[0], " ")
	secret = strings.Trim(secret, " ")
	return secret, strings.EqualFold(scheme, "Bearer") && secret != ""
}

// Tokens says who may, by a tokens' file that is read again when it changes. It is safe for any number of goroutines.
//
// The file is YAML:
//
//	public_statements: false    # true opens posts' statements to everybody
//	tokens:
//	  - {name: web, sha256: 9f86…, roles: [write]}
//	  - {name: leonardo, sha256: 60303…, roles: ["read:leonardo"]}
type Tokens struct {
	file reloaded[*tokenSet]
}

// OpenTokens reads a tokens' file. What is wrong in it is named with its line and column.
func OpenTokens(path string, logger *slog.Logger) (*Tokens, error) {
	t := &Tokens{reloaded[*tokenSet]{what: "tokens", paths: []string{path}, logger: logger}}
	t.file.parse = func(contents [][]byte) (*tokenSet, error) { return parseTokens(path, contents[0]) }
	return t, t.file.open()
}

// CheckTokens says what is wrong with the text of a tokens' file, with its line and column, or nil. path is what the
// error calls the file, which is not read.
func CheckTokens(path string, text []byte) error {
	_, err := parseTokens(path, text)
	return err
}

// Watch reads the file again when it changes, until ctx ends. A file with an error leaves in force what was before, and
// the log says so once.
func (t *Tokens) Watch(ctx context.Context) { t.file.watch(ctx) }

// Reload reads the file now.
func (t *Tokens) Reload() { t.file.look(false) }

// TokensStatus is how the tokens' file fares.
type TokensStatus struct {
	// Loaded is when what is in force was read, Tokens how many tokens it has.
	Loaded time.Time
	Tokens int
	// Err is why the file as it is now is not in force, nil if it is.
	Err error
}

// Status returns how the file fares.
func (t *Tokens) Status() TokensStatus {
	now := t.file.current.Load()
	return TokensStatus{now.at, len(now.value.tokens), t.file.failure()}
}

func (t *Tokens) current() *tokenSet { return t.file.current.Load().value }

// secretPrefix begins every secret, so that one which leaked is recognised for what it is.
const secretPrefix = "twl_"

// NewToken makes a token and returns its secret, and the line of the tokens' file that lets it in.
func NewToken(name string, roles []string) (secret, line string, err error) {
	if err := checkTokenName(name); err != nil {
		return "", "", err
	}
	if len(roles) == 0 {
		return "", "", errNoRole
	}
	for i, role := range roles {
		if err := checkRole(role); err != nil {
			return "", "", err
		}
		if slices.Contains(roles[:i], role) {
			return "", "", fmt.Errorf("the role %s stands twice", role)
		}
	}
	var random [sha256.Size]byte
	// It never fails.
	_, _ = rand.Read(random[:])
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(secret))
	quoted := make([]string, len(roles))
	for i, role := range roles {
		quoted[i] = quoteYAML(role)
	}
	line = fmt.Sprintf("- {name: %s, sha256: %s, roles: [%s]}",
		quoteYAML(name), hex.EncodeToString(sum[:]), strings.Join(quoted, ", "))
	return secret, line, nil
}

func checkTokenName(name string) error {
	if !domain.ValidID(name) {
		return fmt.Errorf("%.140q is no name: 1 to %d characters of A–Z a–z 0–9 . _ ~ : @ -", name, domain.MaxIDBytes)
	}
	return nil
}
