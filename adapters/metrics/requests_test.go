package metrics_test

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/adapters/metrics"
)

func TestRequests(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := metrics.NewRequests(reg)
	inFlight := int64(3)
	metrics.RegisterInFlight(reg, func() int64 { return inFlight })
	r.Observe("POST", "/v1/events", 201, time.Second)
	r.Observe("POST", "/v1/events", 201, time.Second)
	r.Observe("POST", "/v1/events", 409, 0)
	r.Observe("HEAD", "/v1/posts/{post}", 200, 0)
	r.Observe("GET", "other", 404, 0)
	r.Observe("GET", "/v1/events", 499, 0)
	want := map[string]float64{
		"http_requests_total{POST,/v1/events,201}": 2, "http_requests_total{POST,/v1/events,409}": 1,
		"http_requests_total{HEAD,/v1/posts/{post},200}": 1, "http_requests_total{GET,other,404}": 1,
		"http_requests_total{GET,/v1/events,499}":                    1,
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
