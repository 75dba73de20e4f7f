package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/tweiledger/tweiledger/adapters/web"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// demoCommand shows the sample article.
type demoCommand struct {
	Data string `placeholder:"DIR" help:"Folder to keep the demo in; without it a temporary one, removed at the end."`
	storeFlags
	Listen  string `placeholder:"ADDR" default:"127.0.0.1:8080" help:"Loopback address to listen on; port 0 takes a free one (${default} by default)."`
	Tariff  string `placeholder:"FILE" help:"Tariff's YAML file instead of the default tariff."`
	Once    bool   `help:"Stop after printing, without serving."`
	logging `embed:"" set:"log_level=warn"`
}

// Help is the command's help beyond its flags.
func (*demoCommand) Help() string {
	return `Sends the engagements of a sample article to the API, prints its statement as one of its readers sees it, and
then serves it. With --data the demo is kept and can be started again; a folder that holds another ledger is refused.

Examples:

    tweiledger demo
    tweiledger demo --once
    tweiledger demo --data demo --listen 127.0.0.1:9000
`
}

// Run runs the command.
func (cmd *demoCommand) Run(ctx context.Context, c console) (err error) {
	if err := cmd.apply(c.notes); err != nil {
		return err
	}
	if err := checkAddress(cmd.Listen, false); err != nil {
		return err
	}
	tariffs, err := readTariffs(cmd.Tariff)
	if err != nil {
		return err
	}
	dir := cmd.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tweiledger-demo-"); err != nil {
			return fmt.Errorf("making a folder for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s, err := openService(ctx, home{dir, cmd.storeFlags}, defaultMinFree)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := refuseOtherLedger(ctx, s, dir); err != nil {
		return err
	}
	if err := s.begin(ctx, c, tariffs); err != nil {
		return err
	}
	return cmd.show(ctx, c, s)
}

// errOtherLedger: a log holds other engagements than the demo's.
var errOtherLedger = &usageError{"it holds a ledger that is not the demo's",
	"give --data another folder, or --log-prefix another prefix, or serve it with tweiledger serve"}

// refuseOtherLedger keeps the sample out of a ledger that is somebody's: behind its tariffs the log is empty, or begins
// with the sample.
func refuseOtherLedger(ctx context.Context, s *service, dir string) error {
	sample := domain.ParseEngagement(workload.Article()[0]).Message
	for events, err := range s.log.Read(ctx, domain.Position{}) {
		if err != nil {
			return err
		}
		for i := range events {
			e, err := domain.DecodeEvent(events[i].Canonical)
			switch {
			case err != nil:
				return err
			case e.Type == domain.TariffPublished:
			case e.Message() == sample:
				return nil
			default:
				return fmt.Errorf("folder %s: %w", dir, errOtherLedger)
			}
		}
	}
	return nil
}

// show serves, sends the article, prints what the page shows, and goes on serving.
func (cmd *demoCommand) show(ctx context.Context, c console, s *service) error {
	address := cmd.Listen
	if cmd.Once {
		address = "127.0.0.1:0"
	}
	listener, err := listen(address, false)
	if err != nil {
		return err
	}
	s.publisher = demoPublisher()
	srv := startServer(s, listener, guards{}, nil)
	err = cmd.send(ctx, c, s, srv)
	if err == nil && !cmd.Once {
		err = s.untilDone(ctx, c, srv, nil)
	}
	return errors.Join(err, srv.Close())
}

// send sends the article to the API and prints its block and what to try.
func (cmd *demoCommand) send(ctx context.Context, c console, s *service, srv *server) error {
	api, err := newClient(srv.origin)
	if err != nil {
		return err
	}
	defer api.close()
	answers, err := api.record(ctx, workload.Article())
	if err != nil {
		return fmt.Errorf("sending the sample article: %w", err)
	}
	for i := range answers {
		if !answers[i].done() {
			return fmt.Errorf("the sample's engagement %d was not recorded: %s", i+1, answers[i].why())
		}
	}
	// One report was bought already, once: its key is the same at each start.
	bought, err := api.buy(ctx, workload.ArticlePost, workload.ArticleReader, "demo")
	if err == nil && !bought.done() {
		err = errors.New(bought.why())
	}
	if err != nil {
		return fmt.Errorf("buying the sample's report: %w", err)
	}
	if err := s.caughtUp(ctx, c); err != nil {
		return err
	}
	b, err := readDemoBlock(ctx, api)
	if err != nil {
		return err
	}
	if err := b.write(c.out); err != nil {
		return err
	}
	cmd.writeHints(c, srv.origin)
	return nil
}

// readDemoBlock reads the article's statement with the box of its reader.
func readDemoBlock(ctx context.Context, api *client) (*block, error) {
	article := domain.Scope{PostID: workload.ArticlePost}
	b, err := readBlock(ctx, api, article, projections.AsOf{})
	if err != nil {
		return nil, err
	}
	own, err := readStatement(ctx, api, domain.Scope{PostID: article.PostID, AccountID: workload.ArticleReader},
		projections.AsOf{})
	if err != nil {
		return nil, err
	}
	b.Reader, b.Reading = workload.ArticleReader, own.Reading
	return b, nil
}

// demoPublisher is the page of the article's publisher.
func demoPublisher() *web.Demo {
	return &web.Demo{
		Post: workload.ArticlePost, Author: workload.ArticleAuthor, Reader: workload.ArticleReader,
		Accounts: workload.ArticleAccounts(),
	}
}

// writeHints prints where the statement is, and three commands to try.
func (cmd *demoCommand) writeHints(c console, origin string) {
	if cmd.Once {
		origin = "http://" + cmd.Listen
		fmt.Fprintf(c.out, "\nWithout --once it is served on:\n")
	}
	path, _ := statementRoute(domain.Scope{PostID: workload.ArticlePost}, projections.AsOf{})
	own, query := statementRoute(domain.Scope{PostID: workload.ArticlePost, AccountID: workload.ArticleReader},
		projections.AsOf{})
	fmt.Fprintf(c.out, "\nOpen in a browser: %s/demo/\n", origin)
	fmt.Fprintf(c.out, "Statement: %s%s\n\nIt is open: whoever reaches this loopback address may read and write. Try:\n",
		origin, path)
	fmt.Fprintf(c.out, "  curl '%s%s?%s'\n", origin, own, url.Values(query).Encode())
	fmt.Fprintf(c.out, "  curl '%s/v1/events' -H 'Content-Type: application/cloudevents+json' -d '%s'\n", origin, demoLike)
	fmt.Fprintf(c.out, "  curl -N '%s/v1/log?follow=true'\n", origin)
	if !cmd.Once {
		fmt.Fprintf(c.out, "\nServing until Ctrl-C.\n")
	}
}

// demoLike is an engagement to try: a like of the article by one who has not reacted yet.
const demoLike = `{"specversion":"1.0","type":"tweiledger.post.liked.v1","source":"/curl","id":"1",` +
	`"time":"2026-01-30T09:00:00Z","data":{"post_id":"` + workload.ArticlePost + `","account_id":"you"}}`
