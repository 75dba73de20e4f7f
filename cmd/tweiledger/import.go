package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// importCommand records engagements from files.
type importCommand struct {
	place
	Tariff  string   `placeholder:"FILE" help:"Tariff's YAML file; the folder's log begins with it, or must hold the same."`
	MinFree byteSize `placeholder:"BYTES" default:"${min_free}" help:"Free space under which nothing is written in the folder (${default} by default)."`
	Strict  bool     `help:"Exit with 1 if an engagement was rejected."`
	Files   []string `arg:"" name:"file" help:"Files of CloudEvents, one a line; - is standard input."`
}

// Help is the command's help beyond its flags.
func (*importCommand) Help() string {
	return `Each line is one CloudEvent in JSON, as POST /v1/events takes it; empty lines are skipped. They are recorded in
order, 1,000 at a time. The summary on standard output counts outcomes and rejection codes; the first rejections are
told on standard error. To import the same again is always safe: what was recorded is "duplicate" then.

It exits with 1 where an engagement failed, which is after a few tries, and ends there; with --strict also where one was
rejected.

Examples:

    tweiledger import --data data engagements.ndjson
    tweiledger generate --engagements 10000 | tweiledger import --url http://127.0.0.1:8080 -
`
}

// Run runs the command.
func (cmd *importCommand) Run(ctx context.Context, c console) (err error) {
	if cmd.URL != "" && cmd.Tariff != "" {
		return &usageError{"--tariff is for a folder",
			"a serving process has its tariff: see tweiledger tariff publish --help, and unset TWEILEDGER_TARIFF"}
	}
	tariffs, err := readTariffs(cmd.Tariff)
	if err != nil {
		return err
	}
	size, err := filesSize(cmd.Files)
	if err != nil {
		return err
	}
	to, err := cmd.recorder(ctx, c, tariffs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	im := importer{to: to, notes: c.notes, bar: newBar(c.notes, "importing", "bytes", size), notesLeft: maxNotes}
	err = im.files(ctx, cmd.Files)
	im.bar.end()
	to.settle(ctx, c)
	fmt.Fprintf(c.out, "%s\n", im.summary.json())
	if err == nil && cmd.Strict && im.summary.rejected() > 0 {
		err = fmt.Errorf("%d engagements were rejected", im.summary.rejected())
	}
	return err
}

// filesSize returns how many bytes the files have, -1 where that cannot be known before. Files that are not there are
// found before anything is recorded.
func filesSize(files []string) (total int64, err error) {
	for _, file := range files {
		if file == "-" {
			total = -1
			continue
		}
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return 0, &usageError{fmt.Sprintf("there is no file %s", file), ""}
		case err != nil:
			return 0, err
		case info.IsDir():
			return 0, &usageError{fmt.Sprintf("%s is a folder", file), "give the files in it"}
		case !info.Mode().IsRegular():
			total = -1
		case total >= 0:
			total += info.Size()
		}
	}
	return total, nil
}

// importer brings files to a recorder.
type importer struct {
	to      recorder
	notes   io.Writer
	bar     bar
	summary importSummary
	// answered: the recorder answered once, so that it is worth another try.
	answered bool
	// notesLeft is how many more rejections are told one by one.
	notesLeft int
}

func (im *importer) files(ctx context.Context, files []string) error {
	for _, file := range files {
		if err := im.file(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) file(ctx context.Context, name string) error {
	in := os.Stdin
	if name != "-" {
		var err error
		if in, err = os.Open(name); err != nil {
			return err
		}
		defer in.Close()
	}
	b := importBatch{importer: im, file: name}
	for line, err := range ahead(ctx, readLines(in, maxEngagementBytes)) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return errors.Join(b.send(ctx), fmt.Errorf("reading %s, line %d: %w", name, line.number, err))
		}
		if err := b.add(ctx, line); err != nil {
			return err
		}
	}
	return b.send(ctx)
}
