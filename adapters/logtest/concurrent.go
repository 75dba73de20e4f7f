package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tweiledger/tweiledger/domain"
)

// follower is a Follow that runs beside a test.
type follower struct {
	cancel context.CancelFunc
	events chan domain.LogEvent // closed when the follow ended
	err    error                // its last value, once events is closed
}

func (l *log) following(after domain.Position) *follower {
	ctx, cancel := context.WithCancel(l.Context())
	f := &follower{cancel: cancel, events: make(chan domain.LogEvent, 1)}
	go func() {
		defer close(f.events)
		last := after
		for batch, err := range l.EventLog.Follow(ctx, after) {
			if f.err != nil {
				l.Errorf("a follow went on after %v", f.err)
			}
			f.err = err
			if err == nil && len(batch) == 0 {
				l.Error("a follow yielded an empty batch")
			}
			for _, e := range batch {
				if e.Position.Compare(last) <= 0 {
					l.Errorf("a follow yielded %q behind %q", e.Position, last)
				}
				last = e.Position
				f.events <- e
			}
		}
	}()
	return f
}

// upTo returns the events up to a position, then ends the follow, which must say why it ended.
func (f *follower) upTo(l *log, position domain.Position) []domain.LogEvent {
	l.Helper()
	var events []domain.LogEvent
	for e := range f.events {
		events = append(events, e)
		if e.Position.Compare(position) >= 0 {
			f.cancel()
			break
		}
	}
	for e := range f.events {
		l.Errorf("%q came behind the log's end", e.Position)
	}
	if !errors.Is(f.err, context.Canceled) {
		l.Errorf("the follow ended with %v, want its context's error", f.err)
	}
	return events
}

func equalEvents(a, b domain.LogEvent) bool {
	return a.Position == b.Position && bytes.Equal(a.Canonical, b.Canonical)
}

func (suite) follow(l *log) {
	f := l.following(domain.Position{})
	var want []domain.Append
	for i := range domain.Revision(20) {
		a := several(domain.PostStream(fmt.Sprint(i)), domain.NoStream, "it", 1+int(i)%2)
		l.must(a)
		want = append(want, a)
		// Each append is seen before the next one is made, so the follower waits again and again.
		for _, e := range a.Events {
			if got := <-f.events; !bytes.Equal(got.Canonical, e.Canonical) {
				l.Fatalf("followed to %q, want %q", got.Canonical, e.Canonical)
			}
		}
	}
	l.holds(want...)
	f.cancel()
	for e := range f.events {
		l.Errorf("%q came after everything", e.Position)
	}
	if !errors.Is(f.err, context.Canceled) {
		l.Errorf("the follow ended with %v, want its context's error", f.err)
	}
}

// followMany follows from several places while several writers append.
func (suite) followMany(l *log) {
	const writers, calls = 8, 12
	l.must(one(domain.TariffStream, domain.NoStream, "first"))
	start := l.head()
	followers := []*follower{l.following(domain.Position{}), l.following(start), l.following(start)}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			stream := domain.PostStream(fmt.Sprint(w))
			for i := range domain.Revision(calls) {
				comment := domain.CommentStream(fmt.Sprint(w, "-", i))
				appends := []domain.Append{several(stream, 2*i-1, "it", 2), one(comment, domain.NoStream, "it")}
				for _, answer := range l.Append(l.Context(), appends) {
					if answer.Err != nil {
						l.Errorf("writer %d: %v", w, answer.Err)
					}
				}
			}
		})
	}
	writing.Wait()
	all, end := l.read(domain.Position{}), l.head()
	if len(all) != 1+writers*calls*3 {
		l.Fatalf("%d events, want %d", len(all), 1+writers*calls*3)
	}
	for i, f := range followers {
		want := all
		if i > 0 {
			want = all[1:]
		}
		if got := f.upTo(l, end); !slices.EqualFunc(got, want, equalEvents) {
			l.Errorf("follower %d saw %d events that are not the %d of a read", i, len(got), len(want))
		}
	}
}

func (suite) cancelledAppend(l *log) {
	ctx, cancel := context.WithCancel(l.Context())
	cancel()
	appends := []domain.Append{one("post-p", domain.NoStream, "a"), one("post-q", domain.NoStream, "b")}
	for _, answer := range l.Append(ctx, appends) {
		told := errors.Is(answer.Err, domain.ErrUnavailable) && errors.Is(answer.Err, context.Canceled)
		if !told || answer.Positions != nil {
			l.Fatalf("an append with a cancelled context: %v", answer.Err)
		}
	}
	l.missing("post-p")
	l.holds()

	// One whose context ends while the log works is in the log or not, and sending it again tells.
	const count = 50
	for i := range count {
		ctx, cancel := context.WithCancel(l.Context())
		a := one(domain.PostStream(fmt.Sprint(i)), domain.NoStream, "it")
		answered := make(chan domain.Appended)
		go func() { answered <- l.Append(ctx, []domain.Append{a})[0] }()
		cancel()
		answer := <-answered
		told := errors.Is(answer.Err, domain.ErrUnavailable) || errors.Is(answer.Err, domain.ErrOutcomeUnknown)
		if answer.Err != nil && !told {
			l.Fatalf("an append whose context ends: %v", answer.Err)
		}
		l.must(a)
	}
	if n := len(l.read(domain.Position{})); n != count {
		l.Fatalf("%d events, want %d", n, count)
	}
}

func (suite) cancelledRead(l *log) {
	l.must(several("post-p", domain.NoStream, "it", 3))
	ctx, cancel := context.WithCancel(l.Context())
	cancel()
	events, err := collect(l, ctx, domain.Position{})
	if !errors.Is(err, context.Canceled) || len(events) > 0 {
		l.Errorf("read: %d events, %v", len(events), err)
	}
	events, err = collectStream(l, ctx, "post-p", 0)
	if !errors.Is(err, context.Canceled) || len(events) > 0 {
		l.Errorf("read stream: %d events, %v", len(events), err)
	}
	if _, err := l.Head(ctx); !errors.Is(err, context.Canceled) {
		l.Errorf("head: %v", err)
	}
	last := error(nil)
	for batch, err := range l.EventLog.Follow(ctx, domain.Position{}) {
		if last = err; len(batch) > 0 {
			l.Errorf("follow: %d events", len(batch))
		}
	}
	if !errors.Is(last, context.Canceled) {
		l.Errorf("follow: %v", last)
	}
}

// cancelInTheMiddle interrupts long reads: each ends with its context's error or has everything, never early.
func (suite) cancelInTheMiddle(l *log) {
	const count = 4_000
	for from := domain.Revision(0); from < count; from += 500 {
		l.must(several("post-p", from-1, "it", 500))
	}
	for _, stop := range []int{1, 50, 1_500, count} {
		ctx, cancel := context.WithCancel(l.Context())
		read := 0
		failed := error(nil)
		for batch, err := range l.Read(ctx, domain.Position{}) {
			failed = err
			if read += len(batch); read >= stop {
				cancel()
			}
		}
		if read < count && !errors.Is(failed, context.Canceled) {
			l.Errorf("a read cancelled at %d events ended at %d with %v", stop, read, failed)
		}
		cancel()

		ctx, cancel = context.WithCancel(l.Context())
		read, failed = 0, nil
		for _, err := range l.ReadStream(ctx, "post-p", 0) {
			if failed = err; err == nil {
				read++
			}
			if read == stop {
				cancel()
			}
		}
		if read < count && !errors.Is(failed, context.Canceled) {
			l.Errorf("a stream's read cancelled at %d events ended at %d with %v", stop, read, failed)
		}
		cancel()
	}
}

// What a writer asked of the one stream, and what it was told.
type (
	streamInput struct {
		expected domain.Revision
		text     string
	}
	streamOutput struct {
		ok     bool
		actual domain.Revision
	}
)

// streamModel is a stream as a list of texts: an append adds to the revision that it expects, is told that its text is
// there already, or is told the last revision.
var streamModel = porcupine.Model{
	Init: func() any { return []string(nil) },
	Step: func(state, input, output any) (bool, any) {
		texts, in, out := state.([]string), input.(streamInput), output.(streamOutput)
		last := domain.Revision(len(texts) - 1)
		switch next := in.expected + 1; {
		case !out.ok:
			return in.expected != last && out.actual == last, texts
		case next <= last:
			return texts[next] == in.text, texts
		default:
			return next == last+1, append(texts[:next:next], in.text)
		}
	},
	Equal: func(a, b any) bool { return slices.Equal(a.([]string), b.([]string)) },
}

// oneStreamManyWriters has 64 writers race for each revision of one stream, and checks that what they were told could
// have happened one after the other. Some send an append twice, as after a lost answer.
func (suite) oneStreamManyWriters(l *log) {
	const writers, each = 64, 3
	const stream = domain.Stream("post-p")
	var mu sync.Mutex // guards history
	var history []porcupine.Operation
	start := time.Now()
	try := func(w int, a domain.Append, text string) streamOutput {
		call := time.Since(start).Nanoseconds()
		answer := l.Append(l.Context(), []domain.Append{a})[0]
		out := streamOutput{ok: answer.Err == nil}
		var conflict *domain.RevisionConflictError
		if errors.As(answer.Err, &conflict) {
			out.actual = conflict.Actual
		} else if answer.Err != nil {
			l.Errorf("writer %d: %v", w, answer.Err)
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: w, Input: streamInput{a.Expected, text}, Call: call,
			Output: out, Return: time.Since(start).Nanoseconds()})
		return out
	}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			expected := domain.NoStream
			for i := 0; i < each && !l.Failed(); {
				text := fmt.Sprint(w, "/", i)
				a := withMessage(one(stream, expected, text), text)
				out := try(w, a, text)
				if !out.ok {
					expected = out.actual
					continue
				}
				if w%4 == 0 && !try(w, a, text).ok {
					l.Errorf("writer %d: the repeated append was refused", w)
				}
				expected++
				i++
			}
		})
	}
	writing.Wait()
	if n := len(l.settled(stream, writers*each-1)); n != writers*each {
		l.Fatalf("%d events, want %d", n, writers*each)
	}
	if result := porcupine.CheckOperationsTimeout(streamModel, narrowed(history), time.Minute); result != porcupine.Ok {
		l.Fatalf("that some order of the appends explains all %d answers is %s", len(history), result)
	}
}

// narrowed has each append that was taken begin no earlier than the conflicts that were told a revision before its own,
// which come before it in any order that explains them. Without that the search, which tries first what began first,
// takes time exponential in the number of writers.
func narrowed(history []porcupine.Operation) []porcupine.Operation {
	begun := map[domain.Revision]int64{} // the latest beginning of a conflict told that revision
	last := domain.NoStream
	for _, op := range history {
		if out := op.Output.(streamOutput); !out.ok {
			begun[out.actual] = max(begun[out.actual], op.Call)
			last = max(last, out.actual)
		}
	}
	for r := domain.NoStream; r < last; r++ {
		begun[r+1] = max(begun[r+1], begun[r])
	}
	narrow := slices.Clone(history)
	for i := range narrow {
		if op := &narrow[i]; op.Output.(streamOutput).ok {
			// An operation that would begin behind its end is left as it is, for the search to refuse.
			if call, told := begun[op.Input.(streamInput).expected]; told && call < op.Return {
				op.Call = max(op.Call, call+1)
			}
		}
	}
	return narrow
}

// manyStreamsManyWriters has writers that each send several appends in one call to streams of their own and to some
// that they share.
func (suite) manyStreamsManyWriters(l *log) {
	const writers, calls = 16, 10
	var writing sync.WaitGroup
	won := make([]int, writers)
	for w := range writers {
		writing.Go(func() {
			for i := range domain.Revision(calls) {
				appends := []domain.Append{
					several(domain.PostStream(fmt.Sprint(w)), 2*i-1, "own", 2),
					one(domain.CommentStream(fmt.Sprint(i)), domain.NoStream, fmt.Sprint("of ", w)),
				}
				answers := l.Append(l.Context(), appends)
				if answers[0].Err != nil {
					l.Errorf("writer %d on its own stream: %v", w, answers[0].Err)
				}
				if answers[1].Err == nil {
					won[w]++
				} else if !errors.Is(answers[1].Err, domain.ErrRevisionConflict) {
					l.Errorf("writer %d on a shared stream: %v", w, answers[1].Err)
				}
			}
		})
	}
	writing.Wait()
	total := 0
	for w, n := range won {
		total += n
		var want []domain.Append
		for i := range domain.Revision(calls) {
			want = append(want, several(domain.PostStream(fmt.Sprint(w)), 2*i-1, "own", 2))
		}
		l.same(l.stream(domain.PostStream(fmt.Sprint(w)), 0), want...)
	}
	if total != calls {
		l.Errorf("%d appends created the %d shared streams", total, calls)
	}
	if n := len(l.read(domain.Position{})); n != calls+2*writers*calls {
		l.Errorf("%d events, want %d", n, calls+2*writers*calls)
	}
}
