package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tweiledger/tweiledger/domain"
)

// unplaced is the position that EventStoreDB before 22.6 gives to the events of a stream.
var unplaced = domain.NewPosition(math.MaxUint64, math.MaxUint64)

func positionOf(e *recorded) domain.Position {
	return domain.NewPosition(e.GetCommitPosition(), e.GetPreparePosition())
}

// place asks a node where the events of a stream are that it showed without their positions, the first of them at a
// revision: by an append of each where it is. The store finds it there by its id, whatever its type, adds nothing, and
// answers with its position. It returns how many have one before the first that has none, and why that has none. Where
// that is domain.ErrUnavailable it may be asked again, and the node need not be given up.
func (l *Log) place(
	ctx context.Context, n *node, stream domain.Stream, first domain.Revision, events []domain.LogEvent,
) (placed int, err error) {
	var again []domain.Append
	var asked []*domain.LogEvent
	for i := range events {
		if events[i].Position == unplaced {
			asked = append(asked, &events[i])
			again = append(again, domain.Append{
				Stream: stream, Expected: first + domain.Revision(i) - 1,
				Events: []domain.EncodedEvent{{Type: domain.PostPublished, Canonical: events[i].Canonical}},
			})
		}
	}
	if again == nil {
		return len(events), nil
	}
	for i, answer := range l.appendAt(ctx, n, again) {
		if answer.Positions == nil {
			return int(again[i].Expected + 1 - first), notPlaced(&again[i], answer.Err)
		}
		asked[i].Position = answer.Positions[0]
	}
	return len(events), nil
}

// notPlaced returns the error of a read whose event has no position, by that of the append that asked for it.
func notPlaced(a *domain.Append, err error) error {
	what := fmt.Sprintf("asking where revision %d of stream %s is", a.Expected+1, a.Stream)
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w: the store does not say", what, domain.ErrUnavailable)
	case errors.Is(err, domain.ErrCorrupt):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, domain.ErrRevisionConflict), errors.Is(err, domain.ErrAppendTooLarge):
		return fmt.Errorf("%s: the store showed it and has it not: %v: %w", what, err, domain.ErrCorrupt)
	case errors.Is(err, domain.ErrUnavailable), errors.Is(err, domain.ErrClosed):
		return fmt.Errorf("%s: %w", what, err)
	}
	// That its outcome is unknown is about an append that nobody made.
	return fmt.Errorf("%s: %w: %v", what, domain.ErrUnavailable, err)
}
