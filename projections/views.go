package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tweiledger/tweiledger/domain"
)

// Views keeps the read models of a log. All methods are safe for any number of goroutines.
type Views struct {
	store Store
	log   domain.EventLog

	mu         sync.Mutex // guards everything below
	running    bool
	checkpoint checkpoint // of the last commit
	status     Status     // but for Size, Position, Waiting and LogAway
	// goal is the end of the log when the first run started.
	goal      domain.Position
	goalKnown bool
	// logAway and storeAway are why the log and the store were not to be had in the last try.
	logAway, storeAway error
	changed            chan struct{} // closed when any of these changes
}

var (
	_ domain.MessageFinder = (*Views)(nil)
	_ domain.EventFinder   = (*Views)(nil)
)

// Status says how the views are doing.
type Status struct {
	// Size is the number of events folded, Position the position of the last one.
	Size     uint64
	Position domain.Position
	// Head is the position of the last event that was seen in the log.
	Head domain.Position
	// Read is the number of events that were read from the log, Size of them folded. While much is unfolded the log has
	// more: it is read only a little ahead.
	Read uint64
	// CaughtUp says that the views went at least as far as the log did when Run started.
	CaughtUp bool
	// Rebuilt says why older views were thrown away at Open, "" where they were not.
	Rebuilt string
	// Waiting says what keeps the fold from going on for now, nil for nothing: the log is away, or there is no space. It
	// is tried again.
	Waiting error
	// LogAway is the part of Waiting that says why the log cannot be read.
	LogAway error
	// Err says why the fold has stopped for good: with a *FoldError, an event that cannot be folded.
	Err error
}

var errRunning = errors.New("the views are being folded already")

// Open returns the views of a log that a store keeps. Where the checkpoint is not of that log, or past its end, or of
// another format, or damaged, the views are thrown away, to be built anew by Run; Status then says why. A log that cannot be read now
// is an error.
func Open(ctx context.Context, store Store, log domain.EventLog) (*Views, error) {
	v := &Views{store: store, log: log, changed: make(chan struct{})}
	difference, err := v.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	if difference == "" {
		v.status.Rebuilt = store.Discarded()
	} else {
		if err := store.Wipe(); err != nil {
			return nil, fmt.Errorf("views: %w", err)
		}
		v.checkpoint = checkpoint{}
		v.status.Rebuilt = difference
	}
	return v, nil
}

// load reads the checkpoint, and returns why the views do not fit the log, "" where they do.
func (v *Views) load(ctx context.Context) (difference string, err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			difference, err = err.Error(), nil
		}
	}()
	found, err := checkpointTable.read(v.store, struct{}{}, &v.checkpoint)
	switch {
	case err != nil:
		return "", err
	case !found:
		for _, err := range v.store.Scan(nil, nil) {
			return "the views have no checkpoint", err
		}
		return "", nil
	case v.checkpoint.format != viewFormat:
		return fmt.Sprintf("the views have format %d, not %d", v.checkpoint.format, viewFormat), nil
	}
	return v.checkpoint.compare(ctx, v.store, v.log)
}

// Status returns how the views are doing.
func (v *Views) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.status
	s.Size, s.Position = v.checkpoint.size, v.checkpoint.position
	s.Read = max(s.Read, s.Size)
	s.Waiting, s.LogAway = errors.Join(v.storeAway, v.logAway), v.logAway
	return s
}

// Snapshot returns the views as they are. It is never older than what Wait waited for.
func (v *Views) Snapshot() *Snapshot { return newSnapshot(v.store.Snapshot()) }

// Wait returns nil once everything up to a position is folded, the context's error if that ends before, and Status().Err
// where the fold has stopped.
func (v *Views) Wait(ctx context.Context, at domain.Position) error {
	for {
		v.mu.Lock()
		there := v.checkpoint.position.Compare(at) >= 0
		stopped, changed := v.status.Err, v.changed
		v.mu.Unlock()
		switch {
		case there:
			return nil
		case stopped != nil:
			return stopped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// FindMessage implements domain.MessageFinder as of what was folded: of several events the first, which with a switch is
// the withdrawal.
func (v *Views) FindMessage(ctx context.Context, m domain.Message) (domain.LogEvent, bool, error) {
	s := v.Snapshot()
	defer s.Close()
	places, err := s.Places(m)
	if err != nil || len(places) == 0 {
		return domain.LogEvent{}, false, err
	}
	return v.readPlace(ctx, places[0])
}

// FindEvent implements domain.EventFinder as of what was folded.
func (v *Views) FindEvent(ctx context.Context, id domain.EventID) (domain.LogEvent, bool, error) {
	s := v.Snapshot()
	defer s.Close()
	place, found, err := s.Event(id)
	if err != nil || !found {
		return domain.LogEvent{}, false, err
	}
	return v.readPlace(ctx, place)
}

// readPlace reads the event at a place from the log.
func (v *Views) readPlace(ctx context.Context, p Place) (domain.LogEvent, bool, error) {
	for event, err := range v.log.ReadStream(ctx, p.Stream, p.Revision) {
		if err != nil {
			return domain.LogEvent{}, false, err
		}
		if event.Position != p.Position {
			err := fmt.Errorf("event %d is at position %s, not %s: %w", p.Index, event.Position, p.Position, domain.ErrCorrupt)
			return domain.LogEvent{}, false, err
		}
		return event, true, nil
	}
	err := fmt.Errorf("event %d, which was folded, is not in the log: %w", p.Index, domain.ErrCorrupt)
	return domain.LogEvent{}, false, err
}
