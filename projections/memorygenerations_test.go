package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// setOldestReadable changes the oldest format that is read until the test ends.
func setOldestReadable(t testing.TB, format uint64) {
	before := oldestReadable
	oldestReadable = format
	t.Cleanup(func() { oldestReadable = before })
}

// ReadNoOlder has no older format readable until the test ends.
func ReadNoOlder(t testing.TB) { setOldestReadable(t, viewFormat) }

// MemoryGenerations keeps generations in memory and fails the test where the port's rules are broken.
type MemoryGenerations struct {
	t testing.TB

	mu       sync.Mutex // guards everything below
	stores   []*MemoryStore
	retired  map[*MemoryStore]bool
	dropped  int
	refuse   error // is what Create answers, if set
	onCreate func(*MemoryStore)
}

// NewMemoryGenerations returns generations that were kept before.
func NewMemoryGenerations(t testing.TB, stores ...*MemoryStore) *MemoryGenerations {
	return &MemoryGenerations{t: t, stores: stores, retired: map[*MemoryStore]bool{}}
}

// RefuseCreating makes an error the answer to each Create from now on, nil ends that.
func (g *MemoryGenerations) RefuseCreating(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = err
}

// OnCreate has a function called with each store that is created from now on.
func (g *MemoryGenerations) OnCreate(call func(*MemoryStore)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.onCreate = call
}

// Kept returns the stores that the next opening finds.
func (g *MemoryGenerations) Kept() []*MemoryStore {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.stores), func(s *MemoryStore) bool { return g.retired[s] || s.Condemned() != "" })
}

// Dropped returns how many stores were dropped.
func (g *MemoryGenerations) Dropped() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dropped
}

// Stores implements Generations.
func (g *MemoryGenerations) Stores() (stores []Store) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.stores {
		stores = append(stores, s)
	}
	return stores
}

// Create implements Generations.
func (g *MemoryGenerations) Create() (Store, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refuse != nil {
		return nil, g.refuse
	}
	s := NewMemoryStore(g.t)
	if g.onCreate != nil {
		g.onCreate(s)
	}
	g.stores = append(g.stores, s)
	return s, nil
}

// Promote implements Generations.
func (g *MemoryGenerations) Promote(store Store) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.stores {
		if s == store {
			return nil
		}
		g.retired[s] = true
	}
	return errors.New("there is no such store")
}

// Drop implements Generations.
func (g *MemoryGenerations) Drop(store Store) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := store.(*MemoryStore)
	if n := s.snapshots(); n > 0 {
		g.t.Errorf("a store is dropped while %d snapshots are open", n)
	}
	if !slices.Contains(g.stores, s) {
		g.t.Error("a store is dropped twice")
	}
	g.stores = slices.DeleteFunc(g.stores, func(other *MemoryStore) bool { return other == s })
	g.dropped++
	return nil
}

// Discarded implements Generations.
func (g *MemoryGenerations) Discarded() string { return "" }

func (s *MemoryStore) snapshots() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Damaged implements Store.
func (s *MemoryStore) Damaged(ctx context.Context) error {
	select {
	case <-s.damaged:
		return fmt.Errorf("%w: %s", ErrDamaged, s.Condemned())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A MemoryStore is also the Generations of itself alone: what is dropped is created again in its place.

// Stores implements Generations. It is what an opening calls, which throws a condemned store away.
func (s *MemoryStore) Stores() []Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.condemned != "" {
		s.rows, s.condemned, s.damaged = nil, "", make(chan struct{})
	}
	return []Store{s}
}

// Create implements Generations.
func (s *MemoryStore) Create() (Store, error) {
	if !s.dropped {
		return nil, errors.New("the test keeps one generation only")
	}
	return s, nil
}

// Promote implements Generations.
func (s *MemoryStore) Promote(Store) error { return errors.New("the test keeps one generation only") }

// Drop implements Generations.
func (s *MemoryStore) Drop(Store) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows, s.dropped = nil, true
	return nil
}

// Discarded implements Generations.
func (s *MemoryStore) Discarded() string { return "" }

// Outdate makes the format of the rows in a store that holds views an older one, and has it readable until the test ends.
func Outdate(t testing.TB, s *MemoryStore) {
	setOldestReadable(t, viewFormat-1)
	var c checkpoint
	if found, err := checkpointTable.read(s, struct{}{}, &c); !found || err != nil {
		t.Fatalf("no checkpoint: %v", err)
	}
	c.format = viewFormat - 1
	if err := s.Commit([]Row{{checkpointTable.appendKey(nil, struct{}{}), encodeCheckpoint(nil, &c)}}); err != nil {
		t.Fatal(err)
	}
}
