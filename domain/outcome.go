package domain

import "strconv"

// Result is what became of an engagement.
type Result string

// The results (DESIGN section 4).
const (
	// Recorded: appended durably.
	Recorded Result = "recorded"
	// Duplicate: the same message with the same content was recorded before.
	Duplicate Result = "duplicate"
	// Rejected: nothing was appended.
	Rejected Result = "rejected"
	// Failed: the store is away, or did not say whether it has it. Sending the same message again is always safe.
	Failed Result = "failed"
)

// RecordedEvent is an event with its place in the log.
type RecordedEvent struct {
	*Event
	Position Position
}

// Outcome answers one engagement.
type Outcome struct {
	Result Result
	// Message is the message's source and id as far as they could be read.
	Message Message
	// Recorded is the event, for Recorded and Duplicate.
	Recorded RecordedEvent
	// Also is the withdrawal that a switch appended together with the event; its Event is nil where there is none.
	Also RecordedEvent
	// Rejection is there for Rejected.
	Rejection *Rejection
	// Detail says in a sentence why it failed.
	Detail string
}

// AppendJSON appends the outcome as every encoding gives it (DESIGN section 6). place is "line" or "index" with its
// number n, or "" for neither.
func (o *Outcome) AppendJSON(dst []byte, place string, n int) []byte {
	dst = appendMember(append(dst, '{'), "outcome", string(o.Result))
	dst = o.AppendMembers(dst)
	if place != "" {
		dst = strconv.AppendInt(appendKey(dst, place), int64(n), 10)
	}
	return append(dst, '}')
}

// AppendMembers appends the members of the outcome behind "outcome" to an object that is open at the end of dst: those
// that a problem document shares.
func (o *Outcome) AppendMembers(dst []byte) []byte {
	dst = appendMember(dst, "source", o.Message.Source)
	dst = appendMember(dst, "id", o.Message.ID)
	if o.Recorded.Event != nil {
		dst = o.Recorded.appendMembers(dst)
	}
	if o.Also.Event != nil {
		dst = append(o.Also.appendMembers(append(appendKey(dst, "also"), '{')), '}')
	}
	detail := o.Detail
	if r := o.Rejection; r != nil {
		dst = appendMember(dst, "code", string(r.Code))
		dst = appendMember(dst, "field", r.Field)
		detail = r.Detail
	}
	return appendMember(dst, "detail", detail)
}

func (r *RecordedEvent) appendMembers(dst []byte) []byte {
	dst = append(appendUUID(append(appendKey(dst, "event_id"), '"'), r.ID), '"')
	dst = appendMember(dst, "type", r.Type.String())
	dst = appendMember(dst, "stream", string(r.Stream))
	dst = appendUint(dst, "revision", uint64(r.Revision))
	dst = append(r.Position.append(append(appendKey(dst, "position"), '"')), '"')
	dst = appendMember(dst, "report_id", r.ReportID)
	dst = AppendPostings(appendKey(dst, "postings"), r.Postings)
	return appendMember(dst, "reason", string(r.Reason))
}

// AppendPostings appends postings as the routes give them: debit, credit, amount, and reversal where it is one.
func AppendPostings(dst []byte, postings []Posting) []byte {
	dst = append(dst, '[')
	for i, p := range postings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.AppendJSON(dst)
	}
	return append(dst, ']')
}

// AppendJSON appends the posting as the routes give it.
func (p Posting) AppendJSON(dst []byte) []byte {
	dst = appendSide(append(dst, '{'), "debit", p.Debit)
	dst = appendSide(dst, "credit", p.Credit)
	dst = appendAmount(dst, "amount", p.Amount)
	if p.Reversal {
		dst = appendBool(dst, "reversal", true)
	}
	return append(dst, '}')
}
