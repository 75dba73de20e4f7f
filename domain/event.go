package domain

import (
	"time"

	"github.com/google/uuid"
)

// EventID identifies an event. Package documentation: how ids are derived.
type EventID = uuid.UUID

// Reason says why a recorded event moved nothing. The zero Reason is none: something moved, or nothing could.
type Reason string

// The reasons, a closed set. Where several hold, the first of this order is given.
const (
	ReasonOwnPost         Reason = "own_post"
	ReasonSelfReaction    Reason = "self_reaction"
	ReasonReversed        Reason = "reversed"
	ReasonAlreadyRewarded Reason = "already_rewarded"
	ReasonTooShort        Reason = "too_short"
	ReasonAlreadyReversed Reason = "already_reversed"
	ReasonNoRow           Reason = "no_row"
)

// Reasons lists the closed set in its order.
var Reasons = []Reason{ReasonOwnPost, ReasonSelfReaction, ReasonReversed, ReasonAlreadyRewarded, ReasonTooShort,
	ReasonAlreadyReversed, ReasonNoRow}

// Event is what the log holds: something that happened, with everything it was decided on and the amounts it moved. It
// explains itself; a fold never looks another one up. Which members an event of each type has is drawn in the package
// documentation; what a type does not have is the zero value.
//
// An Event is not changed once it was made, so it may be shared.
type Event struct {
	ID       EventID
	Type     EventType
	Stream   Stream
	Revision Revision
	// Source and SourceID are the message's.
	Source, SourceID string
	// OccurredAt is when it happened, RecordedAt when it was decided. Both in UTC.
	OccurredAt, RecordedAt time.Time
	Postings               []Posting
	// Tariff is the version that gave the postings; for what takes postings back, the version that had given them.
	Tariff uint64
	Reason Reason

	PostID, CommentID string
	// AccountID is who acted: who published, read, reacted, commented or bought.
	AccountID string
	// Author wrote the post, Commenter the comment.
	Author, Commenter string
	Title, URL        string
	TimeToReadSeconds uint64
	SecondsRead       uint64
	Level             uint64

	// Withdraws is the reaction that a withdrawal ends; Reverses the event whose postings a removal or a reversal takes
	// back; Reinstates the reversal that a reinstatement makes good.
	Withdraws, Reverses, Reinstates EventID
	// By is who asked for what an operator asks for, Note why.
	By, Note string

	// ReportID, Size, Statement and OwnStatement are a report's.
	ReportID                string
	Size                    uint64
	Statement, OwnStatement *Statement

	// Published is the tariff of a TariffPublished.
	Published *Tariff
}

// Message returns the message that the event was recorded from.
func (e *Event) Message() Message { return Message{e.Source, e.SourceID} }

// IsReaction reports whether the event is a like or a dislike.
func (t EventType) IsReaction() bool {
	return t == PostLiked || t == PostDisliked || t == CommentLiked || t == CommentDisliked
}
