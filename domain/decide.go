package domain

import (
	"cmp"
	"time"
)

// TariffLead is how long before it takes effect a tariff is recorded at the latest. It is spent in thirds: an
// engagement may be one ahead of now, what a process knows of the tariffs may be one old, and the last is for the skew
// of clocks and for the tariff's own append (DESIGN section 3).
const TariffLead = 15 * time.Minute

const tariffLeadThird = TariffLead / 3

// facts is what an engagement is decided on, beside itself. Decisions are pure: the same facts give the same events.
type facts struct {
	now     time.Time
	tariffs Tariffs
	// id is that of the engagement's event.
	id EventID
	// own is the state of the stream that the engagement is recorded on.
	own state
	// post and comment are what the engagement is about, where own is not; without events where it is about another.
	post    *postState
	comment *commentState
}

// places returns the stream that an engagement is recorded on, and the one of the post or comment that it is about, ""
// where that is its own.
func (e *Engagement) places() (own, about Stream) {
	switch e.Type {
	case PostPublished, PostChanged:
		return PostStream(e.PostID), ""
	case PostRead:
		return ReadingStream(e.PostID, e.AccountID), PostStream(e.PostID)
	case CommentAdded:
		return CommentStream(e.CommentID), PostStream(e.PostID)
	case CommentRemoved:
		return CommentStream(e.CommentID), ""
	}
	if e.CommentID != "" {
		return CommentReactionStream(e.CommentID, e.AccountID), CommentStream(e.CommentID)
	}
	return PostReactionStream(e.PostID, e.AccountID), PostStream(e.PostID)
}

// decide returns the events that an engagement is recorded as on the stream own: one, or a withdrawal and a reaction
// for a switch. That the message is not there yet was looked at before.
func (e *Engagement) decide(own Stream, f *facts) ([]*Event, *Rejection) {
	if e.OccurredAt.After(f.now.Add(tariffLeadThird)) {
		return nil, reject(CodeInFuture, "time", "%s is more than %s ahead of %s", FormatTime(e.OccurredAt), tariffLeadThird,
			FormatTime(f.now))
	}
	d := decision{Engagement: e, facts: f, stream: own}
	switch e.Type {
	case PostPublished:
		return d.publish()
	case PostChanged:
		return d.change()
	case PostRead:
		return d.read()
	case CommentAdded:
		return d.comment()
	case CommentRemoved:
		return d.remove()
	case ReactionWithdrawn:
		return d.withdraw()
	}
	return d.react()
}

// decision is one engagement being decided.
type decision struct {
	*Engagement
	*facts
	stream Stream
}

// event returns an event of the engagement's type at the next revision of its stream.
func (d *decision) event() *Event {
	return &Event{
		ID: d.facts.id, Type: d.Type, Stream: d.stream, Revision: d.own.seen().last() + 1,
		Source: d.Source, SourceID: d.ID, OccurredAt: d.OccurredAt, RecordedAt: d.now,
		PostID: d.PostID, CommentID: d.CommentID, AccountID: d.AccountID,
	}
}

// price sets the event's tariff and postings, or the reason why it moves nothing: the one given, or no_row.
func price(e *Event, t *Tariff, reason Reason) {
	e.Tariff, e.Reason = t.Version, reason
	if reason != "" {
		return
	}
	e.Postings = t.Postings(e.Type, Parties{Actor: e.AccountID, Commenter: e.Commenter, Author: e.Author})
	if len(e.Postings) == 0 {
		e.Reason = ReasonNoRow
	}
}

func (d *decision) tariff() (*Tariff, *Rejection) {
	if t := d.tariffs.InForce(d.OccurredAt); t != nil {
		return t, nil
	}
	return nil, reject(CodeNoTariff, "time", "no tariff is in force at %s", FormatTime(d.OccurredAt))
}

func (d *decision) unknownPost() *Rejection {
	return reject(CodeUnknownPost, "data.post_id", "no post %s was published", d.PostID)
}

func (d *decision) unknownComment() *Rejection {
	return reject(CodeUnknownComment, "data.comment_id", "there is no comment %s", d.CommentID)
}

func (d *decision) publish() ([]*Event, *Rejection) {
	if d.own.(*postState).exists() {
		return nil, reject(CodePostExists, "data.post_id", "the post %s was published before", d.PostID)
	}
	t, rej := d.tariff()
	if rej != nil {
		return nil, rej
	}
	e := d.event()
	e.Author, e.Title, e.URL, e.TimeToReadSeconds = d.AccountID, d.Title, d.URL, d.TimeToReadSeconds
	price(e, t, "")
	return []*Event{e}, nil
}

func (d *decision) change() ([]*Event, *Rejection) {
	post := d.own.(*postState)
	if !post.exists() {
		return nil, d.unknownPost()
	}
	e := d.event()
	e.Author, e.Title, e.URL, e.TimeToReadSeconds = post.author, d.Title, d.URL, d.TimeToReadSeconds
	return []*Event{e}, nil
}

func (d *decision) read() ([]*Event, *Rejection) {
	if !d.post.exists() {
		return nil, d.unknownPost()
	}
	e := d.event()
	e.Author, e.TimeToReadSeconds, e.SecondsRead = d.post.author, d.post.timeToRead, d.SecondsRead
	reading := d.own.(*readingState)
	t, rej := d.tariff()
	if rej == nil {
		price(e, t, reading.idleReason(e, t))
	}
	// Without a tariff a read moves nothing either, and too_many comes before no_tariff.
	if len(e.Postings) == 0 && reading.idle >= maxIdleReads {
		return nil, reject(CodeTooMany, "", "%d reads that moved nothing are recorded for this account under this post",
			reading.idle)
	}
	if rej != nil {
		return nil, rej
	}
	return []*Event{e}, nil
}

// idleReason says why a read moves nothing, "" where it is rewarded if the tariff has a row for it.
func (s *readingState) idleReason(e *Event, t *Tariff) Reason {
	switch {
	case e.AccountID == e.Author:
		return ReasonOwnPost
	case s.stands():
		return ReasonReversed
	case s.rewarded:
		return ReasonAlreadyRewarded
	case !t.ReadMinFraction.atMost(e.TimeToReadSeconds, e.SecondsRead):
		return ReasonTooShort
	}
	return ""
}

func (d *decision) comment() ([]*Event, *Rejection) {
	if !d.post.exists() {
		return nil, d.unknownPost()
	}
	if d.own.(*commentState).added != nil {
		return nil, reject(CodeCommentExists, "data.comment_id", "the comment %s was added before", d.CommentID)
	}
	t, rej := d.tariff()
	if rej != nil {
		return nil, rej
	}
	if d.Level < t.CommentMinLevel {
		return nil, reject(CodeLevelTooLow, "data.level", "commenting is available from level %d, not %d", t.CommentMinLevel,
			d.Level)
	}
	e := d.event()
	e.Author, e.Commenter, e.Level = d.post.author, d.AccountID, d.Level
	price(e, t, idleCommentReason(e, t))
	return []*Event{e}, nil
}

// idleCommentReason says why a comment moves nothing, "" where the tariff decides.
func idleCommentReason(e *Event, t *Tariff) Reason {
	if e.Commenter == e.Author && !t.OwnPostCommentPays {
		return ReasonOwnPost
	}
	return ""
}

func (d *decision) remove() ([]*Event, *Rejection) {
	comment := d.own.(*commentState)
	switch added := comment.added; {
	case added == nil:
		return nil, d.unknownComment()
	case comment.removed:
		return nil, reject(CodeCommentRemoved, "data.comment_id", "the comment %s was removed before", d.CommentID)
	case d.OccurredAt.Before(added.OccurredAt), d.OccurredAt.Before(comment.reinstatedAt):
		return nil, d.outOfOrder(later(added.OccurredAt, comment.reinstatedAt))
	}
	e := d.event()
	e.Reverses = comment.added.ID
	takeBack(e, comment.added, comment.of == comment.added.ID)
	return []*Event{e}, nil
}

// takeBack makes e the event that gives back the postings of a recorded one, which an operator's reversal may have
// taken back before.
func takeBack(e, of *Event, reversed bool) {
	e.PostID, e.CommentID, e.Author, e.Commenter = of.PostID, of.CommentID, of.Author, of.Commenter
	e.Tariff = of.Tariff
	switch {
	case len(of.Postings) == 0:
		e.Reason = of.Reason
	case reversed:
		e.Reason = ReasonAlreadyReversed
	default:
		e.Postings = reversedPostings(of)
	}
}

func reversedPostings(of *Event) []Posting {
	back := make([]Posting, len(of.Postings))
	for i, p := range of.Postings {
		back[i] = p.Reversed()
	}
	return back
}

func (d *decision) withdraw() ([]*Event, *Rejection) {
	if rej := d.target(); rej != nil {
		return nil, rej
	}
	reaction := d.own.(*reactionState)
	if reaction.standing == nil {
		return nil, reject(CodeNoReaction, "", "no reaction of %s stands there", d.AccountID)
	}
	if rej := d.inOrder(reaction); rej != nil {
		return nil, rej
	}
	return []*Event{reaction.withdrawal(d.event())}, nil
}

// withdrawal makes e the event that ends the standing reaction.
func (s *reactionState) withdrawal(e *Event) *Event {
	e.Withdraws = s.standing.ID
	takeBack(e, s.standing, s.of == s.standing.ID)
	return e
}

func (d *decision) react() ([]*Event, *Rejection) {
	if rej := d.target(); rej != nil {
		return nil, rej
	}
	if d.CommentID != "" && d.facts.comment.removed {
		return nil, reject(CodeCommentRemoved, "data.comment_id", "the comment %s was removed", d.CommentID)
	}
	reaction := d.own.(*reactionState)
	if reaction.standing != nil && reaction.standing.Type == d.Type {
		return nil, reject(CodeAlreadyReacted, "", "the same reaction of %s stands there", d.AccountID)
	}
	if rej := d.inOrder(reaction); rej != nil {
		return nil, rej
	}
	t, rej := d.tariff()
	if rej != nil {
		return nil, rej
	}
	e := d.event()
	var events []*Event
	if reaction.standing != nil {
		w := d.event()
		w.Type, w.ID = ReactionWithdrawn, WithdrawnID(e.ID)
		events = append(events, reaction.withdrawal(w))
		e.Revision++
	}
	if d.CommentID != "" {
		added := d.facts.comment.added
		e.PostID, e.Author, e.Commenter = added.PostID, added.Author, added.Commenter
	} else {
		e.Author = d.post.author
	}
	price(e, t, reaction.idleReason(e, t))
	return append(events, e), nil
}

// idleReason says why a reaction moves nothing, "" where the tariff decides.
func (s *reactionState) idleReason(e *Event, t *Tariff) Reason {
	switch {
	case e.AccountID == e.Author && !t.AuthorReactionPays:
		return ReasonOwnPost
	case e.AccountID == cmp.Or(e.Commenter, e.Author):
		return ReasonSelfReaction
	case s.stands():
		return ReasonReversed
	}
	return ""
}

// target rejects a reaction to what there is not.
func (d *decision) target() *Rejection {
	if d.CommentID != "" {
		if d.facts.comment.added == nil {
			return d.unknownComment()
		}
		return nil
	}
	if !d.post.exists() {
		return d.unknownPost()
	}
	return nil
}

// inOrder rejects what is older than the last engagement, or the last reinstatement, on its stream.
func (d *decision) inOrder(s *reactionState) *Rejection {
	if newest := later(s.lastEngagement, s.reinstatedAt); d.OccurredAt.Before(newest) {
		return d.outOfOrder(newest)
	}
	return nil
}

func (d *decision) outOfOrder(newest time.Time) *Rejection {
	return reject(CodeOutOfOrder, "time", "%s is older than %s, what was recorded here last", FormatTime(d.OccurredAt),
		FormatTime(newest))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sameContent reports whether an engagement says what an event was recorded from: type, instant, and the members of
// data as values (DESIGN section 4).
func (e *Engagement) sameContent(r *Event) bool {
	if e.Type != r.Type || !e.OccurredAt.Equal(r.OccurredAt) {
		return false
	}
	// Equal types on one stream have the same identifiers; what else their data holds is compared here. A removal's
	// event also holds whose comment it was.
	return (e.AccountID == r.AccountID) && e.Title == r.Title && e.URL == r.URL && e.SecondsRead == r.SecondsRead &&
		e.Level == r.Level && (e.Type == PostRead || e.TimeToReadSeconds == r.TimeToReadSeconds) &&
		(e.Type != CommentAdded || e.PostID == r.PostID)
}
