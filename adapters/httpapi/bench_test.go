package httpapi

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// BenchmarkReads compares a statement with a handler behind the same router and middleware that writes as many bytes.
func BenchmarkReads(b *testing.B) {
	w := openWorld(b)
	for i := range 1_000 {
		post := fmt.Sprint("p-", i)
		w.ledger.Record(b.Context(), []domain.Received{
			domain.ParseEngagement([]byte(event("post.published", post, fmt.Sprintf(`{"post_id":%q,"account_id":"u1","title":"T","time_to_read_seconds":60}`, post)))),
			domain.ParseEngagement([]byte(liked("like-"+post, post, "u2"))),
		})
	}
	w.settle()
	body := w.get("/v1/posts/p-1/pnl").body
	w.api.Router().HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = typeJSON
		_, _ = w.Write(body)
	})
	for _, bench := range []struct {
		name string
		path func(i int) string
	}{
		{"statement", func(i int) string { return fmt.Sprintf("/v1/posts/p-%d/pnl", i%1_000) }},
		{"plain", func(int) string { return "/plain" }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
			defer client.CloseIdleConnections()
			b.SetParallelism(8)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					res, err := client.Get(w.server.URL + bench.path(i))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		})
	}
}

// BenchmarkGuards compares, in process, a statement that is asked for openly with one that a token of 100 asks for, and
// with one that is told to the log too.
func BenchmarkGuards(b *testing.B) {
	set := "tokens:\n"
	var secret string
	for i := range 100 {
		var line string
		var err error
		if secret, line, err = NewToken(fmt.Sprint("t", i), []string{roleRead}); err != nil {
			b.Fatal(err)
		}
		set += line + "\n"
	}
	file := filepath.Join(b.TempDir(), "tokens.yaml")
	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		b.Fatal(err)
	}
	tokens, err := OpenTokens(file, discarded())
	if err != nil {
		b.Fatal(err)
	}
	written := slog.New(slog.NewTextHandler(io.Discard, nil))
	for _, bench := range []struct {
		name   string
		tokens *Tokens
		logger *slog.Logger
	}{{"open", nil, discarded()}, {"token", tokens, discarded()}, {"logged", tokens, written}} {
		b.Run(bench.name, func(b *testing.B) {
			w := openWorld(b, func(c *Config) { c.Tokens, c.Logger = bench.tokens, bench.logger })
			w.ledger.Record(b.Context(), []domain.Received{domain.ParseEngagement(
				[]byte(event("post.published", "p-1", `{"post_id":"p-1","account_id":"u1","title":"T","time_to_read_seconds":60}`)))})
			w.settle()
			r := httptest.NewRequest("GET", "/v1/posts/p-1/pnl", nil)
			r.Header.Set("Authorization", "Bearer "+secret)
			b.ReportAllocs()
			for b.Loop() {
				answer := httptest.NewRecorder()
				w.api.ServeHTTP(answer, r)
				if answer.Code != http.StatusOK {
					b.Fatal(answer.Code, answer.Body)
				}
			}
		})
	}
}
