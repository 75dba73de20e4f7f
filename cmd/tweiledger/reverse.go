package main

import "context"

// reverseCommand takes the postings of events back.
type reverseCommand struct{ request }

// Help is the command's help beyond its flags.
func (*reverseCommand) Help() string {
	return `Takes back the postings of each event by an event of its own, which names who asked and why; nothing is edited.
It moves money only: a like that is reversed still stands as the account's reaction. Asking again with the same note
changes nothing. Each outcome is printed as one line of JSON, with the reversal's id as event_id.

Examples:

    tweiledger reverse --url http://127.0.0.1:8080 8a9e7c52-… --note "paid twice"
    tweiledger reverse --data data 8a9e7c52-… 0c6f41d0-… --note "bot farm, ticket 17"
`
}

// Run runs the command.
func (cmd *reverseCommand) Run(ctx context.Context, c console) error {
	return cmd.run(ctx, c, operator.reverse)
}
