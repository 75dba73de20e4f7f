package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// BenchmarkPages prints what a page of a post with 100,000 entries takes over one with 100, as the median of rounds that
// alternate, and how many bytes the larger one weighs with all that it loads, compressed.
func BenchmarkPages(b *testing.B) {
	const few, many = 100, 100_000
	s, srv := serveIn(b)
	likePost(b, s, "few", few)
	likePost(b, s, "many", many)
	page := func(post string) string { return srv.origin + "/posts/" + post }
	weight := 0
	body := fetched(b, page("many"), &weight)
	for _, loaded := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		fetched(b, srv.origin+loaded[1], &weight)
	}
	const rounds = 9
	var ratios []float64
	for b.Loop() {
		for range rounds {
			before, large, after := timedPages(b, page("few")), timedPages(b, page("many")), timedPages(b, page("few"))
			ratios = append(ratios, 2*large/(before+after))
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(weight), "bytes")
	b.ReportMetric(0, "ns/op")
}

// likePost publishes a post and has it liked by so many accounts, over 30 days.
func likePost(b *testing.B, s *service, post string, likes int) {
	b.Helper()
	began := time.Now().AddDate(0, 0, -30).UTC().Round(0)
	received := []domain.Received{{Engagement: domain.Engagement{Type: domain.PostPublished, PostID: post, AccountID: "author",
		Title: "A post", TimeToReadSeconds: 60, OccurredAt: began, Message: domain.Message{Source: "/pages", ID: post}}}}
	for i := range likes {
		received = append(received, domain.Received{Engagement: domain.Engagement{
			Type: domain.PostLiked, PostID: post, AccountID: fmt.Sprint("account-", i),
			OccurredAt: began.Add(time.Duration(i) * 29 * 24 * time.Hour / time.Duration(likes)),
			Message:    domain.Message{Source: "/pages", ID: fmt.Sprint(post, "/", i)},
		}})
	}
	for batch := range slices.Chunk(received, 1000) {
		for _, o := range s.ledger.Record(context.Background(), batch) {
			if o.Result != domain.Recorded {
				b.Fatalf("%+v", o)
			}
		}
	}
	head, err := s.log.Head(context.Background())
	if err == nil {
		err = s.views.Wait(context.Background(), head)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// timedPages returns what a number of requests for a page take.
func timedPages(b *testing.B, address string) float64 {
	began := time.Now()
	for range 50 {
		fetched(b, address, new(int))
	}
	return float64(time.Since(began))
}

// fetched returns an answer, and adds to weight the bytes that it had on its way, where it is compressed as browsers ask.
func fetched(b *testing.B, address string, weight *int) string {
	b.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body := countedReader{answer.Body, weight}
	text, err := decompressed(answer, body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d, %v", address, answer.StatusCode, err)
	}
	return string(text)
}

// countedReader counts what is read from it.
type countedReader struct {
	io.Reader
	n *int
}

func (r countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	*r.n += n
	return n, err
}

func decompressed(answer *http.Response, body io.Reader) ([]byte, error) {
	if answer.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(body)
	}
	unzipped, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}
