// Command producer sends a platform's engagements from its outbox to Tweiledger: a small program to copy from. It uses
// the CloudEvents SDK and nothing of the ledger's own code; docs/integrate.md explains what it does and why.
//
// The outbox is a file of JSON lines, appended to by the platform, each an engagement as the type of that name has it.
// Lines are sent in order, in batches, one batch at a time. What was not answered, or was answered "failed", is sent
// again as it was, for as long as it takes. What is settled is remembered in OUTBOX.progress, and what was rejected is
// put into OUTBOX.rejected with what to do about it, in the form of an outbox, so that it can be sent from there again.
//
// It may be killed at any moment and started again: at most it sends a batch twice, which is safe. Run one at a time
// for an outbox. At the outbox's end it prints a summary of everything settled so far, and exits with 0; with 1 where
// something that a retry cannot mend stopped it, such as a missing token.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "producer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	url := flag.String("url", "http://127.0.0.1:8080", "where Tweiledger serves")
	token := flag.String("token", "",
		"bearer token with the role write; by default $TWEILEDGER_TOKEN, which no list of processes shows")
	path := flag.String("outbox", "", "file of engagements, one JSON object a line")
	most := flag.Int("batch", 500, "engagements sent at once, at most 10000")
	timeout := flag.Duration("timeout", 30*time.Second, "how long an answer may take before the batch is sent again")
	pause := flag.Duration("pause", 500*time.Millisecond,
		"longest pause before the second try; it doubles with each try, up to 30s")
	flag.Parse()
	if *path == "" || *most < 1 || *most > 10_000 || flag.NArg() > 0 {
		flag.Usage()
		return errors.New("give --outbox FILE, and --batch from 1 to 10000")
	}
	if *token == "" {
		*token = os.Getenv("TWEILEDGER_TOKEN")
	}

	box, err := openOutbox(*path)
	if err != nil {
		return err
	}
	defer box.close()
	d := deliverer{
		ledger: ledger{url: *url, token: *token, http: &http.Client{Timeout: *timeout, CheckRedirect: noRedirect}},
		outbox: box, pause: *pause, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if err := d.deliverAll(ctx, *most); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(box.progress.Summary)
}

// noRedirect makes a redirect an answer: followed, it would take the token elsewhere, or the batch nowhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
