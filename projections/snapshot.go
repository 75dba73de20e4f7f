package projections

import "github.com/tweiledger/tweiledger/domain"

// Snapshot is the views as of one size of the log: everything read from it is of the same size. It is safe for any
// number of goroutines, and must be closed.
type Snapshot struct {
	rows       StoreSnapshot
	checkpoint checkpoint
	err        error // why the snapshot cannot be read
}

func newSnapshot(rows StoreSnapshot) *Snapshot {
	s := &Snapshot{rows: rows}
	_, s.err = checkpointTable.read(rows, struct{}{}, &s.checkpoint)
	return s
}

// Size returns the number of events folded.
func (s *Snapshot) Size() uint64 { return s.checkpoint.size }

// Position returns the position of the last event folded.
func (s *Snapshot) Position() domain.Position { return s.checkpoint.position }

// Close lets go of the snapshot.
func (s *Snapshot) Close() error { return s.rows.Close() }
