// Command tweiledger is the ledger's one binary: it serves the API, and loads, shows, exports and verifies a log
// (DESIGN section 10). This package wires the adapters to the domain; rules live elsewhere.
//
// Results go to standard output, logs and progress bars to standard error. It exits with 0 when the work is done, with
// 1 when the work says no, and with 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes (DESIGN section 10).
const (
	exitDone  = 0
	exitNo    = 1
	exitUsage = 2
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to finish; from then on the default holds, so that a second one ends the process at once.
	context.AfterFunc(ctx, release)
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// run runs the command that args name. A *usageError says that it was called wrongly, any other error that the work
// says no.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command, err := parse(args, stdout, stderr)
	if command == nil || err != nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(console{stdout, stderr})
}

// console is where a command writes: results to out, what is only for a person's eyes to notes.
type console struct{ out, notes io.Writer }

// exitCode tells the error to a person and returns the code to exit with.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "tweiledger:", err)
	var wrong *usageError
	if !errors.As(err, &wrong) {
		return exitNo
	}
	if wrong.hint != "" {
		fmt.Fprintln(stderr, "hint:", wrong.hint)
	}
	return exitUsage
}

// usageError says that a command was called wrongly, and what to do instead.
type usageError struct {
	problem string
	hint    string
}

func (e *usageError) Error() string { return e.problem }
