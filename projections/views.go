package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Views keeps the read models of a log. All methods are safe for any number of goroutines.
type Views struct {
	generations Generations
	log         domain.EventLog
	// serving is what is read, changed while mu is held.
	serving atomic.Pointer[generation]

	mu      sync.Mutex // guards everything below, and what generations say of themselves
	running bool
	// next is the generation that is built, nil for none; rebuild says why, nil where none is to be built.
	next    *generation
	rebuild *rebuild
	rebuilt string        // is Status.Rebuilt
	changed chan struct{} // closed when any of these changes
}

var (
	_ domain.MessageFinder   = (*Views)(nil)
	_ domain.EventFinder     = (*Views)(nil)
	_ domain.StatementReader = (*Views)(nil)
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
	// CaughtUp says that the views went at least as far as the log did when Run started, or that they are of an older
	// format and serve as they are until newer ones are built.
	CaughtUp bool
	// Rebuilt says why older views were thrown away at Open, "" where they were not.
	Rebuilt string
	// Waiting says what keeps the fold from going on for now, nil for nothing: the log is away, or there is no space. It
	// is tried again.
	Waiting error
	// LogAway is the part of Waiting that says why the log cannot be read.
	LogAway error
	// Err says why the fold has stopped: with a *FoldError, an event that cannot be folded. Only from damaged views does
	// it go on, in those that Rebuild speaks of.
	Err error
	// Rebuild says how the views are doing that are built beside these, nil for none.
	Rebuild *RebuildStatus
}

var errRunning = errors.New("the views are being folded already")

// Open returns the views of a log that are kept in generations. The oldest that can be read serve. Where the checkpoint
// is not of that log, or past its end, or of a format that cannot be read, or damaged, they are thrown away; Status
// then says why, and where no others are left, Run builds them anew while they are read. A log that cannot be read now
// is an error.
func Open(ctx context.Context, generations Generations, log domain.EventLog) (*Views, error) {
	v := &Views{generations: generations, log: log, changed: make(chan struct{})}
	if err := v.open(ctx); err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	return v, nil
}

// Status returns how the views are doing.
func (v *Views) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.serving.Load()
	s := g.status
	s.Size, s.Position = g.checkpoint.size, g.checkpoint.position
	s.CaughtUp = s.CaughtUp || g.outdated()
	s.Read = max(s.Read, s.Size)
	s.Rebuilt, s.Waiting, s.LogAway, s.Err = v.rebuilt, g.waiting(), g.logAway, g.status.Err
	if v.rebuild == nil {
		return s
	}
	s.Rebuild = v.rebuild.status(v.next)
	if s.Head.Compare(s.Rebuild.Goal) < 0 {
		s.Head = s.Rebuild.Goal
	}
	if g.standsStill() {
		s.Waiting = s.Rebuild.Waiting
		s.Err = errors.Join(s.Err, s.Rebuild.Err)
	}
	return s
}

// Unfolded returns when the first event behind the views was recorded, the zero time where the log has none. It reads
// the log.
func (v *Views) Unfolded(ctx context.Context) (recorded time.Time, err error) {
	at := v.Status().Position
	for events, err := range v.log.Read(ctx, at) {
		if err != nil {
			return time.Time{}, err
		}
		// It may be one that this program cannot decode.
		var line struct {
			RecordedAt time.Time `json:"recorded_at"`
		}
		err := json.Unmarshal(events[0].Canonical, &line)
		if err == nil && line.RecordedAt.IsZero() {
			err = errors.New("it has no recorded_at")
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("when the event behind position %q was recorded: %w", at, err)
		}
		return line.RecordedAt, nil
	}
	return time.Time{}, nil
}

// Snapshot returns the views as they are. It is never older than what Wait waited for.
func (v *Views) Snapshot() *Snapshot {
	for {
		// One that was just switched over from may be out of use already; then another one serves.
		if g := v.serving.Load(); g.acquire() {
			return newSnapshot(g)
		}
	}
}

// Changed returns a channel that is closed when the views go on, or when something else changes that Status tells.
func (v *Views) Changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

// Wait returns nil once everything up to a position is folded, the context's error if that ends before, and
// Status().Err where the fold has stopped.
func (v *Views) Wait(ctx context.Context, at domain.Position) error {
	return v.await(ctx, func() (bool, error) {
		return v.serving.Load().checkpoint.position.Compare(at) >= 0, v.stopped()
	})
}

// stopped returns why nothing will bring the views forward, nil where something will. mu is held.
func (v *Views) stopped() error {
	g := v.serving.Load()
	if !g.standsStill() {
		return g.status.Err
	}
	if v.rebuildWanted() {
		return nil
	}
	if v.rebuild != nil {
		return errors.Join(g.status.Err, v.rebuild.err)
	}
	return g.status.Err
}

// await waits until a condition holds, cannot hold any more, or ctx ends. The condition is looked at with mu held.
func (v *Views) await(ctx context.Context, holds func() (yes bool, never error)) error {
	for {
		v.mu.Lock()
		yes, never := holds()
		changed := v.changed
		v.mu.Unlock()
		switch {
		case yes:
			return nil
		case never != nil:
			return never
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// FindMessage implements domain.MessageFinder as of what was folded: of several events the first, which with a switch
// is the withdrawal. Where the views are of no use for that, it says nothing but why: once the fold has stopped, as what
// is recorded from then on it would never see, and until it has caught up, as it has not seen what was recorded before.
func (v *Views) FindMessage(ctx context.Context, m domain.Message) (domain.LogEvent, bool, error) {
	if err := v.follows(); err != nil {
		return domain.LogEvent{}, false, err
	}
	s := v.Snapshot()
	defer s.Close()
	places, err := s.Places(m)
	if err != nil || len(places) == 0 {
		return domain.LogEvent{}, false, err
	}
	return v.readPlace(ctx, places[0])
}

// follows returns why the views do not hold what was recorded up to now but for what is on its way to them, nil where
// they do.
func (v *Views) follows() error {
	s := v.Status()
	v.mu.Lock()
	stands := v.serving.Load().standsStill()
	v.mu.Unlock()
	switch {
	case s.Err != nil:
		return fmt.Errorf("the views follow the log no more: %w", s.Err)
	case !s.CaughtUp || stands:
		return fmt.Errorf("%w: the views do not hold all that was recorded, with %d events folded", domain.ErrUnavailable, s.Size)
	}
	return nil
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
