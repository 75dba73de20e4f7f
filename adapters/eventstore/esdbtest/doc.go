// Package esdbtest is an EventStoreDB for tests: a gRPC server in the process of the test, on a port of its own, with
// all its state in memory. It is no database. It behaves as a client sees the server behave (23.10), also where that is
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
// bytes; ids in part the same, or others, are WrongExpectedVersion with the actual revision. Where the expected
// revision is the actual one, ids are not looked at. Under Any and StreamExists ids are looked for among the last events
// of the stream only.
//
// An append is answered once it is replicated. While replication is held (HoldReplication) it waits for at most
// Options.WriteTimeout, then it is Aborted, and stored. Until then reads do not show its events, but
// WrongExpectedVersion counts them, and an append that repeats it has no answer at all but that time-out.
//
// Delete sets "$tb" in the stream's metadata, which are events of the stream "$$" + name: the stream is not found, and
// an append to it, under NoStream too, goes on with the next revision, from which on the stream is shown. $all shows
// everything, also events of deleted streams and of the server itself.
//
// BatchAppend answers in any order what waits for an answer. Its errors are statuses inside the answers, except that a
// node that does not lead ends the whole call, where the call requires the leader. "Server Is Not Ready" is a status
// without a code, as it is with the server.
//
// Credentials and sizes are refused while an append still comes in, as the server does. The Go client may tell that as
// io.EOF with no code.
//
// # Reads
//
// A read is no snapshot: it goes on to what is the end when it comes there. A stream that is missing is told by the
// first answer. Positions grow and leave gaps. A read forwards begins with the event at its position, a subscription
// behind it; all ones are the end. With Options.NoStreamPositions all ones are also the position of every event that is
// read from a stream, as before 22.6. A subscription begins with its confirmation, says once that it caught up, and
// where it has a filter it sends a checkpoint after each maxSearchWindow × checkpointIntervalMultiplier events that it
// considered. It is never dropped for being slow unless DropSlowConsumers says so.
//
// # A cluster
//
// All nodes are over one log. The leader shows what is replicated; followers the same, or less where they lag
// (LagFollowers). A follower refuses what has the metadata "requires-leader: true" with the trailers that name the
// leader; without, it takes appends for the leader, and reads what it shows itself.
//
// # Faults
//
//	appends        RefuseAppends, DropAppends, AbortAppends, DelayAnswers, HoldAnswers, EndBatches
//	reads          CutReads, SpoilReads, SlowScans, DelayAnswers, HoldAnswers
//	subscriptions  CutSubscriptions, SilenceSubscriptions, SilenceNextSubscriptions, DropSlowConsumers,
//	               SendBogusCheckpoint, SpoilSubscriptions
//	connections    Node.Refuse, Node.Accept, Node.DropConnections
//	the cluster    ChangeLeader, ChangeLeaderAfter, LoseLeader, HoldReplication, LoseUnreplicated, LagFollowers
//	the log        Insert, RemoveRevision, SoftDelete, Restore
//	access         DenyAccess, DenyAppends, Options.Username, Options.WrongName
//	at random      PlayAtRandom
//
// A fault is on before the method returns. What is stored can be asked of the server itself (Events, Length), so that a
// test need not wait for a client.
//
// # Cost
//
// An event is kept as the message that shows it to a reader, so that a read or a subscription only copies bytes; it
// takes about 270 bytes beside its data and metadata.
package esdbtest
