package eventstore

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// lineBytes is about the length of a line of the ledger.
const lineBytes = 450

// newAppends returns appends of one event each to streams of their own, numbered from a number on.
func newAppends(from, count int) []domain.Append {
	line := bytes.Repeat([]byte("x"), lineBytes)
	appends := make([]domain.Append, count)
	for i := range appends {
		number := strconv.Itoa(from + i)
		appends[i] = domain.Append{
			Stream: domain.PostStream(number), Expected: domain.NoStream,
			Events: []domain.EncodedEvent{{Type: domain.PostLiked, Canonical: append([]byte(number), line...)}},
		}
	}
	return appends
}

// share has 64 goroutines do a number of appends, some at a time, and returns how long that took.
func share(b *testing.B, appends []domain.Append, atATime int, do func([]domain.Append) error) time.Duration {
	const callers = 64
	var next atomic.Int64
	var calling sync.WaitGroup
	began := time.Now()
	for range callers {
		calling.Go(func() {
			for {
				to := int(next.Add(int64(atATime)))
				from := to - atATime
				if from >= len(appends) {
					return
				}
				if err := do(appends[from:min(to, len(appends))]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	calling.Wait()
	return time.Since(began)
}

// BenchmarkAppend appends through the log and by EventStoreDB's client from 64 goroutines, in turns, and tells how many
// times faster the log is: with one append in a call, and with 64.
func BenchmarkAppend(b *testing.B) {
	for _, atATime := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d", atATime), func(b *testing.B) { compareAppends(b, atATime) })
	}
}

func compareAppends(b *testing.B, atATime int) {
	server := esdbtest.New(b, esdbtest.Options{})
	l := openLog(b, server.ConnectionString(), Options{})
	c := client(b, server.ConnectionString())
	byLog := func(appends []domain.Append) error {
		for _, answer := range l.Append(context.Background(), appends) {
			if answer.Err != nil {
				return answer.Err
			}
		}
		return nil
	}
	byClient := func(appends []domain.Append) error {
		for _, a := range appends {
			options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
			if _, err := c.AppendToStream(context.Background(), string(a.Stream), options, dataOf(a)...); err != nil {
				return err
			}
		}
		return nil
	}
	var ours, theirs time.Duration
	var done int
	const turn = 4096
	b.ReportAllocs()
	for b.Loop() {
		appends := newAppends(done, turn)
		ours += share(b, appends, atATime, byLog)
		theirs += share(b, appends, atATime, byClient)
		done += turn
	}
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "times")
	b.ReportMetric(float64(done)/ours.Seconds(), "appends/s")
	b.ReportMetric(float64(done)/theirs.Seconds(), "client-appends/s")
}

// BenchmarkFollow drains a log by Follow, without folding anything.
func BenchmarkFollow(b *testing.B) {
	const count = 200_000
	server := esdbtest.New(b, esdbtest.Options{})
	fill(server, "ledger.", newAppends(0, count))
	l := openLog(b, server.ConnectionString(), Options{Prefix: "ledger."})
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		for events, err := range l.Follow(b.Context(), domain.Position{}) {
			if err != nil {
				b.Fatal(err)
			}
			if seen += len(events); seen == count {
				break
			}
		}
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "events/s")
}
