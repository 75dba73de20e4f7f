// Package pebblelog keeps an event log in a folder, in two Pebble databases:
//
//	LOCK         held while a process has the folder open
//	events/      the truth
//	index/       which event is the last of a stream and the first of a message; made again where it is not there
//	checkpoint/  what a backup reads while it is under way; removed when it ends, and at the start
//
// # Format
//
// Version 1. The keys and values of events/ are frozen: a later version of the format may add to them, and says so in
// the key "F". Numbers in keys and marks are big endian and have 8 bytes; uvarint is encoding/binary's.
//
//	events/
//	  key             value
//	  "F"             uvarint version
//	  "e" index       uvarint 2·revision + first   first is 1 if no earlier event has the message, else 0
//	                  uvarint back                 only from revision 1 on: index − index of revision − 1 of the stream
//	                  uvarint length, stream
//	                  uvarint length, source       of the message
//	                  uvarint length, id           of the message
//	                  line                         the canonical line, to the end of the value
//
//	index/
//	  key             value
//	  "mark"          number of events indexed, SHA-256 of the value of the last of them
//	  hash(stream)    uvarint revision, uvarint index of the stream's last event
//	  hash(message)   uvarint index of the message's first event
//
//	hash(stream)  = first 16 bytes of SHA-256("s" stream)
//	hash(message) = first 16 bytes of SHA-256("m" uvarint(length of source) source id)
//
// The index of an event counts from 0 without gaps, and its position is that number twice. Lines are never read: what
// an index needs is beside them. index/ is not frozen.
//
// # Appends
//
// Calls of Append queue for one committer. It takes what waits, decides each append in order against what is in the log
// and before it in the group, writes the whole group as one batch of sequential keys, and has it synced; while one
// group is synced, the next is decided and written. Readers see events, and callers get answers, only after the sync,
// in order: also a refusal stands on durable events alone. An append that is refused writes nothing, so it leaves no
// hole.
//
// The index is written behind the events, without a write-ahead log of its own, some ten thousand events at a time, and
// never with an event that is not durable. Until then it is in memory; where that is too much, appends wait. Where it
// cannot be written, what is not in its database stays in memory, so that lookups go on and are right, and every append
// is refused with domain.ErrUnavailable, which Writable says too, until the log is opened again.
//
// # What a crash leaves
//
// Every append that was answered, and of those on their way a beginning in log order, each append whole or not at all:
// a batch is one record of Pebble's write-ahead log. The index is at some earlier event, since its memtables are
// written in order, and catches up at the start.
//
// A write or sync that fails ends the process: nothing can be known of what it left, so nothing runs on and no append
// of the group is answered. The next start finds what is durable.
//
// # What is checked at the start
//
// Nothing is cut off, skipped or repaired; where a check fails, Open says what and where, and the folder's files stay
// as they are, but for a manifest that Pebble writes anew.
//
//   - Formats newer than this program's: domain.ErrUnsupported. Everything else below: domain.ErrCorrupt.
//   - The newest write-ahead log and the manifests can be read to their end, or to a torn end: one behind which nothing
//     shows that it was ever whole. (Only what was written by the last two groups before a crash cannot be told from a
//     torn end, when just these bytes are damaged.)
//   - Older write-ahead logs that are still needed can be read to their end (Pebble's own check).
//   - Every block of every table has its checksum.
//   - The events go from 0 on without a hole, by the tables' ends and numbers of keys, and one by one where they are in
//     no table yet. No table that was lost has an event behind the log's end.
//   - The last event can be decoded.
//   - The index is whole, and is of these events by its mark; else it is deleted and made again.
//
// The tables' bytes are read once and not decompressed, so this takes little of a start, most of which is what does not
// grow with the log: the write-ahead log that is replayed, and the events that the index has to catch up with.
package pebblelog
