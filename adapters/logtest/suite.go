package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// Traits tells in what the logs that are tested may differ.
type Traits struct {
	// ManyWriters: the log need not notice a message on another stream.
	ManyWriters bool
}

// Run tests a log. Each call of open returns a new, empty log, which open closes when its test ends; a log that the
// test may close itself, once, is an io.Closer, whose second Close may answer anything.
func Run(t *testing.T, open func(t *testing.T) domain.EventLog, traits ...Traits) {
	s := suite{}
	if len(traits) > 0 {
		s.traits = traits[0]
	}
	for _, test := range []struct {
		name string
		run  func(*log)
	}{
		{"Empty", s.empty},
		{"RoundTrip", s.roundTrip},
		{"ExpectedRevision", s.expectedRevision},
		{"Repeat", s.repeat},
		{"AllOrNothing", s.allOrNothing},
		{"EachOnItsOwn", s.eachOnItsOwn},
		{"MessageOnSameStream", s.messageOnSameStream},
		{"MessageTaken", s.messageTaken},
		{"Limits", s.limits},
		{"EveryByte", s.everyByte},
		{"OwnBytes", s.ownBytes},
		{"Names", s.names},
		{"ReadStreamFrom", s.readStreamFrom},
		{"ReadBehind", s.readBehind},
		{"ReadEndsWhereItBegan", s.readEndsWhereItBegan},
		{"StopReading", s.stopReading},
		{"Follow", s.follow},
		{"FollowMany", s.followMany},
		{"CancelledAppend", s.cancelledAppend},
		{"CancelledRead", s.cancelledRead},
		{"CancelInTheMiddle", s.cancelInTheMiddle},
		{"OneStreamManyWriters", s.oneStreamManyWriters},
		{"ManyStreamsManyWriters", s.manyStreamsManyWriters},
		{"FindMessage", s.findMessage},
		{"Closed", s.closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&log{T: t, EventLog: open(t)})
		})
	}
}

type suite struct{ traits Traits }

// log is a log under test, with what the tests ask of it most.
type log struct {
	*testing.T
	domain.EventLog
}

// Line returns a line of that many bytes or more, which names what it is of and is no JSON.
func Line(stream domain.Stream, revision domain.Revision, text string, size int) []byte {
	line := fmt.Appendf(nil, "\x00%s #%d %s\xff", stream, revision, text)
	if pad := size - len(line); pad > 0 {
		line = append(line, bytes.Repeat([]byte{'.'}, pad)...)
	}
	return line
}

// one returns an append of one event to a stream. Its message is the stream's, the revision's and the text's.
func one(stream domain.Stream, expected domain.Revision, text string) domain.Append {
	return several(stream, expected, text, 1)
}

func several(stream domain.Stream, expected domain.Revision, text string, count int) domain.Append {
	a := domain.Append{
		Stream:   stream,
		Expected: expected,
		Message:  domain.Message{Source: "/suite", ID: fmt.Sprintf("%s %d %s", stream, expected, text)},
	}
	for i := range count {
		line := Line(stream, expected+1+domain.Revision(i), text, 0)
		eventType := domain.PostPublished + domain.EventType(i%3)
		a.Events = append(a.Events, domain.EncodedEvent{Type: eventType, Canonical: line})
	}
	return a
}

func withMessage(a domain.Append, id string) domain.Append {
	a.Message.ID = id
	return a
}

// try appends one append.
func (l *log) try(a domain.Append) domain.Appended {
	l.Helper()
	answers := l.Append(l.Context(), []domain.Append{a})
	if len(answers) != 1 {
		l.Fatalf("one append got %d answers", len(answers))
	}
	return answers[0]
}

// must appends what has to succeed, each with the others in one call.
func (l *log) must(appends ...domain.Append) [][]domain.Position {
	l.Helper()
	positions := make([][]domain.Position, len(appends))
	answers := l.Append(l.Context(), appends)
	if len(answers) != len(appends) {
		l.Fatalf("%d appends got %d answers", len(appends), len(answers))
	}
	for i, answer := range answers {
		if answer.Err != nil {
			l.Fatalf("append %d to %s at %d: %v", i, appends[i].Stream, appends[i].Expected, answer.Err)
		}
		l.ordered(answer.Positions, len(appends[i].Events))
		positions[i] = answer.Positions
	}
	return positions
}

func (l *log) ordered(positions []domain.Position, count int) {
	l.Helper()
	if len(positions) != count {
		l.Fatalf("%d events got %d positions", count, len(positions))
	}
	for i, p := range positions {
		if p.IsStart() || i > 0 && p.Compare(positions[i-1]) <= 0 {
			l.Fatalf("positions of one append: %v", positions)
		}
	}
}

// conflicts checks that an append loses against a revision.
func (l *log) conflicts(a domain.Append, actual domain.Revision) {
	l.Helper()
	answer := l.try(a)
	var conflict *domain.RevisionConflictError
	if !errors.Is(answer.Err, domain.ErrRevisionConflict) || !errors.As(answer.Err, &conflict) {
		l.Fatalf("append to %s at %d: %v, want a conflict", a.Stream, a.Expected, answer.Err)
	}
	if answer.Positions != nil {
		l.Fatalf("a conflict has positions: %v", answer.Positions)
	}
	want := domain.RevisionConflictError{Stream: a.Stream, Expected: a.Expected, Actual: actual}
	if *conflict != want {
		l.Fatalf("conflict %+v, want %+v", *conflict, want)
	}
}

// read returns everything behind a position.
func (l *log) read(after domain.Position) []domain.LogEvent {
	l.Helper()
	events, err := collect(l, l.Context(), after)
	if err != nil {
		l.Fatalf("reading behind %q: %v", after, err)
	}
	return events
}

// collect reads until the read ends, and holds it to its promises.
func collect(l *log, ctx context.Context, after domain.Position) (events []domain.LogEvent, failed error) {
	l.Helper()
	last := after
	for batch, err := range l.Read(ctx, after) {
		if failed != nil {
			l.Fatalf("a read went on after %v", failed)
		}
		failed = err
		last = l.batch(last, batch, err)
		events = append(events, batch...)
	}
	return events, failed
}

// batch checks one value of Read or Follow that comes behind a position, and returns the position reached.
func (l *log) batch(last domain.Position, batch []domain.LogEvent, err error) domain.Position {
	l.Helper()
	if err != nil && len(batch) > 0 || err == nil && len(batch) == 0 {
		l.Fatalf("a batch of %d events with the error %v", len(batch), err)
	}
	for _, e := range batch {
		if e.Position.Compare(last) <= 0 {
			l.Fatalf("position %q came behind %q", e.Position, last)
		}
		last = e.Position
	}
	return last
}

// stream returns a stream's events from a revision on.
func (l *log) stream(stream domain.Stream, from domain.Revision) []domain.LogEvent {
	l.Helper()
	events, err := collectStream(l, l.Context(), stream, from)
	if err != nil {
		l.Fatalf("reading %s from %d: %v", stream, from, err)
	}
	return events
}

func collectStream(
	l *log, ctx context.Context, stream domain.Stream, from domain.Revision,
) (events []domain.LogEvent, failed error) {
	l.Helper()
	for event, err := range l.ReadStream(ctx, stream, from) {
		if failed != nil {
			l.Fatalf("reading %s went on after %v", stream, failed)
		}
		if failed = err; err == nil {
			events = append(events, event)
		}
	}
	return events, failed
}

// settled returns a stream's events once it has reached a revision: after a conflict reads may lag behind it.
func (l *log) settled(stream domain.Stream, revision domain.Revision) []domain.LogEvent {
	l.Helper()
	for {
		events, err := collectStream(l, l.Context(), stream, 0)
		if err != nil && !errors.Is(err, domain.ErrStreamNotFound) {
			l.Fatalf("reading %s: %v", stream, err)
		}
		if len(events) > int(revision) {
			return events
		}
	}
}

func (l *log) missing(stream domain.Stream) {
	l.Helper()
	events, err := collectStream(l, l.Context(), stream, 0)
	if !errors.Is(err, domain.ErrStreamNotFound) || len(events) > 0 {
		l.Fatalf("stream %s has %d events and the error %v, want none and ErrStreamNotFound", stream, len(events), err)
	}
}

// holds checks that the log has just these appends' lines, in their order.
func (l *log) holds(appends ...domain.Append) {
	l.Helper()
	l.same(l.read(domain.Position{}), appends...)
}

func (l *log) same(events []domain.LogEvent, appends ...domain.Append) {
	l.Helper()
	var want [][]byte
	for _, a := range appends {
		for _, e := range a.Events {
			want = append(want, e.Canonical)
		}
	}
	if len(events) != len(want) {
		l.Fatalf("%d events, want %d", len(events), len(want))
	}
	for i := range want {
		if !bytes.Equal(events[i].Canonical, want[i]) {
			l.Fatalf("event %d is %.80q, want %.80q", i, events[i].Canonical, want[i])
		}
	}
}

func (l *log) head() domain.Position {
	l.Helper()
	p, err := l.Head(l.Context())
	if err != nil {
		l.Fatalf("head: %v", err)
	}
	return p
}

func (suite) empty(l *log) {
	if p := l.head(); !p.IsStart() {
		l.Fatalf("an empty log's head is %q", p)
	}
	l.holds()
	l.missing("post-p")
	if answers := l.Append(l.Context(), nil); len(answers) != 0 {
		l.Fatalf("no appends got %d answers", len(answers))
	}
}

func (suite) roundTrip(l *log) {
	appends := []domain.Append{
		one("post-p", domain.NoStream, "a"), one("post-p", 0, "b"), several("post-q", domain.NoStream, "c", 3),
		one("post-p", 1, "d"), one("post-q", 2, "e"),
	}
	var positions []domain.Position
	for _, a := range appends {
		positions = append(positions, l.must(a)[0]...)
		if p := l.head(); p != positions[len(positions)-1] {
			l.Fatalf("head is %q after an append at %q", p, positions[len(positions)-1])
		}
	}
	l.ordered(positions, 7)
	l.holds(appends...)
	for i, e := range l.read(domain.Position{}) {
		if e.Position != positions[i] {
			l.Fatalf("event %d is at %q, was appended at %q", i, e.Position, positions[i])
		}
	}
	l.same(l.stream("post-p", 0), appends[0], appends[1], appends[3])
	l.same(l.stream("post-q", 0), appends[2], appends[4])
	for i, e := range l.stream("post-q", 0) {
		if want := []domain.Position{positions[2], positions[3], positions[4], positions[6]}[i]; e.Position != want {
			l.Fatalf("revision %d is at %q, was appended at %q", i, e.Position, want)
		}
	}
}

func (suite) expectedRevision(l *log) {
	const stream = domain.Stream("post-p")
	l.conflicts(one(stream, 0, "too early"), domain.NoStream)
	l.conflicts(one(stream, 7, "far too early"), domain.NoStream)
	first := one(stream, domain.NoStream, "first")
	l.must(first)
	l.conflicts(one(stream, domain.NoStream, "again"), 0)
	l.conflicts(one(stream, 1, "ahead"), 0)
	second := several(stream, 0, "second", 2)
	l.must(second)
	for _, expected := range []domain.Revision{domain.NoStream, 0, 1, 3, 4, 1 << 40} {
		l.conflicts(one(stream, expected, "other"), 2)
	}
	l.conflicts(several(stream, 1, "longer than what is there", 3), 2)
	l.settled(stream, 2)
	l.holds(first, second)
}

func (suite) repeat(l *log) {
	const stream = domain.Stream("reaction-post/p/u")
	first, second := one(stream, domain.NoStream, "first"), several(stream, 0, "second", 2)
	third := one(stream, 2, "third")
	var positions [][]domain.Position
	again := func(a domain.Append, want []domain.Position) {
		l.Helper()
		got := l.must(a)[0]
		for i := range want {
			if got[i] != want[i] {
				l.Fatalf("the repeated append is at %v, the first was at %v", got, want)
			}
		}
	}
	for _, a := range []domain.Append{first, second, third} {
		positions = append(positions, l.must(a)[0])
		again(a, positions[len(positions)-1])
	}
	again(first, positions[0])
	again(second, positions[1])
	l.holds(first, second, third)

	changed := several(stream, 0, "second", 2)
	changed.Events[1].Canonical[3] ^= 1
	l.conflicts(changed, 3)
	moved := second
	moved.Expected = 1
	l.conflicts(moved, 3)
	longer := second
	more := domain.EncodedEvent{Type: domain.PostLiked, Canonical: []byte("more")}
	longer.Events = append(second.Events[:2:2], third.Events[0], more)
	l.conflicts(longer, 3)
	l.holds(first, second, third)
}

func (suite) allOrNothing(l *log) {
	first := several("comment-c", domain.NoStream, "first", 3)
	l.must(first)
	l.conflicts(several("comment-c", 1, "second", 3), 2)
	tooLarge := several("comment-c", 2, "third", 2)
	tooLarge.Events[1].Canonical = Line("comment-c", 4, "third", domain.MaxEventBytes+1)
	if answer := l.try(tooLarge); !errors.Is(answer.Err, domain.ErrAppendTooLarge) {
		l.Fatalf("an append with a too long second event: %v", answer.Err)
	}
	l.settled("comment-c", 2)
	l.holds(first)
	l.must(several("comment-c", 2, "fourth", 2))
}

// eachOnItsOwn sends appends in one call of which some are refused.
func (suite) eachOnItsOwn(l *log) {
	l.must(one("post-old", domain.NoStream, "old"))
	old := l.head()
	appends := []domain.Append{
		one("post-a", domain.NoStream, "a"),
		one("post-old", domain.NoStream, "late"), // loses
		several("post-b", domain.NoStream, "b", 2),
		{Stream: "post-c", Expected: domain.NoStream, Message: domain.Message{Source: "/suite", ID: "no events"}},
		one("post-d", 0, "d"), // loses
		one("post-old", 0, "new"),
	}
	answers := l.Append(l.Context(), appends)
	if len(answers) != len(appends) {
		l.Fatalf("%d appends got %d answers", len(appends), len(answers))
	}
	for i, want := range []error{
		nil, domain.ErrRevisionConflict, nil, domain.ErrAppendTooLarge, domain.ErrRevisionConflict, nil,
	} {
		if !errors.Is(answers[i].Err, want) {
			l.Fatalf("append %d: %v, want %v", i, answers[i].Err, want)
		}
		if (want == nil) != (answers[i].Positions != nil) {
			l.Fatalf("append %d: positions %v, error %v", i, answers[i].Positions, want)
		}
	}
	l.same(l.settled("post-old", 1)[1:], appends[5])
	l.same(l.stream("post-a", 0), appends[0])
	l.same(l.stream("post-b", 0), appends[2])
	l.missing("post-c")
	l.missing("post-d")
	if n := len(l.read(old)); n != 4 {
		l.Fatalf("%d events came, want 4", n)
	}
}

func (suite) messageOnSameStream(l *log) {
	first := withMessage(one("post-p", domain.NoStream, "first"), "m")
	second := withMessage(one("post-p", 0, "second"), "m")
	l.must(first)
	l.must(second)
	l.conflicts(withMessage(one("post-p", 0, "third"), "m"), 1)
	l.settled("post-p", 1)
	l.holds(first, second)
}

func (s suite) messageTaken(l *log) {
	first := withMessage(several("post-p", domain.NoStream, "first", 2), "m")
	at := l.must(first)[0]
	other := withMessage(one("post-q", domain.NoStream, "other"), "m")
	inOneCall := []domain.Append{
		withMessage(one("post-r", domain.NoStream, "r"), "n"),
		withMessage(one("post-s", domain.NoStream, "s"), "n"),
	}
	if s.traits.ManyWriters {
		l.must(other)
		l.must(inOneCall...)
		return
	}
	taken := func(answer domain.Appended, message string, position domain.Position, line []byte) {
		l.Helper()
		var taken *domain.MessageTakenError
		if !errors.Is(answer.Err, domain.ErrMessageTaken) || !errors.As(answer.Err, &taken) {
			l.Fatalf("the message on another stream: %v", answer.Err)
		}
		if taken.Message != (domain.Message{Source: "/suite", ID: message}) || taken.Held.Position != position ||
			!bytes.Equal(taken.Held.Canonical, line) || answer.Positions != nil {
			l.Fatalf("taken is %+v, want %s at %q", taken, message, position)
		}
	}
	taken(l.try(other), "m", at[0], first.Events[0].Canonical)
	l.missing("post-q")
	otherSource := other
	otherSource.Message.Source = "/other"
	l.must(otherSource)

	answers := l.Append(l.Context(), inOneCall)
	if answers[0].Err != nil {
		l.Fatalf("the first of a message: %v", answers[0].Err)
	}
	taken(answers[1], "n", answers[0].Positions[0], inOneCall[0].Events[0].Canonical)
	l.holds(first, otherSource, inOneCall[0])
}

func (suite) limits(l *log) {
	longest := one("post-p", domain.NoStream, "longest")
	longest.Events[0].Canonical = Line("post-p", 0, "longest", domain.MaxEventBytes)
	fill := func(expected domain.Revision, total int) domain.Append {
		message := domain.Message{Source: "/suite", ID: fmt.Sprint("fill ", total)}
		a := domain.Append{Stream: "post-p", Expected: expected, Message: message}
		for total > 0 {
			n := min(total, domain.MaxEventBytes)
			line := Line("post-p", expected, "fill", n)[:n]
			a.Events = append(a.Events, domain.EncodedEvent{Type: domain.PostChanged, Canonical: line})
			total -= n
		}
		return a
	}
	largest := fill(0, domain.MaxAppendBytes)
	l.must(longest)
	l.must(largest)
	end := domain.Revision(len(largest.Events))

	tooLong := one("post-p", end, "too long")
	tooLong.Events[0].Canonical = Line("post-p", end+1, "too long", domain.MaxEventBytes+1)
	none := one("post-p", end, "none")
	none.Events = nil
	tooLarge := fill(end, domain.MaxAppendBytes+1)
	for name, a := range map[string]domain.Append{"too long": tooLong, "too large": tooLarge, "none": none} {
		if answer := l.try(a); !errors.Is(answer.Err, domain.ErrAppendTooLarge) || answer.Positions != nil {
			l.Fatalf("%s: %v", name, answer.Err)
		}
	}
	l.same(l.stream("post-p", 0), longest, largest)
	l.holds(longest, largest)
}

func (suite) everyByte(l *log) {
	var all []byte
	for b := range 256 {
		if b != '\n' {
			all = append(all, byte(b))
		}
	}
	a := one("post-p", domain.NoStream, "")
	a.Events[0].Canonical = all
	a.Message = domain.Message{Source: "/ü 世界\u2028", ID: "\"\\\x7f\U0001F600/é́"}
	l.must(a)
	l.holds(a)
	l.same(l.stream("post-p", 0), a)
}

// ownBytes changes what was given to the log and what came from it.
func (suite) ownBytes(l *log) {
	a := one("post-p", domain.NoStream, "mine")
	want := one("post-p", domain.NoStream, "mine")
	l.must(a)
	clear(a.Events[0].Canonical)
	a.Events[0] = domain.EncodedEvent{}
	clear(l.read(domain.Position{})[0].Canonical)
	clear(l.stream("post-p", 0)[0].Canonical)
	for batch, err := range l.Read(l.Context(), domain.Position{}) {
		if err != nil {
			l.Fatal(err)
		}
		_ = append(batch[0].Canonical, "and more"...)
	}
	l.holds(want)
	l.same(l.stream("post-p", 0), want)
}

// names fills streams whose names could be taken for each other.
func (suite) names(l *log) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-"
	ids := []string{allowed, strings.Repeat("x", 128), strings.Repeat("x", 127),
		"-", "--", "a", "A", "a-b", "a-", "-a", "...", "a..b",
		"post", "post-a", "reaction-post", "@a", "a:b", "~", "_", "0", "00"}
	var streams []domain.Stream
	for _, a := range ids {
		streams = append(streams, domain.PostStream(a), domain.CommentStream(a), domain.ReportStream(a))
		for _, b := range []string{"a", "b", "-", "a-b", "post", "b-a"} {
			streams = append(streams,
				domain.ReadingStream(a, b), domain.PostReactionStream(a, b), domain.CommentReactionStream(a, b))
		}
	}
	streams = append(streams, domain.TariffStream)
	var appends []domain.Append
	for _, stream := range streams {
		appends = append(appends, one(stream, domain.NoStream, "only"))
	}
	l.must(appends...)
	for i, stream := range streams {
		l.same(l.stream(stream, 0), appends[i])
	}
	for _, stream := range []domain.Stream{
		"post-b", "post", "post-", "reading-a", "reading-a/", "reaction-post/a", "POST-a", "tariff-",
	} {
		l.missing(stream)
	}
}

func (suite) readStreamFrom(l *log) {
	const count = 10
	var appends []domain.Append
	for i := range domain.Revision(count) {
		appends = append(appends, one("reading-p/a", i-1, "it"), one("reading-p/b", i-1, "other"))
		l.must(appends[2*i], appends[2*i+1])
	}
	for from := range domain.Revision(count) {
		var want []domain.Append
		for i := from; i < count; i++ {
			want = append(want, appends[2*i])
		}
		l.same(l.stream("reading-p/a", from), want...)
	}
	for _, from := range []domain.Revision{count, count + 1, 1 << 40} {
		l.same(l.stream("reading-p/a", from))
	}
	if _, err := collectStream(l, l.Context(), "reading-p/c", 3); !errors.Is(err, domain.ErrStreamNotFound) {
		l.Fatalf("a missing stream from a later revision: %v", err)
	}
}

func (suite) readBehind(l *log) {
	var appends []domain.Append
	for i := range 50 {
		a := several(domain.PostStream(fmt.Sprint(i)), domain.NoStream, "it", 1+i%3)
		appends = append(appends, a)
	}
	l.must(appends...)
	all := l.read(domain.Position{})
	for i, e := range all {
		rest := l.read(e.Position)
		if len(rest) != len(all)-i-1 {
			l.Fatalf("%d events behind event %d of %d", len(rest), i, len(all))
		}
		if len(rest) > 0 && rest[0].Position != all[i+1].Position {
			l.Fatalf("behind event %d comes %q, want %q", i, rest[0].Position, all[i+1].Position)
		}
	}
}

// readEndsWhereItBegan appends while a read goes on, which must not run after them.
func (suite) readEndsWhereItBegan(l *log) {
	want := several("post-p", domain.NoStream, "it", 40)
	l.must(want)
	appended := 0
	var events []domain.LogEvent
	for batch, err := range l.Read(l.Context(), domain.Position{}) {
		if err != nil {
			l.Fatal(err)
		}
		events = append(events, batch...)
		for range len(batch) {
			l.must(one("post-q", domain.Revision(appended-1), "while reading"))
			appended++
		}
	}
	l.same(events, want)
}

// stopReading leaves every kind of read in its middle.
func (suite) stopReading(l *log) {
	a := several("post-p", domain.NoStream, "it", 30)
	l.must(a)
	for range l.Read(l.Context(), domain.Position{}) {
		break
	}
	for range l.Follow(l.Context(), domain.Position{}) {
		break
	}
	for range l.ReadStream(l.Context(), "post-p", 0) {
		break
	}
	l.holds(a)
}

func (suite) closed(l *log) {
	closer, ok := l.EventLog.(io.Closer)
	if !ok {
		l.Skip("this log has no Close")
	}
	l.must(one("post-p", domain.NoStream, "it"))
	ended := make(chan error, 1)
	following := make(chan struct{})
	go func() {
		var last error
		for batch, err := range l.Follow(l.Context(), domain.Position{}) {
			if last = err; len(batch) > 0 {
				close(following)
			}
		}
		ended <- last
	}()
	<-following
	if err := closer.Close(); err != nil {
		l.Fatalf("close: %v", err)
	}
	errs := map[string]error{"follow under way": <-ended, "append": l.try(one("post-p", 0, "late")).Err}
	_, errs["read"] = collect(l, l.Context(), domain.Position{})
	_, errs["read stream"] = collectStream(l, l.Context(), "post-p", 0)
	_, errs["head"] = l.Head(l.Context())
	for _, err := range l.Follow(l.Context(), domain.Position{}) {
		errs["follow"] = err
	}
	if finder, ok := l.EventLog.(domain.MessageFinder); ok {
		_, _, errs["find message"] = finder.FindMessage(l.Context(), domain.Message{Source: "a", ID: "b"})
	}
	for what, err := range errs {
		if !errors.Is(err, domain.ErrClosed) {
			l.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
}

func (suite) findMessage(l *log) {
	finder, ok := l.EventLog.(domain.MessageFinder)
	if !ok {
		l.Skip("this log finds no messages")
	}
	first := withMessage(several("post-p", domain.NoStream, "first", 2), "m")
	at := l.must(first)[0]
	l.must(withMessage(one("post-p", 1, "second"), "m"), withMessage(one("post-q", domain.NoStream, "other"), "n"))
	e, found, err := finder.FindMessage(l.Context(), domain.Message{Source: "/suite", ID: "m"})
	if err != nil || !found || e.Position != at[0] {
		l.Fatalf("found %v at %q, %v, want %q", found, e.Position, err, at[0])
	}
	l.same([]domain.LogEvent{e}, domain.Append{Events: first.Events[:1]})
	for _, m := range []domain.Message{
		{Source: "/suite", ID: "M"}, {Source: "/suit", ID: "em"}, {Source: "/suite", ID: ""}, {},
	} {
		if _, found, err := finder.FindMessage(l.Context(), m); found || err != nil {
			l.Fatalf("found %v for %+v: %v", found, m, err)
		}
	}
	cancelled, cancel := context.WithCancel(l.Context())
	cancel()
	_, _, err = finder.FindMessage(cancelled, domain.Message{Source: "/suite", ID: "m"})
	if !errors.Is(err, context.Canceled) {
		l.Fatalf("with a cancelled context: %v", err)
	}
}
