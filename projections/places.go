package projections

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrNotFolded: the views do not go that far.
var ErrNotFolded = errors.New("beyond what was folded")

// Place is where an event is.
type Place struct {
	Index    uint64
	Position domain.Position
	Stream   domain.Stream
	Revision domain.Revision
}

// placeRow is a Place without the index, which is its key.
type placeRow struct {
	position domain.Position
	stream   string
	revision uint64
}

var (
	placeTable = &table[uint64, placeRow]{GrowingPrefix, binary.BigEndian.AppendUint64, encodePlace, decodePlace}
	eventTable = &table[domain.EventID, uint64]{'e',
		func(dst []byte, id domain.EventID) []byte { return append(dst, id[:]...) },
		func(dst []byte, index *uint64) []byte { return binary.AppendUvarint(dst, *index) },
		func(d *decoder, index *uint64) { *index = d.uvarint() }}
)

// messagePrefix stands before the rows of messages: the key is the message's hash and the index of an event that was
// recorded from it, the value is empty.
const messagePrefix = 'm'

func encodePlace(dst []byte, r *placeRow) []byte {
	dst = appendText(appendPosition(dst, r.position), r.stream)
	return binary.AppendUvarint(dst, r.revision)
}

func decodePlace(d *decoder, r *placeRow) {
	r.position, r.stream, r.revision = d.position(), d.text(), d.uvarint()
}

// places is the read model of where events are: by index, by id, by message. Its rows are written and never changed.
type places struct{ byIndex, byID, byMessage *list }

func newPlaces(f *fold) model {
	return &places{newList(f, placeTable.prefix), newList(f, eventTable.prefix), newList(f, messagePrefix)}
}

func (p *places) want(*event) {}

func (p *places) fold(e *event) error {
	row := placeRow{e.position, string(e.Stream), uint64(e.Revision)}
	p.byIndex.add(func(dst []byte) []byte { return placeTable.key(dst, e.index) },
		func(dst []byte) []byte { return encodePlace(dst, &row) })
	p.byID.add(func(dst []byte) []byte { return eventTable.key(dst, e.ID) },
		func(dst []byte) []byte { return eventTable.encode(dst, &e.index) })
	p.byMessage.add(func(dst []byte) []byte { return binary.BigEndian.AppendUint64(append(dst, e.message[:]...), e.index) },
		func(dst []byte) []byte { return dst })
	return nil
}

// Place returns where the event of an index is. It wraps ErrNotFolded for an index from Size on.
func (s *Snapshot) Place(index uint64) (Place, error) {
	if s.err != nil {
		return Place{}, s.err
	}
	var row placeRow
	found, err := placeTable.read(s.rows, index, &row)
	if err == nil && !found {
		err = fmt.Errorf("index %d: %w", index, ErrNotFolded)
	}
	if err != nil {
		return Place{}, err
	}
	return Place{index, row.position, domain.Stream(row.stream), domain.Revision(row.revision)}, nil
}

// Event returns where the event with an id is, and whether there is one.
func (s *Snapshot) Event(id domain.EventID) (Place, bool, error) {
	if s.err != nil {
		return Place{}, false, s.err
	}
	var index uint64
	found, err := eventTable.read(s.rows, id, &index)
	if err != nil || !found {
		return Place{}, false, err
	}
	place, err := s.Place(index)
	return place, err == nil, err
}

// Places returns the events that a message was recorded as, in log order: none for an unknown one, and with a switch
// its withdrawal before the new reaction.
func (s *Snapshot) Places(m domain.Message) ([]Place, error) {
	if s.err != nil {
		return nil, s.err
	}
	hash := hashMessage(m)
	from := append([]byte{messagePrefix}, hash[:]...)
	to := append(from[:len(from):len(from)], 0xff)
	var places []Place
	for row, err := range s.rows.Scan(from, to) {
		if err != nil {
			return nil, err
		}
		if len(row.Key) != len(from)+8 {
			return nil, fmt.Errorf("row %q: %w", row.Key, ErrDamaged)
		}
		place, err := s.Place(binary.BigEndian.Uint64(row.Key[len(from):]))
		if err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, nil
}
