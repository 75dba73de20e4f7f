package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// event is a decoded event with its place, and what all read models need of it.
type event struct {
	*domain.Event
	index    uint64
	position domain.Position
	line     []byte
	message  messageHash
	// recorded and occurred are RecordedAt and OccurredAt.
	recorded, occurred instant
	// entries are the entries of all postings.
	entries []domain.Entry
	// about names the stream of a reversal and of a reinstatement.
	about streamName
	// effect is set by the statements' fold, which comes first.
	effect effect
	// err says why the line cannot be read.
	err error
}

type streamName struct {
	kind             domain.StreamKind
	subject, account string
}

// effect is what an event does to the numbers beside the money.
type effect struct {
	// actor is the account whose own act the event is, or whose act it takes back; "" for none.
	actor string
	// counts are the steps, each +1 or -1, of the actor's and the post's counts.
	counts [2]step
}

type step struct {
	counter counter
	by      int8
}

// messageHash identifies a message: the first half of the SHA-256 of the source's length, the source and the id.
type messageHash [16]byte

func hashMessage(m domain.Message) (h messageHash) {
	buf := make([]byte, 0, 256)
	buf = binary.AppendUvarint(buf, uint64(len(m.Source)))
	buf = append(append(buf, m.Source...), m.ID...)
	sum := sha256.Sum256(buf)
	copy(h[:], sum[:])
	return h
}

// decode makes e the event of a line of the log. It never fails: the event says what is wrong with it. What e was before
// may be used again.
func (e *event) decode(in domain.LogEvent, index uint64) {
	*e = event{index: index, position: in.Position, line: in.Canonical, entries: e.entries[:0]}
	if e.Event, e.err = domain.DecodeEvent(in.Canonical); e.err != nil {
		return
	}
	e.message = hashMessage(e.Message())
	e.recorded, e.occurred = instantOf(e.RecordedAt), instantOf(e.OccurredAt)
	for _, p := range e.Postings {
		entries, n := p.Entries()
		e.entries = append(e.entries, entries[:n]...)
	}
	if e.Type == domain.EventReversed || e.Type == domain.EventReinstated {
		var ok bool
		if e.about.kind, e.about.subject, e.about.account, ok = e.Stream.Parse(); !ok {
			e.err = fmt.Errorf("%q is not a stream: %w", e.Stream, domain.ErrCorrupt)
		}
	}
}

// FoldError says which event cannot be folded, and why.
type FoldError struct {
	Index    uint64
	Position domain.Position
	// EventID is the id that the line says, as far as it could be read.
	EventID domain.EventID
	Err     error
}

func (e *FoldError) Error() string {
	return fmt.Sprintf("event %d at position %s with id %s cannot be folded: %v", e.Index, e.Position, e.EventID, e.Err)
}

func (e *FoldError) Unwrap() error { return e.Err }

// whyNotFolded returns the *FoldError of an event, but what kept a row from being read is not the event's fault.
func whyNotFolded(e *event, err error) error {
	var read *readError
	if errors.As(err, &read) {
		return fmt.Errorf("before event %d: %w", e.index, err)
	}
	return foldError(e, err)
}

func foldError(e *event, err error) *FoldError {
	f := &FoldError{Index: e.index, Position: e.position, Err: err}
	var line struct {
		ID domain.EventID `json:"id"`
	}
	if e.Event != nil {
		f.EventID = e.ID
	} else if json.Unmarshal(e.line, &line) == nil {
		f.EventID = line.ID
	}
	return f
}
