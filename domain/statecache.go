package domain

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// cachedStates bounds each of the cache's two generations.
const cachedStates = 16_384

// stateCache keeps the states of the streams used last, in two generations: what is used moves to the young one, and
// when that is full the old one goes. A state in it may be older than the log's: whoever uses one reads on from there.
type stateCache struct {
	mu sync.Mutex
	// young and old are guarded by mu.
	young, old map[Stream]state
}

func (c *stateCache) get(stream Stream) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.young[stream]; ok {
		return s
	}
	s, ok := c.old[stream]
	if !ok {
		return nil
	}
	c.add(stream, s)
	return s
}

// put keeps a state unless a newer one is there.
func (c *stateCache) put(stream Stream, s state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.young[stream]; ok && known.seen().last() >= s.seen().last() {
		return
	}
	c.add(stream, s)
}

// add needs mu to be held.
func (c *stateCache) add(stream Stream, s state) {
	if len(c.young) >= cachedStates || c.young == nil {
		c.old, c.young = c.young, make(map[Stream]state, cachedStates/4)
	}
	c.young[stream] = s
}

// load returns the current state of a stream, at least at the revision given (NoStream for any): a log may show the
// revision that won a race only a little later.
func (l *Ledger) load(ctx context.Context, stream Stream, atLeast Revision) (state, error) {
	for attempt := 0; ; attempt++ {
		s, err := l.loadOnce(ctx, stream)
		if err != nil {
			return nil, err
		}
		if s.seen().last() >= atLeast {
			return s, nil
		}
		if attempt == maxAttempts {
			return nil, fmt.Errorf("stream %s: revision %d cannot be seen yet: %w", stream, atLeast, ErrUnavailable)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

func (l *Ledger) loadOnce(ctx context.Context, stream Stream) (state, error) {
	s := l.states.get(stream)
	known := s != nil
	if !known {
		kind, _, _, ok := stream.Parse()
		if !ok {
			return nil, fmt.Errorf("%q is no stream", stream)
		}
		s = newState(kind)
	}
	before := s.seen().last()
	for event, err := range l.Log.ReadStream(ctx, stream, before+1) {
		if errors.Is(err, ErrStreamNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading stream %s: %w", stream, err)
		}
		e, err := DecodeEvent(event.Canonical)
		if err == nil {
			s, err = s.step(e)
		}
		if err != nil {
			return nil, fmt.Errorf("position %s: %w", event.Position, err)
		}
	}
	if s.seen().last() > before && worthCaching(s) {
		s.seen().share()
		l.states.put(stream, s)
	}
	return s, nil
}

// worthCaching picks what many decisions read, and what is long to read: not the short streams of one account each.
func worthCaching(s state) bool {
	switch s.(type) {
	case *postState, *commentState:
		return true
	}
	const longStream = 8
	return s.seen().last() >= longStream
}
