package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tweiledger/tweiledger/adapters/tarifffile"
	"github.com/tweiledger/tweiledger/domain"
)

// tariffCommand is what is done with a tariff's file.
type tariffCommand struct {
	Check   tariffCheckCommand   `cmd:"" help:"Check a tariff's file, with the line and column of what is wrong."`
	Publish tariffPublishCommand `cmd:"" help:"Publish the versions of a tariff's file that the log does not have yet."`
}

// tariffCheckCommand checks a tariff's file.
type tariffCheckCommand struct {
	File string `arg:"" help:"The tariff's YAML file."`
}

// Help is the command's help beyond its flags.
func (*tariffCheckCommand) Help() string {
	return `A file holds the versions of a tariff in their order, one YAML document each, separated by lines of "---". What
is wrong is named as FILE:LINE:COLUMN. Whether a running ledger takes a new version depends on its clock too: "tariff
publish" tells.

Example:

    tweiledger tariff check tariff.yaml
`
}

// Run runs the command.
func (cmd *tariffCheckCommand) Run(c console) error {
	tariffs, err := readTariffs(cmd.File)
	if err != nil {
		return err
	}
	for i := range tariffs {
		t := &tariffs[i]
		from := "the beginning of time"
		if !t.EffectiveFrom.IsZero() {
			from = domain.FormatTime(t.EffectiveFrom)
		}
		fmt.Fprintf(c.out, "version %d: %d rows, effective from %s\n", t.Version, len(t.Rows), from)
	}
	return nil
}

// tariffPublishCommand publishes the versions of a file.
type tariffPublishCommand struct {
	place
	File string `arg:"" help:"The tariff's YAML file."`
}

// Help is the command's help beyond its flags.
func (*tariffPublishCommand) Help() string {
	return `The file holds every version from 1 on. One that the log has already must say the same, and stays as it is. A
new one takes effect at the earliest 15 minutes after it is published. Each version's outcome is printed as one line of
JSON; the first that is refused ends the command with exit code 1.

Examples:

    tweiledger tariff publish --url http://127.0.0.1:8080 tariff.yaml
    tweiledger tariff publish --data data tariff.yaml
`
}

// Run runs the command.
func (cmd *tariffPublishCommand) Run(ctx context.Context, c console) (err error) {
	tariffs, err := readTariffs(cmd.File)
	if err != nil {
		return err
	}
	to, err := cmd.operator(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	for i := range tariffs {
		if err := c.show(to.publish(ctx, &tariffs[i])); err != nil {
			return fmt.Errorf("version %d: %w", tariffs[i].Version, err)
		}
	}
	to.settle(ctx, c)
	return nil
}

// readTariffs reads a tariff's file. No file holds no tariffs.
func readTariffs(path string) (domain.Tariffs, error) {
	if path == "" {
		return nil, nil
	}
	tariffs, err := tarifffile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{fmt.Sprintf("there is no file %s", path), ""}
	}
	return tariffs, err
}
