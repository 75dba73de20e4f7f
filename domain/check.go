package domain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Difference is the first place where a log contradicts the rules.
type Difference struct {
	// Index is the event's place in the log, from 0.
	Index uint64
	// Event is the event's id, the zero id where the line cannot be read.
	Event EventID
	// Invariant is the rule's number in the package documentation, such as "I4".
	Invariant string
	// Detail is a sentence for a person.
	Detail string
}

func (d *Difference) Error() string {
	return fmt.Sprintf("event %d (%s): %s: %s", d.Index, d.Event, d.Invariant, d.Detail)
}

// Summary is what Check found in a log that agrees with the rules.
type Summary struct {
	Events  uint64
	Streams uint64
	ByType  map[EventType]uint64
	// Platform holds the platform's sum of each line.
	Platform Sums
	// Concurrent has the indexes of the events that were decided on another stream's state as it was a moment before: a
	// reaction decided before a removal could be seen, a read that names the time to read which a change replaced. They
	// are no differences (DESIGN section 4), unless they were recorded more than 5 minutes later.
	Concurrent []uint64
	// RecordedTwice names the messages that a log with many writers took on two streams: both were paid, and an
	// operator reverses one.
	RecordedTwice []TwiceRecorded
}

// TwiceRecorded is a message that stands on two streams.
type TwiceRecorded struct {
	Message       Message
	First, Second uint64
}

// Check holds a whole log against every invariant of the package documentation: it reads each line, works out each id,
// each revision and each decision again, and adds up each scope. It returns what it found, and the first difference as
// a *Difference; errors of the lines' source are returned as they are.
//
// open is called twice and yields the canonical lines in log order. progress, if not nil, is told now and then how many
// events were checked. Memory grows with the number of streams, by about 2 KB each, and of messages, by about 50 bytes.
func Check(open func() iter.Seq2[[]byte, error], progress func(events uint64)) (Summary, error) {
	c := newChecker()
	if err := c.survey(open()); err != nil {
		return Summary{}, err
	}
	for line, err := range open() {
		if err != nil {
			return c.summary(), err
		}
		if err := c.check(line); err != nil {
			return c.summary(), err
		}
		if c.index++; progress != nil && c.index%4096 == 0 {
			progress(c.index)
		}
	}
	if progress != nil {
		progress(c.index)
	}
	return c.summary(), c.finish()
}

// checker is a check under way.
type checker struct {
	index   uint64
	streams map[Stream]state
	// operated holds the whole streams on which an operator reversed something: those decisions need them.
	operated map[Stream][]*Event
	// switched holds, after a switch's withdrawal, the reaction that must follow on its stream.
	switched map[Stream]*Event
	// timesToRead holds the times to read that a post had, where it was changed.
	timesToRead map[string][]replaced
	// removals tells when a comment's removal was recorded.
	removals map[Stream]time.Time
	messages map[[16]byte]placedMessage
	reports  reportCheck
	tariffs  tariffState
	started  bool
	sums     checkSums
	found    Summary
}

// replaced is a time to read that a post had, until another was recorded.
type replaced struct {
	seconds uint64
	until   time.Time
}

// placedMessage tells where a message was seen first.
type placedMessage struct {
	stream [8]byte
	index  uint64
}

func newChecker() *checker {
	return &checker{
		streams: map[Stream]state{}, operated: map[Stream][]*Event{}, switched: map[Stream]*Event{},
		timesToRead: map[string][]replaced{}, removals: map[Stream]time.Time{}, messages: map[[16]byte]placedMessage{},
		reports: reportCheck{
			folds: map[string][]*reportFold{}, due: map[uint64][]*reportFold{}, worked: map[reportStatement]*Statement{},
		},
		sums:  checkSums{posts: map[string]*Sums{}, accounts: map[string]*Sums{}},
		found: Summary{ByType: map[EventType]uint64{}},
	}
}

func (c *checker) summary() Summary {
	s := c.found
	s.Events, s.Streams, s.Platform = c.index, uint64(len(c.streams)), c.sums.platform
	if len(c.tariffs.ids) > 0 {
		s.Streams++
	}
	return s
}

// survey finds what the check must know before it comes there: the streams that hold an operator's events, and the
// reports. Lines that cannot be read are left to the check.
func (c *checker) survey(lines iter.Seq2[[]byte, error]) error {
	for line, err := range lines {
		if err != nil {
			return err
		}
		isReport := bytes.Contains(line, []byte(`"type":"PnLReportIssued"`))
		if !isReport && !bytes.Contains(line, []byte(`"type":"EventRe`)) {
			continue
		}
		e, err := DecodeEvent(line)
		switch {
		case err != nil:
		case e.Type == PnLReportIssued:
			c.reports.expect(e)
		default:
			c.operated[e.Stream] = nil
		}
	}
	return nil
}

func (c *checker) differs(e *Event, invariant, format string, args ...any) *Difference {
	d := &Difference{Index: c.index, Invariant: invariant, Detail: fmt.Sprintf(format, args...)}
	if e != nil {
		d.Event = e.ID
	}
	return d
}

// check holds one line against the rules. The order matters: what a later step relies on was checked before it.
func (c *checker) check(line []byte) error {
	c.reports.reached(c.index)
	e, err := DecodeEvent(line)
	if errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("event %d: %w", c.index, err)
	}
	if err != nil {
		return c.differs(&Event{ID: claimedID(line)}, "I1", "%v", err)
	}
	if d := c.checkStream(e); d != nil {
		return d
	}
	if d := c.checkDecision(e, line); d != nil {
		return d
	}
	if d := c.follow(e); d != nil {
		return d
	}
	if err := c.sums.add(e); err != nil {
		return c.differs(e, "I9", "%v", err)
	}
	c.noteMessage(e)
	c.found.ByType[e.Type]++
	return nil
}

// claimedID returns the id that a line which is no event's says, the zero id where it says none.
func claimedID(line []byte) EventID {
	var claim struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(line, &claim) != nil {
		return EventID{}
	}
	id, err := ParseEventID(claim.ID)
	if err != nil {
		return EventID{}
	}
	return id
}

// checkStream checks the stream's name, the revision, and that the log begins with a tariff.
func (c *checker) checkStream(e *Event) error {
	if _, _, _, ok := e.Stream.Parse(); !ok {
		return c.differs(e, "I3", "%q is no stream", e.Stream)
	}
	next := Revision(0)
	if s := c.streams[e.Stream]; s != nil {
		next = s.seen().last() + 1
	} else if e.Stream == TariffStream {
		next = c.tariffs.last() + 1
	}
	if e.Revision != next {
		return c.differs(e, "I3", "stream %s has revision %d where %d is next", e.Stream, e.Revision, next)
	}
	if c.index == 0 && e.Type != TariffPublished {
		return c.differs(e, "I11", "the log begins with a %s, not with a tariff", e.Type)
	}
	return nil
}

// checkDecision decides again what the event was decided from, and compares the lines.
func (c *checker) checkDecision(e *Event, line []byte) error {
	if want := c.switched[e.Stream]; want != nil {
		delete(c.switched, e.Stream)
		return c.compare(e, line, want)
	}
	switch e.Type {
	case TariffPublished:
		return c.checkTariff(e, line)
	case EventReversed:
		return c.checkRequest(e, line, e.Reverses, request.reverse)
	case EventReinstated:
		return c.checkRequest(e, line, e.Reinstates, request.reinstate)
	case PnLReportIssued:
		return c.checkReport(e, line)
	}
	return c.checkEngagement(e, line)
}

// compare checks that the line is that of the event that the rules give.
func (c *checker) compare(e *Event, line []byte, want *Event) error {
	again, err := want.AppendCanonical(nil)
	if err != nil {
		return c.differs(e, "I14", "%v", err)
	}
	if bytes.Equal(line, again) {
		return nil
	}
	invariant, what := firstDifference(e, want)
	return c.differs(e, invariant, "%s; the rules give %s", what, again)
}

// firstDifference names the invariant that an event breaks, compared to what the rules give.
func firstDifference(e, want *Event) (invariant, what string) {
	switch {
	case e.ID != want.ID:
		return "I2", fmt.Sprintf("the id is %s, not %s", e.ID, want.ID)
	case e.Stream != want.Stream:
		return "I3", fmt.Sprintf("the stream is %s, not %s", e.Stream, want.Stream)
	case e.Tariff != want.Tariff:
		return "I5", fmt.Sprintf("the tariff is %d, not %d", e.Tariff, want.Tariff)
	case !slices.Equal(e.Postings, want.Postings):
		return "I5", "the postings are others"
	case e.Type == PnLReportIssued &&
		!(sameStatement(e.Statement, want.Statement) && sameStatement(e.OwnStatement, want.OwnStatement)):
		return "I10", "the report's statements are others"
	case e.Reason != want.Reason:
		return "I12", fmt.Sprintf("the reason is %q, not %q", e.Reason, want.Reason)
	}
	return "I14", "the member " + firstOtherMember(e, want) + " is another"
}

func sameStatement(a, b *Statement) bool {
	left, err1 := a.AppendJSON(nil)
	right, err2 := b.AppendJSON(nil)
	return err1 == nil && err2 == nil && bytes.Equal(left, right)
}

// firstOtherMember names the first member that two events of one type do not have in common.
func firstOtherMember(e, want *Event) string {
	for i := range eventMembers {
		m := &eventMembers[i]
		if setOf(e)&(1<<i) == 0 && setOf(want)&(1<<i) == 0 {
			continue
		}
		if !bytes.Equal(m.write([]byte{'{'}, m.key, e), m.write([]byte{'{'}, m.key, want)) {
			return m.key
		}
	}
	return "type"
}

// checkTariff checks a version. Those that the log begins with may be of any time.
func (c *checker) checkTariff(e *Event, line []byte) error {
	want := tariffEvent(e.Published, e.By, e.RecordedAt)
	want.Note = e.Note
	if !c.started {
		if err := append(slices.Clip(c.tariffs.tariffs), *e.Published).Validate(); err != nil {
			return c.differs(e, "I11", "%v", err)
		}
	} else if _, rej := c.tariffs.tariffs.publish(e.Published, e.By, e.RecordedAt); rej != nil {
		return c.differs(e, "I11", "%v", rej)
	}
	return c.compare(e, line, want)
}

// checkRequest decides an operator's request again.
func (c *checker) checkRequest(
	e *Event, line []byte, about EventID, decide func(request, []*Event) (fresh, recorded *Event, _ *Rejection),
) error {
	r := request{event: about, note: e.Note, by: e.By, now: e.RecordedAt}
	want, recorded, rej := decide(r, c.operated[e.Stream])
	switch {
	case rej != nil:
		return c.differs(e, "I8", "%v", rej)
	case recorded != nil:
		return c.differs(e, "I8", "event %s records the same request", recorded.ID)
	}
	return c.compare(e, line, want)
}

// checkReport works a report out again: its ids, its posting, and both its statements as of its size.
func (c *checker) checkReport(e *Event, line []byte) error {
	if e.Revision > 0 {
		return c.differs(e, "I6", "the report was issued before: nothing but its reversal can follow on its stream")
	}
	if e.Size > c.index {
		return c.differs(e, "I10", "the report is of size %d, beyond its own place", e.Size)
	}
	if !e.OccurredAt.Equal(e.RecordedAt) {
		return c.differs(e, "I14", "it occurred at %s and was recorded at another time", FormatTime(e.OccurredAt))
	}
	post, ok := c.streams[PostStream(e.PostID)].(*postState)
	if !ok {
		return c.differs(e, "I14", "no post %s was published", e.PostID)
	}
	m := Message{ReportSourcePrefix + e.AccountID, e.SourceID}
	want := *e
	want.Source, want.ReportID = m.Source, NewReportID(m)
	want.Stream = ReportStream(want.ReportID)
	want.ID, want.Author = NewEventID(m, want.Stream), post.author
	t := c.tariffs.tariffs.InForce(e.OccurredAt)
	if t == nil {
		return c.differs(e, "I5", "no tariff is in force at %s", FormatTime(e.OccurredAt))
	}
	want.Postings = nil
	price(&want, t, "")
	want.Statement = c.reports.worked[reportStatement{Scope{PostID: e.PostID}, e.Size}]
	if want.Statement == nil || want.OwnStatement == nil {
		return fmt.Errorf("event %d: the report was not there when the log was read before", c.index)
	}
	if want.Statement.RecordedThrough.IsZero() {
		return c.differs(e, "I10", "the report is of size %d, at which its post was not published", e.Size)
	}
	want.OwnStatement = c.reports.worked[reportStatement{Scope{PostID: e.PostID, AccountID: e.AccountID}, e.Size}]
	return c.compare(e, line, &want)
}

// checkEngagement decides an engagement again, from what its event holds of it.
func (c *checker) checkEngagement(e *Event, line []byte) error {
	if ownSource(e.Source) {
		return c.differs(e, "I13", "the source %q is the ledger's own", e.Source)
	}
	g := engagementOf(e)
	switchID := EventID{}
	if id := NewEventID(g.Message, e.Stream); e.Type == ReactionWithdrawn && e.ID != id {
		// A switch's withdrawal stands for the opposite of the reaction that it ends.
		if reaction, ok := c.streams[e.Stream].(*reactionState); ok && reaction.standing != nil {
			g.Type, switchID = opposite[reaction.standing.Type], id
		}
	}
	own, about := g.places()
	if own != e.Stream {
		return c.differs(e, "I3", "the stream is %s, not %s", e.Stream, own)
	}
	f, differ := c.facts(e, own, about)
	if differ != nil {
		return differ
	}
	if at, ok := f.own.seen().find(NewEventID(g.Message, own)); ok {
		return c.differs(e, "I13", "its message is recorded at revision %d of the stream", at)
	}
	events, rej := g.decide(own, &f)
	if d := c.agree(e, line, events, rej); d != nil {
		if !c.concurrent(e, &f) {
			return d
		}
		events, rej = g.decide(own, &f)
		if d := c.agree(e, line, events, rej); d != nil {
			return d
		}
		c.found.Concurrent = append(c.found.Concurrent, c.index)
	}
	if switchID != (EventID{}) {
		c.switched[e.Stream] = events[1]
	}
	return nil
}

// agree compares the event with what was decided again.
func (c *checker) agree(e *Event, line []byte, events []*Event, rej *Rejection) error {
	if rej != nil {
		return c.differs(e, "I14", "the rules refuse it: %v", rej)
	}
	return c.compare(e, line, events[0])
}

var opposite = map[EventType]EventType{
	PostLiked: PostDisliked, PostDisliked: PostLiked, CommentLiked: CommentDisliked, CommentDisliked: CommentLiked,
}

// engagementOf returns the engagement that an event was recorded from.
func engagementOf(e *Event) *Engagement {
	g := &Engagement{
		Type: e.Type, Message: e.Message(), OccurredAt: e.OccurredAt, PostID: e.PostID, CommentID: e.CommentID,
		AccountID: e.AccountID, Title: e.Title, URL: e.URL, SecondsRead: e.SecondsRead, Level: e.Level,
	}
	if e.Type == PostPublished || e.Type == PostChanged {
		g.TimeToReadSeconds = e.TimeToReadSeconds
	}
	if e.CommentID != "" && e.Type != CommentAdded {
		// What is said of a comment names no post.
		g.PostID = ""
	}
	return g
}

// facts returns what an engagement was decided on.
func (c *checker) facts(e *Event, own, about Stream) (facts, error) {
	f := facts{now: e.RecordedAt, tariffs: c.tariffs.tariffs, id: NewEventID(e.Message(), own), own: c.state(own),
		post: new(postState), comment: new(commentState)}
	if about == "" {
		return f, nil
	}
	switch s := c.state(about).(type) {
	case *postState:
		f.post = s
	case *commentState:
		f.comment = s
	default:
		return f, c.differs(e, "I3", "stream %s is about neither a post nor a comment", about)
	}
	return f, nil
}

func (c *checker) state(stream Stream) state {
	if s := c.streams[stream]; s != nil {
		return s
	}
	kind, _, _, _ := stream.Parse()
	return newState(kind)
}

// concurrent changes the facts to what they may have been a moment before, and reports whether there is such a change.
func (c *checker) concurrent(e *Event, f *facts) bool {
	switch {
	case e.Type == PostRead && slices.ContainsFunc(c.timesToRead[e.PostID], func(r replaced) bool {
		return r.seconds == e.TimeToReadSeconds && sameMoment(e.RecordedAt, r.until)
	}):
		post := *f.post
		post.timeToRead = e.TimeToReadSeconds
		f.post = &post
		return true
	case f.comment.removed && sameMoment(e.RecordedAt, c.removals[CommentStream(e.CommentID)]):
		comment := *f.comment
		comment.removed = false
		f.comment = &comment
		return true
	}
	return false
}

// sameMoment reports whether a decision may not have seen what was recorded before it in the log, with the skew between
// clocks that the tariffs' lead allows for.
func sameMoment(decided, recorded time.Time) bool {
	return decided.Before(recorded.Add(tariffLeadThird))
}

// follow takes the event into the state of its stream.
func (c *checker) follow(e *Event) error {
	var err error
	if e.Stream == TariffStream {
		if c.tariffs, err = c.tariffs.step(e); err != nil {
			return c.differs(e, "I11", "%v", err)
		}
		return nil
	}
	c.started = true
	before := c.state(e.Stream)
	if err := c.reports.follow(e, before); err != nil {
		return c.differs(e, "I9", "%v", err)
	}
	after, err := before.step(e)
	if err != nil {
		return c.differs(e, "I14", "%v", err)
	}
	c.streams[e.Stream] = after
	if events, ok := c.operated[e.Stream]; ok {
		c.operated[e.Stream] = append(events, e)
	}
	if post, ok := before.(*postState); ok && e.Type == PostChanged && e.TimeToReadSeconds > 0 {
		c.timesToRead[e.PostID] = append(c.timesToRead[e.PostID], replaced{post.timeToRead, e.RecordedAt})
	}
	if e.Type == CommentRemoved {
		c.removals[e.Stream] = e.RecordedAt
	}
	return nil
}

// noteMessage finds messages that stand on two streams. Those of the ledger itself name an event, or a report.
func (c *checker) noteMessage(e *Event) {
	if e.Source == LedgerSource {
		return
	}
	key := sha256.Sum256([]byte(e.Source + "\n" + e.SourceID))
	on := sha256.Sum256([]byte(e.Stream))
	here := placedMessage{[8]byte(on[:8]), c.index}
	first, seen := c.messages[[16]byte(key[:16])]
	if !seen {
		c.messages[[16]byte(key[:16])] = here
	} else if first.stream != here.stream {
		c.found.RecordedTwice = append(c.found.RecordedTwice, TwiceRecorded{e.Message(), first.index, c.index})
	}
}

// finish checks what must hold at the end of the log.
func (c *checker) finish() error {
	for stream, want := range c.switched {
		return c.differs(want, "I14", "the log ends before the reaction of a switch on stream %s", stream)
	}
	if err := c.sums.agree(); err != nil {
		return c.differs(nil, "I10", "%v", err)
	}
	return nil
}

// checkSums adds up the postings by scope and line.
type checkSums struct {
	posts, accounts map[string]*Sums
	platform        Sums
}

// add adds an event's postings. A line that would fall below zero is an error.
func (s *checkSums) add(e *Event) error {
	for _, p := range e.Postings {
		entries, n := p.Entries()
		for _, entry := range entries[:n] {
			err := errors.Join(s.platform.Add(entry.Line, entry.Change),
				sumsOf(s.posts, e.PostID).Add(entry.Line, entry.Change),
				sumsOf(s.accounts, entry.Account).Add(entry.Line, entry.Change))
			if err != nil {
				return fmt.Errorf("account %s under post %s: %w", entry.Account, e.PostID, err)
			}
		}
	}
	return nil
}

func sumsOf(scopes map[string]*Sums, name string) *Sums {
	s := scopes[name]
	if s == nil {
		s = new(Sums)
		scopes[name] = s
	}
	return s
}

// agree checks that for every line the posts, the accounts and the platform have the same sum.
func (s *checkSums) agree() error {
	for _, scopes := range []map[string]*Sums{s.posts, s.accounts} {
		var total Sums
		for name, sums := range scopes {
			for l := EarnedForPluses; l.Valid(); l++ {
				if err := total.Add(l, sums.Of(l)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		if total != s.platform {
			return fmt.Errorf("the lines' sums %v are not the platform's %v", total, s.platform)
		}
	}
	return nil
}
