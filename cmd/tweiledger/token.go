package main

import (
	"fmt"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// tokenCommand is what is done with tokens.
type tokenCommand struct {
	New  tokenNewCommand  `cmd:"" help:"Make a token: its secret, and the line of the tokens' file that lets it in."`
	Init tokenInitCommand `cmd:"" help:"Make a tokens' file with its first tokens, unless it is there."`
}

// tokenNewCommand makes a token.
type tokenNewCommand struct {
	Name string   `arg:"" help:"Who has it; it is in the log, and \"by\" of what an operator asks for."`
	Role []string `required:"" placeholder:"ROLE" help:"A role: write, operate, read, read:ACCOUNT or audit; once for each."`
}

// Help is the command's help beyond its flags.
func (*tokenNewCommand) Help() string {
	return `Prints the secret, which is kept nowhere, and on the next line what to add to the tokens' file under "tokens:". The file holds only the secret's SHA-256. A serving process takes the change within seconds.

Roles: "write" sends engagements; "operate" publishes tariffs, reverses and reinstates; "read" reads everything, "read:ACCOUNT" that account's parts only; "audit" reads the log.

Examples:

    tweiledger token new web --role write
    tweiledger token new ops --role operate --role read
    tweiledger token new leonardo --role read:leonardo

A tokens' file:

    public_statements: false    # true opens posts' statements to everybody
    tokens:
    - {name: web, sha256: …, roles: [write]}
`
}

// Run runs the command.
func (cmd *tokenNewCommand) Run(c console) error {
	secret, line, err := httpapi.NewToken(cmd.Name, cmd.Role)
	if err != nil {
		return &usageError{err.Error(), "see tweiledger token new --help"}
	}
	fmt.Fprintf(c.out, "%s\n%s\n", secret, line)
	fmt.Fprintln(c.notes, "The first line is the secret, shown only now; the second is for the tokens' file, under tokens:.")
	return nil
}
