package projections

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tweiledger/tweiledger/domain"
)

// A touch is what one event did to one scope: to its lines and its counts, which may be nothing. A scope's touches in log
// order are its journal.
type touch struct {
	index    uint64
	occurred instant
	// recorded is there only while the event is folded.
	recorded instant
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
	t.index, t.occurred, t.recorded = e.index, e.occurred, e.recorded
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

// The first byte of a touch: the number of its steps, and that of its changes where it is less than manyChanges; else
// that number follows.
const (
	touchSteps        = 0b11
	touchChangesShift = 2
	manyChanges       = 0xff >> touchChangesShift
)

// run is a run of touches that follow each other in a scope's journal, or lie in a node of its time tree.
type run struct {
	// base is 1 + the index of the touch before the run.
	base uint64
	n    int
	// last is the last touch's index and time, behind which the next one is encoded.
	last touchPlace
	// touches are the touches, each encoded behind the one before.
	touches []byte
}

// touchMemory is cut up for the first touches of runs: most have few, and an allocation for each costs more than they do.
type touchMemory []byte

// room returns room for one or two touches.
func (m *touchMemory) room() []byte {
	const two, many = 32, 8 << 10
	if len(*m) == 0 {
		*m = make([]byte, many)
	}
	room := (*m)[:0:two]
	*m = (*m)[two:]
	return room
}

// touchPlace is the index of a touch, one more of it, and when it occurred.
type touchPlace struct {
	size     uint64
	occurred instant
}

// add appends a touch, which comes behind those up to a size.
func (r *run) add(size uint64, t *touch) {
	if r.n == 0 {
		r.base, r.last = size, touchPlace{size: size}
	}
	// Encoded first, so that there is room for it at once.
	var room [128]byte
	r.touches = append(r.touches, appendTouch(room[:0], r.last, t)...)
	r.last = touchPlace{t.index + 1, t.occurred}
	r.n++
}

// appendTouch appends a touch that comes behind another one.
func appendTouch(dst []byte, before touchPlace, t *touch) []byte {
	at := len(dst)
	dst = append(dst, byte(min(len(t.changes), manyChanges)<<touchChangesShift))
	if len(t.changes) >= manyChanges {
		dst = binary.AppendUvarint(dst, uint64(len(t.changes)))
	}
	dst = binary.AppendUvarint(dst, t.index-before.size)
	dst = appendInstant(dst, instant{t.occurred.seconds - before.occurred.seconds, t.occurred.nanos})
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
	before touchPlace
}

func (r *run) reader() touchReader {
	return touchReader{decoder{rest: r.touches}, touchPlace{size: r.base}}
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
	t.occurred = r.instant()
	t.occurred.seconds += r.before.occurred.seconds
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
	r.before = touchPlace{t.index + 1, t.occurred}
	return !r.failed
}

func (r *touchReader) err() error {
	if r.failed {
		return fmt.Errorf("a touch behind size %d: %w", r.before.size, ErrDamaged)
	}
	return nil
}

// touchRoom is memory for the touches of a run.
type touchRoom struct {
	touches []touch
	changes []change
}

// read returns all touches. They lie in the room, which grows as it has to.
func (r *run) read(room *touchRoom) ([]touch, error) {
	touches := slices.Grow(room.touches[:0], r.n)[:r.n]
	changes := slices.Grow(room.changes[:0], 4*r.n)
	room.touches, room.changes = touches, changes
	reader := r.reader()
	for i := range touches {
		at := len(changes)
		touches[i].changes = changes[at:]
		if !reader.next(&touches[i]) {
			reader.failed = true
			return nil, reader.err()
		}
		// Where they did not fit, they have memory of their own.
		if end := at + len(touches[i].changes); end <= cap(changes) {
			changes = changes[:end]
		}
	}
	return touches, nil
}

// appendRun appends the run as the end of a row.
func appendRun(dst []byte, r *run) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.n))
	if r.n == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, r.base)
	dst = appendInstant(binary.AppendUvarint(dst, r.last.size), r.last.occurred)
	return append(dst, r.touches...)
}

// run reads the run that is the end of a row.
func (d *decoder) run() (r run) {
	n := d.uvarint()
	if n == 0 || d.failed {
		return run{}
	}
	r.base = d.uvarint()
	r.last = touchPlace{d.uvarint(), d.instant()}
	if n > uint64(len(d.rest)) {
		d.failed = true
		return run{}
	}
	r.n, r.touches, d.rest = int(n), d.rest, nil
	return r
}

// compare returns less than 0, 0, or more as i lies before, at or behind j.
func (i instant) compare(j instant) int {
	return cmp.Or(cmp.Compare(i.seconds, j.seconds), cmp.Compare(i.nanos, j.nanos))
}
