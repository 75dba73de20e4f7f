package domain

import "fmt"

// Code says why an engagement was rejected.
type Code string

// The rejection codes, a closed set, tried in this order (DESIGN section 4).
const (
	CodeInvalid              Code = "invalid"
	CodeConflictingDuplicate Code = "conflicting_duplicate"
	CodeInFuture             Code = "in_future"
	CodeUnknownPost          Code = "unknown_post"
	CodeUnknownComment       Code = "unknown_comment"
	CodeUnknownEvent         Code = "unknown_event"
	CodePostExists           Code = "post_exists"
	CodeCommentExists        Code = "comment_exists"
	CodeCommentRemoved       Code = "comment_removed"
	CodeLevelTooLow          Code = "level_too_low"
	CodeAlreadyReacted       Code = "already_reacted"
	CodeNoReaction           Code = "no_reaction"
	CodeOutOfOrder           Code = "out_of_order"
	CodeTooMany              Code = "too_many"
	CodeAlreadyReversed      Code = "already_reversed"
	CodeNotReversible        Code = "not_reversible"
	CodeVersionTaken         Code = "version_taken"
	CodeTariffTooEarly       Code = "tariff_too_early"
	CodeNoTariff             Code = "no_tariff"
)

// Codes lists the closed set in its order.
var Codes = []Code{CodeInvalid, CodeConflictingDuplicate, CodeInFuture, CodeUnknownPost, CodeUnknownComment,
	CodeUnknownEvent, CodePostExists, CodeCommentExists, CodeCommentRemoved, CodeLevelTooLow, CodeAlreadyReacted,
	CodeNoReaction, CodeOutOfOrder, CodeTooMany, CodeAlreadyReversed, CodeNotReversible, CodeVersionTaken,
	CodeTariffTooEarly, CodeNoTariff}

// Rejection is an expected refusal: nothing was appended and nothing is remembered, so the same message may succeed
// later.
type Rejection struct {
	Code Code
	// Field is the member that is to blame, as a path such as "data.post_id"; "" where it is none in particular.
	Field string
	// Detail is a sentence for a person.
	Detail string
}

func (r *Rejection) Error() string {
	if r.Field == "" {
		return fmt.Sprintf("%s: %s", r.Code, r.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", r.Code, r.Field, r.Detail)
}

func reject(code Code, field, format string, args ...any) *Rejection {
	return &Rejection{code, field, fmt.Sprintf(format, args...)}
}
