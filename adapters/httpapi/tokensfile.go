package httpapi

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	yamltoken "github.com/goccy/go-yaml/token"
)

var errNoRole = errors.New("a token needs at least one role")

// tokensFile is a tokens' file that is being read.
type tokensFile struct{ name string }

// parseTokens reads the text of a tokens' file. name is what errors call it.
func parseTokens(name string, text []byte) (*tokenSet, error) {
	f := tokensFile{name}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, f.errorAt(nil, "not valid UTF-8")
	}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var placed yaml.Error
		if errors.As(err, &placed) {
			return nil, f.errorAt(placed.GetToken(), "not valid YAML: %s", placed.GetMessage())
		}
		return nil, f.errorAt(nil, "not valid YAML: %v", err)
	}
	if len(file.Docs) > 1 {
		return nil, f.errorAt(nil, "must be one YAML document, not %d", len(file.Docs))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, f.errorAt(nil, "nothing is in it: tokens must be a list of at least one token: "+
			"tweiledger token new makes one")
	}
	return f.set(file.Docs[0].Body)
}

// errorAt returns an error at a token of the file; without one at its beginning.
func (f tokensFile) errorAt(at *yamltoken.Token, format string, args ...any) error {
	line, column := 1, 1
	if at != nil && at.Position != nil {
		line, column = at.Position.Line, at.Position.Column
	}
	return fmt.Errorf("%s:%d:%d: %s", f.name, line, column, fmt.Sprintf(format, args...))
}

func (f tokensFile) set(document ast.Node) (*tokenSet, error) {
	members, err := f.members(document, "public_statements", "tokens")
	if err != nil {
		return nil, err
	}
	s := new(tokenSet)
	if node := members["public_statements"]; node != nil {
		value, ok := node.(*ast.BoolNode)
		if !ok {
			return nil, f.errorAt(node.GetToken(), "public_statements: must be true or false")
		}
		s.public = value.Value
	}
	list, ok := members["tokens"].(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		at := document
		if members["tokens"] != nil {
			at = members["tokens"]
		}
		return nil, f.errorAt(at.GetToken(), "tokens: must be a list of at least one token: tweiledger token new makes one")
	}
	for _, node := range list.Values {
		if err := f.add(s, node); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add reads one token into a set.
func (f tokensFile) add(s *tokenSet, node ast.Node) error {
	members, err := f.members(node, "name", "sha256", "roles")
	if err != nil {
		return err
	}
	for _, name := range []string{"name", "sha256", "roles"} {
		if members[name] == nil {
			return f.errorAt(node.GetToken(), "%s: is missing", name)
		}
	}
	var t token
	if t.name, err = f.text(members["name"]); err == nil {
		err = checkTokenName(t.name)
	}
	if err == nil && slices.ContainsFunc(s.tokens, func(other token) bool { return other.name == t.name }) {
		err = fmt.Errorf("another token has the name %s", t.name)
	}
	if err != nil {
		return f.errorAt(members["name"].GetToken(), "name: %v", err)
	}
	if err := f.readHash(&t, members["sha256"]); err != nil {
		return f.errorAt(members["sha256"].GetToken(), "sha256: %v", err)
	}
	if other := s.withHash(t.hash); other != nil {
		return f.errorAt(members["sha256"].GetToken(), "sha256: the token %s has the same secret", other.name)
	}
	if t.roles, err = f.roles(members["roles"]); err != nil {
		return err
	}
	s.tokens = append(s.tokens, t)
	return nil
}

func (f tokensFile) readHash(t *token, node ast.Node) error {
	text, err := f.text(node)
	if err != nil {
		return err
	}
	hash, err := hex.DecodeString(text)
	if err != nil || len(hash) != len(t.hash) {
		// What stands there may be the secret itself, which belongs into no log.
		return fmt.Errorf("must be the SHA-256 of the secret: %d hexadecimal digits", 2*len(t.hash))
	}
	copy(t.hash[:], hash)
	return nil
}

func (f tokensFile) roles(node ast.Node) (roles []string, err error) {
	list, ok := node.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		return nil, f.errorAt(node.GetToken(), "roles: must be a list: %v", errNoRole)
	}
	for _, item := range list.Values {
		role, err := f.role(item)
		if err == nil {
			err = checkRole(role)
		}
		if err == nil && slices.Contains(roles, role) {
			err = fmt.Errorf("the role %s stands twice", role)
		}
		if err != nil {
			return nil, f.errorAt(item.GetToken(), "roles: %v", err)
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// role reads a role. Within brackets the YAML parser takes read:u1 without quotes for a mapping of one pair.
func (f tokensFile) role(node ast.Node) (string, error) {
	pair, ok := node.(*ast.MappingNode)
	if !ok {
		return f.text(node)
	}
	if len(pair.Values) == 1 && pair.Values[0].Key.GetToken().Value == roleRead {
		if account, err := f.text(pair.Values[0].Value); err == nil {
			return readPrefix + account, nil
		}
	}
	return "", errors.New(`must be a text: write "read:ACCOUNT" in quotes`)
}

// members returns the members of a mapping. Each is one of names and stands once.
func (f tokensFile) members(node ast.Node, names ...string) (map[string]ast.Node, error) {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		return nil, f.errorAt(node.GetToken(), "must be a mapping with %s", strings.Join(names, ", "))
	}
	members := map[string]ast.Node{}
	for _, pair := range mapping.Values {
		at := pair.Key.GetToken()
		switch _, twice := members[at.Value]; {
		case !slices.Contains(names, at.Value):
			return nil, f.errorAt(at, "%.80q is not known here: there is %s", at.Value, strings.Join(names, ", "))
		case twice:
			return nil, f.errorAt(at, "%s stands twice", at.Value)
		}
		members[at.Value] = pair.Value
	}
	return members, nil
}

// text returns a scalar as it stands in the file: digits alone are a text here.
func (tokensFile) text(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, nil
	}
	return "", errors.New("must be a text")
}

// quoteYAML returns a name or a role as it is written in a flow mapping. What could be read as anything else than a
// text is quoted; nothing in an identifier needs an escape.
func quoteYAML(s string) string {
	word := strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
	if word && s[0] != '-' && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, s) {
		return s
	}
	return `"` + s + `"`
}
