package domain_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

func BenchmarkParseEngagement(b *testing.B) {
	for name, text := range map[string][]byte{"read": []byte(readText), "post": []byte(postText), "like": cloudEvent(commentLiked("c1", "bob"))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if r := domain.ParseEngagement(text); r.Rejection != nil {
					b.Fatal(r.Rejection)
				}
			}
		})
	}
}

// codecLines are the golden lines that the codec is measured by: a read, a like with three postings, a report.
var codecLines = map[string]int{"read": 3, "like": 8, "report": 25}

func BenchmarkDecodeEvent(b *testing.B) {
	for name, n := range codecLines {
		line := goldenLines(b)[n]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, err := domain.DecodeEvent(line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendCanonical(b *testing.B) {
	for name, n := range codecLines {
		line := goldenLines(b)[n]
		e, err := domain.DecodeEvent(line)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			dst := make([]byte, 0, len(line))
			for b.Loop() {
				if _, err := e.AppendCanonical(dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecord decides and appends batches of 1,000: half reads, a quarter reactions to posts, a fifth to comments,
// the rest comments, on 100 posts. The log in memory hashes every line, which is a part of what is measured.
func BenchmarkRecord(b *testing.B) {
	const batch, posts = 1_000, 100
	b.ReportAllocs()
	f := newBareFixture(b, logtest.MemoryOptions{})
	f.start()
	for i := range posts {
		f.must(published(fmt.Sprint("p", i), "ann"), commented(fmt.Sprint("p", i), fmt.Sprint("c", i), "cid"))
	}
	n := 0
	engagement := func() domain.Engagement {
		n++
		post, account := fmt.Sprint("p", n%posts), fmt.Sprint("a", n)
		switch n % 20 {
		case 0:
			return commented(post, fmt.Sprint("c-", n), account)
		case 1, 2, 3, 4:
			return commentLiked(fmt.Sprint("c", n%posts), account)
		case 5, 6, 7, 8, 9:
			return liked(post, account)
		}
		return read(post, account, 60)
	}
	for b.Loop() {
		b.StopTimer()
		engagements := make([]domain.Engagement, batch)
		for i := range engagements {
			engagements[i] = engagement()
		}
		r := received(engagements...)
		b.StartTimer()
		for _, o := range f.Record(context.Background(), r) {
			if o.Result != domain.Recorded {
				b.Fatalf("%s", o.AppendJSON(nil, "", 0))
			}
		}
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "engagements/s")
}
