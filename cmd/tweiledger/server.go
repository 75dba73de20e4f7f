package main

import (
	"context"
	"net"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
)

// server serves a service's API on a loopback address.
type server struct {
	// origin is where, such as http://127.0.0.1:8080.
	origin string
	// stop asks the server to answer what it accepted and to end.
	stop context.CancelFunc
	// err is why it ended by itself; it is there once ended is closed.
	err   error
	ended chan struct{}
}

// startServer serves on a listener until stop is called. extend, where it is not nil, changes the API before that.
func startServer(s *service, listener net.Listener, extend func(*httpapi.API)) *server {
	api := s.newAPI(httpapi.Config{LoopbackOnly: true})
	if extend != nil {
		extend(api)
	}
	ctx, stop := context.WithCancel(context.Background())
	srv := &server{origin: "http://" + listener.Addr().String(), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(srv.ended)
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
