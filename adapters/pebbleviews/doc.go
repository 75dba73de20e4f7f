// Package pebbleviews keeps the views of a log in a folder, by Pebble: the store that package projections asks for
// (DESIGN section 5).
//
// A commit is one Pebble batch, so a crash leaves all of its rows or none, the checkpoint among them. Commits are not
// synced: after a crash of the machine the last ones may be gone, and are folded again from the log. What is left is
// always what the first commits wrote. Pebble's own log is written nevertheless, so that after the end of the process
// alone nothing is folded again, and a start takes the same time whatever the views hold.
//
// Nothing here is worth a backup: who removes the folder gets the same views again, from the log.
package pebbleviews
