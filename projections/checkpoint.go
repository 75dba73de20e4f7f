package projections

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// viewFormat is the number of the format of all rows: it grows with any change of a row, a key, or what a fold makes of
// an event. Views with another one are rebuilt: beside the old ones, which serve meanwhile, where this program can read
// those, else in their place.
const viewFormat = 6

// reportsSince is the first format that has the reports of accounts.
const reportsSince = 6

// oldestReadable is the oldest format that this program answers from. It lags behind viewFormat where each row that is
// read still has the same key and bytes. Only tests change it.
var oldestReadable uint64 = 5

func readable(format uint64) bool { return oldestReadable <= format && format <= viewFormat }

// checkpoint says how far the views go. Its row is in the same commit as the rows that it speaks of.
type checkpoint struct {
	format uint64
	// size is 1 + the index of the last event folded.
	size     uint64
	position domain.Position
	// last and first are the leaf hashes of the last event folded and of event 0.
	last, first leafHash
}

// leafHash is the hash of an event's leaf in the log's hash tree (RFC 6962, section 2.1): SHA-256 of a zero byte and
// the canonical line.
type leafHash [sha256.Size]byte

func hashLeaf(line []byte) (h leafHash) {
	d := sha256.New()
	d.Write([]byte{0})
	d.Write(line)
	d.Sum(h[:0])
	return h
}

// checkpointTable has one row, which sorts before all others.
var checkpointTable = &table[struct{}, checkpoint]{
	'0', func(dst []byte, _ struct{}) []byte { return dst }, encodeCheckpoint, decodeCheckpoint}

func encodeCheckpoint(dst []byte, c *checkpoint) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, c.format), c.size)
	dst = appendPosition(dst, c.position)
	return append(append(dst, c.last[:]...), c.first[:]...)
}

// decodeCheckpoint reads only the format where it is one that cannot be read.
func decodeCheckpoint(d *decoder, c *checkpoint) {
	if c.format = d.uvarint(); !readable(c.format) {
		d.rest = nil
		return
	}
	c.size, c.position = d.uvarint(), d.position()
	copy(c.last[:], d.bytes(sha256.Size))
	copy(c.first[:], d.bytes(sha256.Size))
}

// compare returns why the views that c speaks of are not of the log, "" where they are.
func (c *checkpoint) compare(ctx context.Context, rows Reader, log domain.EventLog) (difference string, err error) {
	first, err := firstEvent(ctx, log)
	if err != nil {
		return "", fmt.Errorf("event 0: %w", err)
	}
	if first == nil {
		return "the log is empty", nil
	}
	if hashLeaf(first) != c.first {
		return "the log is another one: its first event differs", nil
	}
	var place placeRow
	found, err := placeTable.read(rows, c.size-1, &place)
	if err != nil {
		return "", err
	}
	if !found || place.position != c.position {
		return "the checkpoint's event has no place in the views", nil
	}
	return c.compareLast(ctx, place, log)
}

func (c *checkpoint) compareLast(ctx context.Context, place placeRow, log domain.EventLog) (string, error) {
	for event, err := range log.ReadStream(ctx, domain.Stream(place.stream), domain.Revision(place.revision)) {
		if errors.Is(err, domain.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("event %d: %w", c.size-1, err)
		}
		if event.Position != c.position || hashLeaf(event.Canonical) != c.last {
			return fmt.Sprintf("the log's event %d differs from the one that was folded", c.size-1), nil
		}
		return "", nil
	}
	return fmt.Sprintf("the log lacks event %d, which was folded: it is older than the views, or another one",
		c.size-1), nil
}

// firstEvent returns the line of the log's first event, nil for an empty log.
func firstEvent(ctx context.Context, log domain.EventLog) ([]byte, error) {
	for events, err := range log.Read(ctx, domain.Position{}) {
		if err != nil {
			return nil, err
		}
		return events[0].Canonical, nil
	}
	return nil, nil
}
