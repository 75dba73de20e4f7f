package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"

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

// config is how a service with these guards is served.
func (g guards) config() httpapi.Config {
	return httpapi.Config{
		Tokens: g.tokens, Certificate: g.certificate, LoopbackOnly: g.tokens == nil, MaxConnections: maxConnections(),
	}
}

// watch reads the files again when they change. It goes on until ctx ends, and the returned function waits for that.
func (g guards) watch(ctx context.Context) (wait func()) {
	var watching sync.WaitGroup
	if g.certificate != nil {
		watching.Go(func() { g.certificate.Watch(ctx) })
	}
	if g.tokens != nil {
		watching.Go(func() { g.tokens.Watch(ctx) })
	}
	return watching.Wait
}

// reload reads the files now.
func (g guards) reload() {
	if g.tokens == nil && g.certificate == nil {
		slog.Warn("nothing_to_reload", "reason",
			"the service has neither tokens nor a certificate; other settings need a restart")
		return
	}
	slog.Info("reloading")
	if g.tokens != nil {
		g.tokens.Reload()
	}
	if g.certificate != nil {
		g.certificate.Reload()
	}
}

// origin is where a listener is served, such as http://127.0.0.1:8080.
func (g guards) origin(l net.Listener) string {
	scheme := "http"
	if g.certificate != nil {
		scheme = "https"
	}
	return scheme + "://" + l.Addr().String()
}

// access says who may, for the log.
func (g guards) access() string {
	if g.tokens == nil {
		return "open: whoever reaches this loopback address may read and write"
	}
	return fmt.Sprintf("by %d tokens", g.tokens.Status().Tokens)
}
