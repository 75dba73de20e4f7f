package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/projections"
)

// Store is a projections.Store whose commits are measured.
type Store struct {
	projections.Store
	duration, rows prometheus.Histogram
	errors         errorCounters
}

// commitErrors are the errors of a commit by kind.
var commitErrors = []errorKind{
	{"paused", projections.ErrPaused},
	{"damaged", projections.ErrDamaged},
}

// NewStore returns a store whose commits are measured in reg.
func NewStore(reg prometheus.Registerer, store projections.Store) *Store {
	return &Store{
		Store:    store,
		duration: histogram(reg, "fold_commit_duration_seconds", "Time to write the rows of one batch of folded events.", secondsBuckets),
		rows:     histogram(reg, "fold_commit_rows", "Rows of one batch of folded events that were written.", countBuckets),
		errors:   countErrors(reg, "fold_commit_errors_total", "Batches of folded events that could not be written, by kind.", commitErrors),
	}
}

// Commit commits as the store does. The time of one that failed is not measured: it wrote nothing.
func (s *Store) Commit(rows []projections.Row) error {
	began := time.Now()
	err := s.Store.Commit(rows)
	if err != nil {
		s.errors.count(err)
		return err
	}
	since(s.duration, began)
	s.rows.Observe(float64(len(rows)))
	return nil
}
