package pebbleviews

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/tweiledger/tweiledger/projections"
)

// sharedSnapshot is a snapshot of Pebble's that all use who ask between two commits: to make and to close one each
// takes the lock under which Pebble writes, and makes it look for work.
type sharedSnapshot struct {
	*pebble.Snapshot
	refs int
}

// storeSnapshot is one use of a shared snapshot.
type storeSnapshot struct {
	reader
	shared *sharedSnapshot
	store  *Store
}

// Snapshot implements projections.Store.
func (s *Store) Snapshot() projections.StoreSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == nil {
		s.shared = &sharedSnapshot{s.db.NewSnapshot(), 1}
	}
	s.shared.refs++
	return &storeSnapshot{reader{s.shared.Snapshot}, s.shared, s}
}

// Close implements projections.StoreSnapshot.
func (u *storeSnapshot) Close() error {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.shared.release()
}

// release lets go of one reference. The store's mu is held.
func (h *sharedSnapshot) release() error {
	if h.refs--; h.refs > 0 {
		return nil
	}
	return h.Snapshot.Close()
}

// outdate makes the next Snapshot a new one.
func (s *Store) outdate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shared := s.shared
	if s.shared = nil; shared == nil {
		return nil
	}
	return shared.release()
}
