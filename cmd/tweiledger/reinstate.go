package main

import "context"

// reinstateCommand makes mistaken reversals good.
type reinstateCommand struct{ request }

// Help is the command's help beyond its flags.
func (*reinstateCommand) Help() string {
	return `Makes the postings again that a mistaken reversal took back. It is given the reversal's id, not that of the
event that was reversed. Asking again with the same note changes nothing. Each outcome is printed as one line of JSON.

Example:

    tweiledger reinstate --url http://127.0.0.1:8080 5d0b77a1-… --note "the account was no bot"
`
}

// Run runs the command.
func (cmd *reinstateCommand) Run(ctx context.Context, c console) error {
	return cmd.run(ctx, c, operator.reinstate)
}
