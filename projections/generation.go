package projections

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tweiledger/tweiledger/domain"
)

// generation is the views in one store, and how far the fold of the log into them is.
type generation struct {
	views *Views
	store Store
	// readers is the number of snapshots that are open, and 1 more until the generation is retired. Once it is 0, unused
	// is closed, and it stays 0.
	readers atomic.Int64
	unused  chan struct{}
	// loaded says that the store held views when it was opened.
	loaded bool
	// commits is the number of commits begun and ended: odd while one is under way. known is the checkpoint of the last
	// one, nil where it is to be read. So a snapshot between commits need not read it.
	commits atomic.Uint64
	known   atomic.Pointer[checkpoint]

	// The views' mu guards what is below.
	checkpoint checkpoint // of the last commit
	status     Status     // Head, Read, CaughtUp and Err
	// goal is the end of the log when the first run started.
	goal      domain.Position
	goalKnown bool
	// logAway and storeAway are why the log and the store were not to be had in the last try.
	logAway, storeAway error
}

func newGeneration(v *Views, store Store) *generation {
	g := &generation{views: v, store: store, unused: make(chan struct{})}
	g.readers.Store(1)
	return g
}

// load reads the checkpoint, and returns why the views cannot serve the log, "" where they can.
func (g *generation) load(ctx context.Context) (difference string, err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			difference, err = err.Error(), nil
		}
	}()
	found, err := checkpointTable.read(g.store, struct{}{}, &g.checkpoint)
	switch {
	case err != nil:
		return "", err
	case !found:
		for _, err := range g.store.Scan(nil, nil) {
			return "the views have no checkpoint", err
		}
		return "", nil
	case !readable(g.checkpoint.format):
		return fmt.Sprintf("the views have format %d, not %d", g.checkpoint.format, viewFormat), nil
	}
	g.loaded = true
	known := g.checkpoint
	g.known.Store(&known)
	return g.checkpoint.compare(ctx, g.store, g.views.log)
}

// commit commits rows, and the checkpoint among them.
func (g *generation) commit(rows []Row, c *checkpoint) error {
	g.commits.Add(1)
	defer g.commits.Add(1)
	err := g.store.Commit(rows)
	known := *c
	switch {
	case err == nil:
		g.known.Store(&known)
	case !errors.Is(err, ErrPaused):
		g.known.Store(nil)
	}
	return err
}

// snapshot returns the rows as of the last commit, and its checkpoint.
func (g *generation) snapshot() (rows StoreSnapshot, c checkpoint, err error) {
	began := g.commits.Load()
	rows = g.store.Snapshot()
	if known := g.known.Load(); known != nil && began%2 == 0 && g.commits.Load() == began {
		return rows, *known, nil
	}
	_, err = checkpointTable.read(rows, struct{}{}, &c)
	return rows, c, err
}

// outdated reports whether the rows have an older format. They are read, but nothing is folded into them any more.
func (g *generation) outdated() bool {
	return g.checkpoint.size > 0 && g.checkpoint.format != viewFormat
}

// standsStill reports whether no run will bring the views forward again. mu is held.
func (g *generation) standsStill() bool { return g.outdated() || errors.Is(g.status.Err, ErrDamaged) }

// acquire counts a reader. It reports false where the generation is out of use.
func (g *generation) acquire() bool {
	for n := g.readers.Load(); n > 0; n = g.readers.Load() {
		if g.readers.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// release takes a reader, or what retires the generation, from the count.
func (g *generation) release() {
	if g.readers.Add(-1) == 0 {
		close(g.unused)
	}
}

// folding is a fold that goes on by itself.
type folding struct {
	of *generation
	// alive ends when the fold is asked to end, or has.
	alive context.Context
	end   context.CancelFunc
	ended chan struct{}
	err   error // once ended is closed
}

// launch folds the log until ctx ends, or the fold by itself.
func (g *generation) launch(ctx context.Context) *folding {
	f := &folding{of: g, ended: make(chan struct{})}
	f.alive, f.end = context.WithCancel(ctx)
	go func() {
		defer close(f.ended)
		defer f.end()
		f.err = g.foldOn(f.alive)
	}()
	return f
}

// stop ends the fold and returns how it ended.
func (f *folding) stop() error {
	f.end()
	<-f.ended
	return f.err
}

// foldOn folds the log until ctx ends, or as long as it can be. Views that stand still are left as they are.
func (g *generation) foldOn(ctx context.Context) error {
	from, ok, err := g.start()
	if !ok {
		return err
	}
	err = g.run(ctx, from)
	g.stop(ctx, err)
	return err
}
