package eventstore

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/domain"
)

// eventID returns the id that the store is given for a line: UUIDv8 (RFC 9562) over the first 16 bytes of its SHA-256.
func eventID(line []byte) uuid.UUID {
	sum := sha256.Sum256(line)
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// structured returns an id as the protocol sends it.
func structured(id uuid.UUID) *shared.UUID {
	return structuredOf(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))
}

func structuredOf(most, least uint64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(most), LeastSignificantBits: int64(least),
	}}}
}

// read returns an event that the store gave, which the reader may keep. One that is not the ledger's is ErrCorrupt.
func (l *Log) read(e *esdb.RecordedEvent) (domain.LogEvent, error) {
	event := domain.LogEvent{Position: domain.NewPosition(e.Position.Commit, e.Position.Prepare), Canonical: e.Data}
	if len(e.StreamID) <= len(l.prefix) || e.StreamID[:len(l.prefix)] != l.prefix {
		return event, corrupt(e, "the stream does not have the prefix %q", l.prefix)
	}
	if e.EventID != eventID(e.Data) {
		return event, corrupt(e, "its id %s is not that of its bytes, so it is not the ledger's", e.EventID)
	}
	stream, revision, ok := domain.LinePlace(e.Data)
	if ok && (string(stream) != e.StreamID[len(l.prefix):] || uint64(revision) != e.EventNumber) {
		return event, corrupt(e, "its line is of revision %d of stream %q", revision, stream)
	}
	return event, nil
}

// corrupt returns the domain.ErrCorrupt of an event.
func corrupt(e *esdb.RecordedEvent, format string, args ...any) error {
	return fmt.Errorf("event %s, revision %d of the store's stream %q, at position %d/%d: %s: %w",
		e.EventID, e.EventNumber, e.StreamID, e.Position.Commit, e.Position.Prepare, fmt.Sprintf(format, args...), domain.ErrCorrupt)
}
