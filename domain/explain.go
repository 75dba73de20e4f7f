package domain

import (
	"fmt"
	"slices"
)

// Explanation says how the tariff gave what an event moved, or why the event moved nothing.
type Explanation struct {
	// Tariff is the version, 0 for an event that has none: a tariff itself, and what only changes a post.
	Tariff uint64
	// Postings has one for each posting of the event, in their order.
	Postings []ExplainedPosting
	// Reason is the event's, Because the same in a sentence for a person, and Facts what it rests on: "", "" and none
	// where something moved.
	Reason  Reason
	Because string
	Facts   []Fact
}

// ExplainedPosting is a posting with the row of the tariff that gave it.
type ExplainedPosting struct {
	Posting
	// Row is the row's place in the version's rows, from 0.
	Row int
	// Engagement is what the row prices. For what takes postings back, or makes them again, it is that of the first
	// event.
	Engagement EventType
	// DebitParty and CreditParty are who the posting's sides are in the engagement. A reversal's are swapped like its
	// sides.
	DebitParty, CreditParty Party
}

// Fact is a member of the event or of the tariff that a reason rests on.
type Fact struct {
	Name string
	// Value is a string, a uint64 or a bool.
	Value any
}

// IsAbout returns the event that e is about: which one it takes back or makes good; false for an event that is about
// none.
func (e *Event) IsAbout() (EventID, bool) {
	for _, id := range [3]EventID{e.Withdraws, e.Reverses, e.Reinstates} {
		if id != (EventID{}) {
			return id, true
		}
	}
	return EventID{}, false
}

// Explain works out again what an event moved. origin is the engagement's event by which the tariff gave the postings
// that e takes back or makes again, nil where e takes back and makes again nothing; t is the version that e names, nil
// where it names none. That there was a reversal, or a rewarded read, on the stream before is taken at the event's
// word: only the stream can tell, and Check asks it. An event whose postings or reason do not follow from its origin
// and the tariff is an error that wraps ErrCorrupt.
func Explain(e, origin *Event, t *Tariff) (Explanation, error) {
	if e.Tariff == 0 {
		return Explanation{}, nil
	}
	if _, about := e.IsAbout(); about != (origin != nil) {
		return Explanation{}, fmt.Errorf("event %s of type %s does not fit the origin given: %w", e.ID, e.Type, ErrCorrupt)
	}
	if origin == nil {
		origin = e
	} else if err := agrees(origin, origin, t); err != nil {
		return Explanation{}, err
	}
	if err := agrees(e, origin, t); err != nil {
		return Explanation{}, err
	}
	x := Explanation{Tariff: e.Tariff, Postings: explainPostings(e, origin, t), Reason: e.Reason}
	if e.Reason != "" {
		x.explainReason(e, origin, t)
	}
	return x, nil
}

// agrees fails unless the rules give the event what it holds.
func agrees(e, origin *Event, t *Tariff) error {
	if t == nil || e.Tariff != t.Version {
		return fmt.Errorf("event %s: the tariff %d that it names is not the one given: %w", e.ID, e.Tariff, ErrCorrupt)
	}
	want := rulesGive(e, origin, t)
	switch {
	case !slices.Equal(e.Postings, want.Postings):
		return fmt.Errorf("event %s: its postings are not those that tariff %d gives: %w", e.ID, t.Version, ErrCorrupt)
	case e.Reason != want.Reason:
		return fmt.Errorf("event %s: its reason is %q, the rules give %q: %w", e.ID, e.Reason, want.Reason, ErrCorrupt)
	}
	return nil
}

// rulesGive returns the event with the postings, and the reason, that the rules give it.
func rulesGive(e, origin *Event, t *Tariff) Event {
	want := *e
	want.Postings, want.Reason = nil, ""
	switch e.Type {
	case ReactionWithdrawn, CommentRemoved:
		takeBack(&want, origin, e.Reason == ReasonAlreadyReversed)
	case EventReversed:
		want.Postings = reversedPostings(origin)
	case EventReinstated:
		if e.Reason == ReasonAlreadyReversed {
			want.Reason = e.Reason
		} else {
			want.Postings = origin.Postings
		}
	default:
		price(&want, t, idleReason(e, t))
	}
	return want
}

// idleReason says why an engagement's event moves nothing, "" where the tariff decides. What stood on its stream is
// what the event's reason says.
func idleReason(e *Event, t *Tariff) Reason {
	var before reversal
	if e.Reason == ReasonReversed {
		before.of = e.ID
	}
	switch {
	case e.Type == PostRead:
		reading := readingState{reversal: before, rewarded: e.Reason == ReasonAlreadyRewarded}
		return reading.idleReason(e, t)
	case e.Type == CommentAdded:
		return idleCommentReason(e, t)
	case e.Type.IsReaction():
		reaction := reactionState{reversal: before}
		return reaction.idleReason(e, t)
	}
	return ""
}

// explainPostings names the row of each posting. The postings agree with the tariff: there is one for each row.
func explainPostings(e, origin *Event, t *Tariff) []ExplainedPosting {
	if len(e.Postings) == 0 {
		return nil
	}
	explained := make([]ExplainedPosting, 0, len(e.Postings))
	for place, row := range t.rowsOf(origin.Type) {
		p := ExplainedPosting{
			Posting: e.Postings[len(explained)], Row: place, Engagement: row.Engagement,
			DebitParty: row.Debit.Party, CreditParty: row.Credit.Party,
		}
		if p.Reversal {
			p.DebitParty, p.CreditParty = p.CreditParty, p.DebitParty
		}
		explained = append(explained, p)
	}
	return explained
}

// explainReason sets the sentence and the facts of an event that moved nothing.
func (x *Explanation) explainReason(e, origin *Event, t *Tariff) {
	switch {
	case e.Reason == ReasonAlreadyReversed:
		x.Facts = []Fact{{"event_id", origin.ID.String()}}
		x.Because = fmt.Sprintf("the postings of event %s had been taken back before", origin.ID)
		if e.Type == EventReinstated {
			x.Because = fmt.Sprintf("event %s had been withdrawn or removed meanwhile", origin.ID)
		}
	case e != origin:
		x.explainReason(origin, origin, t)
		x.Because = fmt.Sprintf("it ends event %s, which moved nothing: %s", origin.ID, x.Because)
	case e.Reason == ReasonOwnPost:
		x.explainOwnPost(e)
	case e.Reason == ReasonSelfReaction:
		x.explainSelfReaction(e)
	case e.Reason == ReasonReversed:
		x.Facts = []Fact{{"stream", string(e.Stream)}}
		x.Because = fmt.Sprintf("an operator's reversal stood on the stream %s", e.Stream)
	case e.Reason == ReasonAlreadyRewarded:
		x.Facts = []Fact{{"stream", string(e.Stream)}}
		x.Because = fmt.Sprintf("one read is rewarded for each account and post, and one on the stream %s was before",
			e.Stream)
	case e.Reason == ReasonTooShort:
		x.Facts = []Fact{{"seconds_read", e.SecondsRead}, {"time_to_read_seconds", e.TimeToReadSeconds},
			{"read_min_fraction", t.ReadMinFraction.String()}}
		x.Because = fmt.Sprintf("seconds_read %d < time_to_read_seconds %d × read_min_fraction %q",
			e.SecondsRead, e.TimeToReadSeconds, t.ReadMinFraction)
	case e.Reason == ReasonNoRow:
		x.Facts = []Fact{{"engagement", e.Type.TariffName()}}
		x.Because = fmt.Sprintf("tariff %d has no row for %s", t.Version, e.Type.TariffName())
	}
}

func (x *Explanation) explainOwnPost(e *Event) {
	x.Facts = []Fact{{"account_id", e.AccountID}, {"author", e.Author}}
	x.Because = fmt.Sprintf("%s wrote the post, and ", e.AccountID)
	switch e.Type {
	case PostRead:
		x.Because += "nobody is rewarded for reading the own one"
	case CommentAdded:
		x.Facts = append(x.Facts, Fact{"own_post_comment_pays", false})
		x.Because += "own_post_comment_pays is false"
	default:
		x.Facts = append(x.Facts, Fact{"author_reaction_pays", false})
		x.Because += "author_reaction_pays is false"
	}
}

func (x *Explanation) explainSelfReaction(e *Event) {
	party, what, writer := "author", "post", e.Author
	if e.Commenter != "" {
		party, what, writer = "commenter", "comment", e.Commenter
	}
	x.Facts = []Fact{{"account_id", e.AccountID}, {party, writer}}
	x.Because = fmt.Sprintf("%s wrote the %s, and a reaction to the own one moves nothing", e.AccountID, what)
}

// AppendMembers appends the members of the explanation to an object that is open at the end of dst.
func (x *Explanation) AppendMembers(dst []byte) []byte {
	if x.Tariff > 0 {
		dst = appendUint(dst, "tariff", x.Tariff)
	}
	dst = append(appendKey(dst, "postings"), '[')
	for i := range x.Postings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = x.Postings[i].appendJSON(dst)
	}
	dst = append(dst, ']')
	if x.Reason == "" {
		return dst
	}
	dst = append(appendKey(dst, "reason"), '{')
	dst = appendMember(dst, "code", string(x.Reason))
	dst = appendMember(dst, "because", x.Because)
	dst = append(appendKey(dst, "facts"), '{')
	for _, f := range x.Facts {
		dst = f.appendMember(dst)
	}
	return append(dst, '}', '}')
}

func (p *ExplainedPosting) appendJSON(dst []byte) []byte {
	dst = appendUint(append(dst, '{'), "row", uint64(p.Row))
	dst = appendMember(dst, "engagement", p.Engagement.TariffName())
	dst = appendExplainedSide(dst, "debit", p.DebitParty, p.Debit)
	dst = appendExplainedSide(dst, "credit", p.CreditParty, p.Credit)
	dst = appendAmount(dst, "amount", p.Amount)
	if p.Reversal {
		dst = appendBool(dst, "reversal", true)
	}
	return append(dst, '}')
}

func appendExplainedSide(dst []byte, key string, party Party, side Side) []byte {
	dst = appendMember(append(appendKey(dst, key), '{'), "party", party.String())
	dst = appendMember(dst, "account", side.Account)
	return append(appendMember(dst, "line", side.Line.String()), '}')
}

func (f Fact) appendMember(dst []byte) []byte {
	switch v := f.Value.(type) {
	case uint64:
		return appendUint(dst, f.Name, v)
	case bool:
		return appendBool(dst, f.Name, v)
	case string:
		return appendMember(dst, f.Name, v)
	}
	panic(fmt.Sprintf("fact %s has a value of type %T", f.Name, f.Value))
}
