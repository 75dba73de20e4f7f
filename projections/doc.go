// Package projections folds the log into the views that reads are answered from: statements of each post, account,
// account under a post, and of the platform, now and as of any size or time; their journals and histories; posts,
// comments, accounts and reports in lists; and where each event is (DESIGN sections 5 and 6).
//
//	EventLog ──► read ──► decode ──► fold ──► write ──► Store       Run
//	             chunks   2 at once  1, in    rows and checkpoint,
//	                                 order    one commit a batch
//	                                                 Store ──► Snapshot ──► Statement, Journal, History, Posts, …
//
// The log is the truth, views are disposable: Open throws away those of another log, of one that was longer, and of a
// format that this program cannot read, and Run builds them anew.
//
// # Generations
//
// Views are kept in generations, each in a store of its own. The oldest that can be read serves. Another one is built
// beside it, and serves in its place once it is where the log ends, where
//
//   - the serving one is of an older format: it is read as it stands, and nothing is folded into it any more;
//   - it is damaged: what is whole in it is read;
//   - Rebuild was called: both are folded, and the serving one stands still for the moment of the switch.
//
// So who reads never sees fewer events than before, unless the log has fewer, and no half: one that is still being built
// is read only where nothing else can be, and Status().CaughtUp is false then. A switch is one durable step of the Generations port: what
// is opened after a crash is the one or the other. A half that a crash left is built on, where it is of the log and the
// format. Snapshots stay good over a switch; the old store is closed and removed when the last one of it is closed.
//
// # Scopes
//
// What one event does to one scope is a touch: changes of lines, steps of counts, when it occurred. All that is ever
// asked of a scope is a sum of touches, and none of it is to cost more because there are more of them:
//
//	row          the statement now, and the last touches, at most 32
//	  │ full
//	  ├──► journal     blocks of 32 touches by size, each with the statement at its end
//	  └──► time tree   the same touches by when they occurred: a stretch of time with more than 64 is cut up, and only what
//	                   they add up to is kept of its parts
//
// As of a size: the row, or the first block that goes as far, with the touches behind the size taken back. As of a
// time: one way down the tree, adding up the parts before it, and the row's touches. As of both: the journal, touch by
// touch. A history by hour or day is a walk over the tree's parts.
//
// # Rows
//
// The format is that of viewFormat, which stands in the checkpoint; it may change at any time. Numbers are uvarints,
// instants seconds and nanoseconds, amounts tenths of a Twei where they are whole ones, else their bytes; indexes in
// keys have 8 bytes, big endian. A scope in a key is one of "1", "p" <post> 00, "a" <account> 00, "r" <account> 00
// <post> 00.
//
//	key                          row
//	0                            checkpoint: format, size, position, leaf hashes of the last event and of event 0
//	1                            the platform: statement (size, lines and counts that are not 0), last touches
//	2 <f or g>                   how many accounts, or posts, have a number
//	a <account>                  an account: statement, number, last touches
//	b <number / 64>              profit, loss and read-to-earn of 64 accounts
//	c <comment> 00 <account>     a reaction to a comment: events on its stream, the reaction that stands
//	d <number / 64>              profit and loss of 64 posts
//	e <event id>                 index
//	f <number>                   an account's id
//	g <number>                   a post's id
//	h <event id>                 the withdrawal or removal that took back what the event moved
//	i <index>                    position, stream, revision
//	j <scope> <size>             a block of a journal: the statement as of the size, the touches that led to it
//	k <comment>                  a comment: events on its stream, who, when, sums, reactions
//	l <post> 00 <index>          a comment's id, by the event that added it
//	m <message hash> <index>     nothing: the event was recorded from that message
//	n <report>                   how many events are on a report's stream
//	o <post>                     a post: author, title, url, time to read and what set it last
//	p <post>                     a post: statement, number, last touches
//	q <time> <index>             a post's id, by when its publication occurred
//	r <account> 00 <post>        an account under a post: statement, its reads and its reaction, last touches
//	s <event id>                 the event that a reversal is about
//	t <scope> <depth> <time>     a node of a time tree: touches, or what its parts add up to
//	u <index / 64>               when each of 64 events was recorded
//	v <post> 00 <n>              what the nth event on a post's stream set
//	w <account> 00 <2^64-1-index>  a report that the account bought, by its event
//	x                            how many events are on the tariff's stream
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
// A commit holds the rows of whole events and their checkpoint. A row is read at most once a batch, most of them ahead
// and together, and not at all where it was touched not long ago or is known to be new; it is changed in memory,
// encoded once, and written sorted by key.
//
// # What stops a fold
//
// An event that cannot be decoded, or is of a type that this program does not know; a line below zero, or a sum that
// overflows; a count below zero; an event under a post that was not published, or about a comment that was not added; a
// withdrawal where no reaction stands, a reaction where one does; a second reward of the same reader's reads; a report
// issued twice. Run names it in a *FoldError and stops before it; reads go on as of there. It is never skipped.
//
// Rows that are damaged stop it too, with ErrDamaged: the views are condemned and rebuilt. Should the process end
// before that is done, the next opening throws them away.
//
// Revisions are checked on all streams. Ids, postings, reasons and times are not: domain.Check does that.
//
// # A new read model
//
// is one file: its tables (a prefix of its own, the key, encode and decode), a constructor that gets its caches and
// lists by newCache and newList, its fold, what it wants read ahead, and the methods of Snapshot that answer from it.
// Put the constructor on the list models in fold.go, draw the key above, and raise viewFormat, and views are built
// anew: beside the serving ones where oldestReadable says that those are still good to read. A fold finds the event's
// place, its entries and its effect on counts worked out.
package projections
