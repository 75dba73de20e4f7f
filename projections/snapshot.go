package projections

import "github.com/tweiledger/tweiledger/domain"

// Snapshot is the views as of one size of the log: everything read from it is of the same size. It is safe for any
// number of goroutines, and must be closed.
type Snapshot struct {
	rows       StoreSnapshot
	of         *generation // is held until Close
	checkpoint checkpoint
	err        error // why the snapshot cannot be read
}

// newSnapshot returns a snapshot of a generation that was acquired for it.
func newSnapshot(g *generation) *Snapshot {
	s := &Snapshot{of: g}
	s.rows, s.checkpoint, s.err = g.snapshot()
	return s
}

// Size returns the number of events folded.
func (s *Snapshot) Size() uint64 { return s.checkpoint.size }

// Position returns the position of the last event folded.
func (s *Snapshot) Position() domain.Position { return s.checkpoint.position }

// Close lets go of the snapshot.
func (s *Snapshot) Close() error {
	defer s.of.release()
	return s.rows.Close()
}
