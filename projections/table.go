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

// must sets r to the row of k, which another row speaks of: where it is missing, the views are damaged.
func (t *table[K, R]) must(from Reader, k K, r *R) error {
	found, err := t.read(from, k, r)
	if err == nil && !found {
		err = fmt.Errorf("row %q is missing: %w", t.appendKey(nil, k), ErrDamaged)
	}
	return err
}

// decodeRow reads a row. It may keep the value's bytes.
func (t *table[K, R]) decodeRow(key, value []byte, r *R) error {
	d := decoder{rest: value}
	t.decode(&d, r)
	return rowError(key, &d)
}

// rowError returns what was wrong with a row that d has read, nil for nothing.
func rowError(key []byte, d *decoder) error {
	if err := d.done(); err != nil {
		return fmt.Errorf("row %q: %w", key, err)
	}
	return nil
}

// cache holds rows of a table in a fold: those that the batch touches, and others that were touched not long ago, in two
// generations: what is touched moves to the young one, and when that is full the old one goes. A row is read at most once
// while it is here, changed in memory, and encoded once a batch. So a batch may be folded while the one before is still
// being written: a generation lasts for a batch at least.
type cache[K comparable, R any] struct {
	table *table[K, R]
	store Store
	// written tells which rows the store may hold; nil where it may hold any.
	written    *filter
	young, old map[K]*cachedRow[R]
	// touched are the rows that the batch touches.
	touched []touchedRow[K, R]
	// wanted are the rows to be read ahead, keys holds their keys.
	wanted  []wantedRow[R]
	keys    []byte
	scratch []byte
	free    []*cachedRow[R]
	// size is how many rows make a generation full.
	size int
	// last is the row that was asked for last, of the key lastKey; nil for none. It often is asked for again.
	last    *cachedRow[R]
	lastKey K
}

type cachedRow[R any] struct {
	row R
	// touched: the batch touches it, so it is written with it.
	touched bool
}

type touchedRow[K comparable, R any] struct {
	key K
	row *cachedRow[R]
}

type wantedRow[R any] struct {
	key []byte
	row *R
}

// readError is why a row could not be read.
type readError struct{ err error }

func (e *readError) Error() string { return "reading the views: " + e.err.Error() }

func (e *readError) Unwrap() error { return e.err }

// newCache returns a cache whose generations are full with size rows.
func newCache[K comparable, R any](f *fold, t *table[K, R], size int) *cache[K, R] {
	c := &cache[K, R]{table: t, store: f.store, written: f.written, size: size}
	f.register(t.prefix, c)
	c.reset()
	return c
}

// row returns the row of k to be changed, a zero one where there is none. It will be written with the batch.
func (c *cache[K, R]) row(k K) (*R, error) {
	if c.last != nil && c.lastKey == k {
		return &c.last.row, nil
	}
	r := c.cached(k)
	if r == nil {
		r = c.zero()
		if c.mayHold(k) {
			if _, err := c.table.read(c.store, k, &r.row); err != nil {
				return nil, &readError{err}
			}
		}
		c.young[k] = r
	}
	if !r.touched {
		r.touched = true
		c.touched = append(c.touched, touchedRow[K, R]{k, r})
	}
	c.last, c.lastKey = r, k
	return &r.row, nil
}

// cached returns the row of k if it is here, and moves it to the young generation.
func (c *cache[K, R]) cached(k K) *cachedRow[R] {
	if r, ok := c.young[k]; ok {
		return r
	}
	r, ok := c.old[k]
	if !ok {
		return nil
	}
	delete(c.old, k)
	c.young[k] = r
	return r
}

// mayHold reports whether the store may hold the row of k.
func (c *cache[K, R]) mayHold(k K) bool {
	if c.written == nil {
		return true
	}
	c.scratch = c.table.appendKey(c.scratch[:0], k)
	return !c.written.lacks(c.scratch)
}

// want says that the row of k will be asked for. It must be loaded before it is.
func (c *cache[K, R]) want(k K) {
	if c.cached(k) != nil {
		return
	}
	r := c.zero()
	c.young[k] = r
	if !c.mayHold(k) {
		return
	}
	at := len(c.keys)
	c.keys = c.table.appendKey(c.keys, k)
	c.wanted = append(c.wanted, wantedRow[R]{c.keys[at:], &r.row})
}

// load reads the rows that are wanted, in the order of their keys. After an error the rows are good for nothing.
func (c *cache[K, R]) load() error {
	slices.SortFunc(c.wanted, func(a, b wantedRow[R]) int { return bytes.Compare(a.key, b.key) })
	keys := make([][]byte, len(c.wanted))
	for i := range keys {
		keys[i] = c.wanted[i].key
	}
	err := c.store.GetAll(keys, func(i int, value []byte) error {
		return c.table.decodeRow(keys[i], bytes.Clone(value), c.wanted[i].row)
	})
	c.wanted, c.keys = c.wanted[:0], c.keys[:0]
	return err
}

// zero returns a zero row, an old one where there is one to be had.
func (c *cache[K, R]) zero() *cachedRow[R] {
	if len(c.free) == 0 {
		block := make([]cachedRow[R], 64)
		for i := range block {
			c.free = append(c.free, &block[i])
		}
	}
	last := len(c.free) - 1
	r := c.free[last]
	c.free = c.free[:last]
	*r = cachedRow[R]{}
	return r
}

// flush appends the batch's rows to w, and begins the next batch.
func (c *cache[K, R]) flush(w *write) {
	start := len(w.rows)
	for _, t := range c.touched {
		at := len(w.buf)
		w.buf = c.table.appendKey(w.buf, t.key)
		value := len(w.buf)
		if c.written != nil {
			c.written.add(w.buf[at:])
		}
		w.buf = c.table.encode(w.buf, &t.row.row)
		w.add(at, value)
		t.row.touched = false
	}
	w.column(start)
	clear(c.touched)
	c.touched, c.last = c.touched[:0], nil
	if len(c.young) >= c.size {
		for _, r := range c.old {
			c.free = append(c.free, r)
		}
		clear(c.old)
		c.young, c.old = c.old, c.young
	}
}

func (c *cache[K, R]) reset() {
	*c = cache[K, R]{table: c.table, store: c.store, written: c.written, size: c.size,
		young: map[K]*cachedRow[R]{}, old: map[K]*cachedRow[R]{}}
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
	w.column(start)
	l.buf, l.written = l.written, l.buf
	l.reset()
}

// load has nothing to do.
func (l *list) load() error { return nil }

func (l *list) reset() { l.rows, l.buf = l.rows[:0], l.buf[:0] }

// write is a batch's rows on their way into the store: the checkpoint's, and columns of rows that are sorted among
// themselves only when they are written, by another goroutine than folds.
type write struct {
	rows       []Row
	columns    []int // where each begins
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

// column notes that a column begins at start, and ends with the last row.
func (w *write) column(start int) { w.columns = append(w.columns, start) }

// sort sorts the rows of each column; the columns themselves are in order.
func (w *write) sort() {
	end := len(w.rows)
	for _, start := range slices.Backward(w.columns) {
		slices.SortFunc(w.rows[start:end], func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
		end = start
	}
	w.columns = w.columns[:0]
}

// reset begins a write with the row of its checkpoint, which sorts before all others.
func (w *write) reset(c *checkpoint) {
	w.rows, w.columns, w.buf, w.checkpoint = w.rows[:0], w.columns[:0], w.buf[:0], *c
	w.buf = checkpointTable.appendKey(w.buf, struct{}{})
	value := len(w.buf)
	w.buf = encodeCheckpoint(w.buf, c)
	w.add(0, value)
}
