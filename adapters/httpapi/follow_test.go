package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// lostLog is a log whose connection breaks behind everything that is given to a follower.
type lostLog struct {
	domain.EventLog
	// now is what the log is from the next time on.
	now atomic.Pointer[logtest.Memory]
	// away: nothing is followed. Each try is sent on tried.
	away  atomic.Bool
	tried chan struct{}
}

func (l *lostLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		now, away := l.now.Load(), l.away.Load()
		select {
		case l.tried <- struct{}{}:
		default:
		}
		if !away {
			for events, err := range now.Follow(ctx, after) {
				if !yield(events, err) || err != nil {
					return
				}
				break
			}
		}
		yield(nil, fmt.Errorf("the connection broke: %w", domain.ErrUnavailable))
	}
}

func (l *lostLog) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return l.now.Load().Read(ctx, after)
}

// openLost returns a world with such a log.
func openLost(t *testing.T) (*world, *lostLog) {
	log := &lostLog{tried: make(chan struct{}, 100)}
	w := openWorld(t, func(c *Config) {
		log.EventLog = c.Log
		log.now.Store(c.Log.(*logtest.Memory))
		c.Log = log
	})
	w.api.followPatience = 1
	return w, log
}

// followLog follows the log from its beginning.
func (w *world) followLog() (lines *bufio.Reader, body io.Closer) {
	w.t.Helper()
	res, err := w.server.Client().Get(w.server.URL + "/v1/log?follow=true")
	if err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatal(res, err)
	}
	return bufio.NewReader(res.Body), res.Body
}

// TestFollowLostLog: who follows has every event once, however often the log is lost, and the end of a service that
// drains while it is away.
func TestFollowLostLog(t *testing.T) {
	w, log := openLost(t)
	lines, body := w.followLog()
	defer body.Close()
	w.publish("p1")
	for i := range 20 {
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
	}
	next := func(want string) {
		t.Helper()
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Fatalf("%s %v, want %s", line, err, want)
		}
	}
	next(`"TariffPublished"`)
	next(`"PostPublished"`)
	for i := range 20 {
		next(fmt.Sprintf(`"source_id":"e-%d"`, i))
	}
	log.away.Store(true)
	w.post(liked("e-20", "p1", "u-20")).want(t, 201)
	for range cap(log.tried) + 2 {
		<-log.tried
	}
	w.api.Drain()
	// One more may have come, if it was followed already.
	if rest, err := io.ReadAll(lines); err != nil || strings.Count(string(rest), "\n") > 1 {
		t.Errorf("the end is %q %v", rest, err)
	}
}

// TestFollowAnotherLog: one that comes back without what was sent, as from a backup, is not gone on with.
func TestFollowAnotherLog(t *testing.T) {
	w, log := openLost(t)
	w.publish("p1")
	w.post(liked("e-1", "p1", "u1")).want(t, 201)
	lines, body := w.followLog()
	defer body.Close()
	for range 3 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	other := openWorld(t)
	other.publish("p1")
	other.post(liked("e-2", "p1", "u1")).want(t, 201)
	// All three were one batch, and it goes on with the log that was there.
	<-log.tried
	<-log.tried
	log.now.Store(other.log)
	w.post(liked("e-3", "p1", "u3")).want(t, 201)
	if rest, err := io.ReadAll(lines); err == nil || strings.Contains(string(rest), `"e-2"`) {
		t.Errorf("the end is %q %v", rest, err)
	}
	if !strings.Contains(w.logged.String(), "is not the log that was followed") {
		t.Errorf("logged: %s", w.logged)
	}
}
