package pebblelog

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

const benchBatch = 1000

// benchAppend is the append of one event as the ledger makes them: some 450 bytes, mostly on streams of their own.
func benchAppend(n int) domain.Append {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d", n))
	r := rand.New(rand.NewPCG(uint64(n), 1))
	post, account := fmt.Sprintf("post-%d", r.IntN(1000)), fmt.Sprintf("acct-%06d", r.IntN(100_000))
	id := fmt.Sprintf("e-%d", n)
	stream := domain.ReadingStream(post, fmt.Sprintf("%s.%d", account, n))
	line := fmt.Appendf(nil, `{"account_id":"%s","author":"acct-%06d","id":"%x-%x-%x-%x-%x","occurred_at":"2026-01-%02dT%02d:%02d:%02dZ",`+
		`"post_id":"%s","postings":[{"amount":"1","credit":{"account":"%s","line":"read_to_earn"},"debit":{"account":"treasury"}}],`+
		`"recorded_at":"2026-02-01T10:%02d:%02d.%09dZ","revision":0,"seconds_read":%d,"source":"/platform/web","source_id":"%s",`+
		`"stream":"%s","tariff":1,"time_to_read_seconds":%d,"type":"PostRead"}`,
		account, r.IntN(100_000), sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16], 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60),
		post, account, n/60000%60, n/1000%60, r.IntN(1e9), r.IntN(600), id, stream, r.IntN(600))
	return domain.Append{
		Stream: stream, Expected: domain.NoStream, Message: domain.Message{Source: "/platform/web", ID: id},
		Events: []domain.EncodedEvent{{Type: domain.PostRead, Canonical: line}},
	}
}

func benchAppends(from, count int) []domain.Append {
	appends := make([]domain.Append, count)
	for i := range appends {
		appends[i] = benchAppend(from + i)
	}
	return appends
}

// BenchmarkBatches compares a log, in rounds that alternate, with what it cannot beat: the same lines alone under
// sequential keys in a bare Pebble with the log's options, one sync for 1,000 lines. A decision reads the append's
// stream first.
func BenchmarkBatches(b *testing.B) {
	const rounds, batches = 11, 10
	l := benchLog(b)
	db, err := pebble.Open(b.TempDir(), EventOptions(vfs.Default))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var raw, log, decided, ratios, decidedRatios []float64
	for n := 0; b.Loop(); {
		b.StopTimer()
		for range rounds {
			lines := benchAppends(n, batches*benchBatch)
			n += 2 * len(lines)
			rate := func(appends []domain.Append, work func([]domain.Append)) float64 {
				start := time.Now()
				for batch := range slices.Chunk(appends, benchBatch) {
					work(batch)
				}
				return float64(len(appends)) / time.Since(start).Seconds()
			}
			raw = append(raw, rate(lines, func(batch []domain.Append) { writeRaw(b, db, n, batch) }))
			log = append(log, rate(lines, func(batch []domain.Append) { appendAll(b, l, batch) }))
			decided = append(decided, rate(benchAppends(n-len(lines), len(lines)), func(batch []domain.Append) {
				for i := range batch {
					for range l.ReadStream(b.Context(), batch[i].Stream, 0) {
					}
				}
				appendAll(b, l, batch)
			}))
			last := len(raw) - 1
			ratios = append(ratios, log[last]/raw[last])
			decidedRatios = append(decidedRatios, decided[last]/raw[last])
		}
		b.StartTimer()
	}
	for unit, values := range map[string][]float64{"raw/s": raw, "log/s": log, "decided/s": decided, "log/raw": ratios, "decided/raw": decidedRatios} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

func writeRaw(b *testing.B, db *pebble.DB, n int, appends []domain.Append) {
	batch := db.NewBatch()
	defer batch.Close()
	for i := range appends {
		k := eventKey(uint64(n + i))
		if err := batch.Set(k[:], appends[i].Events[0].Canonical, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		b.Fatal(err)
	}
}

func appendAll(b *testing.B, l *Log, appends []domain.Append) {
	for _, a := range l.Append(b.Context(), appends) {
		if a.Err != nil {
			b.Fatal(a.Err)
		}
	}
}

// BenchmarkAppendSingle appends from 32 goroutines, one event a call.
func BenchmarkAppendSingle(b *testing.B) {
	l := benchLog(b)
	var next atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a := l.Append(b.Context(), benchAppends(int(next.Add(1)), 1)); a[0].Err != nil {
				b.Error(a[0].Err)
			}
		}
	})
	b.ReportMetric(float64(next.Load())/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFileSync writes one line at a time to a file and syncs it.
func BenchmarkFileSync(b *testing.B) {
	f, err := vfs.Default.Create(b.TempDir()+"/lines", vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	line := benchAppend(1).Events[0].Canonical
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRead reads a log from its beginning.
func BenchmarkRead(b *testing.B) {
	l := benchLog(b)
	const events = 100_000
	for i := 0; i < events; i += benchBatch {
		l.Append(b.Context(), benchAppends(i, benchBatch))
	}
	for b.Loop() {
		for _, err := range l.Read(b.Context(), domain.Position{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func benchLog(b *testing.B) *Log {
	l, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}
