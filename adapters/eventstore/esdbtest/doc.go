// Package esdbtest is an EventStoreDB for tests: a gRPC server in the process of the test, on a port of its own, with all
// its state in memory. It is no database. It behaves as a client sees the server behave (23.10), also where that is
// surprising, and it plays faults on command.
//
//	server := esdbtest.New(t, esdbtest.Options{Nodes: 3})
//	log, err := eventstore.Open(server.ConnectionString())
//	server.DropAppends(1) // the next append is taken, its answer is lost
//
// # What is there
//
// Gossip.Read, ServerFeatures.GetSupportedMethods and of Streams: Append, BatchAppend, Read (a stream and $all, both
// ways, with a filter; subscriptions), Delete and Tombstone. Nothing else: no persistent subscriptions, projections,
// links, users, $maxAge or scavenging.
//
// # Appends
//
// Expected revisions are checked as the server checks them. Under NoStream or a revision that was passed, an append
// whose event ids are just those behind that revision is a success with the same revision and position, whatever its
// bytes; ids in part the same, or others, are WrongExpectedVersion with the actual revision. Where the expected revision
// is the actual one, ids are not looked at. Under Any and StreamExists ids are looked for among the last events of the
// stream only.
//
// An append is answered once it is replicated. While replication is held (HoldReplication) it waits for at most
// Options.WriteTimeout, then it is Aborted, and stored. Until then reads do not show its events, but WrongExpectedVersion
// counts them, and an append that repeats it has no answer at all but that time-out.
//
// Delete sets "$tb" in the stream's metadata, which are events of the stream "$$" + name: the stream is not found, and an
// append to it, under NoStream too, goes on with the next revision, from which on the stream is shown. $all shows
// everything, also events of deleted streams and of the server itself.
//
// BatchAppend answers appends in any order of those that wait for an answer.
//
// # A cluster
//
// All nodes are over one log. The leader shows what is replicated; followers the same, or less where they lag
// (LagFollowers). A follower refuses what has the metadata "requires-leader: true" with the trailers that name the
// leader; without, it takes appends for the leader and reads what it shows itself.
package esdbtest
