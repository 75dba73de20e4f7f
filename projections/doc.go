// Package projections folds the log into the views that reads are answered from: the current statement of each post,
// account, account under a post, and of the platform; the posts; and where each event is (DESIGN sections 5 and 6).
//
//	EventLog ──► read ──► decode ──► fold ──► write ──► Store       Run
//	             chunks   2 at once  1, in    rows and checkpoint,
//	                                 order    one commit a batch
//	                                                 Store ──► Snapshot ──► Statement, Post, Place, Event, Places
//
// The log is the truth, views are disposable: Open throws away those of another log, of one that was longer, and of
// another format, and Run builds them anew.
//
// # Rows
//
// The format is that of viewFormat, which stands in the checkpoint; it may change at any time. Numbers are uvarints,
// instants seconds and nanoseconds, amounts their length and bytes; indexes in keys have 8 bytes, big endian.
//
//	key                        row
//	0                          checkpoint: format, size, position, leaf hashes of the last event and of event 0
//	1                          the platform's statement: size, recorded through, lines and counts that are not 0
//	a <account>                an account's statement
//	c <comment> 00 <account>   a reaction to a comment: events on its stream, the reaction that stands
//	e <event id>               index
//	i <index>                  position, stream, revision
//	m <message hash> <index>   nothing: the event was recorded from that message
//	o <post>                   a post: author, title, url, time to read and what set it last
//	p <post>                   a post's statement
//	r <post> 00 <account>      an account's statement under a post, its reads and its reaction to the post
//
// # Determinism
//
// What is folded depends on the events alone: not on when a run starts or stops, how events are cut into batches, or
// what time it is. So folding from zero gives, byte for byte, what folding as it came gave. For that a fold
//
//   - looks at its event and at rows, never at another event, a clock, or a batch;
//   - writes equal rows as equal bytes: no maps in them, no leftovers;
//   - touches the same rows for the same event, whatever they hold.
//
// A commit holds the rows of whole events and their checkpoint. A row is read at most once a batch, most of them ahead and
// together, changed in memory, encoded once, and written sorted by key.
//
// # What stops a fold
//
// An event that cannot be decoded, or is of a type that this program does not know; a line below zero, or a sum that
// overflows; a count below zero; an event under a post that was not published; a withdrawal where no reaction stands, a
// reaction where one does; a second reward of the same reader's reads. Run names it in a *FoldError and stops before it;
// reads go on as of there. It is never skipped.
//
// Rows that are damaged stop it too, with ErrDamaged: the views are condemned, reads of what is whole go on, and the next
// Open throws them away and builds them anew.
//
// Revisions are checked on streams that have a row anyway: a post's, those of reads, and those of reactions. Those of
// comments, reports and tariffs are not, nor are ids, postings, reasons and times: domain.Check does all that.
//
// # A new read model
//
// is one file: its tables (a prefix of its own, the key, encode and decode), a constructor that gets its caches and
// lists by newCache and newList, its fold, what it wants read ahead, and the methods of Snapshot that answer from it. Put the constructor on the
// list models in fold.go, draw the key above, and raise viewFormat: the views are built anew. A fold finds the event's
// place, its entries and its effect on counts worked out.
package projections
