// Package httpapi serves the ledger over HTTP (DESIGN section 6): docs/openapi.yaml says what, and tests hold this
// package to it.
//
// # Errors
//
// A handler returns an error, and one place answers it: a *problem as the problem document that it is (RFC 9457),
// anything else as 500 after logging it. problem.go has the one table from codes to statuses.
//
// # Who may, and what it costs
//
// A row of the table of routes states who may call it and whether it is expensive (api.go, access.go). guarding looks
// at both before the handler runs, for routes that others added too. What is in force is read from a tokens' file by
// reloaded, which never replaces it by something broken. Answers of any length are streams (openstream.go): so many for
// each token, each write with a time to end in, and ended when the token is taken away.
//
// # Reads
//
// One request reads one snapshot of the views, so all of its answer is as of one size. Every answer carries Ledger-Size
// and Ledger-Position, a 304 too, and an ETag over its very bytes.
//
// Two reads are streams instead, without an ETag: the log, and the listing of balances (accounts.go). One that an error
// interrupts is cut off, never ended as if it were whole.
//
// A list comes in pages (page.go): its cursor is the views' own, and Link leads to the next page. A route with two
// representations negotiates (accept.go). An event is read from the log and explained by its tariff (explain.go), also
// for the journal, whose entries are the sides of its postings (journal.go).
//
// # Pages
//
// Handle mounts pages of others (pages.go). They pass what the API's routes pass, and their errors, and those of a
// browser that is lost, are shown by Config.ErrorPage.
//
// # Statements as they change
//
// GET /v1/stream (live.go) is told by the hub (hub.go) what changes: one goroutine for all listeners, which reads each
// subject once a round and makes one event for all who listen to it. A listener has one slot, which newer state
// overwrites, and its own handler writes it out.
//
// # Compression
//
// The outermost writer of an answer is the compressing one (compress.go), where the client takes gzip; all others know
// nothing of it. Live statements bring their own, see telling.
//
// # A stream of lines
//
// POST /v1/events of application/x-ndjson runs on two goroutines. One reads the body, cuts it into lines and parses
// what has arrived; the other, the handler's, records it and answers. Between them stand at most queuedChunks chunks of
// at most chunkLines lines, and one Record call takes at most batchLines and one chunk: then the reader waits, and with
// it, through TCP, the client. So lines are answered as they come when they come slowly, and share appends when they
// come fast.
//
// # Starting
//
// While the log is away at the start there is neither ledger nor views. ServeStarting serves the same table of routes
// meanwhile, to the same callers, and answers 503 where it needs them; it hands the listener over to Serve.
//
// # Shutting down
//
// Drain makes open streams stop reading, answer what they took, and end; it ends reads that wait or follow. Serve does
// the whole of it: Drain, then http.Server.Shutdown, which waits for what is being answered, then Close for what is
// left.
package httpapi
