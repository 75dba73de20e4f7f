package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// guardFlags are the files that say who may, and who the service is.
type guardFlags struct {
	Tokens  string `placeholder:"FILE" help:"Tokens' file: who may do what; needed beyond loopback, and read again when it changes. See tweiledger token new --help."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate's chain in PEM, to serve over https; read again when it changes."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"The certificate's key in PEM."`
}

// guards are those files, read. What is nil was not asked for.
type guards struct {
	tokens      *httpapi.Tokens
	certificate *httpapi.Certificate
}

// open reads the files.
func (f *guardFlags) open() (g guards, err error) {
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return g, &usageError{"--tls-cert and --tls-key go together", "give both, or neither to serve over http"}
	}
	if f.Tokens != "" {
		g.tokens, err = httpapi.OpenTokens(f.Tokens, slog.Default())
	}
	if err == nil && f.TLSCert != "" {
		g.certificate, err = httpapi.OpenCertificate(f.TLSCert, f.TLSKey, slog.Default())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return g, &usageError{err.Error(), ""}
	}
	return g, err
}

// watch reads the files again when they change, and the tokens' on SIGHUP too. It goes on until ctx ends, and the
// returned function waits for that.
func (g guards) watch(ctx context.Context) (wait func()) {
	var watching sync.WaitGroup
	if g.certificate != nil {
		watching.Go(func() { g.certificate.Watch(ctx) })
	}
	if g.tokens != nil {
		watching.Go(func() { g.tokens.Watch(ctx) })
		hangUp := make(chan os.Signal, 1)
		signal.Notify(hangUp, syscall.SIGHUP)
		watching.Go(func() {
			defer signal.Stop(hangUp)
			for {
				select {
				case <-ctx.Done():
					return
				case <-hangUp:
					g.tokens.Reload()
				}
			}
		})
	}
	return watching.Wait
}

// scheme is that of the service's address.
func (g guards) scheme() string {
	if g.certificate != nil {
		return "https"
	}
	return "http"
}

// access says who may, for the log.
func (g guards) access() string {
	if g.tokens == nil {
		return "open: whoever reaches this loopback address may read and write"
	}
	return fmt.Sprintf("by %d tokens", g.tokens.Status().Tokens)
}
