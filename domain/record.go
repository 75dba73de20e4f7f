package domain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// ParseEngagements reads CloudEvents in structured mode like ParseEngagement, on all processors.
func ParseEngagements(events [][]byte) []Received {
	received := make([]Received, len(events))
	inParallel(len(events), func(i int) { received[i] = ParseEngagement(events[i]) })
	return received
}

// inParallel calls do for 0 … n-1, in runs on each processor.
func inParallel(n int, do func(i int)) {
	const leastRun = 16
	workers := min(runtime.GOMAXPROCS(0), n/leastRun)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	var panicked atomic.Value
	for w := range workers {
		wg.Go(func() {
			// A panic is the caller's, who may be a request that ends with it; here it would end the process.
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(fmt.Sprintf("%v\n%s", p, debug.Stack()))
				}
			}()
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(p)
	}
}

// task is one engagement of a batch on its way to its outcome.
type task struct {
	*Received
	own, about Stream
	outcome    *Outcome
	// atLeast is the revision that the next decision must have seen, after a lost race.
	atLeast Revision
	events  []*Event
	append  Append
	done    bool
}

// Record decides engagements and appends what they come to, in order: a later one may build on an earlier one of the
// same batch. Each stands alone, and each gets one outcome, in order. What came with a Rejection is answered with it.
//
// An engagement is decided on durable facts only, so one that needs what an earlier one writes waits for that one's
// append: the batch is appended in waves.
func (l *Ledger) Record(ctx context.Context, engagements []Received) []Outcome {
	outcomes := make([]Outcome, len(engagements))
	tasks := make([]task, len(engagements))
	for i := range engagements {
		t := &tasks[i]
		*t = task{Received: &engagements[i], outcome: &outcomes[i], atLeast: NoStream}
		outcomes[i].Message = t.Message
		if t.Rejection != nil {
			t.finish(outcomes[i].rejected(t.Rejection))
		} else {
			t.own, t.about = t.places()
		}
	}
	failed := map[Stream]string{}
	for _, wave := range waves(tasks) {
		l.recordWave(ctx, wave, failed)
	}
	return outcomes
}

func (t *task) finish(o Outcome) { *t.outcome, t.done = o, true }

// waves groups the tasks that are not done: none of a wave reads what another one of it writes, also where it has to
// read again after a lost race; and none writes what an earlier one still has to read in a later wave.
func waves(tasks []task) (waves [][]*task) {
	written := make(map[Stream]int, len(tasks))
	read := make(map[Stream]int, len(tasks))
	messages := make(map[Message]int, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		if t.done {
			continue
		}
		// The maps hold the first wave that may build on a write, and the first one that may write what was read.
		n := max(written[t.own], written[t.about], messages[t.Message], read[t.own])
		written[t.own], messages[t.Message] = n+1, n+1
		if t.about != "" {
			read[t.about] = max(read[t.about], n+1)
		}
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], t)
	}
	return waves
}

// recordWave decides and appends the tasks of one wave, those that lose a race again. failed names the streams on which
// an earlier engagement of the batch failed: what builds on it cannot be decided.
func (l *Ledger) recordWave(ctx context.Context, wave []*task, failed map[Stream]string) {
	all := wave
	failDependents(wave, failed)
	for attempt := range maxAttempts {
		wave = open(wave)
		l.decideWave(ctx, wave)
		l.appendWave(ctx, open(wave))
		if wave = open(wave); len(wave) == 0 {
			break
		}
		if err := pause(ctx, attempt); err != nil {
			break
		}
	}
	for _, t := range wave {
		if !t.done {
			t.finish(t.outcome.failed(errLostRaces))
		}
	}
	for _, t := range all {
		if t.outcome.Result == Failed {
			failed[t.own] = t.outcome.Detail
		}
	}
}

func failDependents(wave []*task, failed map[Stream]string) {
	if len(failed) == 0 {
		return
	}
	for _, t := range wave {
		for _, s := range [2]Stream{t.own, t.about} {
			if why, ok := failed[s]; ok && !t.done {
				t.finish(t.outcome.failed(fmt.Errorf("an earlier engagement on stream %s failed: %s", s, why)))
			}
		}
	}
}

func open(tasks []*task) (open []*task) {
	for _, t := range tasks {
		if !t.done {
			open = append(open, t)
		}
	}
	return open
}

// decideWave decides the tasks as of one moment. The moment is read before the tariffs are found to be fresh, and again
// for each wave and each attempt: what an earlier one waited for may have taken longer than a third of the lead.
func (l *Ledger) decideWave(ctx context.Context, wave []*task) {
	now := l.now()
	ts, err := l.Tariffs(ctx)
	if err == nil && len(ts) == 0 {
		err = errNotStarted
	}
	if err != nil {
		for _, t := range wave {
			t.finish(t.outcome.failed(err))
		}
		return
	}
	about := l.loadAbout(ctx, wave)
	inParallel(len(wave), func(i int) {
		l.decide(ctx, wave[i], about[wave[i].about], facts{now: now, tariffs: ts})
	})
}

var errNotStarted = errors.New("the log has no tariff: it was not started")

// loaded is the state of a post or a comment that engagements of a wave are about, or why it could not be loaded.
type loaded struct {
	state state
	err   error
}

// loadAbout loads what the tasks are about, each once: many are about the same few posts.
func (l *Ledger) loadAbout(ctx context.Context, wave []*task) map[Stream]*loaded {
	about := map[Stream]*loaded{}
	var streams []Stream
	for _, t := range wave {
		if t.about != "" && about[t.about] == nil {
			about[t.about] = new(loaded)
			streams = append(streams, t.about)
		}
	}
	inParallel(len(streams), func(i int) {
		a := about[streams[i]]
		a.state, a.err = l.load(ctx, streams[i], NoStream)
	})
	return about
}

// decide gives the task the append that it comes to, or its outcome.
func (l *Ledger) decide(ctx context.Context, t *task, about *loaded, f facts) {
	f.id = NewEventID(t.Message, t.own)
	var err error
	if f.own, err = l.load(ctx, t.own, t.atLeast); err != nil {
		t.finish(t.outcome.failed(err))
		return
	}
	if at, ok := f.own.seen().find(f.id); ok {
		t.finish(l.repeated(ctx, t, at))
		return
	}
	if about != nil {
		if about.err != nil {
			t.finish(t.outcome.failed(about.err))
			return
		}
		switch s := about.state.(type) {
		case *postState:
			f.post = s
		case *commentState:
			f.comment = s
		}
	}
	events, rej := t.Engagement.decide(t.own, &f)
	if rej == nil {
		rej, err = t.encode(events)
	}
	if err == nil && (rej != nil || l.ManyWriters) {
		rej, err = l.conflicting(ctx, t, rej)
	}
	switch {
	case errors.Is(err, errRecordedMeanwhile):
		t.atLeast = f.own.seen().last() + 1
		l.decide(ctx, t, about, f)
	case err != nil:
		t.finish(t.outcome.failed(err))
	case rej != nil:
		t.finish(t.outcome.rejected(rej))
	}
}

// errRecordedMeanwhile: the message came onto its stream since that was read, so it has to be read again.
var errRecordedMeanwhile = errors.New("recorded meanwhile")

// lineBuffers are for lines whose length is not known yet.
var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// encode makes the append of the events.
func (t *task) encode(events []*Event) (*Rejection, error) {
	t.events = events
	t.append = Append{t.own, events[0].Revision - 1, t.Message, make([]EncodedEvent, len(events))}
	buf := lineBuffers.Get().(*[]byte)
	defer lineBuffers.Put(buf)
	for i, e := range events {
		line, err := e.AppendCanonical((*buf)[:0])
		if errors.Is(err, ErrAppendTooLarge) {
			return reject(CodeInvalid, "", "its event would be longer than %d bytes", MaxEventBytes), nil
		}
		if err != nil {
			return nil, err
		}
		*buf = line
		t.append.Events[i] = EncodedEvent{e.Type, bytes.Clone(line)}
	}
	return nil, nil
}

// repeated is the outcome of a message that is on its own stream already.
func (l *Ledger) repeated(ctx context.Context, t *task, at Revision) Outcome {
	o := l.recordedBefore(ctx, *t.outcome, t.own, at)
	if o.Result == Duplicate && !t.sameContent(o.Recorded.Event) {
		return t.outcome.rejected(conflictingDuplicate(o.Recorded.Stream))
	}
	return o
}

func conflictingDuplicate(on Stream) *Rejection {
	return reject(CodeConflictingDuplicate, "", "the same source and id were sent with other content, recorded on stream %s", on)
}

// conflicting returns the rejection of a message that was recorded on another stream, else the one given.
func (l *Ledger) conflicting(ctx context.Context, t *task, rej *Rejection) (*Rejection, error) {
	held, found, err := l.Messages.FindMessage(ctx, t.Message)
	if err != nil || !found {
		return rej, err
	}
	e, err := DecodeEvent(held.Canonical)
	if err != nil {
		return nil, fmt.Errorf("position %s: %w", held.Position, err)
	}
	if e.Stream == t.own {
		return nil, errRecordedMeanwhile
	}
	return conflictingDuplicate(e.Stream), nil
}

// appendWave appends what was decided and finishes all but those that lost a race.
func (l *Ledger) appendWave(ctx context.Context, wave []*task) {
	if len(wave) == 0 {
		return
	}
	appends := make([]Append, len(wave))
	for i, t := range wave {
		appends[i] = t.append
	}
	for i, answer := range l.appendAll(ctx, appends) {
		wave[i].answered(answer)
	}
}

// answered finishes the task unless it lost a race.
func (t *task) answered(answer Appended) {
	var conflict *RevisionConflictError
	var taken *MessageTakenError
	switch {
	case answer.Err == nil:
		o := *t.outcome
		n := len(t.events) - 1
		o.Result, o.Recorded = Recorded, RecordedEvent{t.events[n], answer.Positions[n]}
		if n > 0 {
			o.Also = RecordedEvent{t.events[0], answer.Positions[0]}
		}
		t.finish(o)
	case errors.As(answer.Err, &conflict):
		t.atLeast = conflict.Actual
	case errors.As(answer.Err, &taken):
		e, err := DecodeEvent(taken.Held.Canonical)
		if err != nil {
			t.finish(t.outcome.failed(fmt.Errorf("position %s: %w", taken.Held.Position, err)))
			return
		}
		t.finish(t.outcome.rejected(conflictingDuplicate(e.Stream)))
	default:
		t.finish(t.outcome.failed(answer.Err))
	}
}
