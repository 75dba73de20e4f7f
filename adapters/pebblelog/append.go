package pebblelog

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tweiledger/tweiledger/domain"
)

// call is one call of Append on its way through the committer.
type call struct {
	appends []domain.Append
	plans   []plan
	// taken is how many of the appends the committer has taken, group the last group that has some of them. Guarded by
	// Log.mu.
	taken int
	group *group
	// answered counts those whose group is durable; the syncer's own.
	answered int
	done     chan struct{} // closed when all are answered
}

// plan is what is known of one append: its keys, and what the committer made of it.
type plan struct {
	stream, message key
	bytes           int
	// err refuses the append.
	err error
	// first is the index of the append's first event where it was appended.
	first    uint64
	appended bool
	// last is the stream's last event where it is not the expected one.
	last head
	// taken is the message's event where that is on another stream, else noHolder.
	taken holder
}

// group is what is written and synced together.
type group struct {
	parts []part
	batch *pebble.Batch // nil where nothing was appended
	end   uint64        // the index behind the group's last event
	built chan struct{} // closed when the committer no longer needs the callers' bytes
}

// part is some appends of one call.
type part struct {
	*call
	from, to int
}

// Append implements domain.EventLog.
func (l *Log) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	answers := make([]domain.Appended, len(appends))
	if len(appends) == 0 {
		return answers
	}
	if err := l.use(ctx); err != nil {
		return refuseAll(answers, err)
	}
	defer l.done()
	c := &call{appends: appends, plans: make([]plan, len(appends)), done: make(chan struct{})}
	for i := range appends {
		c.plans[i] = l.plan(&appends[i])
	}
	if err := l.enqueue(c); err != nil {
		return refuseAll(answers, err)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		l.abandon(c, ctx.Err(), answers)
		return answers
	}
	for i := range appends {
		answers[i] = l.answer(&appends[i], &c.plans[i])
	}
	return answers
}

// refuseAll answers appends of which none was queued.
func refuseAll(answers []domain.Appended, err error) []domain.Appended {
	for i := range answers {
		answers[i].Err = refusal(err)
	}
	return answers
}

// refusal is the answer of an append that was not queued: the log is closed, or the context has ended.
func refusal(err error) error {
	if err == domain.ErrClosed {
		return err
	}
	return fmt.Errorf("%w: %w", domain.ErrUnavailable, err)
}

// plan checks what can be checked before an append is queued, and looks up what the committer will need, so that the
// lookups of many callers run side by side.
func (l *Log) plan(a *domain.Append) plan {
	p := plan{stream: streamKey(a.Stream), message: messageKey(a.Message), last: noHead, taken: noHolder}
	if p.err = a.Validate(); p.err != nil {
		return p
	}
	for _, e := range a.Events {
		p.bytes += eventKeyLen + recordLen(a, e.Canonical)
	}
	if _, p.err = l.index.head(p.stream, a.Stream); p.err == nil {
		_, p.err = l.index.holder(p.message, a.Message)
	}
	return p
}

func (l *Log) enqueue(c *call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return domain.ErrClosed
	}
	l.queue = append(l.queue, c)
	l.waiting.Signal()
	return nil
}

// abandon answers a call whose context ended: what the committer has not taken is withdrawn, what it has taken may be
// durable or not. It returns when the committer has no more use for the call's bytes.
func (l *Log) abandon(c *call, cause error, answers []domain.Appended) {
	l.mu.Lock()
	for i, queued := range l.queue {
		if queued == c {
			l.queue = append(l.queue[:i:i], l.queue[i+1:]...)
			break
		}
	}
	taken, group := c.taken, c.group
	l.mu.Unlock()
	if group != nil {
		<-group.built
	}
	for i := range answers {
		switch err := c.plans[i].err; {
		case err != nil:
			answers[i].Err = err
		case i < taken:
			answers[i].Err = fmt.Errorf("%w: %w", domain.ErrOutcomeUnknown, cause)
		default:
			answers[i].Err = refusal(cause)
		}
	}
}

// take returns the next group, nil once the log is closing and the queue is empty.
func (l *Log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 {
		if l.stopping {
			return nil
		}
		l.waiting.Wait()
	}
	g := &group{built: make(chan struct{})}
	size := 0
	for len(l.queue) > 0 && size < groupBytes {
		c := l.queue[0]
		from := c.taken
		for c.taken < len(c.appends) && size < groupBytes {
			size += c.plans[c.taken].bytes
			c.taken++
		}
		c.group = g
		g.parts = append(g.parts, part{c, from, c.taken})
		if c.taken == len(c.appends) {
			l.queue[0] = nil
			l.queue = l.queue[1:]
		}
	}
	g.batch = l.events.NewBatchWithSize(size)
	return g
}

// commit takes group after group of what waits, puts it into the database and hands it on to be synced. While one group
// is synced, the next is built and put there, and the one behind it gathers.
func (l *Log) commit() {
	defer close(l.unsynced)
	for g := l.take(); g != nil; g = l.take() {
		l.build(g)
		close(g.built)
		if g.batch.Empty() {
			g.batch = nil
		} else if err := l.events.ApplyNoSyncWait(g.batch, pebble.Sync); err != nil {
			l.logger.Fatalf("committing: %v", err)
		}
		l.unsynced <- g
	}
}

// build decides every append of a group, in order, and fills the group's batch.
func (l *Log) build(g *group) {
	refused := l.space()
	if refused == nil {
		refused = l.index.room()
	}
	for _, p := range g.parts {
		for i := p.from; i < p.to; i++ {
			plan := &p.plans[i]
			if plan.err == nil {
				plan.err = refused
			}
			if plan.err == nil {
				plan.err = l.decide(g.batch, &p.appends[i], plan)
			}
		}
	}
	g.end = l.next
}

// decide puts an append into the batch, or notes in its plan what stands against it.
func (l *Log) decide(batch *pebble.Batch, a *domain.Append, p *plan) error {
	last, err := l.index.head(p.stream, a.Stream)
	if err != nil {
		return err
	}
	held, err := l.index.holder(p.message, a.Message)
	if err != nil {
		return err
	}
	if held.index != none && held.stream != p.stream {
		p.taken = held
	}
	if p.last = last; last.revision != a.Expected || p.taken.index != none {
		return nil
	}
	p.appended, p.first = true, l.next
	return l.put(batch, a, p.stream, p.message, last, held.index == none)
}

// sync waits for the sync of group after group, lets readers see it, and answers its calls.
func (l *Log) sync() {
	defer close(l.committed)
	for g := range l.unsynced {
		if g.batch != nil {
			if err := g.batch.SyncWait(); err != nil {
				l.logger.Fatalf("committing: %v", err)
			}
			g.batch.Close()
			l.durable.set(g.end)
		}
		for _, p := range g.parts {
			if p.answered += p.to - p.from; p.answered == len(p.appends) {
				close(p.done)
			}
		}
	}
}

// answer says what became of an append, once everything that it was decided on is durable.
func (l *Log) answer(a *domain.Append, p *plan) domain.Appended {
	if p.err != nil {
		return domain.Appended{Err: p.err}
	}
	if p.appended {
		positions := make([]domain.Position, len(a.Events))
		for i := range positions {
			positions[i] = positionOf(p.first + uint64(i))
		}
		return domain.Appended{Positions: positions}
	}
	if p.last.revision != a.Expected {
		positions, err := l.alreadyThere(a, p.last)
		if err != nil || positions != nil {
			return domain.Appended{Positions: positions, Err: err}
		}
	}
	if p.taken.index != none {
		held, err := l.event(p.taken.index)
		if err == nil {
			err = &domain.MessageTakenError{Message: a.Message, Held: held}
		}
		return domain.Appended{Err: err}
	}
	conflict := &domain.RevisionConflictError{Stream: a.Stream, Expected: a.Expected, Actual: p.last.revision}
	return domain.Appended{Err: conflict}
}

// alreadyThere returns the positions of the append's events where its stream, whose last event is given, has just these
// at the revisions that the append asks for.
func (l *Log) alreadyThere(a *domain.Append, last head) ([]domain.Position, error) {
	from, to := a.Expected+1, a.Expected+domain.Revision(len(a.Events))
	if from < 0 || to < from || to > last.revision {
		return nil, nil
	}
	positions := make([]domain.Position, len(a.Events))
	same := true
	err := l.walk(a.Stream, last, from, func(at uint64, r record) bool {
		if r.revision > to {
			return true
		}
		positions[r.revision-from] = positionOf(at)
		same = bytes.Equal(r.line, a.Events[r.revision-from].Canonical)
		return same
	})
	if err != nil || !same {
		return nil, err
	}
	return positions, nil
}
