package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// longStream is how many events are long to read.
const longStream = 8

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
// revision that won a race only a little later. It also returns the last events, those that were read for it.
func (l *Ledger) load(ctx context.Context, stream Stream, atLeast Revision) (state, []RecordedEvent, error) {
	for attempt := 0; ; attempt++ {
		s, read, err := l.loadOnce(ctx, stream)
		if err != nil {
			return nil, nil, err
		}
		if s.seen().last() >= atLeast {
			return s, read, nil
		}
		if attempt == maxAttempts {
			return nil, nil, fmt.Errorf("stream %s: revision %d cannot be seen yet: %w", stream, atLeast, ErrUnavailable)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, nil, err
		}
	}
}

func (l *Ledger) loadOnce(ctx context.Context, stream Stream) (state, []RecordedEvent, error) {
	kind, _, _, ok := stream.Parse()
	if !ok {
		return nil, nil, fmt.Errorf("%q is no stream", stream)
	}
	cache, least := l.cacheFor(kind)
	r := stateReader{state: cache.get(stream)}
	if r.state == nil {
		r.state = newState(kind)
	}
	before := r.state.seen().last()
	l.Log.ReadStream(ctx, stream, before+1)(r.take)
	if r.err != nil {
		return nil, nil, fmt.Errorf("reading stream %s: %w", stream, r.err)
	}
	if last := r.state.seen().last(); last > before && last >= least {
		r.state.seen().share()
		cache.put(stream, r.state)
	}
	return r.state, r.read, nil
}

// stateReader steps from a state through the events of its stream.
type stateReader struct {
	state state
	// read are the last events, at most longStream of them.
	read []RecordedEvent
	err  error
}

// take is what an iterator of ReadStream yields to.
func (r *stateReader) take(event LogEvent, err error) bool {
	if errors.Is(err, ErrStreamNotFound) {
		return false
	}
	if r.err = err; err != nil {
		return false
	}
	e, err := DecodeEvent(event.Canonical)
	if err == nil {
		r.state, err = r.state.step(e)
	}
	if err != nil {
		r.err = fmt.Errorf("position %s: %w", event.Position, err)
		return false
	}
	if len(r.read) == longStream {
		r.read = slices.Delete(r.read, 0, 1)
	}
	r.read = append(r.read, RecordedEvent{e, event.Position})
	return true
}

// keep caches what the task's appended events made of a post or comment: a new one is reacted to soon.
func (l *Ledger) keep(t *task) {
	switch t.state.(type) {
	case *postState, *commentState:
	default:
		return
	}
	s := t.state
	for _, e := range t.events {
		var err error
		if s, err = s.step(e); err != nil {
			return // what cannot stand there is told by who reads it
		}
	}
	s.seen().share()
	l.subjects.put(t.own, s)
}

// cacheFor returns the cache for the streams of a kind, and the least last revision of what it is worth keeping: all
// that many decisions read, and what is long to read of the streams of one account each, which are nearly all short.
// Apart from the others these cost little to be looked for.
func (l *Ledger) cacheFor(kind StreamKind) (*stateCache, Revision) {
	if kind == KindPost || kind == KindComment {
		return &l.subjects, 0
	}
	return &l.long, longStream
}
