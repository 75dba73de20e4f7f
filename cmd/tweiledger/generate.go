package main

import (
	"bufio"
	"context"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// generateCommand makes synthetic engagements.
type generateCommand struct {
	Posts       int    `placeholder:"N" default:"1000" help:"Number of posts (${default} by default)."`
	Accounts    int    `placeholder:"N" default:"100000" help:"Number of accounts (${default} by default)."`
	Engagements int    `placeholder:"N" default:"10000" help:"Number of engagements besides the publications (${default} by default)."`
	Seed        uint64 `placeholder:"S" default:"1" help:"Chooses one of many sequences; the same seed gives the same bytes (${default} by default)."`
}

// Help is the command's help beyond its flags.
func (*generateCommand) Help() string {
	return `Prints CloudEvents, one a line, as POST /v1/events and import take them: first the publications of all posts,
then reads, reactions, comments, switches and repeats over 30 days.

Examples:

    tweiledger generate --posts 10 --accounts 100 --engagements 1000 > engagements.ndjson
    tweiledger generate --engagements 100000 --seed 7 | tweiledger import --data data -
`
}

// Run runs the command.
func (cmd *generateCommand) Run(ctx context.Context, c console) error {
	if cmd.Posts < 1 || cmd.Accounts < 1 || cmd.Engagements < 0 {
		return &usageError{"--posts and --accounts are at least 1, --engagements is not negative",
			"see tweiledger generate --help"}
	}
	out := bufio.NewWriterSize(c.out, 1<<16)
	options := workload.Options{Posts: cmd.Posts, Accounts: cmd.Accounts, Engagements: cmd.Engagements, Seed: cmd.Seed}
	for line := range workload.Generate(options) {
		if err := ctx.Err(); err != nil {
			return err
		}
		// A writer that fails keeps the error for Flush.
		_, _ = out.Write(line)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return out.Flush()
}
