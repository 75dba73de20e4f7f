package domain

import "fmt"

// EventType is the type of an event, and of the engagement that is recorded as it. Its text is the name in the event's
// line, which is frozen: a recorded type's shape never changes, a new shape is a new type.
type EventType uint8

// The event types.
const (
	PostPublished EventType = iota + 1
	PostChanged
	PostRead
	PostLiked
	PostDisliked
	CommentAdded
	CommentRemoved
	CommentLiked
	CommentDisliked
	ReactionWithdrawn
	PnLReportIssued
	TariffPublished
	EventReversed
	EventReinstated
)

// eventTypes is the one table of the closed set: the name in the log, the CloudEvents type of the engagement that is
// recorded as it (none for those that have a route of their own), and the name of its rows in a tariff (none for those
// that no tariff prices).
var eventTypes = [...]struct{ name, cloudEvent, tariffName string }{
	PostPublished:     {"PostPublished", "tweiledger.post.published.v1", "post_published"},
	PostChanged:       {"PostChanged", "tweiledger.post.changed.v1", ""},
	PostRead:          {"PostRead", "tweiledger.post.read.v1", "post_read"},
	PostLiked:         {"PostLiked", "tweiledger.post.liked.v1", "post_liked"},
	PostDisliked:      {"PostDisliked", "tweiledger.post.disliked.v1", "post_disliked"},
	CommentAdded:      {"CommentAdded", "tweiledger.comment.added.v1", "comment_added"},
	CommentRemoved:    {"CommentRemoved", "tweiledger.comment.removed.v1", ""},
	CommentLiked:      {"CommentLiked", "tweiledger.comment.liked.v1", "comment_liked"},
	CommentDisliked:   {"CommentDisliked", "tweiledger.comment.disliked.v1", "comment_disliked"},
	ReactionWithdrawn: {"ReactionWithdrawn", "tweiledger.reaction.withdrawn.v1", ""},
	PnLReportIssued:   {"PnLReportIssued", "", "report_issued"},
	TariffPublished:   {"TariffPublished", "", ""},
	EventReversed:     {"EventReversed", "", ""},
	EventReinstated:   {"EventReinstated", "", ""},
}

var (
	typesByName       = map[string]EventType{}
	typesByCloudEvent = map[string]EventType{}
	typesByTariffName = map[string]EventType{}
)

func init() {
	for t := PostPublished; t.Valid(); t++ {
		row := eventTypes[t]
		typesByName[row.name] = t
		if row.cloudEvent != "" {
			typesByCloudEvent[row.cloudEvent] = t
		}
		if row.tariffName != "" {
			typesByTariffName[row.tariffName] = t
		}
	}
}

// Valid reports whether t is one of the event types.
func (t EventType) Valid() bool { return t > 0 && int(t) < len(eventTypes) }

// String returns the name in the log, such as "PostLiked".
func (t EventType) String() string {
	if !t.Valid() {
		return fmt.Sprintf("EventType(%d)", uint8(t))
	}
	return eventTypes[t].name
}

// CloudEvent returns the CloudEvents type of the engagement that is recorded as t, "" where there is none.
func (t EventType) CloudEvent() string { return eventTypes[t].cloudEvent }

// TariffName returns the name under which a tariff prices t, such as "post_liked"; "" where none does.
func (t EventType) TariffName() string { return eventTypes[t].tariffName }

// ParseEventType returns the type with that name in the log.
func ParseEventType(name string) (t EventType, ok bool) {
	t, ok = typesByName[name]
	return t, ok
}
