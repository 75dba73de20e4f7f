package projections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// The sizes of folding. They bound memory: at most chunksAhead chunks are read ahead, and two batches are at hand. A
// large batch is what catching up is fast by: a row that many events touch is written once.
const (
	chunkEvents = 1024
	chunkBytes  = 1 << 20
	chunksAhead = 8
	batchEvents = 64 << 10
	batchBytes  = 64 << 20
)

// Decoders is on how many goroutines a fold decodes events.
const Decoders = 2

// Waits between tries when the log or the store is away, each up to half longer or shorter.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// run is one run from a checkpoint on. It returns when nothing of it works any more.
func (g *generation) run(ctx context.Context, from checkpoint) error {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &runner{
		views:      g,
		fold:       newFold(g.store, from.size == 0),
		checkpoint: from,
		work:       make(chan *chunk, chunksAhead),
		ordered:    make(chan *chunk, chunksAhead),
		used:       make(chan []event, chunksAhead),
		idle:       make(chan struct{}, 1),
		writes:     make(chan struct{}, 1),
		written:    make(chan struct{}),
	}
	r.idle <- struct{}{}
	var all sync.WaitGroup
	all.Go(func() { cancel(g.store.Damaged(ctx)) })
	all.Go(func() { r.read(ctx, from) })
	for range Decoders {
		all.Go(r.decode)
	}
	all.Go(func() { r.writeAll(ctx) })
	err := r.foldAll()
	cancel(nil)
	close(r.writes)
	all.Wait()
	switch damage := context.Cause(ctx); {
	case errors.Is(damage, ErrDamaged):
		return damage
	case errors.Is(err, ErrDamaged):
		return errors.Join(err, g.store.Condemn(err.Error()))
	}
	return err
}

// runner is one run. A reader cuts the log into chunks, decoders decode them side by side, the fold takes them in order,
// and a writer commits a batch while the next one is folded.
type runner struct {
	views *generation
	fold  *fold
	// batch holds the lines of the events folded since the last write, bytes their length.
	batch []domain.LogEvent
	bytes int
	// checkpoint is the one of the last write.
	checkpoint checkpoint

	// work goes to the decoders, ordered with the same chunks to the fold. Both are closed when reading has ended, with
	// readErr set.
	work, ordered chan *chunk
	// used are the events of chunks that were folded, to be used again.
	used    chan []event
	readErr error
	// lastPlace is where the last event is that was read, nil where none was; the reader's alone.
	lastPlace *placeRow
	// idle holds a token while the writer has nothing to do: who takes it may change write, and then sends on writes.
	idle, writes chan struct{}
	write        write
	// written is closed when the writer has ended, with writeErr set where that was early.
	written  chan struct{}
	writeErr error
}

// chunk is a part of the log on its way to the fold.
type chunk struct {
	lines  []domain.LogEvent
	first  uint64  // index of the first
	events []event // set when done is closed
	done   chan struct{}
}

// foldAll folds chunks into batches and hands these to the writer: when they are full, or when it has nothing to do and
// no more is on its way.
func (r *runner) foldAll() error {
	for {
		in, idle := r.ordered, r.idle
		if len(r.batch) >= batchEvents || r.bytes >= batchBytes {
			in = nil
		} else if len(r.batch) == 0 || len(r.ordered) > 0 {
			idle = nil
		}
		select {
		case c, more := <-in:
			if !more {
				return r.finish(r.readErr)
			}
			<-c.done
			if err := r.foldChunk(c); err != nil {
				return r.finish(err)
			}
		case <-idle:
			r.submit()
		case <-r.written:
			return r.writeErr
		}
	}
}

func (r *runner) foldChunk(c *chunk) error {
	if err := r.fold.ahead(c.events); err != nil {
		return err
	}
	for i := range c.events {
		e := &c.events[i]
		if err := r.fold.event(e); err != nil {
			return r.refold(whyNotFolded(e, err))
		}
		r.batch = append(r.batch, c.lines[i])
		r.bytes += len(e.line)
	}
	select {
	case r.used <- c.events:
	default:
	}
	return nil
}

// refold folds the batch again, without the event that failed and may be folded in part. It returns the failure.
func (r *runner) refold(failure error) error {
	if err := r.await(); err != nil {
		return err
	}
	r.idle <- struct{}{}
	r.fold.reset()
	for i, line := range r.batch {
		var e event
		e.decode(line, r.checkpoint.size+uint64(i))
		if err := r.fold.event(&e); err != nil {
			r.batch = nil
			return failure
		}
	}
	return failure
}

// await waits until the writer has nothing to do, and takes its token.
func (r *runner) await() error {
	select {
	case <-r.idle:
		return nil
	case <-r.written:
		return r.writeErr
	}
}

// finish writes what was folded, and returns why the run ends.
func (r *runner) finish(end error) error {
	if len(r.batch) > 0 {
		if err := r.await(); err != nil {
			return err
		}
		r.submit()
	}
	if err := r.await(); err != nil {
		return err
	}
	return end
}

// submit hands the batch to the writer, whose token the caller has.
func (r *runner) submit() {
	last := &r.batch[len(r.batch)-1]
	if r.checkpoint.size == 0 {
		r.checkpoint.first = hashLeaf(r.batch[0].Canonical)
	}
	size := r.checkpoint.size + uint64(len(r.batch))
	r.checkpoint = checkpoint{viewFormat, size, last.Position, hashLeaf(last.Canonical), r.checkpoint.first}
	r.write.reset(&r.checkpoint)
	r.fold.flush(&r.write)
	clear(r.batch)
	r.batch, r.bytes = r.batch[:0], 0
	r.writes <- struct{}{}
}

// writeAll commits each batch, until ctx ends while there is no space.
func (r *runner) writeAll(ctx context.Context) {
	defer close(r.written)
	for range r.writes {
		if r.writeErr = r.commit(ctx); r.writeErr != nil {
			return
		}
		r.views.committed(r.write.checkpoint)
		r.idle <- struct{}{}
	}
}

// commit commits the write, again and again while there is no space.
func (r *runner) commit(ctx context.Context) error {
	r.write.sort()
	for retry := newRetry(); ; {
		err := r.views.commit(r.write.rows, &r.write.checkpoint)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrPaused) {
			return fmt.Errorf("writing the views of size %d: %w", r.write.checkpoint.size, err)
		}
		if !r.views.waitFor(ctx, &r.views.storeAway, err, retry) {
			return ctx.Err()
		}
	}
}

// decode decodes chunks until there are no more.
func (r *runner) decode() {
	for c := range r.work {
		select {
		case used := <-r.used:
			c.events = used[:len(c.lines)]
		default:
			c.events = make([]event, len(c.lines), chunkEvents)
		}
		for i, line := range c.lines {
			c.events[i].decode(line, c.first+uint64(i))
		}
		close(c.done)
	}
}

// read follows the log from a checkpoint on, until ctx ends or the log is damaged or closed.
func (r *runner) read(ctx context.Context, from checkpoint) {
	defer close(r.work)
	defer close(r.ordered)
	at, retry := from, newRetry()
	for {
		err := r.readHead(ctx)
		if err == nil {
			err = r.still(ctx, &at)
		}
		if err == nil {
			var read bool
			if read, err = r.follow(ctx, &at); read {
				retry = newRetry()
			}
		}
		if ctx.Err() != nil {
			r.readErr = ctx.Err()
			return
		}
		if isFinal(err) || !r.views.waitFor(ctx, &r.views.logAway, err, retry) {
			r.readErr = fmt.Errorf("the log behind event %d: %w", at.size, err)
			return
		}
	}
}

func isFinal(err error) bool {
	var read *readError
	return errors.As(err, &read) || errors.Is(err, domain.ErrCorrupt) || errors.Is(err, domain.ErrUnsupported) ||
		errors.Is(err, domain.ErrClosed) || errors.Is(err, ErrDamaged)
}

// still sees that the log has the last event that was read: one that was away may have come back from a backup, with
// fewer events, or others. Then the views are of no log any more.
func (r *runner) still(ctx context.Context, at *checkpoint) error {
	if at.size == 0 {
		return nil
	}
	place := r.lastPlace
	if place == nil {
		place = new(placeRow)
		if err := placeTable.must(r.views.store, at.size-1, place); err != nil {
			return &readError{err}
		}
	}
	difference, err := at.compareLast(ctx, *place, r.views.views.log)
	if err == nil && difference != "" {
		err = fmt.Errorf("%s: %w", difference, ErrDamaged)
	}
	return err
}

func (r *runner) readHead(ctx context.Context) error {
	head, err := r.views.views.log.Head(ctx)
	if err == nil {
		r.views.started(head)
	}
	return err
}

// follow reads on from a checkpoint, and moves it. It reports whether it read any.
func (r *runner) follow(ctx context.Context, at *checkpoint) (read bool, err error) {
	for events, err := range r.views.views.log.Follow(ctx, at.position) {
		if err != nil {
			return read, err
		}
		for len(events) > 0 {
			n := 0
			for size := 0; n < len(events) && n < chunkEvents && size < chunkBytes; n++ {
				size += len(events[n].Canonical)
				if events[n].Position.Compare(at.position) <= 0 {
					return read, fmt.Errorf("position %s comes behind %s: %w", events[n].Position, at.position, domain.ErrCorrupt)
				}
				at.position = events[n].Position
			}
			c := &chunk{lines: events[:n], first: at.size, done: make(chan struct{})}
			r.note(at, &events[n-1], n)
			if err := r.send(ctx, c); err != nil {
				return read, err
			}
			events, read = events[n:], true
		}
		r.views.seen(at.position, at.size)
	}
	return read, nil
}

// note moves a checkpoint on by so many events, to the last one.
func (r *runner) note(at *checkpoint, last *domain.LogEvent, n int) {
	at.size += uint64(n)
	at.last = hashLeaf(last.Canonical)
	// A line that says no place stops the fold.
	stream, revision, _ := domain.LinePlace(last.Canonical)
	r.lastPlace = &placeRow{last.Position, string(stream), uint64(revision)}
}

// send sends a chunk to the decoders first: one that the fold gets will be decoded.
func (r *runner) send(ctx context.Context, c *chunk) error {
	for _, to := range []chan *chunk{r.work, r.ordered} {
		select {
		case to <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// retry is the wait before the next try.
type retry struct{ wait time.Duration }

func newRetry() *retry { return &retry{firstRetry} }

// sleep waits, longer from time to time. It reports false where ctx ended.
func (r *retry) sleep(ctx context.Context) bool {
	timer := time.NewTimer(r.wait/2 + rand.N(r.wait))
	defer timer.Stop()
	r.wait = min(2*r.wait, lastRetry)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
