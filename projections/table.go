package projections

import (
	"bytes"
	"fmt"
	"slices"
)

// table says how the rows of one kind are kept: where, and as which bytes. Equal rows have equal bytes. A row that is
// encoded as nothing is not kept.
type table[K comparable, R any] struct {
	prefix byte
	key    func(dst []byte, k K) []byte
	encode func(dst []byte, r *R) []byte
	decode func(d *decoder, r *R)
}

func (t *table[K, R]) appendKey(dst []byte, k K) []byte { return t.key(append(dst, t.prefix), k) }

// read sets r to the row of k and reports whether there is one.
func (t *table[K, R]) read(from Reader, k K, r *R) (found bool, err error) {
	key := t.appendKey(make([]byte, 0, 64), k)
	value, found, err := from.Get(key, make([]byte, 0, 256))
	if err != nil || !found {
		return false, err
	}
	return true, t.decodeRow(key, value, r)
}

func (t *table[K, R]) decodeRow(key, value []byte, r *R) error {
	d := decoder{rest: value}
	t.decode(&d, r)
	if err := d.done(); err != nil {
		return fmt.Errorf("row %q: %w", key, err)
	}
	return nil
}

// cache holds the rows of a table that a batch touches: each is read at most once, changed in memory, and encoded once.
// The rows of the batch before stay at hand, so a batch may be folded while the one before is still being written.
type cache[K comparable, R any] struct {
	table *table[K, R]
	store Store
	// current are the rows that the batch touches; previous those that it does not, as they are or soon will be in the
	// store: of the batch before, or read ahead.
	current, previous map[K]*R
	// wanted are the rows to be read ahead, keys holds their keys.
	wanted []wantedRow[R]
	keys   []byte
	free   []*R
}

// readError is why a row could not be read.
type readError struct{ err error }

func (e *readError) Error() string { return "reading the views: " + e.err.Error() }

func (e *readError) Unwrap() error { return e.err }

type wantedRow[R any] struct {
	key []byte
	row *R
}

func newCache[K comparable, R any](f *fold, t *table[K, R]) *cache[K, R] {
	c := &cache[K, R]{table: t, store: f.store}
	f.register(t.prefix, c)
	c.reset()
	return c
}

// row returns the row of k to be changed, a zero one where there is none. It will be written with the batch.
func (c *cache[K, R]) row(k K) (*R, error) {
	if r, ok := c.current[k]; ok {
		return r, nil
	}
	if r, ok := c.previous[k]; ok {
		delete(c.previous, k)
		c.current[k] = r
		return r, nil
	}
	r := c.zero()
	if _, err := c.table.read(c.store, k, r); err != nil {
		return nil, &readError{err}
	}
	c.current[k] = r
	return r, nil
}

// want says that the row of k will be asked for. It must be loaded before it is.
func (c *cache[K, R]) want(k K) {
	if _, ok := c.current[k]; ok {
		return
	}
	if _, ok := c.previous[k]; ok {
		return
	}
	r := c.zero()
	c.previous[k] = r
	at := len(c.keys)
	c.keys = c.table.appendKey(c.keys, k)
	c.wanted = append(c.wanted, wantedRow[R]{c.keys[at:], r})
}

// load reads the rows that are wanted, in the order of their keys. After an error the rows are good for nothing.
func (c *cache[K, R]) load() error {
	slices.SortFunc(c.wanted, func(a, b wantedRow[R]) int { return bytes.Compare(a.key, b.key) })
	keys := make([][]byte, len(c.wanted))
	for i := range keys {
		keys[i] = c.wanted[i].key
	}
	err := c.store.GetAll(keys, func(i int, value []byte) error {
		return c.table.decodeRow(keys[i], value, c.wanted[i].row)
	})
	c.wanted, c.keys = c.wanted[:0], c.keys[:0]
	return err
}

// zero returns a zero row, an old one where there is one to be had.
func (c *cache[K, R]) zero() *R {
	if len(c.free) == 0 {
		block := make([]R, 64)
		for i := range block {
			c.free = append(c.free, &block[i])
		}
	}
	last := len(c.free) - 1
	r := c.free[last]
	c.free = c.free[:last]
	var none R
	*r = none
	return r
}

// flush appends the batch's rows to w, and makes the batch the one before.
func (c *cache[K, R]) flush(w *write) {
	start := len(w.rows)
	for k, r := range c.current {
		at := len(w.buf)
		w.buf = c.table.appendKey(w.buf, k)
		value := len(w.buf)
		w.buf = c.table.encode(w.buf, r)
		w.add(at, value)
	}
	w.sort(start)
	for _, r := range c.previous {
		c.free = append(c.free, r)
	}
	clear(c.previous)
	c.current, c.previous = c.previous, c.current
}

func (c *cache[K, R]) reset() {
	c.current, c.previous, c.wanted, c.keys = map[K]*R{}, map[K]*R{}, nil, nil
}

// list collects rows that are written without being read. Their keys are new.
type list struct {
	prefix byte
	rows   []Row
	// buf holds the rows' bytes, written those of the batch before, which may still be on their way into the store.
	buf, written []byte
}

func newList(f *fold, prefix byte) *list {
	l := &list{prefix: prefix}
	f.register(prefix, l)
	return l
}

// add puts a row on the list. key and value append to what they are given.
func (l *list) add(key, value func(dst []byte) []byte) {
	at := len(l.buf)
	l.buf = key(append(l.buf, l.prefix))
	cut := len(l.buf)
	l.buf = value(l.buf)
	end := len(l.buf)
	l.rows = append(l.rows, Row{l.buf[at:cut:cut], l.buf[cut:end:end]})
}

func (l *list) flush(w *write) {
	start := len(w.rows)
	w.rows = append(w.rows, l.rows...)
	w.sort(start)
	l.buf, l.written = l.written, l.buf
	l.reset()
}

// load has nothing to do.
func (l *list) load() error { return nil }

func (l *list) reset() { l.rows, l.buf = l.rows[:0], l.buf[:0] }

// write is a batch's rows on their way into the store.
type write struct {
	rows       []Row
	buf        []byte
	checkpoint checkpoint
}

// add puts the row on the write whose key begins at at in buf, and whose value at value.
func (w *write) add(at, value int) {
	r := Row{Key: w.buf[at:value:value]}
	if end := len(w.buf); end > value {
		r.Value = w.buf[value:end:end]
	}
	w.rows = append(w.rows, r)
}

func (w *write) sort(start int) {
	slices.SortFunc(w.rows[start:], func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
}

// reset begins a write with the row of its checkpoint, which sorts before all others.
func (w *write) reset(c *checkpoint) {
	w.rows, w.buf, w.checkpoint = w.rows[:0], w.buf[:0], *c
	w.buf = checkpointTable.appendKey(w.buf, struct{}{})
	value := len(w.buf)
	w.buf = encodeCheckpoint(w.buf, c)
	w.add(0, value)
}
