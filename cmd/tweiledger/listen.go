package main

import (
	"fmt"
	"net"
)

// checkLoopback sees that an address is one that only this machine reaches: without tokens, whoever reaches the service
// may do everything.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return &usageError{fmt.Sprintf("--listen: %q is no address: %v", address, err), "give one like 127.0.0.1:8080"}
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return &usageError{
		fmt.Sprintf("--listen: %s is not a loopback address, and whoever reaches the service may do everything: tokens have to come first", address),
		"listen on 127.0.0.1:8080, [::1]:8080 or localhost:8080",
	}
}

// listenLoopback listens on a loopback address.
func listenLoopback(address string) (net.Listener, error) {
	if err := checkLoopback(address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w (--listen 127.0.0.1:0 takes a free port)", err)
	}
	// What localhost means is said by a file.
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		listener.Close()
		return nil, fmt.Errorf("%s is %s, which is not a loopback address", address, listener.Addr())
	}
	return listener, nil
}
