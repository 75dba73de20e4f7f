package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// benchClient asks over connections that stay open. It does as little as it can: client and server share the machine,
// and what the client spends counts on both sides of a ratio.
type benchClient struct {
	host        string
	connections []*benchConnection
	stopWatch   func() bool
}

type benchConnection struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

// dialBench opens n connections to a server. They are closed when ctx ends.
func dialBench(ctx context.Context, origin string, n int) (*benchClient, error) {
	c := &benchClient{host: strings.TrimPrefix(origin, "http://")}
	var dialer net.Dialer
	for range n {
		conn, err := dialer.DialContext(ctx, "tcp", c.host)
		if err != nil {
			c.hangUp()
			return nil, err
		}
		c.connections = append(c.connections, &benchConnection{Conn: conn, in: bufio.NewReader(conn)})
	}
	c.stopWatch = context.AfterFunc(ctx, c.hangUp)
	return c, nil
}

func (c *benchClient) close() {
	c.stopWatch()
	c.hangUp()
}

func (c *benchClient) hangUp() {
	for _, conn := range c.connections {
		_ = conn.Close()
	}
}

// ask sends a GET for each path, one after the other on each connection, and returns the bytes of all bodies. reference
// is what the reference's header says.
func (c *benchClient) ask(paths []string, reference int) (int, error) {
	var next, bodies atomic.Int64
	var asking sync.WaitGroup
	errs := make([]error, len(c.connections))
	end := fmt.Appendf(nil, " HTTP/1.1\r\nHost: %s\r\n%s: %d\r\n\r\n", c.host, referenceHeader, reference)
	for i, conn := range c.connections {
		asking.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(paths) {
					return
				}
				n, err := conn.get(paths[k], end)
				if err != nil {
					errs[i] = fmt.Errorf("GET %s: %w", paths[k], err)
					return
				}
				bodies.Add(int64(n))
			}
		})
	}
	asking.Wait()
	return int(bodies.Load()), errors.Join(errs...)
}

// get sends a request and returns the length of the answer's body, which it has read. Only 200 is no error.
func (c *benchConnection) get(path string, end []byte) (int, error) {
	c.out = append(append(append(c.out[:0], "GET "...), path...), end...)
	if _, err := c.Write(c.out); err != nil {
		return 0, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("%q", status)
	}
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) == len("\r\n") {
			break
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(digits))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("the answer does not say how long it is")
	}
	return c.in.Discard(length)
}
