package domain

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// OperatorName is who asks (`by`) where nobody has to say who they are: on a loopback address.
const OperatorName = "operator"

// request is what an operator asks for about one event.
type request struct {
	event    EventID
	note, by string
	now      time.Time
}

// ParseRequest reads what an operator asks for about one event: a JSON object of event_id and note, both strings. A
// rejection has the code invalid, and the member as its field.
func ParseRequest(text []byte) (event EventID, note string, rej *Rejection) {
	var doc struct {
		EventID *string `json:"event_id"`
		Note    *string `json:"note"`
	}
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return event, "", documentRejection(err)
	}
	if err := rejectNull(text); err != nil {
		return event, "", invalidField(err)
	}
	if doc.EventID == nil {
		return event, "", reject(CodeInvalid, "event_id", "is missing")
	}
	event, err := ParseEventID(*doc.EventID)
	if err != nil {
		return event, "", reject(CodeInvalid, "event_id", "%v", err)
	}
	if doc.Note == nil {
		return event, "", reject(CodeInvalid, "note", "is missing: it says why")
	}
	return event, *doc.Note, nil
}

func (r request) validate() *Rejection {
	if err := checkText(r.note, 1, MaxNoteBytes); err != nil {
		return reject(CodeInvalid, "note", "%v", err)
	}
	if err := checkText(r.by, 1, MaxMessageIDBytes); err != nil {
		return reject(CodeInvalid, "by", "%v", err)
	}
	return nil
}

func (r request) unknown() *Rejection {
	return reject(CodeUnknownEvent, "event_id", "there is no event %s", r.event)
}

// find returns the event that the request is about, nil if the stream lacks it.
func (r request) find(stream []*Event) *Event {
	i := slices.IndexFunc(stream, func(e *Event) bool { return e.ID == r.event })
	if i < 0 {
		return nil
	}
	return stream[i]
}

// event returns an event of the ledger's own about another one, at the stream's next revision. base is the event that
// its id is namespaced by: it occurs at the later of now and that one's time.
func (r request) eventOn(stream []*Event, t EventType, id EventID, about, base *Event) *Event {
	return &Event{
		ID: id, Type: t, Stream: about.Stream, Revision: Revision(len(stream)),
		Source: LedgerSource, SourceID: about.ID.String(),
		OccurredAt: later(r.now, base.OccurredAt), RecordedAt: r.now,
		PostID: about.PostID, Author: about.Author, Commenter: about.Commenter, Tariff: about.Tariff,
		By: r.by, Note: r.note,
	}
}

// reverse decides a reversal on the whole stream of the event: the event to append, or the one that the same request
// was recorded as before, or a rejection.
func (r request) reverse(stream []*Event) (fresh, recorded *Event, _ *Rejection) {
	target := r.find(stream)
	if target == nil {
		return nil, nil, r.unknown()
	}
	h := historyOf(target, stream)
	for _, e := range h.reversals {
		if e.Note == r.note {
			return nil, e, nil
		}
	}
	switch {
	case h.ended || h.reversed:
		return nil, nil, reject(CodeAlreadyReversed, "event_id", "the postings of the event were taken back before")
	case target.Type.Parties() == nil || len(target.Postings) == 0:
		return nil, nil, reject(CodeNotReversible, "event_id", "the event moved nothing that an operator could take back")
	}
	base := target
	if h.reinstated != nil {
		base = h.reinstated
	}
	e := r.eventOn(stream, EventReversed, ReversedID(base.ID), target, base)
	e.Reverses, e.Postings = target.ID, reversedPostings(target)
	return e, nil, nil
}

// reinstate decides the reinstatement of a reversal like reverse.
func (r request) reinstate(stream []*Event) (fresh, recorded *Event, _ *Rejection) {
	target := r.find(stream)
	if target == nil {
		return nil, nil, r.unknown()
	}
	for _, e := range stream {
		if e.Type == EventReinstated && e.Reinstates == target.ID {
			if e.Note == r.note {
				return nil, e, nil
			}
			return nil, nil, reject(CodeNotReversible, "event_id", "the reversal was made good before")
		}
	}
	if target.Type != EventReversed {
		return nil, nil, reject(CodeNotReversible, "event_id", "only a reversal can be made good")
	}
	first := request{event: target.Reverses}.find(stream)
	e := r.eventOn(stream, EventReinstated, ReinstatedID(target.ID), target, target)
	e.Reinstates = target.ID
	if historyOf(first, stream).ended {
		e.Reason = ReasonAlreadyReversed
	} else {
		e.Postings = slices.Clone(first.Postings)
	}
	return e, nil, nil
}

// history is what became of an event's postings.
type history struct {
	// ended: a withdrawal or a removal of the event stands.
	ended bool
	// reversed: a reversal stands.
	reversed bool
	// reversals are those of the event, made good or not.
	reversals []*Event
	// reinstated is the last reinstatement, nil if there is none.
	reinstated *Event
}

func historyOf(of *Event, stream []*Event) (h history) {
	for _, e := range stream {
		switch {
		case e.Type == EventReversed && e.Reverses == of.ID:
			h.reversed, h.reversals = true, append(h.reversals, e)
		case e.Type == EventReinstated && slices.ContainsFunc(h.reversals,
			func(r *Event) bool { return r.ID == e.Reinstates }):
			h.reversed, h.reinstated = false, e
		case e.Withdraws == of.ID, e.Type == CommentRemoved && e.Reverses == of.ID:
			h.ended = true
		}
	}
	return h
}

// tariffEvent returns the event of a tariff's version.
func tariffEvent(t *Tariff, by string, now time.Time) *Event {
	m := tariffMessage(t.Version)
	return &Event{
		ID: NewEventID(m, TariffStream), Type: TariffPublished, Stream: TariffStream, Revision: Revision(t.Version) - 1,
		Source: m.Source, SourceID: m.ID, OccurredAt: now, RecordedAt: now, By: by, Published: t,
	}
}

// publish decides a new version on the versions that there are.
func (ts Tariffs) publish(t *Tariff, by string, now time.Time) (*Event, *Rejection) {
	if err := t.Validate(); err != nil {
		return nil, invalidField(err)
	}
	n := uint64(len(ts))
	switch {
	case t.Version <= n:
		return nil, reject(CodeVersionTaken, "version", "version %d was published before, the next one is %d", t.Version, n+1)
	case t.Version > n+1:
		return nil, reject(CodeInvalid, "version", "must be %d: no version is left out", n+1)
	case t.EffectiveFrom.Before(now.Add(TariffLead)):
		return nil, reject(CodeTariffTooEarly, "effective_from", "must be at least %s after %s", TariffLead, FormatTime(now))
	case !t.EffectiveFrom.After(ts[n-1].EffectiveFrom):
		return nil, reject(CodeTariffTooEarly, "effective_from", "must be later than version %d's", n)
	}
	return tariffEvent(t, by, now), nil
}
