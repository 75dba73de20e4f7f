package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrReplaced: the store no longer has the last event that it showed. It was restored from a backup, or the event's
// stream was deleted. What is known of the log may be of no log any more, so nothing is read or appended until it is
// opened again. It comes with domain.ErrUnavailable.
var ErrReplaced = errors.New("the store has another log than before")

// landmark is an event that the log was seen to have, and where.
type landmark struct {
	position domain.Position
	stream   domain.Stream
	revision domain.Revision
	id       uuid.UUID // the store's
}

// lastSeen is the last event by its position that the log was seen to have. At each connection it is looked for before
// anybody uses that.
type lastSeen struct {
	mu sync.Mutex // guards at
	at landmark   // zero where nothing was seen yet
}

// note says that the log has an event.
func (s *lastSeen) note(m landmark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.position.Compare(m.position) < 0 {
		s.at = m
	}
}

func (s *lastSeen) landmark() landmark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// stillSame returns an ErrReplaced where a node does not have the landmark.
func (l *Log) stillSame(ctx context.Context, n *node) error {
	m := l.lastSeen.landmark()
	if m.position.IsStart() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, err := l.call(ctx, n.reads, l.streamRequest(m.stream, m.revision, 1))
	for err == nil {
		var e *recorded
		if e, err = read(); e == nil || err != nil {
			continue
		}
		if idOf(e) != m.id {
			return m.replaced()
		}
		found := []domain.LogEvent{{Position: positionOf(e), Canonical: e.GetData()}}
		if _, err = l.place(ctx, n, m.stream, m.revision, found); err != nil {
			continue
		}
		if found[0].Position != m.position {
			return m.replaced()
		}
		return nil
	}
	if isEnd(err) || errors.Is(err, domain.ErrStreamNotFound) || errors.Is(err, domain.ErrCorrupt) {
		return m.replaced()
	}
	return err
}

// replaced returns the ErrReplaced of a store that does not have a landmark.
func (m *landmark) replaced() error {
	return fmt.Errorf("%w: revision %d of stream %s is not at position %s any more; it was restored from a backup, or "+
		"the stream was deleted", ErrReplaced, m.revision, m.stream, m.position)
}

// Replaced is closed once the log is ErrReplaced, for good.
func (l *Log) Replaced() <-chan struct{} { return l.finder.replaced }
