package projections

import (
	"context"
	"fmt"
)

// Generations is the port to what keeps stores of views, generation after generation: the oldest one that can be read
// serves while the one behind it is built. It is safe for any number of goroutines.
type Generations interface {
	// Stores returns the stores that there are, oldest first.
	Stores() []Store
	// Create makes an empty store behind the others.
	Create() (Store, error)
	// Promote makes what was committed to a store durable, and then the stores before it to be removed when they are
	// opened next. However it ends, the next opening finds the stores as they were, or all but those.
	Promote(Store) error
	// Drop closes a store and removes it, which a crash leaves whole or not at all. No snapshot of it is open.
	Drop(Store) error
	// Discarded says why stores that could have served were removed when they were opened, "" where none were.
	Discarded() string
}

// open chooses what serves and what is built out of the stores that there are. Where none can serve, an empty one does.
func (v *Views) open(ctx context.Context) error {
	v.rebuilt = v.generations.Discarded()
	for _, store := range v.generations.Stores() {
		if err := v.adopt(ctx, store); err != nil {
			return err
		}
	}
	if g := v.serving.Load(); g != nil {
		if g.outdated() {
			v.wantRebuild(fmt.Sprintf("the views have format %d, not %d", g.checkpoint.format, viewFormat))
		}
		return nil
	}
	store, err := v.generations.Create()
	if err != nil {
		return err
	}
	v.serving.Store(newGeneration(v, store))
	return nil
}

// adopt has a store serve where none does yet, or built on where it is behind that one. What fits the log is kept, all
// else dropped.
func (v *Views) adopt(ctx context.Context, store Store) error {
	g := newGeneration(v, store)
	difference, err := g.load(ctx)
	if err != nil {
		return err
	}
	switch {
	case v.serving.Load() == nil && difference == "":
		v.serving.Store(g)
		return nil
	case v.serving.Load() == nil:
		v.rebuilt = difference
	case v.next == nil && difference == "" && !g.outdated():
		v.next = g
		v.wantRebuild("a rebuild was under way, and goes on")
		return nil
	default:
		v.wantRebuild("a rebuild was under way, and begins again")
	}
	return v.generations.Drop(store)
}
