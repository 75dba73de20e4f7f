package projections

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"iter"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrBadCursor: the cursor is none that was given for such a list.
var ErrBadCursor = errors.New("not a cursor of this list")

// Page is a part of a list: the first Limit elements behind the cursor that the page before gave. "" begins.
type Page struct {
	Cursor string
	Limit  int
}

// cursorEncoding makes cursors texts that stand in a URL.
var cursorEncoding = base64.RawURLEncoding

// scopedList names a list of a scope: its kind, which begins as that of no other does, and a hash of the scope, whose
// ids are long. So the cursor of another scope is none of this list.
func scopedList(kind string, s domain.Scope) string {
	hash := sha256.Sum256([]byte(scopeKey(s)))
	return kind + string(hash[:8])
}

// decodeCursor returns a decoder of a cursor that was made by encodeCursor for a list.
func decodeCursor(cursor, list string) (decoder, error) {
	text, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(text) < len(list) || string(text[:len(list)]) != list {
		return decoder{}, ErrBadCursor
	}
	return decoder{rest: text[len(list):]}, nil
}

func encodeCursor(list string, place []byte) string {
	return cursorEncoding.EncodeToString(append([]byte(list), place...))
}

// page takes a page of rows. Their places in the list are their keys without a prefix of so many bytes.
func page[T any](
	rows iter.Seq2[Row, error], list string, prefix, limit int, take func(Row) (T, error),
) (taken []T, next string, err error) {
	var last []byte
	for row, err := range rows {
		if err != nil {
			return nil, "", err
		}
		if len(taken) == limit {
			return taken, encodeCursor(list, last), nil
		}
		t, err := take(row)
		if err != nil {
			return nil, "", err
		}
		taken, last = append(taken, t), append(last[:0], row.Key[prefix:]...)
	}
	return taken, "", nil
}
