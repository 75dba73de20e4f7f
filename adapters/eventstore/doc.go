// Package eventstore keeps an event log on EventStoreDB (21.10 to 24.10) or KurrentDB, so that any number of processes
// write and serve side by side and a cluster keeps the log.
//
// # Format
//
// Frozen. A stream of the ledger is the store's stream of the same name behind a prefix; one prefix is one ledger. Of
// an event in it
//
//	type          the event type, "PostLiked"
//	content type  application/json
//	data          the canonical line
//	id            UUIDv8 over the first 16 bytes of the SHA-256 of the line (DESIGN section 4)
//	metadata      none
//	revision      the one that the line says
//
// The store's idempotence compares ids, so it compares bytes. The position of an event is its commit and prepare
// position. A log's index is not in the store: who follows the log counts.
//
// # Appends
//
// An append states its exact expected revision. Appends of all callers share one BatchAppend call of the protocol, with
// a bounded number in flight: answers come in any order, each with the id of its request.
//
// An append that was sent and not answered, because the connection broke, the leader changed or time was up, is
// domain.ErrOutcomeUnknown; the same append sent again finds what became of it. One that was not sent is
// domain.ErrUnavailable.
//
// An answer has the position of the last event of its append. Those of several events are read from the stream, where
// EventStoreDB before 22.6 gives all ones (its pull request 3459). There the line of each event that is read from a stream
// is appended once more, where it is: the store finds it by its id, adds nothing, and answers with its position.
//
// # Connections
//
// One node is used, the leader: what decisions read comes from there, and the store refuses it elsewhere. It is found
// by asking the nodes of the address for their gossip. Where its connection breaks, it stops being the leader, or it is
// silent until the deadline, a new one is looked for, at once and then again and again with growing, jittered waits.
// While that is tried the first time, calls wait for it, and for a second where one was lost; from then on they fail at
// once with domain.ErrUnavailable, which says why, until a connection stands (a circuit breaker). Every call has a
// deadline. What goes on being wrong is logged once.
//
// Calls are made by the messages of EventStoreDB's client, not by its methods: those append one by one, do not ask for
// the leader, leave connections open where one fails beside another, hang for ever once no node was found, and panic or
// end the process at what they do not know.
//
// # Following
//
// Read and Follow are a subscription to all events, filtered by the prefix, from the last event given on. One that
// breaks off, is dropped because it is too slow, or stays silent is made again from there; so no event is lost or comes
// twice. Each has a connection of its own, since a connection carries 100 calls at a time and these last. What is read
// ahead is bounded, and then the store waits.
//
// # What is checked
//
// An event under the prefix whose id is not that of its bytes, or whose line names another stream or revision, and a
// revision that is missing in a stream that is read, are domain.ErrCorrupt: the text names stream, revision and
// position. So is a log that ends before what was its end when it began to be read. Nothing under the prefix is skipped.
// An append that gets another revision than its line says, as on a stream that somebody deleted, is domain.ErrCorrupt
// too.
//
// At each connection the last event that was seen is looked for first. Where it is gone, the store was restored from a
// backup, and nothing that is known of the log may be used any more: everything fails with ErrReplaced from then on.
package eventstore
