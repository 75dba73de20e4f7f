package projections

import (
	"context"
	"errors"
	"iter"
)

// ErrPaused: the store takes no writes for now, for want of space. Nothing was written, and the same commit may be tried
// again; reads are answered.
var ErrPaused = errors.New("the views take no writes now")

// ErrDamaged: what the store keeps is not what was written to it. The views are rebuilt, beside these where they serve.
var ErrDamaged = errors.New("the views are damaged, and are rebuilt")

// GrowingPrefix is the first byte of keys that come in order: each is greater than all that were written with it before.
const GrowingPrefix = 'i'

// Row is one key with its value. In a commit a nil Value removes the key; an empty one is a value.
type Row struct{ Key, Value []byte }

// Reader reads the rows of a store. It is safe for any number of goroutines. Damage is an ErrDamaged of who reads it.
type Reader interface {
	// Get appends the value of key to dst, and reports whether there is one.
	Get(key, dst []byte) (value []byte, found bool, err error)
	// Scan yields the rows with from <= key < to, a nil to being the end, in the order of their keys. A row's bytes hold
	// until the next one. It ends after the first error, and never early without one.
	Scan(from, to []byte) iter.Seq2[Row, error]
	// ScanBack yields like Scan, the last row first.
	ScanBack(from, to []byte) iter.Seq2[Row, error]
}

// StoreSnapshot is what a store held at one moment between two commits. It must be closed, before its store is.
type StoreSnapshot interface {
	Reader
	Close() error
}

// Store is the port to what keeps one generation of the views. Reading it sees what was committed last.
type Store interface {
	Reader
	// GetAll calls found with the place and the value of each of the keys that has one. The keys ascend, which makes it
	// cheaper than a Get for each. A value's bytes hold until found returns; its error ends the call and is returned.
	GetAll(keys [][]byte, found func(i int, value []byte) error) error
	// Snapshot returns what is committed now.
	Snapshot() StoreSnapshot
	// Commit writes all rows or none, also across a crash; their keys ascend. It need not be durable when it returns, but
	// what survives a crash is what the first commits left, whole, up to some commit. The rows' bytes are not kept. An
	// error that is ErrPaused wrote nothing. There is one Commit at a time.
	Commit(rows []Row) error
	// Condemn has the store removed when it is opened next, across a crash too: it is damaged. Until then it is read, but
	// takes no commits.
	Condemn(why string) error
	// Damaged returns once the store is condemned, by whoever noticed damage, with an ErrDamaged that says why; and
	// ctx's error where that ends before.
	Damaged(ctx context.Context) error
}
