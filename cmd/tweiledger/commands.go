package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
)

// envPrefix begins the environment variable of every flag.
const envPrefix = "TWEILEDGER"

// The free space under which nothing is written, where nothing else was said.
const (
	defaultMinFree     byteSize = 512 << 20
	defaultMinFreeText          = "512MiB"
)

// commands are the commands; each lives in the file of its name.
type commands struct {
	Serve     serveCommand     `cmd:"" help:"Serve the API."`
	Demo      demoCommand      `cmd:"" help:"Load a sample article, show its statement and serve it."`
	Import    importCommand    `cmd:"" help:"Record engagements from files of CloudEvents."`
	Statement statementCommand `cmd:"" help:"Show a profit-and-loss statement."`
	Export    exportCommand    `cmd:"" help:"Write the log, one canonical line an event."`
	Copy      copyCommand      `cmd:"" help:"Copy a log into another one, or go on with that."`
	Backup    backupCommand    `cmd:"" help:"Copy the log of a serving process, consistently."`
	Verify    verifyCommand    `cmd:"" help:"Work everything out again from the log, and name the first difference."`
	Tariff    tariffCommand    `cmd:"" help:"Check or publish a tariff."`
	Ready     readyCommand     `cmd:"" help:"Ask a serving process whether it is ready."`
	Token     tokenCommand     `cmd:"" help:"Make tokens."`
	Reverse   reverseCommand   `cmd:"" help:"Take the postings of events back."`
	Reinstate reinstateCommand `cmd:"" help:"Make mistaken reversals good."`
	Report    reportCommand    `cmd:"" help:"Buy and show reports."`
	Generate  generateCommand  `cmd:"" help:"Make synthetic engagements."`
	Bench     benchCommand     `cmd:"" help:"Measure the ratios that the design sets."`
	Version   versionCommand   `cmd:"" help:"Show the version."`

	BenchServer benchServerCommand `cmd:"" hidden:""`
}

const description = `An event-sourced reward ledger: engagements in, immutable events with exact amounts kept,
profit-and-loss statements out.

Try it: tweiledger demo`

// parse reads the command line and the environment. It returns nil and no error where it was asked for help only, which
// it has then written.
func parse(args []string, stdout, stderr io.Writer) (*kong.Context, error) {
	helped := false
	parser, err := kong.New(&commands{},
		kong.Name("tweiledger"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.DefaultEnvars(envPrefix),
		kong.Vars{"min_free": defaultMinFreeText, "log_prefix": eventstore.DefaultPrefix},
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { helped = true }),
	)
	if err != nil {
		return nil, fmt.Errorf("building the command line: %w", err)
	}
	command, err := parser.Parse(args)
	switch {
	case helped:
		return nil, nil
	case err != nil:
		return nil, parseError(err)
	}
	return command, nil
}

// parseError makes a parser's error one of wrong use, with the help to read.
func parseError(err error) error {
	var wrong *usageError
	if errors.As(err, &wrong) {
		return wrong
	}
	help := "tweiledger --help"
	var failed *kong.ParseError
	if errors.As(err, &failed) && failed.Context != nil && failed.Context.Selected() != nil {
		help = failed.Context.Selected().FullPath() + " --help"
	}
	return &usageError{err.Error(), "see " + help}
}

// choose returns which one of flags is meant, of which only one may be: the one on the command line, else the one in
// the environment, else the first.
func choose(command *kong.Context, flags ...string) (string, error) {
	var inEnv []string
	for _, name := range flags {
		if os.Getenv(envPrefix+"_"+strings.ToUpper(name)) != "" {
			inEnv = append(inEnv, name)
		}
	}
	for _, names := range [][]string{given(command, flags...), inEnv} {
		switch len(names) {
		case 0:
			continue
		case 1:
			return names[0], nil
		}
		return "", &usageError{
			fmt.Sprintf("--%s cannot be used together", strings.Join(names, " and --")),
			"each is a place to find the ledger: give one",
		}
	}
	return flags[0], nil
}

// given returns which of flags stand on the command line.
func given(command *kong.Context, flags ...string) (names []string) {
	for _, step := range command.Path {
		if step.Flag != nil && slices.Contains(flags, step.Flag.Name) && !slices.Contains(names, step.Flag.Name) {
			names = append(names, step.Flag.Name)
		}
	}
	return names
}
