package domain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits of the Ledger's patience.
const (
	// maxAttempts is how often an engagement is decided anew after a lost race before it fails.
	maxAttempts = 32
	// resendPatience is how long an append of unknown outcome is sent again, in which a cluster has found another leader.
	resendPatience = 10 * time.Second
	// tariffRefresh is the age from which the tariffs are read again. It is well under a third of the lead, so that a
	// log that is away for a while stops nobody.
	tariffRefresh = time.Minute
)

// EventFinder finds events by their id, as of what the views have folded.
type EventFinder interface {
	FindEvent(ctx context.Context, id EventID) (event LogEvent, found bool, err error)
}

// Config is what a Ledger works with.
type Config struct {
	Log EventLog
	// Clock gives now. Its readings must carry a monotonic clock, as time.Now's do: the age of what is known of the
	// tariffs is measured by it.
	Clock func() time.Time
	// Messages tells what became of a message.
	Messages MessageFinder
	// Events finds the event that an operator names.
	Events EventFinder
	// Statements reads what reports hold; a Ledger without it issues none.
	Statements StatementReader
	// ManyWriters says that the log does not refuse a message which it holds on another stream, so that Messages is
	// asked before each append.
	ManyWriters bool
}

// Ledger takes engagements and appends the events that they are decided to be: load, decide, append. It keeps no state
// of its own but what can be read again. All methods may be called at the same time.
type Ledger struct {
	Config
	subjects, long stateCache
	book           tariffBook
}

// NewLedger returns a Ledger. Start must succeed before it takes engagements.
func NewLedger(cfg Config) *Ledger {
	return &Ledger{Config: cfg, book: tariffBook{reading: make(chan struct{}, 1)}}
}

// Start reads the log's tariffs. An empty log gets the versions given, the default one if there are none, as its first
// events; on another log the versions given must equal the log's of the same numbers.
func (l *Ledger) Start(ctx context.Context, given Tariffs) error {
	if err := given.Validate(); err != nil {
		return err
	}
	for attempt := range maxAttempts {
		known, err := l.tariffs(ctx, 0)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			return given.agreeWith(known)
		}
		// After a conflict another process was first: its tariffs must agree, as soon as they can be seen.
		if err := l.appendFirst(ctx, given); err != nil && !errors.Is(err, ErrRevisionConflict) {
			return fmt.Errorf("appending the first tariffs: %w", err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return fmt.Errorf("the log has events but no tariff that can be read: %w", ErrCorrupt)
}

// agreeWith returns nil if every version is the log's.
func (ts Tariffs) agreeWith(log Tariffs) error {
	for i := range ts {
		if i >= len(log) {
			return fmt.Errorf("tariff %d is not in the log, which has %d: publish it", i+1, len(log))
		}
		if !ts[i].Equal(&log[i]) {
			return fmt.Errorf("tariff %d is not the log's version %d: what is recorded does not change, publish a new version",
				i+1, i+1)
		}
	}
	return nil
}

// appendFirst appends the first tariffs of an empty log.
func (l *Ledger) appendFirst(ctx context.Context, ts Tariffs) error {
	head, err := l.Log.Head(ctx)
	if err != nil {
		return err
	}
	if !head.IsStart() {
		return ErrRevisionConflict
	}
	if len(ts) == 0 {
		ts = Tariffs{DefaultTariff()}
	}
	a := Append{Stream: TariffStream, Expected: NoStream, Message: tariffMessage(1)}
	now := l.now()
	for i := range ts {
		line, err := tariffEvent(&ts[i], "", now).AppendCanonical(nil)
		if err != nil {
			return err
		}
		a.Events = append(a.Events, EncodedEvent{TariffPublished, line})
	}
	return l.appendOne(ctx, a).Err
}

// now returns the time of a decision, in UTC and without a monotonic reading: what events hold.
func (l *Ledger) now() time.Time { return l.Clock().UTC().Round(0) }

// appendOne appends, and sends the same append again while its outcome is unknown.
func (l *Ledger) appendOne(ctx context.Context, a Append) Appended {
	return l.appendAll(ctx, []Append{a})[0]
}

// appendAll appends, and sends again those whose outcome is unknown until the log says which it was, or for
// resendPatience.
func (l *Ledger) appendAll(ctx context.Context, appends []Append) []Appended {
	answers := l.Log.Append(ctx, appends)
	ctx, cancel := context.WithTimeout(ctx, resendPatience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		var unknown []int
		for i := range answers {
			if errors.Is(answers[i].Err, ErrOutcomeUnknown) {
				unknown = append(unknown, i)
			}
		}
		if len(unknown) == 0 || pause(ctx, attempt) != nil {
			return answers
		}
		again := make([]Append, len(unknown))
		for k, i := range unknown {
			again[k] = appends[i]
		}
		for k, answer := range l.Log.Append(ctx, again) {
			answers[unknown[k]] = afterUnknown(answers[unknown[k]], answer)
		}
	}
}

// afterUnknown is the answer to an append whose outcome was unknown and which was sent again. That the log takes no
// appends now says nothing of the first one.
func afterUnknown(first, again Appended) Appended {
	if errors.Is(again.Err, ErrUnavailable) || errors.Is(again.Err, ErrClosed) {
		return first
	}
	return again
}

// pause waits a little longer with each attempt, or until ctx ends.
func pause(ctx context.Context, attempt int) error {
	wait := time.NewTimer(min(time.Millisecond<<min(attempt, 7), 100*time.Millisecond))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tariffBook is what the Ledger knows of the tariffs.
type tariffBook struct {
	// reading is held by who reads them: one at a time, so that nobody waits for a read whose tariffs are fresh enough.
	reading chan struct{}
	mu      sync.Mutex
	// state is what was read; began is when its last complete read began, with a monotonic reading. Both are guarded by
	// mu.
	state tariffState
	began time.Time
}

func (b *tariffBook) get() (tariffState, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.began
}

func (b *tariffBook) set(s tariffState, began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.began = s, began
}

// Tariffs returns the log's versions, read not long ago: a process that cannot read them for a third of the lead must
// not price anything.
func (l *Ledger) Tariffs(ctx context.Context) (Tariffs, error) { return l.tariffs(ctx, tariffRefresh) }

// tariffs returns the versions as of a read that began no longer than maxAge ago, or, where that fails or is under way,
// no longer than a third of the lead ago.
func (l *Ledger) tariffs(ctx context.Context, maxAge time.Duration) (Tariffs, error) {
	b := &l.book
	known, began := b.get()
	age := l.Clock().Sub(began)
	usable := !began.IsZero() && age < tariffLeadThird
	if usable && age < maxAge {
		return known.tariffs, nil
	}
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	default:
		if usable && maxAge > 0 {
			return known.tariffs, nil
		}
		select {
		case b.reading <- struct{}{}:
			defer func() { <-b.reading }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	// Whoever read before may have read what is asked for.
	known, began = b.get()
	if !began.IsZero() && l.Clock().Sub(began) < maxAge {
		return known.tariffs, nil
	}
	began = l.Clock()
	fresh, err := l.readTariffs(ctx, known)
	if err == nil {
		b.set(fresh, began)
		return fresh.tariffs, nil
	}
	if !usable {
		return nil, fmt.Errorf("reading the tariffs: %w", err)
	}
	return known.tariffs, nil
}

func (l *Ledger) readTariffs(ctx context.Context, s tariffState) (tariffState, error) {
	for event, err := range l.Log.ReadStream(ctx, TariffStream, s.last()+1) {
		if errors.Is(err, ErrStreamNotFound) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		e, err := DecodeEvent(event.Canonical)
		if err == nil {
			s, err = s.step(e)
		}
		if err != nil {
			return s, fmt.Errorf("position %s: %w", event.Position, err)
		}
	}
	return s, nil
}

// Ready reports why engagements cannot be decided now, nil if they can.
func (l *Ledger) Ready(ctx context.Context) error {
	ts, err := l.Tariffs(ctx)
	if err == nil && len(ts) == 0 {
		err = errNotStarted
	}
	return err
}

// PublishTariff records a new version, asked for by the one named.
func (l *Ledger) PublishTariff(ctx context.Context, t Tariff, by string) Outcome {
	o := Outcome{Message: tariffMessage(t.Version)}
	for range maxAttempts {
		known, err := l.tariffs(ctx, 0)
		if err == nil && len(known) == 0 {
			err = errNotStarted
		}
		if err != nil {
			return o.failed(err)
		}
		if n := t.Version; n > 0 && n <= uint64(len(known)) && known[n-1].Equal(&t) {
			return l.recordedBefore(ctx, o, TariffStream, Revision(n-1))
		}
		e, rej := known.publish(&t, by, l.now())
		if rej != nil {
			return o.rejected(rej)
		}
		// The append's deadline is the last third of the lead.
		deadline, cancel := context.WithTimeout(ctx, tariffLeadThird)
		o, again := l.appendOwn(deadline, o, e)
		cancel()
		if !again {
			_, _ = l.tariffs(ctx, 0)
			return o
		}
	}
	return o.failed(errLostRaces)
}

var errLostRaces = errors.New("other writers were faster each time")

// Reverse takes an event's postings back, asked for by the one named, with a note that says why.
func (l *Ledger) Reverse(ctx context.Context, event EventID, note, by string) Outcome {
	return l.operate(ctx, request{event: event, note: note, by: by}, request.reverse)
}

// Reinstate makes a mistaken reversal good.
func (l *Ledger) Reinstate(ctx context.Context, reversal EventID, note, by string) Outcome {
	return l.operate(ctx, request{event: reversal, note: note, by: by}, request.reinstate)
}

func (l *Ledger) operate(
	ctx context.Context, r request, decide func(request, []*Event) (fresh, recorded *Event, _ *Rejection),
) Outcome {
	o := Outcome{Message: Message{LedgerSource, r.event.String()}}
	if rej := r.validate(); rej != nil {
		return o.rejected(rej)
	}
	found, ok, err := l.Events.FindEvent(ctx, r.event)
	if err != nil {
		return o.failed(err)
	}
	if !ok {
		return o.rejected(r.unknown())
	}
	target, err := DecodeEvent(found.Canonical)
	if err != nil {
		return o.failed(err)
	}
	for range maxAttempts {
		stream, err := l.readWhole(ctx, target.Stream)
		if err != nil {
			return o.failed(err)
		}
		r.now = l.now()
		fresh, recorded, rej := decide(r, stream)
		if rej != nil {
			return o.rejected(rej)
		}
		if recorded != nil {
			return l.recordedBefore(ctx, o, recorded.Stream, recorded.Revision)
		}
		o, again := l.appendOwn(ctx, o, fresh)
		if !again {
			return o
		}
	}
	return o.failed(errLostRaces)
}

// appendOwn appends an event of the ledger's own. again says that the race for its revision was lost.
func (l *Ledger) appendOwn(ctx context.Context, o Outcome, e *Event) (_ Outcome, again bool) {
	line, err := e.AppendCanonical(nil)
	if err != nil {
		return o.failed(err), false
	}
	answer := l.appendOne(ctx, Append{e.Stream, e.Revision - 1, e.Message(), []EncodedEvent{{e.Type, line}}})
	if errors.Is(answer.Err, ErrRevisionConflict) {
		if err := pause(ctx, 0); err != nil {
			return o.failed(err), false
		}
		return o, true
	}
	if answer.Err != nil {
		return o.failed(answer.Err), false
	}
	o.Result, o.Recorded = Recorded, RecordedEvent{e, answer.Positions[0]}
	return o, false
}

// readWhole reads a stream from its beginning, which must be there.
func (l *Ledger) readWhole(ctx context.Context, stream Stream) (events []*Event, _ error) {
	for event, err := range l.Log.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, err
		}
		e, err := DecodeEvent(event.Canonical)
		if err != nil {
			return nil, fmt.Errorf("position %s: %w", event.Position, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// recordedBefore makes o the outcome of a message that stands at a revision of a stream.
func (l *Ledger) recordedBefore(ctx context.Context, o Outcome, stream Stream, at Revision) Outcome {
	var events []RecordedEvent
	for event, err := range l.Log.ReadStream(ctx, stream, duplicateFrom(at)) {
		if err != nil {
			return o.failed(err)
		}
		e, err := DecodeEvent(event.Canonical)
		if err != nil {
			return o.failed(fmt.Errorf("position %s: %w", event.Position, err))
		}
		events = append(events, RecordedEvent{e, event.Position})
		if e.Revision >= at {
			break
		}
	}
	return o.duplicate(stream, at, events)
}

// duplicateFrom is the first revision that the outcome of a message needs which stands at a revision: a switch's
// withdrawal stands right before its reaction.
func duplicateFrom(at Revision) Revision { return max(at-1, 0) }

// duplicate makes o the outcome of a message that stands at a revision of a stream. events begin at duplicateFrom.
func (o Outcome) duplicate(stream Stream, at Revision, events []RecordedEvent) Outcome {
	n := int(at - duplicateFrom(at))
	if len(events) <= n {
		return o.failed(fmt.Errorf("stream %s: revision %d cannot be read: %w", stream, at, ErrCorrupt))
	}
	o.Result, o.Recorded = Duplicate, events[n]
	if n > 0 && events[0].ID == WithdrawnID(o.Recorded.ID) {
		o.Also = events[0]
	}
	return o
}

func (o Outcome) rejected(rej *Rejection) Outcome {
	o.Result, o.Rejection = Rejected, rej
	return o
}

func (o Outcome) failed(err error) Outcome {
	o.Result, o.Detail = Failed, err.Error()
	return o
}
