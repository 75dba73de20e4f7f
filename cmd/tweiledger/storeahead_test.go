package main

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// TestStoreFarAhead: a fold that writes nothing holds back a store that is a million events ahead, whose lines are half
// a gigabyte: what is read and not written is bounded, whatever is to come.
func TestStoreFarAhead(t *testing.T) {
	if !long() {
		t.Skip("makes a million events")
	}
	const engagements, room = 1_000_000, 300 << 20
	server := esdbtest.New(t, esdbtest.Options{})
	lines := fillDouble(t, server, engagements)
	if lines < 3*room/2 {
		t.Fatalf("the lines are no more than %d bytes", lines)
	}
	before := heapInUse()
	at := home{filepath.Join(t.TempDir(), "views"), storeFlags{Log: server.ConnectionString()}}
	s, err := openService(t.Context(), at, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	// The fold waits for space with what the batches hold, and the reader waits behind it.
	for deadline := time.Now().Add(2 * time.Minute); s.views.Status().Waiting == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the fold does not wait for space")
		}
	}
	now, most := uint64(0), uint64(0)
	for rest := 0; rest < 10; rest++ {
		time.Sleep(100 * time.Millisecond)
		if now = heapInUse(); now > most+1<<20 {
			most, rest = now, 0
		}
	}
	t.Logf("%d MB are held, of lines of %d", int64(now-before)/1e6, lines/1e6)
	if now > before+room {
		t.Errorf("%d MiB are held for a fold that writes nothing", (now-before)>>20)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// fillDouble puts the events of as many engagements into a double, and returns how many bytes their lines have.
func fillDouble(t testing.TB, server *esdbtest.Server, engagements int) (bytes uint64) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := openService(t.Context(), home{dir: dir}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	feed := startFeed(workload.Options{Engagements: engagements, Seed: 1})
	defer feed.stop()
	for batch := feed.take(benchBatch); len(batch) > 0; batch = feed.take(benchBatch) {
		if _, err := record(t.Context(), s.ledger, batch); err != nil {
			t.Fatal(err)
		}
	}
	for line, err := range (folderLog{s.embedded}).lines(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		stream, _, ok := domain.LinePlace(line)
		if !ok {
			t.Fatalf("no place in %s", line)
		}
		server.Insert(esdbtest.RawEvent{
			Stream: "tweiledger." + string(stream), ID: domain.StoreID(line), Type: "Recorded", JSON: true, Data: line,
		})
		bytes += uint64(len(line))
	}
	return bytes
}

// heapInUse returns how many bytes are in use after a collection.
func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
