package tarifffile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// tree is a document as JSON, with the place of each member.
type tree struct {
	json []byte
	// places holds where a member's value begins, by its path as domain writes it; "" is the document.
	places map[string]place
}

// place is a line and a column of the file, from 1.
type place struct{ line, column int }

// fieldError returns an error at a member, or for one that is not there at what should hold it.
func (t *tree) fieldError(field, detail string) *Error {
	path := field
	p, ok := t.places[path]
	for !ok {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		p, ok = t.places[path]
	}
	return &Error{Line: p.line, Column: p.column, Field: field, Detail: detail}
}

// reader writes a document's nodes as JSON.
type reader struct {
	*document
	*tree
	// scalars counts the scalars and keys that were written.
	scalars int
}

// value writes a node, which is the member name of its object, at a path.
func (r *reader) value(n ast.Node, name, path string) *Error {
	r.places[path] = r.begin(n)
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(n, path)
	case *ast.SequenceNode:
		return r.sequence(n, path)
	case *ast.StringNode:
		// What is too large for the YAML parser's numbers, or has an exponent, is a text to it.
		if n.GetToken().Type == token.StringType && jsontext.Value(n.Value).IsValid() {
			return r.number(n.GetToken(), name, path)
		}
		r.scalar(quoted(n.Value))
	case *ast.BoolNode:
		r.scalar(strconv.AppendBool(nil, n.Value))
	case *ast.NullNode:
		if isScalar(n.GetToken()) {
			r.scalars++
		}
		r.json = append(r.json, "null"...)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return r.number(n.GetToken(), name, path)
	default:
		return r.errorAt(n.GetToken(), path, notTaken(n))
	}
	return nil
}

func (r *reader) scalar(text []byte) {
	r.scalars++
	r.json = append(r.json, text...)
}

// number writes a number without quotes by its text in the file: as a string where the member is one in JSON, so that
// no amount is ever made a float.
func (r *reader) number(t *token.Token, name, path string) *Error {
	if name == "amount" || name == "read_min_fraction" {
		r.scalar(quoted(t.Value))
		return nil
	}
	value := jsontext.Value(t.Value)
	if !value.IsValid() {
		return r.errorAt(t, path, "must be in plain decimal notation")
	}
	r.scalar(value)
	return nil
}

func (r *reader) mapping(n *ast.MappingNode, path string) *Error {
	seen := map[string]bool{}
	r.json = append(r.json, '{')
	for i, v := range n.Values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			return r.errorAt(v.Key.GetToken(), path, notTaken(v.Key))
		}
		member := join(path, key.Value)
		if seen[key.Value] {
			return r.errorAt(key.GetToken(), member, "stands twice")
		}
		seen[key.Value] = true
		if i > 0 {
			r.json = append(r.json, ',')
		}
		r.scalar(quoted(key.Value))
		r.json = append(r.json, ':')
		if err := r.value(v.Value, key.Value, member); err != nil {
			return err
		}
	}
	r.json = append(r.json, '}')
	return nil
}

func (r *reader) sequence(n *ast.SequenceNode, path string) *Error {
	r.json = append(r.json, '[')
	for i, v := range n.Values {
		if i > 0 {
			r.json = append(r.json, ',')
		}
		if err := r.value(v, "", fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	r.json = append(r.json, ']')
	return nil
}

// begin returns where a node begins: a mapping without braces at its first key.
func (r *reader) begin(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return r.place(m.Values[0].Key.GetToken())
	}
	return r.place(n.GetToken())
}

// join returns the path of an object's member as domain writes it, where a name that is a number looks like an index.
func join(path, name string) string {
	if _, err := strconv.Atoi(name); err == nil {
		return path + "[" + name + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// quoted returns a JSON string. The file is valid UTF-8, but an escape in quotes may name half a surrogate pair: what
// that comes to is no member and no value.
func quoted(s string) []byte {
	text, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd"))
	return text
}

func notTaken(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "anchors, aliases and merge keys are not taken"
	case *ast.TagNode:
		return "tags are not taken"
	case *ast.LiteralNode:
		return "block scalars are not taken"
	}
	return "must be a member's name, a text, a number, true or false"
}

// isScalar reports whether a token of the file is a scalar or a key.
func isScalar(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.BoolType, token.NullType,
		token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.FloatType,
		token.InfinityType, token.NanType:
		return true
	}
	return false
}
