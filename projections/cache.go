package projections

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// cache holds rows of a table in a fold: those that the batch touches, and others that were asked for not long ago. A
// row is read at most once while it is here, changed in memory, and encoded once a batch. A batch may be folded while
// the one before is still being written: what was asked for stays until the batch behind it is in the store.
//
// It is a hash table with open addressing, and not a map. A key is hashed once: to find its row, to put it where there
// is none, and to ask the fold's filter whether the store may hold it. And rows are found by the bytes of their keys,
// which lie close together, while a key itself would keep the whole line of an event in memory.
type cache[K comparable, R any] struct {
	table *table[K, R]
	fold  *fold
	seed  maphash.Seed
	// blocks hold the rows, each at one place for as long as it is here; free are the places that hold none.
	blocks []*[rowsInBlock]cachedRow[R]
	free   []uint32
	// index finds the places: from where a hash points, the next slot with its tag is that of its row, an empty one
	// says that there is none. Its length is a power of two, and at least twice the number of places.
	index []slot
	// keys is memory for the next rows' keys, key that of the row that is asked for.
	keys, key []byte
	// used counts the rows that were asked for since the last sweep. From size on there is another one.
	used, size int
	// swept: rows that the store may hold were dropped.
	swept bool
	// touched are the rows that the batch touches, wanted those that are to be read ahead.
	touched, wanted []*cachedRow[R]
	// last is the row that was asked for last, of the key lastKey; nil for none. It often is asked for again.
	last    *cachedRow[R]
	lastKey K
}

const rowsInBlock = 64

type cachedRow[R any] struct {
	// key is never changed: batches on their way into the store have it.
	key  []byte
	hash uint64
	// here: the place holds a row. used: it was asked for since the last sweep. touched: the batch touches it, so it is
	// written with it.
	here, used, touched bool
	row                 R
}

type slot struct {
	// tag is the upper half of the hash, place 1 + the row's, 0 for none.
	tag, place uint32
}

// readError is why a row could not be read.
type readError struct{ err error }

func (e *readError) Error() string { return "reading the views: " + e.err.Error() }

func (e *readError) Unwrap() error { return e.err }

// newCache returns a cache that keeps at least the size rows that were asked for last, and at most twice as many beside
// those of a batch.
func newCache[K comparable, R any](f *fold, t *table[K, R], size int) *cache[K, R] {
	c := &cache[K, R]{table: t, fold: f, size: size}
	f.register(t.prefix, c)
	c.reset()
	return c
}

// row returns the row of k to be changed, a zero one where there is none. It will be written with the batch.
func (c *cache[K, R]) row(k K) (*R, error) {
	if c.last != nil && c.lastKey == k {
		return &c.last.row, nil
	}
	r, found := c.cached(k)
	if !found && c.mayHold(r) {
		if _, err := c.table.readRow(c.fold.store, r.key, &r.row); err != nil {
			return nil, &readError{err}
		}
	}
	if !r.touched {
		r.touched = true
		c.touched = append(c.touched, r)
	}
	c.last, c.lastKey = r, k
	return &r.row, nil
}

// cached returns the row of k, and whether it was here; else it is a zero one.
func (c *cache[K, R]) cached(k K) (r *cachedRow[R], found bool) {
	c.key = c.table.appendKey(c.key[:0], k)
	hash := maphash.Bytes(c.seed, c.key)
	if r = c.find(hash); r == nil {
		r = c.put(hash)
	} else if r.used {
		return r, true
	} else {
		found = true
	}
	r.used = true
	c.used++
	return r, found
}

// find returns the row of c.key, which has a hash, nil where it is not here.
func (c *cache[K, R]) find(hash uint64) *cachedRow[R] {
	mask := uint64(len(c.index) - 1)
	for i := hash & mask; c.index[i].place != 0; i = (i + 1) & mask {
		if c.index[i].tag == uint32(hash>>32) {
			if r := c.at(c.index[i].place - 1); bytes.Equal(r.key, c.key) {
				return r
			}
		}
	}
	return nil
}

func (c *cache[K, R]) at(place uint32) *cachedRow[R] {
	return &c.blocks[place/rowsInBlock][place%rowsInBlock]
}

// put returns a zero row of c.key, which is not here.
func (c *cache[K, R]) put(hash uint64) *cachedRow[R] {
	if len(c.free) == 0 {
		c.grow()
	}
	last := len(c.free) - 1
	place := c.free[last]
	c.free = c.free[:last]
	r := c.at(place)
	*r = cachedRow[R]{key: c.keepKey(), hash: hash, here: true}
	c.point(hash, place)
	return r
}

// keepKey returns c.key in memory of its own.
func (c *cache[K, R]) keepKey() []byte {
	const many = 4 << 10
	if cap(c.keys)-len(c.keys) < len(c.key) {
		c.keys = make([]byte, 0, max(many, len(c.key)))
	}
	begin := len(c.keys)
	c.keys = append(c.keys, c.key...)
	return c.keys[begin:len(c.keys):len(c.keys)]
}

// grow makes places for more rows, and has the index keep up.
func (c *cache[K, R]) grow() {
	places := uint32(len(c.blocks) * rowsInBlock)
	c.blocks = append(c.blocks, new([rowsInBlock]cachedRow[R]))
	for i := range uint32(rowsInBlock) {
		c.free = append(c.free, places+rowsInBlock-1-i)
	}
	if 2*len(c.blocks)*rowsInBlock > len(c.index) {
		c.index = make([]slot, 2*len(c.index))
		for place := range places {
			c.point(c.at(place).hash, place)
		}
	}
}

// point puts a place into the index.
func (c *cache[K, R]) point(hash uint64, place uint32) {
	mask := uint64(len(c.index) - 1)
	i := hash & mask
	for c.index[i].place != 0 {
		i = (i + 1) & mask
	}
	c.index[i] = slot{uint32(hash >> 32), place + 1}
}

// sweep drops the rows that were not asked for since the last one.
func (c *cache[K, R]) sweep() {
	clear(c.index)
	for place := range uint32(len(c.blocks) * rowsInBlock) {
		switch r := c.at(place); {
		case r.used:
			r.used = false
			c.point(r.hash, place)
		case r.here:
			r.here = false
			c.free = append(c.free, place)
			if c.fold.written != nil {
				c.fold.written.add(r.hash)
			}
		}
	}
	c.used, c.swept = 0, true
}

// mayHold reports whether the store may hold a row that is not here.
func (c *cache[K, R]) mayHold(r *cachedRow[R]) bool {
	return c.fold.written == nil || c.swept && !c.fold.written.lacks(r.hash)
}

// want says that the row of k will be asked for. It must be loaded before it is.
func (c *cache[K, R]) want(k K) {
	if r, found := c.cached(k); !found && c.mayHold(r) {
		c.wanted = append(c.wanted, r)
	}
}

// load reads the rows that are wanted, in the order of their keys. After an error the rows are good for nothing.
func (c *cache[K, R]) load() error {
	slices.SortFunc(c.wanted, func(a, b *cachedRow[R]) int { return bytes.Compare(a.key, b.key) })
	keys := make([][]byte, len(c.wanted))
	for i := range keys {
		keys[i] = c.wanted[i].key
	}
	err := c.fold.store.GetAll(keys, func(i int, value []byte) error {
		return c.table.decodeRow(keys[i], bytes.Clone(value), &c.wanted[i].row)
	})
	c.wanted = c.wanted[:0]
	return err
}

// flush appends the batch's rows to w, and begins the next batch.
func (c *cache[K, R]) flush(w *write) {
	start := len(w.rows)
	for _, r := range c.touched {
		w.add(r.key, c.table.encode(w.memory.room(), &r.row))
		r.touched = false
	}
	w.column(start)
	c.touched, c.last = c.touched[:0], nil
	if c.used >= c.size {
		c.sweep()
	}
}

func (c *cache[K, R]) reset() {
	*c = cache[K, R]{table: c.table, fold: c.fold, seed: maphash.MakeSeed(), size: c.size}
	c.index = make([]slot, 2*rowsInBlock)
}
