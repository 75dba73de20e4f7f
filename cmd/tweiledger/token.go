package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

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
	File string   `placeholder:"FILE" help:"Tokens' file to add the line to, instead of printing it."`
}

// Help is the command's help beyond its flags.
func (*tokenNewCommand) Help() string {
	return `Prints the secret, which is kept nowhere, and on the next line what to add to the tokens' file under "tokens:";
with --file that is done. The file holds only the secret's SHA-256. A serving process takes the change within seconds.

Roles: "write" sends engagements; "operate" publishes tariffs, reverses and reinstates; "read" reads everything,
"read:ACCOUNT" that account's parts only; "audit" reads the log.

Examples:

    tweiledger token new web --role write
    tweiledger token new ops --role operate --role read
    tweiledger token new leonardo --role read:leonardo --file tokens.yaml

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
	if cmd.File == "" {
		fmt.Fprintf(c.out, "%s\n%s\n", secret, line)
		fmt.Fprintln(c.notes,
			"The first line is the secret, shown only now; the second is for the tokens' file, under tokens:.")
		return nil
	}
	if err := addToken(cmd.File, line); err != nil {
		return err
	}
	fmt.Fprintln(c.out, secret)
	fmt.Fprintf(c.notes, "%s has the token now. Its secret is shown only this time.\n", cmd.File)
	return nil
}

// addToken adds a line to a tokens' file, unless that would make it one that no process takes. The file stays the one
// that it is, with its owner and mode.
func addToken(file, line string) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{err.Error(), "tweiledger token init makes a tokens' file"}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	added := line + "\n"
	if len(text) > 0 && text[len(text)-1] != '\n' {
		added = "\n" + added
	}
	if err := httpapi.CheckTokens(file, append(text, added...)); err != nil {
		return fmt.Errorf("the token cannot be added: %w", err)
	}
	if _, err := f.WriteString(added); err != nil {
		return err
	}
	return f.Sync()
}
