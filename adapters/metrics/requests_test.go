package metrics_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/adapters/metrics"
)

func TestRequests(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := metrics.NewRequests(reg, []string{"/v1/events", "/v1/posts/{post}"})
	inFlight := int64(3)
	metrics.RegisterInFlight(reg, func() int64 { return inFlight })
	r.Observe("POST", "/v1/events", 201, time.Second)
	r.Observe("POST", "/v1/events", 201, time.Second)
	r.Observe("POST", "/v1/events", 409, 0)
	r.Observe("HEAD", "/v1/posts/{post}", 200, 0)
	r.Observe("GET", "", 404, 0)
	r.Observe("GET", "/v1/events", 0, 0)
	want := map[string]float64{
		"http_requests_total{POST,/v1/events,201}": 2, "http_requests_total{POST,/v1/events,409}": 1,
		"http_requests_total{HEAD,/v1/posts/{post},200}": 1, "http_requests_total{GET,other,404}": 1,
		"http_requests_total{GET,/v1/events,none}":                   1,
		"http_request_duration_seconds_count{POST,/v1/events}":       3,
		"http_request_duration_seconds_sum{POST,/v1/events}":         2,
		"http_request_duration_seconds_count{HEAD,/v1/posts/{post}}": 1, "http_request_duration_seconds_sum{HEAD,/v1/posts/{post}}": 0,
		"http_request_duration_seconds_count{GET,other}": 1, "http_request_duration_seconds_sum{GET,other}": 0,
		"http_request_duration_seconds_count{GET,/v1/events}": 1, "http_request_duration_seconds_sum{GET,/v1/events}": 0,
		"http_requests_in_flight": 3,
	}
	if got := samples(t, reg); !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}

// TestHostileRequestsMakeNoSeries: whatever a client sends falls into a few series.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := metrics.NewRequests(reg, []string{"/v1/events"})
	for i := range 1_000 {
		r.Observe(fmt.Sprint("METHOD", i), fmt.Sprint("/path/", i), 404, 0)
		r.Observe(fmt.Sprint("method", i), "/v1/events", -i, 0)
		r.Observe("GET", fmt.Sprint("/v1/events/", i), 600+i, 0)
	}
	got := samples(t, reg)
	want := map[string]float64{
		"http_requests_total{other,other,404}": 1_000, "http_requests_total{other,/v1/events,none}": 1_000, "http_requests_total{GET,other,none}": 1_000,
	}
	for series, value := range want {
		if got[series] != value {
			t.Errorf("%s is %g", series, got[series])
		}
	}
	if len(got) != 3*len(want) {
		t.Errorf("%d series: %v", len(got), got)
	}
}
