package web

import "github.com/tweiledger/tweiledger/domain"

// eventWords say of each type what who acted did, in words that a post follows where there is one, and what it is in a
// sentence about its kind.
var eventWords = [...]struct{ did, noun string }{
	domain.PostPublished:     {"published the post", "A publication of a post"},
	domain.PostChanged:       {"changed the post", "A change of a post"},
	domain.PostRead:          {"read the post", "A read of a post"},
	domain.PostLiked:         {"liked the post", "A like of a post"},
	domain.PostDisliked:      {"disliked the post", "A dislike of a post"},
	domain.CommentAdded:      {"commented on the post", "A comment on a post"},
	domain.CommentRemoved:    {"removed a comment on the post", "A removal of a comment"},
	domain.CommentLiked:      {"liked a comment on the post", "A like of a comment"},
	domain.CommentDisliked:   {"disliked a comment on the post", "A dislike of a comment"},
	domain.ReactionWithdrawn: {"withdrew a reaction to the post", "A withdrawal of a reaction"},
	domain.PnLReportIssued:   {"bought a report of the post", "A report of a post"},
	domain.TariffPublished:   {"published a tariff", "A tariff"},
	domain.EventReversed:     {"took back an event under the post", "A reversal"},
	domain.EventReinstated:   {"made a reversal good under the post", "A reinstatement"},
}

// didWhat says what who acted did: "liked the post".
func didWhat(e *domain.Event) string {
	if e.Type == domain.ReactionWithdrawn && e.CommentID != "" {
		return "withdrew a reaction to a comment on the post"
	}
	return eventWords[e.Type].did
}

// nounOf says what an event of a type is: "A like of a post".
func nounOf(t domain.EventType) string { return eventWords[t].noun }

// whoActed names who acted, and reports whether that is an account. Of what only changes a post or removes a comment,
// the ledger knows no more than that the platform said so.
func whoActed(e *domain.Event) (who string, isAccount bool) {
	switch {
	case e.By != "":
		return e.By, false
	case e.AccountID != "":
		return e.AccountID, true
	}
	return "The platform", false
}

// partyOf names a party in a sentence: "the treasury".
func partyOf(p domain.Party) string { return "the " + p.String() }

// lineLabel returns a line's label where it stands alone: "You earned" would not say by what, nor who.
func lineLabel(l domain.Line) string {
	if l == domain.ReadToEarn {
		return "Read-to-Earn"
	}
	return l.Label()
}
