package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
)

// exportCommand writes the log.
type exportCommand struct {
	place
	From uint64 `placeholder:"N" default:"0" help:"Index of the first event (${default} by default)."`
}

// Help is the command's help beyond its flags.
func (*exportCommand) Help() string {
	return `Writes one canonical line (RFC 8785) an event, in log order: the very bytes that were recorded. "verify --file"
checks an export from the beginning. To go on with an older export, give the number of its lines with --from.

Examples:

    tweiledger export --data data > log.ndjson
    tweiledger export --url http://127.0.0.1:8080 --from 1000 >> log.ndjson
`
}

// AfterApply sees that one place is meant.
func (cmd *exportCommand) AfterApply(command *kong.Context) error {
	_, err := cmd.chooseLog(command)
	return err
}

// Run runs the command.
func (cmd *exportCommand) Run(ctx context.Context, c console) (err error) {
	from, err := cmd.logReader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if err := cmd.checkFrom(ctx, from); err != nil {
		return err
	}
	bar := newBar(c.notes, "exporting", "events", -1)
	empty := cmd.From == 0
	out := bufio.NewWriterSize(c.out, 1<<16)
	for line, err := range from.lines(ctx, cmd.From) {
		if err != nil {
			return errors.Join(fmt.Errorf("the export is not whole: %w", err), out.Flush())
		}
		empty = false
		// A writer that fails keeps the error for Flush.
		_, _ = out.Write(line)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
		_ = bar.Add(1)
	}
	bar.end()
	if empty {
		return errors.New("there is no event: a log begins with a tariff, so this is not a whole one")
	}
	return out.Flush()
}

// checkFrom sees that the log goes as far as the export is to begin: an older export that has more lines is of another
// log.
func (cmd *exportCommand) checkFrom(ctx context.Context, log logReader) error {
	if cmd.From == 0 {
		return nil
	}
	for _, err := range log.lines(ctx, cmd.From-1) {
		return err
	}
	return fmt.Errorf("the log has fewer than %d events: there is nothing to go on from with --from", cmd.From)
}
