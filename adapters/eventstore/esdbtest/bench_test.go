package esdbtest

import (
	"bytes"
	"runtime"
	"strconv"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// lineBytes is about the length of a line of the ledger.
const lineBytes = 450

// BenchmarkBatchAppend appends one event to a stream of its own each time, 512 in flight.
func BenchmarkBatchAppend(b *testing.B) {
	s := New(b, Options{})
	call, err := raw(b, s.Node(0)).BatchAppend(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), lineBytes)
	inFlight := make(chan struct{}, 512)
	sent := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := range b.N {
			inFlight <- struct{}{}
			req := batchRequest(i, "tweiledger."+strconv.Itoa(i), 0)
			req.ProposedMessages[0].Id, req.ProposedMessages[0].Data = uuidOf(uuid.New()), data
			if err := call.Send(req); err != nil {
				sent <- err
				return
			}
		}
		sent <- call.CloseSend()
	}()
	for range b.N {
		answer, err := call.Recv()
		if err != nil || answer.GetSuccess() == nil {
			b.Fatal(answer, err)
		}
		<-inFlight
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func filled(b *testing.B, n int) *Server {
	s := New(b, Options{})
	data := bytes.Repeat([]byte("x"), lineBytes)
	for i := range n {
		s.Insert(RawEvent{Stream: "tweiledger." + strconv.Itoa(i/4), Type: "Happened", Data: data})
	}
	return s
}

// BenchmarkSubscription drains a subscription to $all by EventStoreDB's client, by a prefix that all events have.
func BenchmarkSubscription(b *testing.B) {
	c := client(b, filled(b, b.N).ConnectionString())
	b.ReportAllocs()
	b.ResetTimer()
	sub, err := c.SubscribeToAll(b.Context(), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 500,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"tweiledger."}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	for seen := 0; seen < b.N; {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			b.Fatal(e.SubscriptionDropped.Error)
		}
		if e.EventAppeared != nil {
			seen++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMemory tells what an event takes in memory beside its line.
func BenchmarkMemory(b *testing.B) {
	const n = 200_000
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := filled(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n-lineBytes, "B/event")
		runtime.KeepAlive(s)
		s.Close()
	}
}
