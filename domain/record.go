package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ParseEngagements reads CloudEvents in structured mode like ParseEngagement, on all processors.
func ParseEngagements(events [][]byte) []Received {
	received := make([]Received, len(events))
	inParallel(len(events), func(i int) { received[i] = ParseEngagement(events[i]) })
	return received
}

// task is one engagement of a batch on its way to its outcome.
type task struct {
	*Received
	own, about Stream
	outcome    *Outcome
	// atLeast is the revision that the next decision must have seen, after a lost race.
	atLeast Revision
	// state is what the events were decided on, that of the stream own.
	state  state
	events []*Event
	// encoded is the append's events, at most a withdrawal and a reaction.
	encoded [2]EncodedEvent
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
	b := batch{Ledger: l, failed: map[Stream]string{}}
	for _, wave := range split(waves(tasks)) {
		b.record(ctx, wave)
	}
	b.record(ctx, splitWave{})
	return outcomes
}

func (t *task) finish(o Outcome) { *t.outcome, t.done = o, true }

// batch is what one call of Record knows from wave to wave.
type batch struct {
	*Ledger
	// failed names the streams on which an earlier engagement failed: what builds on it cannot be decided.
	failed map[Stream]string
	// ahead is what was decided while an earlier append was on its way, and goes on with the next one.
	ahead []*task
}

// record decides and appends the first part of a wave, with what was decided ahead, and meanwhile decides the second
// part. What loses a race is decided again until it is finished.
func (b *batch) record(ctx context.Context, wave splitWave) {
	tasks := slices.Concat(b.ahead, wave.first)
	if len(tasks) == 0 {
		return
	}
	failDependents(wave.first, b.failed)
	failDependents(wave.second, b.failed)
	about := b.loadAbout(ctx, wave.first, wave.second)
	b.decide(ctx, open(wave.first), about)
	b.ahead = wave.second
	if len(wave.second) == 0 {
		b.append(ctx, open(tasks))
	} else {
		sideBySide(func() { b.append(ctx, open(tasks)) }, func() { b.decide(ctx, open(wave.second), about) })
	}
	b.again(ctx, open(tasks))
	for _, t := range tasks {
		if t.outcome.Result == Failed {
			b.failed[t.own] = t.outcome.Detail
		}
	}
}

// again decides and appends tasks that lost a race.
func (b *batch) again(ctx context.Context, lost []*task) {
	for attempt := 0; len(lost) > 0 && attempt < maxAttempts-1 && pause(ctx, attempt) == nil; attempt++ {
		b.decide(ctx, lost, b.loadAbout(ctx, lost))
		b.append(ctx, open(lost))
		lost = open(lost)
	}
	for _, t := range lost {
		t.finish(t.outcome.failed(errLostRaces))
	}
}

func failDependents(tasks []*task, failed map[Stream]string) {
	if len(failed) == 0 {
		return
	}
	for _, t := range tasks {
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

// decide decides the tasks as of one moment, given the states of what they are about. The moment is read before the
// tariffs are found to be fresh, and again for each part of a wave and each attempt: what was waited for may have taken
// longer than a third of the lead.
func (b *batch) decide(ctx context.Context, tasks []*task, about map[Stream]*loaded) {
	now := b.now()
	ts, err := b.Tariffs(ctx)
	if err == nil && len(ts) == 0 {
		err = errNotStarted
	}
	if err != nil {
		for _, t := range tasks {
			t.finish(t.outcome.failed(err))
		}
		return
	}
	inParallel(len(tasks), func(i int) {
		b.decideOne(ctx, tasks[i], about[tasks[i].about], facts{now: now, tariffs: ts})
	})
}

var errNotStarted = errors.New("the log has no tariff: it was not started")

// loaded is the state of a post or a comment that engagements are about, or why it could not be loaded.
type loaded struct {
	state state
	err   error
}

// loadAbout loads what the tasks are about, each once: many are about the same few posts.
func (l *Ledger) loadAbout(ctx context.Context, parts ...[]*task) map[Stream]*loaded {
	about := map[Stream]*loaded{}
	var streams []Stream
	for _, tasks := range parts {
		for _, t := range tasks {
			if t.about != "" && !t.done && about[t.about] == nil {
				about[t.about] = new(loaded)
				streams = append(streams, t.about)
			}
		}
	}
	inParallel(len(streams), func(i int) {
		a := about[streams[i]]
		a.state, _, a.err = l.load(ctx, streams[i], NoStream)
	})
	return about
}

// decideOne gives the task the append that it comes to, or its outcome.
func (l *Ledger) decideOne(ctx context.Context, t *task, about *loaded, f facts) {
	f.id = NewEventID(t.Message, t.own)
	own, read, err := l.load(ctx, t.own, t.atLeast)
	if err != nil {
		t.finish(t.outcome.failed(err))
		return
	}
	if at, ok := own.seen().find(f.id); ok {
		t.finish(l.repeated(ctx, t, at, read))
		return
	}
	f.own = own
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
		rej, err = t.encode(f.own, events)
	}
	if err == nil && (rej != nil || l.ManyWriters) {
		rej, err = l.conflicting(ctx, t, rej)
	}
	switch {
	case errors.Is(err, errRecordedMeanwhile):
		t.atLeast = f.own.seen().last() + 1
		l.decideOne(ctx, t, about, f)
	case err != nil:
		t.finish(t.outcome.failed(err))
	case rej != nil:
		t.finish(t.outcome.rejected(rej))
	}
}

// errRecordedMeanwhile: the message came onto its stream since that was read, so it has to be read again.
var errRecordedMeanwhile = errors.New("recorded meanwhile")

// lineRooms are for the next lines. A line lives only until its append is answered, and so do its neighbours, so they
// share their memory: one allocation for a hundred lines.
var lineRooms = sync.Pool{New: func() any { return new([]byte) }}

const (
	lineRoomBytes = 64 << 10
	usualLine     = 1 << 10 // a longer one is copied where the room ends
)

// encode makes the append of the events that were decided on a state of the stream.
func (t *task) encode(own state, events []*Event) (*Rejection, error) {
	t.state, t.events = own, events
	t.append = Append{t.own, events[0].Revision - 1, t.Message, t.encoded[:len(events)]}
	room := lineRooms.Get().(*[]byte)
	defer lineRooms.Put(room)
	for i, e := range events {
		if cap(*room) < usualLine {
			*room = make([]byte, 0, lineRoomBytes)
		}
		line, err := e.AppendCanonical(*room)
		if errors.Is(err, ErrAppendTooLarge) {
			return reject(CodeInvalid, "", "its event would be longer than %d bytes", MaxEventBytes), nil
		}
		if err != nil {
			return nil, err
		}
		*room = line[len(line):]
		t.encoded[i] = EncodedEvent{e.Type, line[:len(line):len(line)]}
	}
	return nil, nil
}

// repeated is the outcome of a message that is on its own stream already, of which the last events were just read.
func (l *Ledger) repeated(ctx context.Context, t *task, at Revision, read []RecordedEvent) Outcome {
	from := duplicateFrom(at)
	var o Outcome
	if len(read) > 0 && read[0].Revision <= from {
		o = t.outcome.duplicate(t.own, at, read[from-read[0].Revision:])
	} else {
		o = l.recordedBefore(ctx, *t.outcome, t.own, at)
	}
	if o.Result == Duplicate && !t.sameContent(o.Recorded.Event) {
		return t.outcome.rejected(conflictingDuplicate(o.Recorded.Stream))
	}
	return o
}

func conflictingDuplicate(on Stream) *Rejection {
	return reject(CodeConflictingDuplicate, "",
		"the same source and id were sent with other content, recorded on stream %s", on)
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

// append appends what was decided and finishes all but those that lost a race.
func (b *batch) append(ctx context.Context, tasks []*task) {
	if len(tasks) == 0 {
		return
	}
	appends := make([]Append, len(tasks))
	for i, t := range tasks {
		appends[i] = t.append
	}
	for i, answer := range b.appendAll(ctx, appends) {
		tasks[i].answered(answer)
		if answer.Err == nil {
			b.keep(tasks[i])
		}
	}
}

// answered finishes the task unless it lost a race.
func (t *task) answered(answer Appended) {
	if answer.Err != nil {
		t.refused(answer.Err)
		return
	}
	o := *t.outcome
	n := len(t.events) - 1
	o.Result, o.Recorded = Recorded, RecordedEvent{t.events[n], answer.Positions[n]}
	if n > 0 {
		o.Also = RecordedEvent{t.events[0], answer.Positions[0]}
	}
	t.finish(o)
}

func (t *task) refused(err error) {
	var conflict *RevisionConflictError
	var taken *MessageTakenError
	switch {
	case errors.As(err, &conflict):
		t.atLeast = conflict.Actual
	case errors.As(err, &taken):
		e, err := DecodeEvent(taken.Held.Canonical)
		if err != nil {
			t.finish(t.outcome.failed(fmt.Errorf("position %s: %w", taken.Held.Position, err)))
			return
		}
		t.finish(t.outcome.rejected(conflictingDuplicate(e.Stream)))
	default:
		t.finish(t.outcome.failed(err))
	}
}
