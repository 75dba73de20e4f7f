package projections

import (
	"context"
	"errors"

	"github.com/tweiledger/tweiledger/domain"
)

// What a run tells of itself.

// start begins a run and returns where from. It reports false where one is under way.
func (v *Views) start() (from checkpoint, ok bool) {
	v.update(func() {
		from, ok = v.checkpoint, !v.running
		v.running = true
		if ok {
			v.status.Err = nil
		}
	})
	return from, ok
}

// stop ends a run. That ctx ended is no error to remember.
func (v *Views) stop(ctx context.Context, err error) {
	v.update(func() {
		v.running = false
		v.logAway, v.storeAway = nil, nil
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			v.status.Err = err
		}
	})
}

// started notes the end of the log at the start of a run.
func (v *Views) started(head domain.Position) {
	v.update(func() {
		if !v.goalKnown {
			v.goal, v.goalKnown = head, true
		}
		v.logAway = nil
		v.noteHead(head)
	})
}

// seen notes how far the log was read: up to a position, which ends so many events.
func (v *Views) seen(head domain.Position, events uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.noteHead(head)
	v.status.Read = max(v.status.Read, events)
}

func (v *Views) noteHead(head domain.Position) {
	if v.status.Head.Compare(head) < 0 {
		v.status.Head = head
	}
}

// committed notes how far the views go.
func (v *Views) committed(c checkpoint) {
	v.update(func() {
		v.checkpoint = c
		v.storeAway = nil
		v.noteHead(c.position)
	})
}

// waitFor notes in away why a try failed, and waits for the next. It reports false where ctx ended.
func (v *Views) waitFor(ctx context.Context, away *error, err error, r *retry) bool {
	v.update(func() { *away = err })
	return r.sleep(ctx)
}

// update changes what mu guards and wakes who waits for it.
func (v *Views) update(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	if v.goalKnown && v.checkpoint.position.Compare(v.goal) >= 0 {
		v.status.CaughtUp = true
	}
	close(v.changed)
	v.changed = make(chan struct{})
}
