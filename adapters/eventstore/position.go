package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tweiledger/tweiledger/domain"
)

// unplaced is the position that EventStoreDB before 22.6 gives to the events of a stream.
var unplaced = domain.NewPosition(math.MaxUint64, math.MaxUint64)

func positionOf(e *recorded) domain.Position {
	return domain.NewPosition(e.GetCommitPosition(), e.GetPreparePosition())
}

// placed receives events with the positions that a read of a stream may not tell.
func (l *Log) placed(ctx context.Context, n *node, read receiver) receiver {
	return func() (*recorded, error) {
		e, err := read()
		if err == nil && e != nil && positionOf(e) == unplaced {
			err = l.place(ctx, n, e)
		}
		return e, err
	}
}

// place asks the node for the position of an event that it has just shown, by an append of that event where it is: the
// store finds it there by its id, stores nothing, and answers with its position. What is not the ledger's, or of a type
// that is not known here, stays without; who reads the event refuses it.
func (l *Log) place(ctx context.Context, n *node, e *recorded) error {
	stream, ours := strings.CutPrefix(string(e.GetStreamIdentifier().GetStreamName()), l.prefix)
	kind, known := domain.ParseEventType(e.GetMetadata()["type"])
	if !ours || !known || idOf(e) != domain.StoreID(e.GetData()) {
		return nil
	}
	revision := domain.Revision(e.GetStreamRevision())
	again := domain.Append{
		Stream: domain.Stream(stream), Expected: revision - 1,
		Events: []domain.EncodedEvent{{Type: kind, Canonical: e.GetData()}},
	}
	switch answer := l.appendAt(ctx, n, []domain.Append{again})[0]; {
	case errors.Is(answer.Err, domain.ErrRevisionConflict) || errors.Is(answer.Err, domain.ErrCorrupt):
		return corrupt(e, "the store showed it and does not have it: %v", answer.Err)
	case errors.Is(answer.Err, domain.ErrUnavailable):
		return fmt.Errorf("asking where revision %d of stream %s is: %w", revision, stream, answer.Err)
	case answer.Err != nil:
		return fmt.Errorf("asking where revision %d of stream %s is: %v", revision, stream, answer.Err)
	case answer.Positions == nil:
		return fmt.Errorf("the store does not say where revision %d of stream %s is", revision, stream)
	default:
		position := answer.Positions[0]
		e.CommitPosition, e.PreparePosition = position.Numbers()
		return nil
	}
}
