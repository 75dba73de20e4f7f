package main

// remedies says what to do about each rejection code that an engagement may get; docs/integrate.md says why.
//
//	retry  send the same message again, later: what it needs may be there then
//	fix    mend what makes the message, and send it again; the id may stay, for nothing was remembered
//	drop   nothing: the ledger already says what the message wanted to say, or will never take it
//	alert  a person must look: two parts of the platform disagree
var remedies = map[string]string{
	"invalid":               "fix",
	"conflicting_duplicate": "alert",
	"in_future":             "retry",
	"unknown_post":          "retry",
	"unknown_comment":       "retry",
	"post_exists":           "alert",
	"comment_exists":        "alert",
	"comment_removed":       "drop",
	"level_too_low":         "alert",
	"already_reacted":       "drop",
	"no_reaction":           "drop",
	"out_of_order":          "drop",
	"too_many":              "drop",
	"no_tariff":             "alert",
}

// remedy returns what to do about a code. One that was added later is for a person.
func remedy(code string) string {
	if do, known := remedies[code]; known {
		return do
	}
	return "alert"
}
