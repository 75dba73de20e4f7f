package projections

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// RebuildStatus says how the views that are built beside the serving ones are doing.
type RebuildStatus struct {
	// Why they are built, and since when.
	Why   string
	Since time.Time
	// Size is the number of events folded, Position the position of the last one, Read the number of events that were
	// read from the log.
	Size     uint64
	Position domain.Position
	Read     uint64
	// Goal is the position of the last event that was seen in the log: once they are there they serve.
	Goal domain.Position
	// Waiting says what keeps the fold from going on for now, nil for nothing. It is tried again.
	Waiting error
	// Err says why building has stopped until the next Run, nil where it goes on.
	Err error
}

// rebuild is why and since when a generation is built beside the serving one. err is why that has stopped.
type rebuild struct {
	why   string
	since time.Time
	err   error
}

// Rebuild has the views built anew beside the serving ones, which are folded on meanwhile, and switched over to. It
// does nothing while that is under way, and where the serving views are themselves being built from nothing. A Run that
// is under way begins at once, else the next one.
func (v *Views) Rebuild(why string) {
	v.update(func() {
		g := v.serving.Load()
		if g.checkpoint.size > 0 && (g.loaded || g.status.CaughtUp) {
			v.wantRebuild(why)
		}
	})
}

// wantRebuild notes that a generation is to be built, and why. mu is held.
func (v *Views) wantRebuild(why string) {
	if v.rebuild == nil || v.rebuild.err != nil {
		v.rebuild = &rebuild{why: why, since: time.Now()}
	}
}

func (v *Views) rebuildWanted() bool { return v.rebuild != nil && v.rebuild.err == nil }

// rebuilding is rebuildWanted for who does not hold mu.
func (v *Views) rebuilding() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rebuildWanted()
}

// status returns how the generation next, nil where it is not made yet, is doing. mu is held.
func (b *rebuild) status(next *generation) *RebuildStatus {
	s := &RebuildStatus{Why: b.why, Since: b.since, Err: b.err}
	if next != nil {
		s.Size, s.Position, s.Goal = next.checkpoint.size, next.checkpoint.position, next.status.Head
		s.Read, s.Waiting = max(next.status.Read, s.Size), next.waiting()
	}
	return s
}

// Run follows the log and folds it until ctx ends, then it returns ctx's error. Where views are to be rebuilt it builds
// them beside the serving ones, and switches over when they have caught up. It stops earlier where an event cannot be
// folded, where the log is damaged, and where it was closed; Status().Err says so, and reads go on as of where it
// stopped. A log or a store that is away for a while is waited for. One Run at a time.
func (v *Views) Run(ctx context.Context) error {
	if !v.begin() {
		return errRunning
	}
	defer v.end()
	var removing sync.WaitGroup
	defer removing.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for retry := newRetry(); ; {
		old := v.serving.Load()
		err := v.round(ctx)
		switch {
		case err == nil:
			removing.Go(func() { v.remove(ctx, old) })
		case err != errAgain:
			return err
		case !retry.sleep(ctx):
			return ctx.Err()
		}
	}
}

// errAgain ends a round that was without success, and has it begun again.
var errAgain = errors.New("the round begins again")

// round folds the serving generation, until another one has been built and serves instead: then it returns nil.
func (v *Views) round(ctx context.Context) error {
	serving := v.serving.Load().launch(ctx)
	defer serving.stop()
	// A fold that ended for damage has a rebuild wanted.
	_ = v.await(serving.alive, func() (bool, error) { return v.rebuildWanted(), nil })
	if !v.rebuilding() {
		<-serving.ended
		return serving.err
	}
	err := v.build(ctx, serving)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDamaged):
		v.dropNext(err)
		return errAgain
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return v.withoutRebuild(ctx, serving, err)
}

// withoutRebuild notes why no other generation can be built, and folds the serving one on, where it can be.
func (v *Views) withoutRebuild(ctx context.Context, serving *folding, failure error) error {
	slog.Error("views_rebuild_stopped", "error", failure)
	v.update(func() { v.rebuild.err = failure })
	// Until somebody asks for another one, or the serving views turn out to be damaged.
	_ = v.await(serving.alive, func() (bool, error) { return v.rebuildWanted(), nil })
	if v.rebuilding() {
		return errAgain
	}
	<-serving.ended
	switch {
	case serving.err == nil || errors.Is(serving.err, ErrDamaged):
		return errors.Join(serving.err, failure)
	case ctx.Err() == nil && errors.Is(serving.err, context.Canceled):
		return errAgain // it was stopped for a switch that did not come
	}
	return serving.err
}

// build folds the next generation until it has caught up, and has it serve.
func (v *Views) build(ctx context.Context, serving *folding) error {
	next, err := v.nextGeneration()
	if err != nil {
		return err
	}
	building := next.launch(ctx)
	defer building.stop()
	if err := v.catchUp(ctx, building); err != nil {
		return err
	}
	// From here on the serving views stand still, so the next ones cannot be behind them, unless the log itself is: it
	// may have been restored from a backup.
	_ = serving.stop()
	at, err := v.logEnd(ctx)
	if err != nil {
		return err
	}
	if folded := serving.of.position(); folded.Compare(at) < 0 {
		at = folded
	}
	if err := building.reach(at); err != nil {
		return err
	}
	if err := building.stop(); !errors.Is(err, context.Canceled) {
		return err
	}
	return v.switchTo(next)
}

// nextGeneration returns the generation to build on, a new one where there is none.
func (v *Views) nextGeneration() (*generation, error) {
	if v.next == nil {
		store, err := v.generations.Create()
		if err != nil {
			return nil, err
		}
		v.update(func() { v.next = newGeneration(v, store) })
	}
	slog.Info("views_rebuilding", "reason", v.rebuild.why, "size", v.next.size(), "serving_size", v.serving.Load().size())
	return v.next, nil
}

// catchUp waits until a fold is where the log ends, but for what a batch holds.
func (v *Views) catchUp(ctx context.Context, f *folding) error {
	for {
		before := f.of.size()
		end, err := v.logEnd(ctx)
		if err != nil {
			return err
		}
		if err := f.reach(end); err != nil {
			return err
		}
		if f.of.size()-before <= batchEvents {
			return nil
		}
	}
}

// logEnd returns the position of the log's last event. A log that is away is waited for.
func (v *Views) logEnd(ctx context.Context) (domain.Position, error) {
	for retry := newRetry(); ; {
		end, err := v.log.Head(ctx)
		if err == nil || isFinal(err) || !retry.sleep(ctx) {
			return end, err
		}
	}
}

// reach waits until a fold has got to a position. It returns how the fold ended where that is before.
func (f *folding) reach(at domain.Position) error {
	there := func() (bool, error) { return f.of.checkpoint.position.Compare(at) >= 0, nil }
	if err := f.of.views.await(f.alive, there); err != nil {
		return f.stop()
	}
	return nil
}

// switchTo has a generation serve in place of the one that does.
func (v *Views) switchTo(next *generation) error {
	if err := v.generations.Promote(next.store); err != nil {
		return err
	}
	old, since := v.serving.Load(), v.rebuild.since
	v.update(func() {
		v.serving.Store(next)
		v.next, v.rebuild = nil, nil
	})
	old.release()
	slog.Info("views_switched", "size", next.size(), "size_before", old.size(), "seconds", time.Since(since).Seconds())
	return nil
}

// remove removes a generation that serves no more, once nobody reads it. Where ctx ends before, the next opening does.
func (v *Views) remove(ctx context.Context, old *generation) {
	select {
	case <-old.unused:
	case <-ctx.Done():
		return
	}
	v.drop(old)
}

// dropNext removes the generation that was being built: it was found damaged.
func (v *Views) dropNext(why error) {
	slog.Error("views_rebuilt_again", "error", why)
	next := v.next
	v.update(func() { v.next = nil })
	v.drop(next)
}

// drop removes a generation that nobody reads. What is left of it the next opening removes.
func (v *Views) drop(g *generation) {
	if err := v.generations.Drop(g.store); err != nil {
		slog.Error("views_not_removed", "error", err)
	}
}
