package httpapi

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Limits of what is under way at a time. What is beyond one is answered too_busy.
const (
	// maxStreams is how many streams one token has open. One costs a few goroutines and at most about 1 MiB.
	maxStreams = 256
	// busyPatience is how long an expensive request waits for others to end.
	busyPatience = 500 * time.Millisecond
	// maxHeaderBytes bounds a request's headers. A CloudEvent in binary mode has its attributes there.
	maxHeaderBytes = 64 << 10
)

// maxExpensive is how many expensive requests are served at a time: enough to keep the processors busy while some wait
// for a disk.
var maxExpensive = max(8, 4*runtime.GOMAXPROCS(0))

// cost is what a route takes to serve.
type cost uint8

const (
	// cheap is what takes about a millisecond at most, or waits for others.
	cheap cost = iota + 1
	// expensive is what may read many rows before it answers. So many at a time are served, see maxExpensive; an answer of
	// any length is a stream instead, for its reader sets the pace.
	expensive
)

// enter takes a place among the expensive requests, for as long as it is not released.
func (a *API) enter(ctx context.Context) (release func(), err error) {
	release = func() { <-a.places }
	select {
	case a.places <- struct{}{}:
		return release, nil
	default:
	}
	patience := time.NewTimer(a.busyPatience)
	defer patience.Stop()
	select {
	case a.places <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errClientGone, ctx.Err())
	case <-patience.C:
		return nil, problemf(codeTooBusy, "", "%d requests of this kind are being served already", cap(a.places))
	}
}

// streamCounts is how many streams each token has open, by its name; nobody's name is empty.
type streamCounts struct {
	mu   sync.Mutex
	open map[string]int // guarded by mu
}

// take counts one more of a token and returns what ends it, or false where it has as many as it may.
func (c *streamCounts) take(name string, most int) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[name] >= most {
		return nil, false
	}
	if c.open == nil {
		c.open = map[string]int{}
	}
	c.open[name]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open[name]--; c.open[name] == 0 {
			delete(c.open, name)
		}
	}, true
}
