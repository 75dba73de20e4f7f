package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// statementCommand shows a statement.
type statementCommand struct {
	place
	Post    string `placeholder:"P" help:"The post that it is of."`
	Account string `placeholder:"A" help:"The account that it is of; with --post, what it earned there."`
	JSON    bool   `name:"json" help:"Print the JSON that the route answers."`
}

// Help is the command's help beyond its flags.
func (*statementCommand) Help() string {
	return `Prints what a post (all parties), an account (all posts), an account under a post, or without both the whole platform earned and lost, laid out as on the page.

Examples:

    tweiledger statement --data data --post p1
    tweiledger statement --url http://127.0.0.1:8080 --post p1 --account u1 --json
`
}

// Run runs the command.
func (cmd *statementCommand) Run(ctx context.Context, c console) (err error) {
	for flag, id := range map[string]string{"post": cmd.Post, "account": cmd.Account} {
		if id != "" && !domain.ValidID(id) {
			return &usageError{fmt.Sprintf("--%s: %q is no id", flag, id), "an id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -"}
		}
	}
	from, err := cmd.statementReader(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	scope := domain.Scope{PostID: cmd.Post, AccountID: cmd.Account}
	if cmd.JSON {
		text, err := from.statement(ctx, scope)
		if err == nil {
			_, err = fmt.Fprintf(c.out, "%s\n", text)
		}
		return err
	}
	b, err := readBlock(ctx, from, scope)
	if err != nil {
		return err
	}
	return b.write(c.out)
}

// readBlock reads what the page shows of a scope.
func readBlock(ctx context.Context, from statementReader, scope domain.Scope) (*block, error) {
	s, err := readStatement(ctx, from, scope)
	if err != nil {
		return nil, err
	}
	b := &block{Statement: s, Reader: scope.AccountID, Reading: s.Reading}
	if scope.PostID != "" {
		if b.Post, err = from.post(ctx, scope.PostID); err != nil {
			return nil, err
		}
	}
	tariffs, err := from.tariffs(ctx)
	if err != nil {
		return nil, err
	}
	b.Tariff = tariffs.InForce(time.Now())
	return b, nil
}

func readStatement(ctx context.Context, from statementReader, scope domain.Scope) (*domain.Statement, error) {
	text, err := from.statement(ctx, scope)
	if err != nil {
		return nil, err
	}
	s := new(domain.Statement)
	return s, s.UnmarshalJSON(text)
}
