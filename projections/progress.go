package projections

import (
	"context"
	"errors"

	"github.com/tweiledger/tweiledger/domain"
)

// What a run tells of itself.

// begin begins a Run. It reports false where one is under way.
func (v *Views) begin() (ok bool) {
	v.update(func() {
		ok = !v.running
		v.running = true
		if ok && v.rebuild != nil {
			v.rebuild.err = nil
		}
	})
	return ok
}

// end ends a Run.
func (v *Views) end() { v.update(func() { v.running = false }) }

// start begins a run of a generation and returns where from. It reports false for one that stands still, and why.
func (g *generation) start() (from checkpoint, ok bool, err error) {
	g.update(func() {
		if g.standsStill() {
			err = g.status.Err
			return
		}
		g.status.Err = nil
		from, ok = g.checkpoint, true
	})
	return from, ok, err
}

// stop ends a run. That ctx ended is no error to remember. Serving views that are damaged are to be rebuilt.
func (g *generation) stop(ctx context.Context, err error) {
	g.update(func() {
		g.logAway, g.storeAway = nil, nil
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			g.status.Err = err
		}
		if errors.Is(err, ErrDamaged) && g.views.serving.Load() == g {
			g.views.wantRebuild(err.Error())
		}
	})
}

// started notes the end of the log at the start of a run.
func (g *generation) started(head domain.Position) {
	g.update(func() {
		if !g.goalKnown {
			g.goal, g.goalKnown = head, true
		}
		g.logAway = nil
		g.noteHead(head)
	})
}

// seen notes how far the log was read: up to a position, which ends so many events.
func (g *generation) seen(head domain.Position, events uint64) {
	g.views.mu.Lock()
	defer g.views.mu.Unlock()
	g.noteHead(head)
	g.status.Read = max(g.status.Read, events)
}

func (g *generation) noteHead(head domain.Position) {
	if g.status.Head.Compare(head) < 0 {
		g.status.Head = head
	}
}

// committed notes how far the views go.
func (g *generation) committed(c checkpoint) {
	g.update(func() {
		g.checkpoint = c
		g.storeAway = nil
		g.noteHead(c.position)
	})
}

// waitFor notes in away why a try failed, and waits for the next. It reports false where ctx ended.
func (g *generation) waitFor(ctx context.Context, away *error, err error, r *retry) bool {
	g.update(func() { *away = err })
	return r.sleep(ctx)
}

// waiting returns what keeps the fold from going on for now. mu is held.
func (g *generation) waiting() error { return errors.Join(g.storeAway, g.logAway) }

// size returns the number of events folded.
func (g *generation) size() uint64 {
	g.views.mu.Lock()
	defer g.views.mu.Unlock()
	return g.checkpoint.size
}

// position returns the position of the last event folded.
func (g *generation) position() domain.Position {
	g.views.mu.Lock()
	defer g.views.mu.Unlock()
	return g.checkpoint.position
}

// update changes what mu guards of a generation and wakes who waits for it.
func (g *generation) update(change func()) {
	g.views.update(func() {
		change()
		if g.goalKnown && g.checkpoint.position.Compare(g.goal) >= 0 {
			g.status.CaughtUp = true
		}
	})
}

// update changes what mu guards and wakes who waits for it.
func (v *Views) update(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	close(v.changed)
	v.changed = make(chan struct{})
}
