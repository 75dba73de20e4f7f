package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/alecthomas/kong"

	"github.com/tweiledger/tweiledger/domain"
)

// verifyCommand works everything out again from the log.
type verifyCommand struct {
	place
	File string `placeholder:"FILE" help:"An export of a whole log, instead of --data."`
}

// Help is the command's help beyond its flags.
func (*verifyCommand) Help() string {
	return `Reads the whole log and checks each event from the log alone: its canonical form, its id, its stream's
revisions, what the rules decide again from what was recorded before, every posting by the tariff in force, and every
sum. The first difference is named with its index, event and rule (I1 … I14), and the exit code is 1.

What was cut off at the end leaves a shorter log that agrees with itself: compare the number of events.

Examples:

    tweiledger verify --data data
    tweiledger verify --file log.ndjson
    tweiledger verify --url http://127.0.0.1:8080
`
}

// AfterApply sees that one place is meant.
func (cmd *verifyCommand) AfterApply(command *kong.Context) error {
	chosen, err := cmd.chooseLog(command, "file")
	if chosen != "file" {
		cmd.File = ""
	}
	return err
}

// Run runs the command.
func (cmd *verifyCommand) Run(ctx context.Context, c console) (err error) {
	log, err := cmd.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	summary, err := check(ctx, log, c)
	var difference *domain.Difference
	if errors.As(err, &difference) {
		return fmt.Errorf("the log contradicts the rules: %w", difference)
	}
	if err != nil {
		return fmt.Errorf("the log was not checked to its end: %w", err)
	}
	if summary.Events == 0 {
		return errors.New("there is no event: a log begins with a tariff, so this is not a whole one")
	}
	return showSummary(c.out, &summary)
}

func (cmd *verifyCommand) open() (logReader, error) {
	if cmd.File != "" {
		return openFileLog(cmd.File)
	}
	return cmd.logReader()
}

// check checks a log as of now: the first reading counts the events, and the second stops at as many.
func check(ctx context.Context, log logReader, c console) (domain.Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	size := uint64(0)
	bar := newBar(c.notes, "reading", "events", -1)
	first := func(yield func([]byte, error) bool) {
		for line, err := range log.lines(ctx, 0) {
			if err == nil {
				size++
				_ = bar.Add(1)
			}
			if !yield(line, err) {
				return
			}
		}
		bar.end()
		bar = newBar(c.notes, "checking", "events", int64(size))
	}
	second := func(yield func([]byte, error) bool) {
		left := size
		for line, err := range log.lines(ctx, 0) {
			if err != nil {
				yield(nil, err)
				return
			}
			if left == 0 || !yield(line, nil) {
				return
			}
			left--
		}
		if left > 0 {
			yield(nil, fmt.Errorf("it became shorter while it was read: %d events are gone", left))
		}
	}
	passes := []iter.Seq2[[]byte, error]{first, second}
	open := func() iter.Seq2[[]byte, error] {
		pass := passes[0]
		passes = passes[1:]
		return pass
	}
	defer func() { bar.end() }()
	return domain.Check(open, func(events uint64) { _ = bar.Set64(int64(events)) })
}

// showSummary tells what an agreeing log holds.
func showSummary(out io.Writer, s *domain.Summary) error {
	profit, loss, total, err := s.Platform.Subtotals()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The log agrees with the rules: %d events on %d streams.\n", s.Events, s.Streams)
	for t := domain.PostPublished; t.Valid(); t++ {
		if n := s.ByType[t]; n > 0 {
			fmt.Fprintf(out, "  %-20s %12d\n", t, n)
		}
	}
	fmt.Fprintf(out, "Profit %s, loss %s, total %s, read-to-earn %s Twei.\n", profit, loss, total,
		s.Platform.Of(domain.ReadToEarn))
	if len(s.Concurrent) > 0 {
		fmt.Fprintf(out, "Decided while another stream changed, which is no difference: events %d.\n", s.Concurrent)
	}
	for _, twice := range s.RecordedTwice {
		fmt.Fprintf(out, "Recorded twice, to be reversed once: source %q id %q, events %d and %d.\n",
			twice.Message.Source, twice.Message.ID, twice.First, twice.Second)
	}
	return nil
}
