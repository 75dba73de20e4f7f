package projections

import (
	"encoding/binary"
	"fmt"
)

// timesBlock is how many events share a row that says when they were recorded. A statement as of then asks that of one
// event anywhere in the log: in rows of their own these times are so small that they are at hand.
const timesBlock = 64

// timesRow says when the n events of a block were recorded, each as what it lies behind the one before.
type timesRow struct {
	n     byte
	last  instant
	times []byte
}

var timesTable = &table[uint64, timesRow]{'u', binary.BigEndian.AppendUint64, encodeTimes, decodeTimes}

func (r *timesRow) add(recorded instant) {
	r.times = appendInstant(r.times, instant{recorded.seconds - r.last.seconds, recorded.nanos})
	r.last = recorded
	r.n++
}

func encodeTimes(dst []byte, r *timesRow) []byte { return append(append(dst, r.n), r.times...) }

func decodeTimes(d *decoder, r *timesRow) {
	r.n = d.byte()
	r.times = d.rest
	r.last = d.times(int(r.n))
}

// times reads a number of times, and returns the last one.
func (d *decoder) times(n int) (last instant) {
	for range n {
		next := d.instant()
		last = instant{last.seconds + next.seconds, next.nanos}
	}
	return last
}

// times is the read model of when events were recorded.
type times struct{ blocks *cache[uint64, timesRow] }

func newTimes(f *fold) model { return &times{newCache(f, timesTable, 2)} }

func (t *times) want(*event) {}

func (t *times) fold(e *event) error {
	row, err := t.blocks.row(e.index / timesBlock)
	if err == nil {
		row.add(e.recorded)
	}
	return err
}

// recordedAt returns when the event of an index was recorded. It wraps ErrNotFolded for an index from Size on.
func (s *Snapshot) recordedAt(index uint64) (recorded instant, err error) {
	key := timesTable.appendKey(make([]byte, 0, 16), index/timesBlock)
	value, found, err := s.rows.Get(key, make([]byte, 0, 512))
	if err != nil {
		return instant{}, err
	}
	d := decoder{rest: value}
	behind := int(index % timesBlock)
	if !found || int(d.byte()) <= behind {
		return instant{}, fmt.Errorf("index %d: %w", index, ErrNotFolded)
	}
	recorded = d.times(behind + 1)
	if d.failed {
		return instant{}, rowError(key, &d)
	}
	return recorded, nil
}
