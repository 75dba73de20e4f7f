package projections

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// A touch is what one event did to one scope: to its lines and its counts, which may be nothing. A scope's touches in log
// order are its journal.
type touch struct {
	index              uint64
	recorded, occurred instant
	// steps are those of the counts; a step by 0 is none.
	steps [2]step
	// changes are those of the lines, one for each entry.
	changes []change
}

// change is what an entry adds to a line.
type change struct {
	line domain.Line
	by   domain.Twei
}

// of sets t to what an event does to a scope: an account's, or one of all accounts where account is "".
func (t *touch) of(e *event, account string) {
	t.index, t.recorded, t.occurred = e.index, e.recorded, e.occurred
	t.steps = [2]step{}
	if account == "" || account == e.effect.actor {
		t.steps = e.effect.counts
	}
	t.changes = t.changes[:0]
	for i := range e.entries {
		if entry := &e.entries[i]; account == "" || account == entry.Account {
			t.changes = append(t.changes, change{entry.Line, entry.Change})
		}
	}
}

// moves reports whether t changes a line, or any where line is none.
func (t *touch) moves(line domain.Line) bool {
	for i := range t.changes {
		if line == 0 || t.changes[i].line == line {
			return true
		}
	}
	return false
}

// mark is the last event that touched a scope: 1 + its index, and when it was recorded.
type mark struct {
	size     uint64
	recorded instant
}

func (t *touch) mark() mark { return mark{t.index + 1, t.recorded} }

// later returns the one of two marks that stands behind the other in the log.
func (m mark) later(n mark) mark {
	if n.size > m.size {
		return n
	}
	return m
}

func appendMark(dst []byte, m mark) []byte {
	return appendInstant(binary.AppendUvarint(dst, m.size), m.recorded)
}

func (d *decoder) mark() mark { return mark{d.uvarint(), d.instant()} }

// The first byte of a touch: the number of its steps, whether it was recorded at the very time of the one before, and the
// number of its changes, where that is less than manyChanges; else that number follows.
const (
	touchSteps        = 0b11
	touchSameRecorded = 0b100
	touchChangesShift = 3
	manyChanges       = 0xff >> touchChangesShift
)

// appendTouch appends a touch that comes behind a mark.
func appendTouch(dst []byte, before mark, t *touch) []byte {
	at := len(dst)
	dst = append(dst, byte(min(len(t.changes), manyChanges)<<touchChangesShift))
	if len(t.changes) >= manyChanges {
		dst = binary.AppendUvarint(dst, uint64(len(t.changes)))
	}
	dst = binary.AppendUvarint(dst, t.index-before.size)
	if t.recorded == before.recorded {
		dst[at] |= touchSameRecorded
	} else {
		dst = appendInstantSince(dst, t.recorded, before.recorded)
	}
	dst = appendInstantSince(dst, t.occurred, t.recorded)
	for _, s := range t.steps {
		if s.by != 0 {
			dst[at]++
			dst = append(dst, byte(s.counter)<<1|byte(s.by)>>7)
		}
	}
	for i := range t.changes {
		dst = appendAmount(append(dst, byte(t.changes[i].line)), t.changes[i].by)
	}
	return dst
}

// touchReader reads touches one after the other.
type touchReader struct {
	decoder
	before mark
}

// next sets t to the next touch, and reports false at the end, or where the bytes are none of a touch: then err says so.
func (r *touchReader) next(t *touch) bool {
	if len(r.rest) == 0 || r.failed {
		return false
	}
	head := r.byte()
	changes := uint64(head >> touchChangesShift)
	if changes == manyChanges {
		changes = r.uvarint()
	}
	t.index = r.before.size + r.uvarint()
	t.recorded = r.before.recorded
	if head&touchSameRecorded == 0 {
		t.recorded = r.instantSince(r.before.recorded)
	}
	t.occurred = r.instantSince(t.recorded)
	t.steps = [2]step{}
	for i := range int(head & touchSteps) {
		if b := r.byte(); i < len(t.steps) && counter(b>>1) < counterCount {
			t.steps[i] = step{counter(b >> 1), 1 - 2*int8(b&1)}
		} else {
			r.failed = true
		}
	}
	t.changes = t.changes[:0]
	for range changes {
		if r.failed {
			return false
		}
		c := change{domain.Line(r.byte()), r.amount()}
		r.failed = r.failed || !c.line.Valid()
		t.changes = append(t.changes, c)
	}
	r.before = t.mark()
	return !r.failed
}

func (r *touchReader) err() error {
	if r.failed {
		return fmt.Errorf("a touch behind size %d: %w", r.before.size, ErrDamaged)
	}
	return nil
}

func appendInstantSince(dst []byte, i, since instant) []byte {
	return binary.AppendUvarint(binary.AppendVarint(dst, i.seconds-since.seconds), uint64(i.nanos))
}

func (d *decoder) instantSince(since instant) instant {
	return instant{since.seconds + d.varint(), uint32(d.uvarint())}
}

// compare returns less than 0, 0, or more as i lies before, at or behind j.
func (i instant) compare(j instant) int {
	return cmp.Or(cmp.Compare(i.seconds, j.seconds), cmp.Compare(i.nanos, j.nanos))
}
