package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/domain"
)

// reportCommand is what is done with reports.
type reportCommand struct {
	Buy  reportBuyCommand  `cmd:"" help:"Buy a report instance: the statement of a post, frozen as it is now."`
	Show reportShowCommand `cmd:"" help:"Show a report."`
}

// reportBuyCommand buys a report.
type reportBuyCommand struct {
	place
	Post    string `required:"" placeholder:"P" help:"The post that it is of."`
	Account string `required:"" placeholder:"A" help:"Who buys it and is charged."`
	Key     string `placeholder:"KEY" help:"Name of the purchase among those of the account: with the same one again nothing is charged. A random one by default."`
	JSON    bool   `name:"json" help:"Print the JSON that the route answers: the outcome, with report_id."`
}

// Help is the command's help beyond its flags.
func (*reportBuyCommand) Help() string {
	return `Buys a report instance of a post for an account, at the price of the tariff in force, and shows it: what the
post earned and lost, and the buyer's own part of it, frozen as of the size of the log at which they were read.

A purchase is named by its key. Without --key a random one is made, and printed on standard error before anything is
sent. Where it is not known what became of a purchase, give that one as --key: the same account, post and key is the
same report for ever, and is charged once. For another post the same key of an account is refused.

Examples:

    tweiledger report buy --url http://127.0.0.1:8080 --post p1 --account u2
    tweiledger report buy --data data --post p1 --account u2 --key 0b9e4a0e-4a36-4b57-9d0c-6a6a1f0a7f10
`
}

// Run runs the command.
func (cmd *reportBuyCommand) Run(ctx context.Context, c console) (err error) {
	if err := checkIDs(map[string]string{"post": cmd.Post, "account": cmd.Account}); err != nil {
		return err
	}
	if err := cmd.chooseKey(c); err != nil {
		return err
	}
	at, err := cmd.shop(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.close()) }()
	bought, err := at.buy(ctx, cmd.Post, cmd.Account, cmd.Key)
	var p *problem
	switch {
	case errors.As(err, &p) && p.Status < http.StatusInternalServerError:
		return err
	case err != nil:
		return fmt.Errorf("it is not known whether the report was bought, try again with --key %s: %w", cmd.Key, err)
	case bought.Result == domain.Failed && !cmd.JSON:
		return fmt.Errorf("%s; try again with --key %s", bought.why(), cmd.Key)
	case cmd.JSON:
		return c.show(bought, nil)
	case !bought.done():
		return errors.New(bought.why())
	case bought.Result == domain.Duplicate:
		fmt.Fprintln(c.notes, "it was bought with this key before: nothing was charged")
	}
	return cmd.show(ctx, c, at, bought.ReportID)
}

// show shows what was bought, where who bought may read it.
func (cmd *reportBuyCommand) show(ctx context.Context, c console, from statementReader, id string) error {
	b, err := readReportBlock(ctx, from, id)
	if isForbidden(err) {
		fmt.Fprintln(c.notes, "the token may buy reports, but not read this one")
		_, err = fmt.Fprintf(c.out, "Report %s\n", id)
		return err
	}
	if err != nil {
		return fmt.Errorf("report %s was bought, and cannot be shown: %w", id, err)
	}
	return b.write(c.out)
}

// chooseKey sees that there is a key, and tells a random one before it is used.
func (cmd *reportBuyCommand) chooseKey(c console) error {
	if cmd.Key == "" {
		cmd.Key = uuid.NewString()
		fmt.Fprintln(c.notes, "key of this purchase, for --key where it has to be tried again:", cmd.Key)
		return nil
	}
	if !isKey(cmd.Key) {
		return &usageError{fmt.Sprintf("--key: %.80q is no key", cmd.Key),
			fmt.Sprintf("a key has 1 to %d characters of printable ASCII", domain.MaxMessageIDBytes)}
	}
	return nil
}

// reportShowCommand shows a report.
type reportShowCommand struct {
	place
	Report string `arg:"" help:"Id of the report."`
	JSON   bool   `name:"json" xor:"form" help:"Print the JSON that the route answers."`
	CSV    bool   `name:"csv" xor:"form" help:"Print CSV, one row a line of the statement."`
}

// Help is the command's help beyond its flags.
func (*reportShowCommand) Help() string {
	return `Shows a report as it was bought: what the post had earned and lost, of all parties and of the buyer. An id is
printed by "report buy", and listed by GET /v1/accounts/ACCOUNT/reports.

Examples:

    tweiledger report show --data data ee8ce3c7-8cd3-5f13-a0ec-7a5cb1c3ddb6
    tweiledger report show --url http://127.0.0.1:8080 ee8ce3c7-8cd3-5f13-a0ec-7a5cb1c3ddb6 --csv > report.csv
`
}

// Run runs the command.
func (cmd *reportShowCommand) Run(ctx context.Context, c console) (err error) {
	if !domain.ValidID(cmd.Report) {
		return &usageError{fmt.Sprintf("%.140q is no report's id", cmd.Report), "an id is printed by report buy"}
	}
	from, err := cmd.statementReader(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if !cmd.JSON && !cmd.CSV {
		b, err := readReportBlock(ctx, from, cmd.Report)
		if err != nil {
			return err
		}
		return b.write(c.out)
	}
	media := jsonType
	if cmd.CSV {
		media = csvType
	}
	text, err := from.report(ctx, cmd.Report, media)
	if err != nil {
		return err
	}
	if cmd.JSON {
		text = append(text, '\n')
	}
	_, err = c.out.Write(text)
	return err
}
