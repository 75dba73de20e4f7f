package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// measured is a service in this process, with its metrics.
type measured struct {
	t testing.TB
	*service
	*server
}

func startMeasured(t testing.TB) *measured {
	t.Helper()
	s, err := openService(t.Context(), home{dir: filepath.Join(t.TempDir(), "data")}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	listener, err := listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	m := &measured{t, s, startServer(s, listener, guards{}, nil)}
	t.Cleanup(func() {
		if err := errors.Join(m.server.Close(), m.service.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// ask sends a request and returns the answer's body.
func (m *measured) ask(method, path, contentType string, body []byte) string {
	m.t.Helper()
	r, err := http.NewRequest(method, m.origin+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// traffic has each kind of outcome but a failure, and reads.
func (m *measured) traffic() {
	m.t.Helper()
	article := bytes.Join(workload.Article(), []byte("\n"))
	m.ask("POST", "/v1/events", ndjsonType, article)
	m.ask("POST", "/v1/events", ndjsonType, article)
	m.ask("POST", "/v1/events", ndjsonType, []byte("{}\n{}\n"))
	m.ask("GET", "/v1/pnl", "", nil)
	if err := m.caughtUp(m.t.Context(), console{io.Discard, io.Discard}); err != nil {
		m.t.Fatal(err)
	}
}

// scrape asks for the metrics as a scraper does, and returns the values of their series as they stand in the text.
func (m *measured) scrape() map[string]string {
	m.t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(m.ask("GET", "/metrics", "", nil)) {
		if line[0] != '#' {
			i := strings.LastIndexByte(line, ' ')
			values[line[:i]] = strings.TrimSpace(line[i+1:])
		}
	}
	return values
}

// settled scrapes once every other request was counted, which happens a moment after its answer.
func (m *measured) settled() map[string]string {
	m.t.Helper()
	for m.scrape()["tweiledger_http_requests_in_flight"] != "1" {
	}
	return m.scrape()
}

// TestMetrics scrapes a service after traffic: it counts right, and promlint finds nothing.
func TestMetrics(t *testing.T) {
	m := startMeasured(t)
	m.traffic()
	sent := len(workload.Article())
	size := m.views.Status().Size
	got := m.settled()
	for series, want := range map[string]any{
		`tweiledger_engagements_total{code="",outcome="recorded"}`:                                sent,
		`tweiledger_engagements_total{code="",outcome="duplicate"}`:                               sent,
		`tweiledger_engagements_total{code="",outcome="failed"}`:                                  0,
		`tweiledger_engagements_total{code="invalid",outcome="rejected"}`:                         2,
		`tweiledger_engagements_total{code="no_tariff",outcome="rejected"}`:                       0,
		`tweiledger_recorded_events_total{type="PostPublished"}`:                                  1,
		`tweiledger_appended_events_total`:                                                        size,
		`tweiledger_log_events`:                                                                   size,
		`tweiledger_fold_events`:                                                                  size,
		`tweiledger_fold_lag_events`:                                                              0,
		`tweiledger_fold_lag_seconds`:                                                             0,
		`tweiledger_fold_stopped`:                                                                 0,
		`tweiledger_views_caught_up`:                                                              1,
		`tweiledger_tariff_version_in_force`:                                                      1,
		`tweiledger_disk_min_free_bytes`:                                                          "1.048576e+06",
		`tweiledger_http_requests_in_flight`:                                                      1,
		`tweiledger_http_requests_total{method="POST",route="/v1/events",status="200"}`:           3,
		`tweiledger_http_request_duration_seconds_count{method="GET",route="/v1/pnl"}`:            1,
		`tweiledger_http_request_duration_seconds_bucket{method="GET",route="/v1/pnl",le="+Inf"}`: 1,
	} {
		if got[series] != fmt.Sprint(want) {
			t.Errorf("%s is %q, want %v", series, got[series], want)
		}
	}
	for _, series := range []string{"tweiledger_disk_free_bytes", "tweiledger_log_bytes", "tweiledger_views_bytes", "go_goroutines",
		"process_resident_memory_bytes", "tweiledger_fold_commit_rows_sum", "tweiledger_append_duration_seconds_count"} {
		if value := got[series]; value == "" || value == "0" {
			t.Errorf("%s is %q", series, value)
		}
	}
	problems, err := testutil.GatherAndLint(m.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestClientsMakeNoSeries sends what a hostile client would, some and then ten times as much: the second makes no
// series.
func TestClientsMakeNoSeries(t *testing.T) {
	m := startMeasured(t)
	m.traffic()
	hostile := func(from, to int) map[string]string {
		for i := from; i < to; i++ {
			m.ask("GET", fmt.Sprint("/v1/posts/p-", i), "", nil)
			m.ask("GET", fmt.Sprintf("/v1/accounts/a-%d/pnl", i), "", nil)
			m.ask("GET", fmt.Sprintf("/wp-admin/%d?x=%d", i, i), "", nil)
			m.ask(fmt.Sprint("BREW", i), "/v1/pnl", "", nil)
			m.ask("POST", "/v1/events", fmt.Sprint("text/x-", i), nil)
			m.ask("POST", "/v1/events", ndjsonType, fmt.Appendf(nil, `{"specversion":"1.0","type":"t-%d","source":"/s-%d","id":"%d"}`, i, i, i))
		}
		return m.settled()
	}
	first := hostile(0, 2)
	second := hostile(2, 22)
	for _, series := range slices.Sorted(maps.Keys(second)) {
		if _, known := first[series]; !known && strings.HasPrefix(series, "tweiledger_") {
			t.Errorf("new: %s", series)
		}
	}
	if n := second[`tweiledger_http_requests_total{method="other",route="other",status="405"}`]; n != "22" {
		t.Errorf("%s requests of strange methods are counted", n)
	}
}

// TestScrapesWhileLoaded scrapes while many record.
func TestScrapesWhileLoaded(t *testing.T) {
	m := startMeasured(t)
	ctx, stop := context.WithCancel(t.Context())
	var scraping, sending sync.WaitGroup
	scraping.Go(func() {
		for ctx.Err() == nil {
			if len(m.scrape()) == 0 {
				t.Error("no metrics")
			}
		}
	})
	const senders = 4
	for range senders {
		sending.Go(func() { m.ask("POST", "/v1/events", ndjsonType, bytes.Join(workload.Article(), []byte("\n"))) })
	}
	sending.Wait()
	stop()
	scraping.Wait()
	got := m.settled()
	n := 0
	for _, result := range []string{"recorded", "duplicate", "failed"} {
		var of int
		_, _ = fmt.Sscan(got[fmt.Sprintf(`tweiledger_engagements_total{code="",outcome=%q}`, result)], &of)
		n += of
	}
	if n+rejections(got) != senders*len(workload.Article()) {
		t.Errorf("%d outcomes and %d rejections of %d engagements", n, rejections(got), senders*len(workload.Article()))
	}
}

func rejections(values map[string]string) (n int) {
	for series, value := range values {
		if strings.Contains(series, `outcome="rejected"`) && strings.HasPrefix(series, "tweiledger_engagements_total") {
			var of int
			_, _ = fmt.Sscan(value, &of)
			n += of
		}
	}
	return n
}

// TestMetricsAreDocumented: docs/metrics.md has a row for each metric with its type, labels and help, and no other.
// Those of Go's runtime and of the process are client_golang's own.
func TestMetricsAreDocumented(t *testing.T) {
	m := startMeasured(t)
	m.traffic()
	families, err := m.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, f := range families {
		if name := f.GetName(); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			served = append(served, metricRow(f))
		}
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			documented = append(documented, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(documented, served) {
		t.Errorf("docs/metrics.md differs; its rows are to be:\n%s", strings.Join(served, "\n"))
	}
}

// metricRow returns a metric's row of the table.
func metricRow(f *dto.MetricFamily) string {
	var labels []string
	for _, l := range f.Metric[0].Label {
		labels = append(labels, "`"+l.GetName()+"`")
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
}
