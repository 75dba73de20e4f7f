package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrReplaced: the store no longer has the last event that it showed. It was restored from a backup, or the event's
// stream was deleted. What is known of the log may be of no log any more, so nothing is read or appended until it is
// opened again. It comes with domain.ErrUnavailable.
var ErrReplaced = errors.New("the store has another log than before")

// landmark is the last event that the log was seen to have, by its position. At each connection it is looked for before
// anybody uses that.
type landmark struct {
	mu       sync.Mutex // guards the others
	position domain.Position
	line     []byte
}

// note says that the log has an event.
func (m *landmark) note(position domain.Position, line []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.position.Compare(position) < 0 {
		m.position, m.line = position, line
	}
}

func (m *landmark) last() (domain.Position, []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position, m.line
}

// stillSame returns an ErrReplaced where a node does not have the landmark.
func (l *Log) stillSame(ctx context.Context, n *node) error {
	position, line := l.landmark.last()
	stream, revision, ok := domain.LinePlace(line)
	if !ok {
		return nil // nothing was seen yet
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, err := l.call(ctx, n.reads, l.streamRequest(stream, revision, 1))
	for err == nil {
		var e *recorded
		if e, err = read(); e == nil || err != nil {
			continue
		}
		if idOf(e) != domain.StoreID(line) {
			return replaced(stream, revision, position)
		}
		found := []domain.LogEvent{{Position: positionOf(e), Canonical: line}}
		if _, err = l.place(ctx, n, stream, revision, found); err != nil {
			continue
		}
		if found[0].Position != position {
			return replaced(stream, revision, position)
		}
		return nil
	}
	if isEnd(err) || errors.Is(err, domain.ErrStreamNotFound) || errors.Is(err, domain.ErrCorrupt) {
		return replaced(stream, revision, position)
	}
	return err
}

func replaced(stream domain.Stream, revision domain.Revision, position domain.Position) error {
	return fmt.Errorf("%w: revision %d of stream %s is not at position %s any more; it was restored from a backup, or "+
		"the stream was deleted", ErrReplaced, revision, stream, position)
}

// Replaced is closed once the log is ErrReplaced, for good.
func (l *Log) Replaced() <-chan struct{} { return l.finder.replaced }
