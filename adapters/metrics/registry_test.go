package metrics_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tweiledger/tweiledger/adapters/metrics"
	"github.com/tweiledger/tweiledger/domain"
)

// newWholeWorld is a world with every metric that there is.
func newWholeWorld(t *testing.T) (*world, *metrics.Requests) {
	w := newWorld(t)
	size := func() (uint64, error) { return 1, nil }
	requests := metrics.NewRequests(w.reg)
	metrics.RegisterInFlight(w.reg, func() int64 { return 0 })
	metrics.RegisterViews(w.reg, metrics.Views{Views: w.views, Clock: time.Now, Writable: takesAppends})
	metrics.RegisterTariffs(w.reg, w.ledger.Ledger, time.Now)
	metrics.RegisterDisk(w.reg, metrics.Disk{Free: size, Log: size, Views: size})
	metrics.RegisterProcess(w.reg, "v1.2.3", "0123abc")
	return w, requests
}

// TestNamesFollowTheRules: promlint finds nothing, and every name has the prefix or is of Go's runtime or the process.
func TestNamesFollowTheRules(t *testing.T) {
	w, requests := newWholeWorld(t)
	requests.Observe("GET", "/v1/events", 200, time.Second)
	problems, err := testutil.GatherAndLint(w.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	built := false
	for _, f := range families {
		name := f.GetName()
		if !strings.HasPrefix(name, "tweiledger_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("the name %s", name)
		}
		if name == "tweiledger_build_info" {
			built = labels(f.Metric[0]) == fmt.Sprintf("{0123abc,%s,v1.2.3}", runtime.Version()) && f.Metric[0].Gauge.GetValue() == 1
		}
	}
	if !built {
		t.Error("the build is not told")
	}
}

// TestHistogramsAreOfBothKinds: each has native and classic buckets.
func TestHistogramsAreOfBothKinds(t *testing.T) {
	w, requests := newWholeWorld(t)
	requests.Observe("GET", "/v1/events", 200, time.Second)
	w.fold()
	w.record([]domain.Received{w.publish("p1")}, domain.Recorded)
	w.settle()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		for _, m := range f.Metric {
			if h := m.Histogram; h != nil && strings.HasPrefix(f.GetName(), "tweiledger_") {
				found++
				if h.Schema == nil || len(h.PositiveSpan) == 0 || len(h.Bucket) == 0 || math.IsInf(h.Bucket[len(h.Bucket)-1].GetUpperBound(), 1) {
					t.Errorf("%s: %v", f.GetName(), h)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d histograms", found)
	}
}

// TestScrapesUnderLoad gathers while engagements are recorded, folded and answered. The numbers add up in the end.
func TestScrapesUnderLoad(t *testing.T) {
	w, requests := newWholeWorld(t)
	w.fold()
	const writers, each = 4, 25
	done := make(chan struct{})
	var scraping, writing sync.WaitGroup
	scraping.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := w.reg.Gather(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range writers {
		writing.Go(func() {
			for i := range each {
				post := fmt.Sprintf("p-%d-%d", n, i)
				w.ledger.Record(t.Context(), []domain.Received{engagement("post.published", post,
					fmt.Sprintf(`{"post_id":%q,"account_id":"u1","title":"T","time_to_read_seconds":60}`, post))})
				requests.Observe("POST", "/v1/events", 201, time.Millisecond)
			}
		})
	}
	writing.Wait()
	close(done)
	scraping.Wait()
	w.settle()
	w.expect(map[string]float64{
		"engagements_total{recorded}": writers * each, "appended_events_total": writers*each + 1,
		"http_requests_total{POST,/v1/events,201}": writers * each,
		"fold_events": writers*each + 1, "fold_lag_events": 0, "log_events": writers*each + 1,
	})
}

// TestWiringTwiceIsRefused: two of the same in one registry would be one metric that counts both.
func TestWiringTwiceIsRefused(t *testing.T) {
	reg := prometheus.NewRegistry()
	metrics.NewLog(reg, refusing{})
	defer func() {
		if recover() == nil {
			t.Error("a second one was taken")
		}
	}()
	metrics.NewLog(reg, refusing{})
}
