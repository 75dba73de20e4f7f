package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// readyTimeout is how long a process may take to say whether it is ready. It asks its log for at most 2 s, twice.
const readyTimeout = 10 * time.Second

// readyCommand asks a serving process whether it is ready.
type readyCommand struct {
	URL string `name:"url" placeholder:"URL" default:"http://127.0.0.1:8080" help:"Address of the serving process (${default} by default)."`
	credentials
	For string `enum:",read,write" default:"" placeholder:"PURPOSE" help:"What for: read or write; both where it is not given."`
}

// Help is the command's help beyond its flags.
func (*readyCommand) Help() string {
	return `Asks GET /readyz and prints the answer, which says why where the process is not ready. Exits with 0 where it
is, and with 1 where it is not or does not answer within 10 seconds: a health check for machines that have no other
client, such as a container.

Examples:

    tweiledger ready
    tweiledger ready --url https://ledger.example:8443 --for write
`
}

// Run runs the command.
func (cmd *readyCommand) Run(ctx context.Context, c console) (err error) {
	at, err := cmd.client(cmd.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.close()) }()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	purpose := url.Values{}
	if cmd.For != "" {
		purpose.Set("for", cmd.For)
	}
	text, err := at.read(ctx, "/readyz", purpose)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusServiceUnavailable {
		text, err = p.text, fmt.Errorf("%s is not ready", cmd.URL)
	}
	if len(text) > 0 {
		fmt.Fprintf(c.out, "%s\n", text)
	}
	return err
}
