package projections

import (
	"cmp"
	"fmt"
	"slices"
)

// models is the list of the read models, in the order in which an event goes through them. The statements' comes first:
// it works out the event's effect, which those behind it may use.
var models = []func(*fold) model{newStatements, newPosts, newComments, newReports, newLinks, newPlaces, newTimes, newTariffs}

// A model is one read model: it folds an event into the rows of its tables.
type model interface {
	// want names rows that the fold of an event will ask for, so that those of many events are read together, in the
	// order of their keys. What it leaves out only takes longer.
	want(e *event)
	fold(e *event) error
}

// rows are the rows of one table in a fold: a cache or a list.
type rows interface {
	load() error
	flush(w *write)
	reset()
}

// fold is the state of folding: the read models and the rows of the batch at hand.
type fold struct {
	store Store
	// written tells which rows the store may hold beside those in caches; nil where it may hold any.
	written *filter
	models  []model
	columns []column
}

type column struct {
	prefix byte
	rows
}

// newFold returns the fold into a store, which may be known to be empty.
func newFold(store Store, empty bool) *fold {
	f := &fold{store: store}
	if empty {
		f.written = newFilter()
	}
	for _, m := range models {
		f.models = append(f.models, m(f))
	}
	slices.SortFunc(f.columns, func(a, b column) int { return cmp.Compare(a.prefix, b.prefix) })
	return f
}

// register adds the rows of a table. Two with one prefix would not be written in order.
func (f *fold) register(prefix byte, rows rows) {
	for _, c := range f.columns {
		if c.prefix == prefix {
			panic(fmt.Sprintf("two tables have the prefix %q", prefix))
		}
	}
	f.columns = append(f.columns, column{prefix, rows})
}

// ahead reads the rows that folding events will ask for. A run that began with empty views knows which rows it wrote, and
// reads them when it has to.
func (f *fold) ahead(events []event) error {
	if f.written != nil {
		return nil
	}
	for i := range events {
		if events[i].err != nil {
			break
		}
		for _, m := range f.models {
			m.want(&events[i])
		}
	}
	for _, c := range f.columns {
		if err := c.load(); err != nil {
			return &readError{err}
		}
	}
	return nil
}

// event folds one event. After an error the rows are good for nothing: reset.
func (f *fold) event(e *event) error {
	if e.err != nil {
		return e.err
	}
	for _, m := range f.models {
		if err := m.fold(e); err != nil {
			return err
		}
	}
	return nil
}

// flush appends the rows of the batch to w, sorted by key, and begins the next batch. The batch before this one must be
// in the store by now.
func (f *fold) flush(w *write) {
	for _, c := range f.columns {
		c.flush(w)
	}
}

// reset forgets the batch, and which rows the store holds. All batches before it must be in the store by now.
func (f *fold) reset() {
	f.written = nil
	for _, c := range f.columns {
		c.reset()
	}
}
