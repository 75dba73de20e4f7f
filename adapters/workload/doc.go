// Package workload makes engagements as a platform would send them: lines of CloudEvents JSON in structured mode, which
// domain.ParseEngagement reads. Every sequence here is the same each time it is made.
//
// # Article
//
// The sample article's engagements, a few dozen by named accounts: what the demo shows, and the shortest way to a
// statement with every line but PnL Reports above zero.
//
// # Generate
//
// Synthetic engagements in any number (DESIGN section 8): what the bench measures with, and load for tests. Posts,
// accounts and comments have names such as post-0, account-17 and comment-4, which mean nothing.
//
// # Polis
//
// A public conversation of 197 comments and 49,997 votes that nobody here wrote, from its own files: real order, real
// repeats and real changes of mind, for a test. The data is not part of this module. It is the conversation
// vtaiwan.uberx, as published in https://github.com/compdemocracy/openData:
//
//	Data was gathered using the Polis software (see: compdemocracy.org/polis and github.com/compdemocracy/polis) and is
//	sub-licensed under CC BY 4.0 with Attribution to The Computational Democracy Project.
//
// What the data has no word of is made up and says so: its source begins with "synthetic/".
package workload
