package main

import (
	"context"
	"net"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// server serves a service's API.
type server struct {
	// origin is where, such as http://127.0.0.1:8080.
	origin string
	guards guards
	// stop asks the server to answer what it accepted and to end.
	stop context.CancelFunc
	// err is why it ended by itself; it is there once ended is closed.
	err   error
	ended chan struct{}
}

// startServer serves on a listener until stop is called. extend, where it is not nil, changes the API before that.
func startServer(s *service, listener net.Listener, g guards, extend func(*httpapi.API)) *server {
	api := s.newAPI(g.config())
	if extend != nil {
		extend(api)
	}
	ctx, stop := context.WithCancel(context.Background())
	srv := &server{origin: g.origin(listener), guards: g, stop: stop,
		ended: make(chan struct{})}
	wait := g.watch(ctx)
	go func() {
		defer close(srv.ended)
		defer wait()
		// It may have ended by itself.
		defer stop()
		srv.err = api.Serve(ctx, listener)
	}()
	return srv
}

// Close answers what was accepted, and returns once no more is served.
func (srv *server) Close() error {
	srv.stop()
	<-srv.ended
	return srv.err
}
