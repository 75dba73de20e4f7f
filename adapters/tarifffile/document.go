package tarifffile

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFlowDepth bounds brackets and braces within each other, which the YAML parser takes time for that grows with the
// square of the depth. A tariff needs two.
const maxFlowDepth = 8

// document is the text of one YAML document.
type document struct {
	text []byte
	// line is the file's line that the text begins on, from 1.
	line int
}

// split cuts a file at its "---" lines. The YAML parser could do so too, but it drops what stands behind a document
// that holds only comments, and a version of a tariff must not get lost.
func split(text []byte) ([]document, *Error) {
	if len(text) > MaxFileBytes {
		return nil, &Error{Line: 1, Column: 1, Detail: fmt.Sprintf("the file has more than %d bytes", MaxFileBytes)}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	docs := []document{{line: 1}}
	line := 0
	for part := range bytes.Lines(text) {
		line++
		if !utf8.Valid(part) {
			return nil, invalidUTF8(part, line)
		}
		switch marker, rest := documentMarker(part); {
		case marker == "":
			last := &docs[len(docs)-1]
			last.text = append(last.text, part...)
		case marker == "...":
			return nil, &Error{Line: line, Column: 1, Detail: "only --- separates versions"}
		case len(rest) > 0 && rest[0] != '#':
			return nil, &Error{Line: line, Column: 5, Detail: "--- must stand on a line of its own"}
		default:
			docs = append(docs, document{line: line + 1})
		}
	}
	return withoutPreamble(docs)
}

// withoutPreamble leaves out what stands before the first "---" if it holds only comments. Any other document without
// content is an error.
func withoutPreamble(docs []document) ([]document, *Error) {
	for i := range docs {
		switch {
		case !docs[i].blank():
		case len(docs) == 1:
			return nil, &Error{Line: 1, Column: 1, Detail: "the file holds no tariff"}
		case i > 0:
			return nil, &Error{Line: docs[i].line - 1, Column: 1, Detail: "the document behind this line is empty"}
		}
	}
	if docs[0].blank() {
		docs = docs[1:]
	}
	return docs, nil
}

// documentMarker takes a line apart that begins with one of YAML's markers, "---" or "...". Such a line is one wherever
// it stands, in a quoted text too (YAML 1.2, section 9.1.2).
func documentMarker(line []byte) (marker string, rest []byte) {
	if len(line) < 3 || string(line[:3]) != "---" && string(line[:3]) != "..." {
		return "", nil
	}
	if len(line) > 3 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(line[3])) {
		return "", nil
	}
	return string(line[:3]), bytes.TrimSpace(line[3:])
}

func invalidUTF8(line []byte, number int) *Error {
	column := 1
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		if r == utf8.RuneError && size == 1 {
			break
		}
		line = line[size:]
		column++
	}
	return &Error{Line: number, Column: column, Detail: "not valid UTF-8"}
}

// blank reports whether the document has only white space and comments.
func (d *document) blank() bool {
	for line := range bytes.Lines(d.text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// parse reads the document's YAML into a tree.
func (d *document) parse() (*tree, *Error) {
	if len(d.text) > MaxDocumentBytes {
		return nil, &Error{Line: d.line, Column: 1,
			Detail: fmt.Sprintf("the document has more than %d bytes", MaxDocumentBytes)}
	}
	tokens := lexer.Tokenize(string(d.text))
	if err := d.checkDepth(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, d.syntaxError(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, d.errorAt(nil, "", "not one YAML document")
	}
	return d.read(file.Docs[0].Body, tokens)
}

func (d *document) checkDepth(tokens token.Tokens) *Error {
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
		if depth > maxFlowDepth {
			return d.errorAt(t, "", "brackets are nested too deep")
		}
	}
	return nil
}

// read puts the YAML of the document into a tree, and sees that the parser has left nothing out.
func (d *document) read(body ast.Node, tokens token.Tokens) (*tree, *Error) {
	r := reader{document: d, tree: &tree{places: map[string]place{}}}
	if err := r.value(body, "", ""); err != nil {
		return nil, err
	}
	scalars := 0
	for _, t := range tokens {
		if isScalar(t) {
			scalars++
		}
	}
	if r.scalars != scalars {
		return nil, d.errorAt(nil, "", "the YAML cannot be understood as a whole")
	}
	return r.tree, nil
}

// syntaxError returns an error of the YAML parser with its place in the file.
func (d *document) syntaxError(err error) *Error {
	var placed yaml.Error
	if errors.As(err, &placed) {
		return d.errorAt(placed.GetToken(), "", "not valid YAML: "+placed.GetMessage())
	}
	return d.errorAt(nil, "", "not valid YAML: "+err.Error())
}

// errorAt returns an error at a token; without one at the beginning of the document.
func (d *document) errorAt(t *token.Token, field, detail string) *Error {
	p := d.place(t)
	return &Error{Line: p.line, Column: p.column, Field: field, Detail: detail}
}

func (d *document) place(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{d.line, 1}
	}
	return place{d.line + t.Position.Line - 1, t.Position.Column}
}
