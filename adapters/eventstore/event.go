package eventstore

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tweiledger/tweiledger/domain"
)

// read returns an event that the store gave, which the reader may keep. One that is not the ledger's is ErrCorrupt.
func (l *Log) read(e *esdb.RecordedEvent) (domain.LogEvent, error) {
	event := domain.LogEvent{Position: domain.NewPosition(e.Position.Commit, e.Position.Prepare), Canonical: e.Data}
	if len(e.StreamID) <= len(l.prefix) || e.StreamID[:len(l.prefix)] != l.prefix {
		return event, corrupt(e, "the stream does not have the prefix %q", l.prefix)
	}
	if e.EventID != domain.StoreID(e.Data) {
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
		e.EventID, e.EventNumber, e.StreamID, e.Position.Commit, e.Position.Prepare,
		fmt.Sprintf(format, args...), domain.ErrCorrupt)
}
