// Package domain is the model of the reward ledger: what engagements there are, what events they become, what money
// these move, and the statements that add it up. It knows no clock, no network and no storage; those come in as values
// and ports.
//
// # From an engagement to an event
//
//	CloudEvent ── ParseEngagement ──► Received
//	Received ──── Ledger.Record ────► load the streams that it depends on        EventLog.ReadStream
//	                                  decide, a pure function                    Engagement.decide
//	                                  append to one stream at its revision       EventLog.Append
//	                          ◄────── Outcome
//
// A stream is one consistency boundary: small, guarded by the expected revision of an append, with no lock. An
// engagement is decided on durable facts only. An append that loses a race is decided again.
//
// To add an engagement type: a row in eventTypes (eventtype.go), its members in engagementMembers (engagement.go), the
// shape of its event in eventShapes (codec.go), its stream in places and its rule in decide (decide.go), its step in
// state.go, and where a tariff prices it, its parties in partiesOf (tariff.go).
//
// # Invariants
//
// Check holds a whole log against these; tests name the number that they hold.
//
//	I1   An event is one canonical JSON line (RFC 8785) of at most 65,535 bytes with the members of its type.
//	I2   Its id is derived from its message and stream, or from the event that it is about.
//	I3   Its stream is named after what it is about, and the revisions of a stream are 0, 1, 2 … without a gap.
//	I4   A posting moves a positive amount from one side to another; the treasury has no line, every other side has one.
//	I5   The postings of an engagement are those of the tariff in force when it occurred, in the order of its rows.
//	I6   A post is published once, a comment added once and removed once; one reaction of an account to a target stands
//	     at a time; one read of a post is rewarded for each account; a report is issued once, and bought once for each
//	     account and key.
//	I7   On a reaction's stream the time of engagements never runs backwards, nor behind a reinstatement.
//	I8   The postings of an event are taken back once, at their own amounts; what was taken back by mistake is made again
//	     at most as often.
//	I9   No line of any scope is ever negative, and no sum overflows.
//	I10  For every line the sum over posts, the sum over accounts and the platform's are the same. A report holds the
//	     statements of its size, behind its post's publication and at most its own place.
//	I11  The log begins with a tariff; versions are 1, 2, 3 …, each effective later than the one before and, once
//	     engagements are recorded, no earlier than the lead after it was recorded.
//	I12  An event of a priced type without postings has a reason, one with postings has none.
//	I13  A message is recorded once: on one stream, and there as one engagement.
//	I14  An event is what the rules decide again from what was recorded before it, at its time of recording.
//
// # The event line
//
// Frozen. Members in the order of their names; what is absent is left out; no null. All events have
//
//	id occurred_at postings recorded_at revision source source_id stream type
//
// and by type (in brackets: where there is one)
//
//	PostPublished      account_id author post_id [reason] tariff time_to_read_seconds title [url]
//	PostChanged        author post_id [time_to_read_seconds] [title] [url]
//	PostRead           account_id author post_id [reason] seconds_read tariff time_to_read_seconds
//	PostLiked          account_id author post_id [reason] tariff
//	PostDisliked       account_id author post_id [reason] tariff
//	CommentAdded       account_id author comment_id commenter level post_id [reason] tariff
//	CommentRemoved     author comment_id commenter post_id [reason] reverses tariff
//	CommentLiked       account_id author comment_id commenter post_id [reason] tariff
//	CommentDisliked    account_id author comment_id commenter post_id [reason] tariff
//	ReactionWithdrawn  account_id author [comment_id] [commenter] post_id [reason] tariff withdraws
//	PnLReportIssued    account_id author own_statement post_id [reason] report_id size statement tariff
//	TariffPublished    author_reaction_pays [by] comment_min_level [effective_from] [note] own_post_comment_pays
//	                   read_min_fraction rows version
//	EventReversed      author by [commenter] note post_id reverses tariff
//	EventReinstated    author by [commenter] note post_id [reason] reinstates tariff
//
// A posting is {"amount":…,"credit":{"account":…,"line":…},"debit":{"account":…,"line":…}} with "reversal":true behind
// where it takes another one back. docs/golden/events.ndjson holds a line of each type.
//
// # Ids
//
// Frozen. UUIDv5 (RFC 9562) of a name in a namespace:
//
//	event             URL namespace        source, line feed, source_id, line feed, stream
//	switch's withdrawal  the reaction's id    "withdrawn"
//	reversal          the reversed event's id, or its last reinstatement's    "reversed"
//	reinstatement     the reversal's id    "reinstated"
//	report            URL namespace        source, line feed, source_id
//
// EventStoreDB is given another id, StoreID, since it compares ids and not bytes.
package domain
