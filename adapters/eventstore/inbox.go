package eventstore

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Bounds of what is read ahead of who takes it. Beyond them the store waits.
const (
	inboxEvents = 2048
	inboxBytes  = 2 << 20
)

// inbox holds what was received and not taken yet.
type inbox struct {
	mu     sync.Mutex // guards the next four
	events []domain.LogEvent
	bytes  int
	begun  bool  // something came, be it a confirmation
	end    error // why no more will come, io.EOF where that is all
	// came says that something came, taken that something was taken.
	came, taken chan struct{}
}

// receive puts what a call gives, which ends with ctx, into an inbox.
func (l *Log) receive(ctx context.Context, next receiver) *inbox {
	b := &inbox{came: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
	go func() {
		for {
			e, err := next()
			if err == nil {
				err = b.put(ctx, l, e)
			}
			if err != nil {
				b.ended(err)
				return
			}
		}
	}()
	return b
}

// put puts an event into the inbox, as soon as there is room.
func (b *inbox) put(ctx context.Context, l *Log, e *recorded) error {
	if e == nil {
		b.mu.Lock()
		b.begun = true
		b.mu.Unlock()
		signal(b.came)
		return nil
	}
	event, err := l.read(e)
	if err != nil {
		return err
	}
	for {
		b.mu.Lock()
		if len(b.events) < inboxEvents && b.bytes < inboxBytes {
			b.events, b.begun = append(b.events, event), true
			b.bytes += len(event.Canonical)
			b.mu.Unlock()
			signal(b.came)
			return nil
		}
		b.mu.Unlock()
		select {
		case <-b.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hasBegun reports whether anything ever came.
func (b *inbox) hasBegun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun
}

func (b *inbox) ended(err error) {
	b.mu.Lock()
	b.end = err
	b.mu.Unlock()
	signal(b.came)
}

// take takes all that is there, or what comes first. It returns io.EOF at the end, and errSilent where nothing at all
// came for so long.
func (b *inbox) take(ctx context.Context, patience time.Duration) ([]domain.LogEvent, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		b.mu.Lock()
		events, end := b.events, b.end
		b.events, b.bytes = nil, 0
		b.mu.Unlock()
		if len(events) > 0 {
			signal(b.taken)
			return events, nil
		}
		if end != nil {
			return nil, end
		}
		select {
		case <-b.came:
			timer.Reset(patience)
		case <-timer.C:
			return nil, errSilent
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isEnd reports whether a call gave all that it had. The end of another call inside an error is none.
func isEnd(err error) bool { return err == io.EOF }
