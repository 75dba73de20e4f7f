package pebblelog

import (
	"encoding/binary"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// eventKeyLen is the length of an event's key.
const eventKeyLen = 9

var (
	// formatKey sorts before every event's key, so that the table it is in spans no other's keys.
	formatKey     = []byte("F")
	firstEventKey = []byte("e\x00\x00\x00\x00\x00\x00\x00\x00")
)

// eventKey returns the key of the event at an index.
func eventKey(index uint64) (k [eventKeyLen]byte) {
	putEventKey(k[:], index)
	return k
}

func putEventKey(dst []byte, index uint64) {
	dst[0] = 'e'
	binary.BigEndian.PutUint64(dst[1:], index)
}

// parseEventKey returns the index that a key of the events names.
func parseEventKey(k []byte) (index uint64, ok bool) {
	if len(k) != eventKeyLen || k[0] != 'e' {
		return 0, false
	}
	return binary.BigEndian.Uint64(k[1:]), true
}

// record is the value under an event's key: the line, and what it takes to walk a stream backwards and to make the
// index again without reading the line. Its byte slices point into what it was decoded from.
type record struct {
	revision domain.Revision
	// back is how far before this event the stream's previous one is; 0 at revision 0.
	back uint64
	// first says that no event before this one has its message.
	first              bool
	stream, source, id []byte
	line               []byte
}

// maxRecordOverhead bounds what a record adds to the bytes of its stream, message and line: five numbers.
const maxRecordOverhead = 5 * binary.MaxVarintLen64

// recordLen bounds the length of the record of an event of a.
func recordLen(a *domain.Append, line []byte) int {
	return maxRecordOverhead + len(a.Stream) + len(a.Message.Source) + len(a.Message.ID) + len(line)
}

// appendRecord appends the value of an event of a to dst.
func appendRecord(dst []byte, a *domain.Append, line []byte, revision domain.Revision, back uint64, first bool) []byte {
	head := uint64(revision) << 1
	if first {
		head |= 1
	}
	dst = binary.AppendUvarint(dst, head)
	if revision > 0 {
		dst = binary.AppendUvarint(dst, back)
	}
	for _, s := range [...]string{string(a.Stream), a.Message.Source, a.Message.ID} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return append(dst, line...)
}

// decodeRecord reads the value of the event at an index.
func decodeRecord(index uint64, value []byte) (r record, err error) {
	d := decoder{value}
	head := d.uvarint()
	r.revision, r.first = domain.Revision(head>>1), head&1 == 1
	if r.revision > 0 {
		r.back = d.uvarint()
	}
	r.stream, r.source, r.id = d.bytes(), d.bytes(), d.bytes()
	r.line = d.rest
	if d.rest == nil || r.back > index || r.revision > 0 && r.back == 0 {
		return record{}, fmt.Errorf("%w: event %d cannot be decoded", domain.ErrCorrupt, index)
	}
	return r, nil
}

// decoder reads numbers and strings off the front of rest, which is nil once that failed.
type decoder struct{ rest []byte }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || n > 1 && d.rest[n-1] == 0 { // not whole, or longer than it is ever written
		d.rest = nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.rest = nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
