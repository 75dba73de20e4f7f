package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// serveCommand serves the API of a folder.
type serveCommand struct {
	Data    string   `placeholder:"DIR" default:"data" help:"Folder of the ledger, or of the views of a log in a store, made if it is not there (${default} by default)."`
	Listen  string   `placeholder:"ADDR" default:"127.0.0.1:8080" help:"Address to listen on, one that only this machine reaches unless there are --tokens; port 0 takes a free one (${default} by default)."`
	Tariff  string   `placeholder:"FILE" help:"Tariff's YAML file; an empty log begins with it, another must hold the same."`
	MinFree byteSize `placeholder:"BYTES" default:"${min_free}" help:"Free space under which nothing is written; reads go on (${default} by default)."`
	storeFlags
	RebuildViews bool `help:"Build the views anew from the log, beside those that serve, and switch over."`

	guardFlags
	logging `embed:"" set:"log_level=info"`

	// extend, where it is set, changes the routes before they are served.
	extend func(*httpapi.API)
}

// Help is the command's help beyond its flags.
func (*serveCommand) Help() string {
	return `Serves the API of a ledger in a folder, which no other process may have open. Without --tokens it is open to
everybody on this machine, and so listens on loopback addresses only; with them each request needs a token that has the
role, on a loopback address too. Without --tls-cert and --tls-key tokens can be read on their way: beyond loopback give
both, or put a proxy that speaks TLS before it. The address is printed on standard output once it is served; /readyz
tells when the views have caught up.

The views can always be worked out again from the log. Where a new program wants them in another format and can read the
old one, or damage is found in them, they are built anew beside those that serve, and switched over to once they have
caught up; --rebuild-views has it done for views that you mistrust. /readyz tells how far that is, and the log what came
of it. A rebuild that was cut short goes on at the next start.

With --log an EventStoreDB keeps the log, and any number of processes serve it, each with views in a folder of its own.
While the store is away, writes fail at once and reads go on as of what is folded; a process that is started then waits
for it, and says so on /readyz.

SIGHUP reads the files of --tokens and of the certificate at once; they are also read again when they change. Other
settings need a restart.

SIGTERM or Ctrl-C finishes what was accepted, answers it and exits with 0 within 10 seconds; a second one ends at once.
However it ends, nothing that was answered "recorded" is lost.

Examples:

    tweiledger serve
    tweiledger serve --data /var/lib/tweiledger --listen 127.0.0.1:9000 --tariff tariff.yaml --min-free 2GiB
    tweiledger serve --log 'esdb://127.0.0.1:2113?tls=false' --data views
    tweiledger serve --listen :8443 --tokens tokens.yaml --tls-cert cert.pem --tls-key key.pem --log-format json
`
}

// Run runs the command.
func (cmd *serveCommand) Run(ctx context.Context, c console) (err error) {
	if err := cmd.apply(c.notes); err != nil {
		return err
	}
	if err := checkAddress(cmd.Listen, cmd.Tokens != ""); err != nil {
		return err
	}
	guards, err := cmd.guardFlags.open()
	if err != nil {
		return err
	}
	tariffs, err := readTariffs(cmd.Tariff)
	if err != nil {
		return err
	}
	// From here on SIGHUP ends nothing. One that comes before the service does waits for it.
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	listener, err := listen(cmd.Listen, guards.tokens != nil)
	if err != nil {
		return err
	}
	announce := sync.OnceFunc(func() { fmt.Fprintln(c.out, guards.origin(listener)) })
	s, err := cmd.begin(ctx, starting{listener, guards, announce}, tariffs)
	if err != nil {
		err = errors.Join(err, listener.Close())
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if cmd.RebuildViews {
		s.views.Rebuild("the operator asked for it")
	}
	srv := startServer(s, listener, guards, cmd.extend)
	slog.Info("serving", "address", srv.origin, "data", cmd.Data,
		"folded", s.views.Status().Size, "access", guards.access())
	if guards.certificate == nil && !isLoopback(listener.Addr()) {
		slog.Warn("serving_without_tls", "address", srv.origin, "reason", "whoever is on the way can read the tokens")
	}
	announce()
	err = s.untilDone(ctx, c, srv, hangUp)
	return errors.Join(err, srv.Close())
}

// untilDone returns when ctx ends or the server has ended, and with an error where the store has another log than
// before: what the process knows of it must not be used any more. Meanwhile it shows how the views are rebuilt, and
// reads the server's files again whenever hangUp, which may be nil, says so.
func (s *service) untilDone(ctx context.Context, c console, srv *server, hangUp <-chan os.Signal) error {
	showing, cancel := context.WithCancel(ctx)
	shown := s.showFold(showing, c)
	defer func() {
		cancel()
		<-shown
	}()
	for {
		select {
		case <-hangUp:
			srv.guards.reload()
		case <-ctx.Done():
			slog.Info("stopping", "folded", s.views.Status().Size)
			return nil
		case <-srv.ended:
			return nil
		case <-s.replaced():
			slog.Error("log_replaced", "error", s.log.Writable())
			return fmt.Errorf("start it again, and send again what was sent since the backup: %w", s.log.Writable())
		}
	}
}
