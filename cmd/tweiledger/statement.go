package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// statementCommand shows a statement.
type statementCommand struct {
	place
	Post    string  `placeholder:"P" help:"The post that it is of."`
	Account string  `placeholder:"A" help:"The account that it is of; with --post, what it earned there."`
	Size    *uint64 `placeholder:"N" help:"Count only the events 0 to N-1 of the log."`
	At      string  `placeholder:"TIME" help:"Count only what had occurred at that time, such as 2026-01-29T12:00:00Z."`
	JSON    bool    `name:"json" help:"Print the JSON that the route answers."`
}

// Help is the command's help beyond its flags.
func (*statementCommand) Help() string {
	return `Prints what a post (all parties), an account (all posts), an account under a post, or without both the whole
platform earned and lost, laid out as on the page: now, or as of a size of the log, of a time of occurrence, or of both.

Examples:

    tweiledger statement --data data --post p1
    tweiledger statement --url http://127.0.0.1:8080 --post p1 --account u1 --json
    tweiledger statement --data data --account u1 --size 1042 --at 2026-01-31T23:59:59.999999999Z
`
}

// Run runs the command.
func (cmd *statementCommand) Run(ctx context.Context, c console) (err error) {
	if err := checkIDs(map[string]string{"post": cmd.Post, "account": cmd.Account}); err != nil {
		return err
	}
	asOf, err := cmd.asOf()
	if err != nil {
		return err
	}
	from, err := cmd.statementReader(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	scope := domain.Scope{PostID: cmd.Post, AccountID: cmd.Account}
	if cmd.JSON {
		text, err := from.statement(ctx, scope, asOf)
		if err == nil {
			_, err = fmt.Fprintf(c.out, "%s\n", text)
		}
		return err
	}
	b, err := readBlock(ctx, from, scope, asOf)
	if err != nil {
		return err
	}
	return b.write(c.out)
}

// checkIDs sees that what flags name are ids, where they name something.
func checkIDs(flags map[string]string) error {
	for flag, id := range flags {
		if id != "" && !domain.ValidID(id) {
			return &usageError{fmt.Sprintf("--%s: %q is no id", flag, id),
				"an id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -"}
		}
	}
	return nil
}

// asOf returns which events the flags count.
func (cmd *statementCommand) asOf() (asOf projections.AsOf, err error) {
	if cmd.Size != nil {
		asOf.Size, asOf.Sized = *cmd.Size, true
	}
	if cmd.At == "" {
		return asOf, nil
	}
	if asOf.At, err = domain.ParseTime(cmd.At); err == nil && asOf.At.IsZero() {
		err = fmt.Errorf("must be later than %s", cmd.At)
	}
	if err != nil {
		return asOf, &usageError{fmt.Sprintf("--at: %v", err), "a time is RFC 3339, such as 2026-01-29T12:00:00Z"}
	}
	return asOf, nil
}

// readBlock reads what the page shows of a scope.
func readBlock(ctx context.Context, from statementReader, scope domain.Scope, asOf projections.AsOf) (*block, error) {
	s, err := readStatement(ctx, from, scope, asOf)
	if err != nil {
		return nil, err
	}
	b := &block{Statement: s, AsOfSize: asOf.Sized, Reader: scope.AccountID, Reading: s.Reading}
	if scope.PostID != "" {
		if b.Post, err = from.post(ctx, scope.PostID, asOf); err != nil {
			return nil, err
		}
	}
	tariffs, err := from.tariffs(ctx)
	if err != nil {
		return nil, err
	}
	b.Tariff = tariffs.InForce(momentOf(s, asOf))
	return b, nil
}

// momentOf returns when what a statement is as of was the present: the time asked for, or when the last event counted
// was recorded.
func momentOf(s *domain.Statement, asOf projections.AsOf) time.Time {
	switch {
	case !asOf.At.IsZero():
		return asOf.At
	case asOf.Sized:
		return s.RecordedThrough
	}
	return time.Now()
}

func readStatement(
	ctx context.Context, from statementReader, scope domain.Scope, asOf projections.AsOf,
) (*domain.Statement, error) {
	text, err := from.statement(ctx, scope, asOf)
	if err != nil {
		return nil, err
	}
	s := new(domain.Statement)
	return s, s.UnmarshalJSON(text)
}
