package pebblelog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tweiledger/tweiledger/domain"
)

const (
	// generationEvents is after how many events the index is written: often enough that a start has little to catch up
	// with, seldom enough that the index is not rewritten all the time.
	generationEvents = 32 << 10
	// waitingGenerations of events may wait to be indexed before appends wait for the index.
	waitingGenerations = 4
	// cacheEntries bounds each generation of what was looked up.
	cacheEntries = 64 << 10
)

// key is the first 16 bytes of a SHA-256, big endian. Sorted by hi and lo it is sorted as in the database.
type key struct{ hi, lo uint64 }

func keyOf(b []byte) key {
	sum := sha256.Sum256(b)
	return key{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])}
}

func streamKey(s domain.Stream) key {
	var room [512]byte
	return keyOf(append(append(room[:0], 's'), s...))
}

func messageKey(m domain.Message) key {
	var room [512]byte
	b := binary.AppendUvarint(append(room[:0], 'm'), uint64(len(m.Source)))
	return keyOf(append(append(b, m.Source...), m.ID...))
}

func (k key) compare(other key) int {
	if k.hi != other.hi {
		return cmp.Compare(k.hi, other.hi)
	}
	return cmp.Compare(k.lo, other.lo)
}

const indexKeyLen = 16

func (k key) put(dst []byte) {
	binary.BigEndian.PutUint64(dst, k.hi)
	binary.BigEndian.PutUint64(dst[8:], k.lo)
}

// none is the index of no event.
const none = math.MaxUint64

// head is the last event of a stream; index is none where there is no such stream.
type head struct {
	index    uint64
	revision domain.Revision
}

// holder is the first event of a message and the stream that it is on; index is none where there is no such message.
type holder struct {
	index  uint64
	stream key
}

var (
	noHead   = head{none, domain.NoStream}
	noHolder = holder{index: none}
)

// memo is the part of an index that is in memory: what is not yet in the database, and what was found there.
type memo[V any] struct {
	// active and writing are newer than the database: writing is being put there, active comes after it.
	active, writing map[key]V
	// recent and older are as in the database, also of what is not there. They have no key of the other two, and none
	// that the filter has not.
	recent, older map[key]V
	// outdated are the keys of writing that active has too.
	outdated []key
}

func newMemo[V any]() memo[V] {
	return memo[V]{active: map[key]V{}, writing: map[key]V{}, recent: map[key]V{}, older: map[key]V{}}
}

// get looks first where the posts and comments are that most is about: they change seldom.
func (m *memo[V]) get(k key) (v V, ok bool) {
	if v, ok = m.recent[k]; ok {
		return v, true
	}
	if v, ok = m.active[k]; ok {
		return v, true
	}
	if v, ok = m.writing[k]; ok {
		return v, true
	}
	if v, ok = m.older[k]; ok {
		m.remember(k, v)
	}
	return v, ok
}

// put sets what is newer than the database. A key that is fresh in the filter was never looked up.
func (m *memo[V]) put(k key, v V, fresh bool) {
	m.active[k] = v
	if fresh {
		return
	}
	delete(m.recent, k)
	delete(m.older, k)
	if _, ok := m.writing[k]; ok {
		m.outdated = append(m.outdated, k)
	}
}

func (m *memo[V]) remember(k key, v V) {
	if len(m.recent) >= cacheEntries {
		m.recent, m.older = m.older, m.recent
		clear(m.recent)
	}
	m.recent[k] = v
}

// rotate makes what is active the next to be written.
func (m *memo[V]) rotate() { m.active, m.writing = m.writing, m.active }

// wrote says that what was being written is in the database. It stays known: what is new is asked for most.
func (m *memo[V]) wrote() {
	for _, k := range m.outdated {
		delete(m.writing, k)
	}
	m.outdated = m.outdated[:0]
	m.recent, m.older, m.writing = m.writing, m.recent, m.older
	clear(m.writing)
}

// index answers which event is the last of a stream and which is the first of a message. It is written behind the
// events and may be deleted at any time: it is made again from them.
type index struct {
	db     *pebble.DB
	events *pebble.DB
	// durable is how many events may be written into the index.
	durable *watermark
	filter  *filter
	// generation is after how many events the index is written.
	generation uint64

	mu       sync.Mutex // guards everything below
	changed  sync.Cond  // on mu: a generation is there to be written, was written, or the index is closing
	heads    memo[head]
	messages memo[holder]
	// written counts generations that left memory, so that who looked into the database meanwhile looks again.
	written int
	// end is the number of events in memory and in the database together, writingEnd that in writing and in the
	// database, writtenEnd that in the database.
	end, writingEnd, writtenEnd uint64
	closing                     bool
	// err is why the index cannot be written. Then everything that is not in the database stays in memory.
	err error

	working sync.WaitGroup // the writer, and who fills the filter
	stop    chan struct{}  // closed when the index is closing
}

func newIndex(o Options, db, events *pebble.DB, durable *watermark, end uint64) *index {
	x := &index{
		db: db, events: events, durable: durable, generation: o.generation, filter: newFilter(o.filterBlocks),
		heads: newMemo[head](), messages: newMemo[holder](),
		end: end, writingEnd: end, writtenEnd: end,
		stop: make(chan struct{}),
	}
	x.changed.L = &x.mu
	x.working.Go(x.write)
	x.working.Go(x.fillFilter)
	return x
}

// fillFilter puts every key of the database into the filter, which counts from then on. Keys that come meanwhile are
// put there by who adds them. It takes a quarter of a processor: what else is starting is waited for, and this is not.
func (x *index) fillFilter() {
	it, err := x.db.NewIter(nil)
	if err != nil {
		return // without the filter the index is slower, not wrong
	}
	defer it.Close()
	n, began := 0, time.Now()
	for ok := it.First(); ok; ok = it.Next() {
		if k := it.Key(); len(k) == indexKeyLen {
			x.filter.add(key{binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(k[8:])})
		}
		if n++; n%4096 == 0 {
			select {
			case <-x.stop:
				return
			case <-time.After(3 * time.Since(began)):
			}
			began = time.Now()
		}
	}
	x.filter.complete.Store(it.Error() == nil)
}

// head returns the last event of a stream, durable or not.
func (x *index) head(k key, stream domain.Stream) (head, error) {
	if x.filter.lacks(k) {
		return noHead, nil
	}
	return lookUp(x, &x.heads, k, func() (head, error) {
		value, closer, err := x.get(k)
		if err != nil || value == nil {
			return noHead, err
		}
		defer closer.Close()
		d := decoder{value}
		h := head{revision: domain.Revision(d.uvarint()), index: d.uvarint()}
		if d.rest == nil || len(d.rest) > 0 {
			return noHead, fmt.Errorf("%w: the index's row of stream %s cannot be decoded", domain.ErrCorrupt, stream)
		}
		return h, nil
	})
}

// holder returns the first event of a message, durable or not.
func (x *index) holder(k key, m domain.Message) (holder, error) {
	if x.filter.lacks(k) {
		return noHolder, nil
	}
	return lookUp(x, &x.messages, k, func() (holder, error) {
		value, closer, err := x.get(k)
		if err != nil || value == nil {
			return noHolder, err
		}
		defer closer.Close()
		d := decoder{value}
		index := d.uvarint()
		r, done, err := readRecord(x.events, index)
		if err != nil {
			return noHolder, fmt.Errorf("looking up source %q id %q: %w", m.Source, m.ID, err)
		}
		defer done()
		if string(r.source) != m.Source || string(r.id) != m.ID {
			return noHolder, fmt.Errorf("%w: the index has event %d for source %q id %q, which has source %q id %q",
				domain.ErrCorrupt, index, m.Source, m.ID, r.source, r.id)
		}
		return holder{index, streamKey(domain.Stream(r.stream))}, nil
	})
}

// lookUp returns what a memo has, or else what load finds in the database.
func lookUp[V any](x *index, m *memo[V], k key, load func() (V, error)) (V, error) {
	for {
		x.mu.Lock()
		v, ok := m.get(k)
		written := x.written
		x.mu.Unlock()
		if ok {
			return v, nil
		}
		v, err := load()
		if err != nil {
			return v, err
		}
		x.mu.Lock()
		newer, ok := m.get(k)
		unchanged := written == x.written
		if !ok && unchanged && x.filter.has(k) {
			m.remember(k, v)
		}
		x.mu.Unlock()
		if ok {
			return newer, nil
		}
		if unchanged {
			return v, nil
		}
	}
}

// get returns the value in the database, nil if there is none.
func (x *index) get(k key) ([]byte, interface{ Close() error }, error) {
	var b [indexKeyLen]byte
	k.put(b[:])
	value, closer, err := x.db.Get(b[:])
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: reading the index, which a start makes again where it is damaged: %w",
			domain.ErrCorrupt, err)
	}
	return value, closer, nil
}

// add notes an event as its stream's last and, if it is the first, as its message's.
func (x *index) add(at uint64, stream key, revision domain.Revision, message key, first bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heads.put(stream, head{at, revision}, x.filter.add(stream))
	if first {
		x.messages.put(message, holder{at, stream}, x.filter.add(message))
	}
	x.end = at + 1
}

// writable returns why the index cannot be written, and so nothing can be appended, or nil.
func (x *index) writable() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// room has the index written when there is enough to write, and waits while too much is waiting.
func (x *index) room() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		idle := x.writingEnd == x.writtenEnd
		if idle && x.end-x.writtenEnd >= x.generation {
			x.hand()
		}
		if x.err != nil || x.end-x.writtenEnd < waitingGenerations*x.generation {
			return x.err
		}
		x.changed.Wait()
	}
}

// hand gives what is active to the writer. The caller holds mu and knows that nothing is being written.
func (x *index) hand() {
	x.heads.rotate()
	x.messages.rotate()
	x.writingEnd = x.end
	x.changed.Broadcast()
}

// write puts one generation after another into the database. One that it cannot put there stays in memory and is the
// last: what is in neither would be taken for what was never appended.
func (x *index) write() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for x.writingEnd == x.writtenEnd {
			if x.closing {
				return
			}
			x.changed.Wait()
		}
		end := x.writingEnd
		x.mu.Unlock()
		err := x.writeGeneration(end)
		x.mu.Lock()
		x.changed.Broadcast()
		if err != nil {
			x.err = fmt.Errorf("%w until the log is opened again: writing its index: %w", domain.ErrUnavailable, err)
			return
		}
		x.writtenEnd = end
		x.written++
		x.heads.wrote()
		x.messages.wrote()
	}
}

// writeGeneration writes the maps that are being written, which nothing else changes meanwhile, with the mark that says
// how far the index goes.
func (x *index) writeGeneration(end uint64) error {
	if err := x.durable.wait(context.Background(), nil, end); err != nil {
		return err
	}
	rows := make([]indexRow, 0, len(x.heads.writing)+len(x.messages.writing))
	for k, h := range x.heads.writing {
		rows = append(rows, indexRow{k, h})
	}
	for k, h := range x.messages.writing {
		rows = append(rows, indexRow{k, head{h.index, domain.NoStream}})
	}
	slices.SortFunc(rows, func(a, b indexRow) int { return a.compare(b.key) })
	batch := x.db.NewBatchWithSize(48 * len(rows))
	defer batch.Close()
	var value []byte
	for i := range rows {
		value = rows[i].appendValue(value[:0])
		op := batch.SetDeferred(indexKeyLen, len(value))
		rows[i].put(op.Key)
		copy(op.Value, value)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	mark, err := markOf(x.events, end)
	if err != nil {
		return err
	}
	if err := batch.Set(markKey, mark, nil); err != nil {
		return err
	}
	return batch.Commit(pebble.NoSync)
}

// indexRow is a stream's row, or a message's, which has no revision. It is small: rows are sorted.
type indexRow struct {
	key
	head
}

func (r *indexRow) appendValue(dst []byte) []byte {
	if r.revision != domain.NoStream {
		dst = binary.AppendUvarint(dst, uint64(r.revision))
	}
	return binary.AppendUvarint(dst, r.index)
}

// close writes what is in memory, if asked to, and ends the writer.
func (x *index) close(write bool) error {
	x.mu.Lock()
	for x.err == nil && x.writingEnd != x.writtenEnd {
		x.changed.Wait()
	}
	if write && x.err == nil && x.end != x.writtenEnd {
		x.hand()
	}
	x.closing = true
	x.changed.Broadcast()
	x.mu.Unlock()
	close(x.stop)
	x.working.Wait()
	err := x.err
	if write && err == nil {
		err = x.db.Flush()
	}
	return errors.Join(err, x.db.Close())
}

// markKey is shorter than every other key of the index. Its value says how far the index goes and of which log it is:
// the number of events, and the SHA-256 of the last one's record.
var markKey = []byte("mark")

func markOf(events *pebble.DB, end uint64) ([]byte, error) {
	mark := binary.BigEndian.AppendUint64(nil, end)
	k := eventKey(end - 1)
	value, closer, err := events.Get(k[:])
	if err != nil {
		return nil, fmt.Errorf("reading event %d: %w", end-1, damaged(err))
	}
	defer closer.Close()
	sum := sha256.Sum256(value)
	return append(mark, sum[:]...), nil
}
