// Package pebbleviews keeps the views of a log in a folder, by Pebble: the store that package projections asks for
// (DESIGN section 5).
//
// A commit is one Pebble batch, so a crash leaves all of its rows or none, the checkpoint among them. Commits are not
// synced: after a crash of the machine the last ones may be gone, and are folded again from the log. What is left is
// always what the first commits wrote. Pebble's own log is written nevertheless, so that after the end of the process
// alone nothing is folded again, and a start takes the same time whatever the views hold.
//
// The folder holds generations, which share one cache:
//
//	LOCK            held while a process has the folder open
//	1, 2, 3, …      generations, each a folder of Pebble's; the lowest serves, the one behind it is being built
//	3/CONDEMNED     generation 3 is damaged, which the text says why: the next opening removes it
//	3/REPLACED      a later generation, durable by then, serves in its place: the next opening removes it
//	removed-3       is being removed: renamed first, so that no part of it is ever opened
//
// Files right in the folder are those of programs before generations; they are removed. Other folders are left alone.
//
// Nothing here is worth a backup: who removes the folder gets the same views again, from the log.
package pebbleviews
