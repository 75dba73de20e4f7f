// Package logtest holds what every event log is tested with: Run, the suite that each of them passes, and Memory, a log
// in memory for the tests of what stands on a log.
//
// Both are strict about what domain.EventLog promises, and about what it does not. Positions of a Memory are sparse and
// differ in their two numbers, its batches are small, and what a reader sees after a lost race may lag; the suite in
// its turn leans neither on dense positions nor on reading, right after a conflict, the revision that won.
//
// Lines are opaque to a log, so those of the suite are not JSON, and hold every byte but a line feed.
package logtest
