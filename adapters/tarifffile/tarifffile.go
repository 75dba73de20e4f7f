package tarifffile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tweiledger/tweiledger/domain"
)

// Limits of what is read, in bytes. The longest document that Format writes has under half of it.
const (
	MaxFileBytes     = 1 << 20
	MaxDocumentBytes = 1 << 16
)

// Error says what is wrong with a tariff's file, and where.
type Error struct {
	File string
	// Line and Column count from 1; a column is a character.
	Line, Column int
	// Field is the member as a path such as "rows[3].amount", "" where it is none in particular.
	Field string
	// Detail says what is wrong.
	Detail string
}

// Error returns file:line:column: field: what.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Detail)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Field, e.Detail)
}

// Read reads a tariff's versions from a file. What is wrong with its text is an *Error; that the file cannot be read is
// not.
func Read(path string) (domain.Tariffs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tariff: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the tariff: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a tariff's versions from a file's text. name is what errors call the file. Every error is an *Error.
func Parse(name string, text []byte) (domain.Tariffs, error) {
	ts, err := parse(text)
	if err != nil {
		err.File = name
		return nil, err
	}
	return ts, nil
}

func parse(text []byte) (domain.Tariffs, *Error) {
	docs, err := split(text)
	if err != nil {
		return nil, err
	}
	var ts domain.Tariffs
	for i := range docs {
		tree, err := docs[i].parse()
		if err != nil {
			return nil, err
		}
		t, rej := domain.ParseTariff(tree.json)
		if rej != nil {
			return nil, tree.fieldError(rej.Field, rej.Detail)
		}
		ts = append(ts, t)
		if err := followError(ts, tree); err != nil {
			return nil, err
		}
	}
	return ts, nil
}

// followError says why the last version cannot follow those before it, nil if it can.
func followError(ts domain.Tariffs, last *tree) *Error {
	err := ts.Validate()
	if err == nil {
		return nil
	}
	var field *domain.FieldError
	if errors.As(err, &field) {
		return last.fieldError(field.Field, field.Detail)
	}
	return last.fieldError("", err.Error())
}
