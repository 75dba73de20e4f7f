package main

import (
	"fmt"
	"net"
	"syscall"
)

// checkAddress sees that an address is one, and unless the service is guarded by tokens, that only this machine reaches
// it: without them, whoever reaches the service may do everything.
func checkAddress(address string, guarded bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return &usageError{fmt.Sprintf("--listen: %q is no address: %v", address, err), "give one like 127.0.0.1:8080"}
	}
	ip := net.ParseIP(host)
	if guarded || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return &usageError{
		fmt.Sprintf("--listen: %s is not a loopback address, and whoever reaches the service may do everything "+
			"unless there are tokens", address),
		"listen on 127.0.0.1:8080, [::1]:8080 or localhost:8080, or give --tokens: see tweiledger serve --help",
	}
}

// listen listens on an address that checkAddress has seen.
func listen(address string, guarded bool) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w (--listen 127.0.0.1:0 takes a free port)", err)
	}
	// What localhost means is said by a file.
	if !guarded && !isLoopback(listener.Addr()) {
		listener.Close()
		return nil, fmt.Errorf("%s is %s, which is not a loopback address", address, listener.Addr())
	}
	return listener, nil
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(a net.Addr) bool {
	at, ok := a.(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// maxConnections is how many connections are served at a time: half of the files that the process may have open, so
// that the log and the views get theirs, and not more than 10,000.
func maxConnections() int {
	const most = 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return int(max(1, min(most, limit.Cur/2)))
}
