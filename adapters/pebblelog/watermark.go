package pebblelog

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tweiledger/tweiledger/domain"
)

// watermark is a number that only grows, and that can be waited for.
type watermark struct {
	n  atomic.Uint64
	mu sync.Mutex // guards grown
	// grown is closed when n grows; nil while nobody waits.
	grown chan struct{}
}

func (w *watermark) set(n uint64) {
	w.n.Store(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.grown != nil {
		close(w.grown)
		w.grown = nil
	}
}

// wait returns once the number is at least min, or says why it did not wait for that.
func (w *watermark) wait(ctx context.Context, closing <-chan struct{}, min uint64) error {
	for w.n.Load() < min {
		w.mu.Lock()
		if w.grown == nil {
			w.grown = make(chan struct{})
		}
		grown := w.grown
		w.mu.Unlock()
		if w.n.Load() >= min {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-closing:
			return domain.ErrClosed
		}
	}
	return nil
}
