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

// Generations is a projections.Generations whose stores' commits are measured together.
type Generations struct {
	projections.Generations
	measured Store
}

// NewGenerations returns generations whose stores' commits are measured in reg.
func NewGenerations(reg prometheus.Registerer, generations projections.Generations) *Generations {
	return &Generations{generations, Store{
		duration: histogram(reg, "fold_commit_duration_seconds", "Time to write the rows of one batch of folded events.",
			secondsBuckets),
		rows: histogram(reg, "fold_commit_rows", "Rows of one batch of folded events that were written.", countBuckets),
		errors: countErrors(reg, "fold_commit_errors_total", "Batches of folded events that could not be written, by kind.",
			commitErrors),
	}}
}

// Stores implements projections.Generations.
func (g *Generations) Stores() []projections.Store {
	stores := g.Generations.Stores()
	for i, store := range stores {
		stores[i] = g.measure(store)
	}
	return stores
}

// Create implements projections.Generations.
func (g *Generations) Create() (projections.Store, error) {
	store, err := g.Generations.Create()
	if err != nil {
		return nil, err
	}
	return g.measure(store), nil
}

// Promote implements projections.Generations.
func (g *Generations) Promote(store projections.Store) error {
	return g.Generations.Promote(store.(*Store).Store)
}

// Drop implements projections.Generations.
func (g *Generations) Drop(store projections.Store) error {
	return g.Generations.Drop(store.(*Store).Store)
}

func (g *Generations) measure(store projections.Store) *Store {
	measured := g.measured
	measured.Store = store
	return &measured
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
