package projections

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// list collects rows that are written without being read. Their keys are new.
type list struct {
	prefix byte
	rows   []Row
	// memory holds the rows' bytes, written those of the batch before, which may still be on their way into the store.
	memory, written rowMemory
}

func newList(f *fold, prefix byte) *list {
	l := &list{prefix: prefix}
	f.register(prefix, l)
	return l
}

// add puts a row on the list. key and value append to what they are given.
func (l *list) add(key, value func(dst []byte) []byte) {
	row := key(append(l.memory.room(), l.prefix))
	cut := len(row)
	row = value(row)
	l.memory.keep(row)
	l.rows = append(l.rows, Row{row[:cut:cut], row[cut:len(row):len(row)]})
}

func (l *list) flush(w *write) {
	start := len(w.rows)
	w.rows = append(w.rows, l.rows...)
	w.column(start)
	l.memory, l.written = l.written, l.memory
	l.reset()
}

// load has nothing to do.
func (l *list) load() error { return nil }

func (l *list) reset() {
	l.rows = l.rows[:0]
	l.memory.reset()
}

// rowMemory is memory for the bytes of rows. It grows by blocks, so that nothing in it moves, and is used again.
type rowMemory struct {
	blocks [][]byte
	// full is how many blocks are, used how much of the next one.
	full, used int
}

// A row that is longer than mostRow may have to be copied once more.
const (
	rowBlock = 256 << 10
	mostRow  = 4 << 10
)

// room returns an empty slice to append a row to.
func (m *rowMemory) room() []byte {
	if m.used > rowBlock-mostRow {
		m.full, m.used = m.full+1, 0
	}
	if m.full == len(m.blocks) {
		m.blocks = append(m.blocks, make([]byte, rowBlock))
	}
	return m.blocks[m.full][m.used:m.used]
}

// keep keeps a row that was appended to room. One for which there was too little has memory of its own.
func (m *rowMemory) keep(row []byte) {
	if len(row) <= rowBlock-m.used {
		m.used += len(row)
	}
}

func (m *rowMemory) reset() { m.full, m.used = 0, 0 }

// write is a batch's rows on their way into the store: the checkpoint's, and columns of rows that are sorted among
// themselves only when they are written, by another goroutine than folds.
type write struct {
	rows       []Row
	columns    []int // where each begins
	memory     rowMemory
	sorter     sorter
	checkpoint checkpoint
}

// add puts a row on the write, whose value was appended to the memory's room. One that is nothing removes the key.
func (w *write) add(key, value []byte) {
	w.memory.keep(value)
	if len(value) == 0 {
		value = nil
	}
	w.rows = append(w.rows, Row{key, value[:len(value):len(value)]})
}

// column notes that a column begins at start, and ends with the last row.
func (w *write) column(start int) { w.columns = append(w.columns, start) }

// sort sorts the rows of each column; the columns themselves are in order.
func (w *write) sort() {
	end := len(w.rows)
	for _, start := range slices.Backward(w.columns) {
		w.sorter.sort(w.rows[start:end])
		end = start
	}
	w.columns = w.columns[:0]
}

// reset begins a write with the row of its checkpoint, which sorts before all others.
func (w *write) reset(c *checkpoint) {
	w.rows, w.columns, w.checkpoint = w.rows[:0], w.columns[:0], *c
	w.memory.reset()
	w.add(checkpointTable.appendKey(nil, struct{}{}), encodeCheckpoint(w.memory.room(), c))
}

// sorter sorts rows. The keys of a table begin alike, and differ soon: so it compares the eight bytes where they do, as
// a number, and keys themselves where these are equal.
type sorter struct {
	heads  []head
	sorted []Row
}

// head is the eight bytes of a key, and where its row is.
type head struct {
	bytes uint64
	row   int
}

func (s *sorter) sort(rows []Row) {
	if slices.IsSortedFunc(rows, compareKeys) {
		return
	}
	common := commonPrefix(rows)
	s.heads, s.sorted = s.heads[:0], s.sorted[:0]
	for i := range rows {
		s.heads = append(s.heads, head{headOf(rows[i].Key[common:]), i})
	}
	slices.SortFunc(s.heads, func(a, b head) int {
		if a.bytes != b.bytes {
			return cmp.Compare(a.bytes, b.bytes)
		}
		return compareKeys(rows[a.row], rows[b.row])
	})
	for i := range s.heads {
		s.sorted = append(s.sorted, rows[s.heads[i].row])
	}
	copy(rows, s.sorted)
}

func compareKeys(a, b Row) int { return bytes.Compare(a.Key, b.Key) }

// commonPrefix returns with how many bytes all keys begin alike.
func commonPrefix(rows []Row) int {
	first := rows[0].Key
	n := len(first)
	for i := range rows {
		key := rows[i].Key
		n = min(n, len(key))
		for j := range n {
			if key[j] != first[j] {
				n = j
				break
			}
		}
	}
	return n
}

// headOf returns the first eight bytes of a key, zeros where it is shorter.
func headOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var padded [8]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:])
}
