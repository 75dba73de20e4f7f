package domain

import (
	"crypto/sha1"
	"crypto/sha256"
	"strings"

	"github.com/google/uuid"
)

// LedgerSource is the source of the ledger's own events; ReportSourcePrefix begins the source of a report's. Nobody
// may send either.
const (
	LedgerSource       = "tweiledger"
	ReportSourcePrefix = "report/"
)

// ownSource reports whether a source is the ledger's own.
func ownSource(source string) bool {
	return source == LedgerSource || strings.HasPrefix(source, ReportSourcePrefix)
}

// NewEventID returns the id of the event that a message is recorded as on a stream: UUIDv5 (RFC 9562, URL namespace) of
// source, line feed, id, line feed, stream.
func NewEventID(m Message, stream Stream) EventID {
	return uuidV5(uuid.NameSpaceURL, m.Source, "\n", m.ID, "\n", string(stream))
}

// WithdrawnID returns the id of the withdrawal that a switch appends before the new reaction.
func WithdrawnID(reaction EventID) EventID { return uuidV5(reaction, "withdrawn") }

// ReversedID returns the id of a reversal. base is the reversed event's id, or its last reinstatement's.
func ReversedID(base EventID) EventID { return uuidV5(base, "reversed") }

// ReinstatedID returns the id of the reinstatement of a reversal.
func ReinstatedID(reversal EventID) EventID { return uuidV5(reversal, "reinstated") }

// NewReportID returns a report's own id: UUIDv5 of its message's source, line feed and id.
func NewReportID(m Message) string {
	return uuidV5(uuid.NameSpaceURL, m.Source, "\n", m.ID).String()
}

// StoreID returns the id under which EventStoreDB is given an event: UUIDv8 over the first 16 bytes of the SHA-256 of
// the canonical line, so that its "already there", which compares ids alone, means byte for byte.
func StoreID(canonical []byte) uuid.UUID {
	sum := sha256.Sum256(canonical)
	return versioned(sum[:16], 8)
}

// uuidV5 hashes the parts of a name without an allocation: two are made for each event.
func uuidV5(namespace uuid.UUID, name ...string) uuid.UUID {
	buf := make([]byte, 0, 512)
	buf = append(buf, namespace[:]...)
	for _, part := range name {
		buf = append(buf, part...)
	}
	sum := sha1.Sum(buf)
	return versioned(sum[:16], 5)
}

func versioned(b []byte, version byte) (id uuid.UUID) {
	copy(id[:], b)
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}
