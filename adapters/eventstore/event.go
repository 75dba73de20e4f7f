package eventstore

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/domain"
)

// read returns an event that the store gave, which the reader may keep. One that is not the ledger's is ErrCorrupt.
func (l *Log) read(e *recorded) (domain.LogEvent, error) {
	event := domain.LogEvent{Position: positionOf(e), Canonical: e.GetData()}
	name := e.GetStreamIdentifier().GetStreamName()
	if len(name) <= len(l.prefix) || string(name[:len(l.prefix)]) != l.prefix {
		return event, corrupt(e, "the stream does not have the prefix %q", l.prefix)
	}
	if idOf(e) != domain.StoreID(event.Canonical) {
		return event, corrupt(e, "its id is not that of its bytes, so it is not the ledger's")
	}
	at := landmark{event.Position, domain.Stream(name[len(l.prefix):]), domain.Revision(e.GetStreamRevision()), idOf(e)}
	// A line of another version, which may not say where it is, is for who decodes it.
	stream, revision, ok := domain.LinePlace(event.Canonical)
	if ok && (stream != at.stream || revision != at.revision) {
		return event, corrupt(e, "its line is of revision %d of stream %q", revision, stream)
	}
	if event.Position != unplaced {
		l.lastSeen.note(at)
	}
	return event, nil
}

func idOf(e *recorded) (id uuid.UUID) {
	halves := e.GetId().GetStructured()
	binary.BigEndian.PutUint64(id[:8], uint64(halves.GetMostSignificantBits()))
	binary.BigEndian.PutUint64(id[8:], uint64(halves.GetLeastSignificantBits()))
	return id
}

// corrupt returns the domain.ErrCorrupt of an event.
func corrupt(e *recorded, format string, args ...any) error {
	where := fmt.Sprintf("at position %d/%d", e.GetCommitPosition(), e.GetPreparePosition())
	if positionOf(e) == unplaced {
		where = "whose position the store does not tell"
	}
	return fmt.Errorf("event %s, revision %d of the store's stream %q, %s: %s: %w", idOf(e), e.GetStreamRevision(),
		e.GetStreamIdentifier().GetStreamName(), where, fmt.Sprintf(format, args...), domain.ErrCorrupt)
}
