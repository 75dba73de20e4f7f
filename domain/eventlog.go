package domain

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Revision is the 0-based place of an event in its stream.
type Revision int64

// NoStream as an expected revision says that the stream must not exist yet.
const NoStream Revision = -1

// Limits of one append, the same for every log (EventStoreDB's MaxAppendSize of 1 MiB leaves room for these).
const (
	// MaxEventBytes is the length of the longest canonical line.
	MaxEventBytes = 65_535
	// MaxAppendBytes bounds the canonical lines of one append together.
	MaxAppendBytes = 1_000_000
)

// The errors of a log. Each is found by errors.Is in what an EventLog returns.
var (
	// ErrRevisionConflict: the stream is not at the expected revision, nothing was appended. It comes as a
	// *RevisionConflictError, which tells the revision that won.
	ErrRevisionConflict = errors.New("the stream is at another revision")
	// ErrMessageTaken: the log holds the append's message on another stream, nothing was appended. It comes as a
	// *MessageTakenError, which tells the event. A log with many writers need not notice.
	ErrMessageTaken = errors.New("the message is on another stream")
	// ErrStreamNotFound: the stream has no event.
	ErrStreamNotFound = errors.New("no such stream")
	// ErrAppendTooLarge: an append is empty or exceeds MaxEventBytes or MaxAppendBytes, nothing was appended.
	ErrAppendTooLarge = errors.New("append exceeds the limits")
	// ErrCorrupt: the log holds what no log may hold. Nothing is skipped; the text names the place.
	ErrCorrupt = errors.New("the log is damaged")
	// ErrUnsupported: the log, or an event, was written in a format newer than this program.
	ErrUnsupported = errors.New("unsupported version")
	// ErrOutcomeUnknown: the log did not say whether it has the append. Only the same append sent again can tell.
	ErrOutcomeUnknown = errors.New("unknown whether it was appended")
	// ErrUnavailable: the log takes no appends now (no connection, no space); nothing was appended.
	ErrUnavailable = errors.New("the log takes no appends now")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("the log is closed")
)

// RevisionConflictError is the ErrRevisionConflict of one append.
type RevisionConflictError struct {
	Stream   Stream
	Expected Revision
	// Actual is the stream's last revision, NoStream if it has none. A read may show it only a little later.
	Actual Revision
}

func (e *RevisionConflictError) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not %d", e.Stream, e.Actual, e.Expected)
}

func (e *RevisionConflictError) Unwrap() error { return ErrRevisionConflict }

// MessageTakenError is the ErrMessageTaken of one append.
type MessageTakenError struct {
	Message Message
	// Held is the event that the message was recorded as.
	Held LogEvent
}

func (e *MessageTakenError) Error() string {
	return fmt.Sprintf("source %q id %q is recorded at position %s on another stream", e.Message.Source, e.Message.ID,
		e.Held.Position)
}

func (e *MessageTakenError) Unwrap() error { return ErrMessageTaken }

// Message identifies what a sender sent: the source and id of a CloudEvent, or those that the ledger gives its own
// events (DESIGN section 4).
type Message struct{ Source, ID string }

// EncodedEvent is an event on its way into a log.
type EncodedEvent struct {
	Type EventType
	// Canonical is the event's canonical line, without a line feed. A log stores these bytes and changes none.
	Canonical []byte
}

// LogEvent is an event as a log gives it back. Its bytes belong to the receiver.
type LogEvent struct {
	Position  Position
	Canonical []byte
}

// Append is one atomic addition to one stream.
type Append struct {
	Stream Stream
	// Expected is the stream's revision before the append, or NoStream. There is no "any".
	Expected Revision
	// Message is the message that caused the append.
	Message Message
	// Events go on together, all or none: the first at revision Expected+1. Not empty.
	Events []EncodedEvent
}

// Validate returns an error that wraps ErrAppendTooLarge where the append is empty or exceeds the limits.
func (a *Append) Validate() error {
	if len(a.Events) == 0 {
		return fmt.Errorf("%w: no events", ErrAppendTooLarge)
	}
	lines := 0
	for _, e := range a.Events {
		if len(e.Canonical) > MaxEventBytes {
			return fmt.Errorf("%w: an event of %d bytes", ErrAppendTooLarge, len(e.Canonical))
		}
		lines += len(e.Canonical)
	}
	if lines > MaxAppendBytes {
		return fmt.Errorf("%w: events of %d bytes together", ErrAppendTooLarge, lines)
	}
	return nil
}

// Appended answers one Append.
type Appended struct {
	// Positions has one position for each event, in order; nil if Err is set.
	Positions []Position
	// Err is nil only once the events are durable.
	Err error
}

// EventLog is the port to a log: streams of events, each with consecutive revisions from 0, and one order over all.
//
// All methods may be called at the same time. Slices handed to a log are not changed and not kept after the call.
//
// Every iterator ends after the first error, and never ends early without one: a read that was interrupted, by its
// context too, yields that error last.
type EventLog interface {
	// Append tries each append on its own and answers each, in order. An append is durable when its answer has no
	// error. Appends of one call are independent: none may build on another.
	//
	// An append whose events are already there, byte for byte at just the revisions it asks for, is answered as if it
	// were the first: so an append whose answer was lost may be sent again. Errors, one for each append:
	// ErrRevisionConflict, ErrMessageTaken, ErrAppendTooLarge, ErrUnavailable and ErrClosed (nothing was appended);
	// ErrOutcomeUnknown, also where ctx ended while the log worked.
	Append(ctx context.Context, appends []Append) []Appended

	// ReadStream yields the events of a stream from revision from on, in order, current as of the call. A stream
	// without events yields ErrStreamNotFound; one that ends before from yields nothing.
	ReadStream(ctx context.Context, stream Stream, from Revision) iter.Seq2[LogEvent, error]

	// Read yields all events behind the position after, in log order, in batches of bounded size that are never empty,
	// and ends at what was the last durable event when it was called.
	Read(ctx context.Context, after Position) iter.Seq2[[]LogEvent, error]

	// Follow yields like Read and goes on with events as they become durable, until ctx ends: its last value is always
	// an error.
	Follow(ctx context.Context, after Position) iter.Seq2[[]LogEvent, error]

	// Head returns the position of the last durable event, the zero Position for an empty log.
	Head(ctx context.Context) (Position, error)
}

// MessageFinder tells what became of a message. A log with one writer answers exactly; the views answer as of what they
// have folded.
type MessageFinder interface {
	// FindMessage returns the event that the message was recorded as, the first one where there are several.
	FindMessage(ctx context.Context, m Message) (event LogEvent, found bool, err error)
}
