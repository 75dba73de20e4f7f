package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Requests counts HTTP requests. It is safe for any number of goroutines.
type Requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewRequests returns a counter in reg of requests.
func NewRequests(reg prometheus.Registerer) *Requests {
	return &Requests{
		total: counters(reg, "http_requests_total",
			"HTTP requests that have ended, by method, route and status.", "method", "route", "status"),
		duration: promauto.With(reg).NewHistogramVec(histogramOpts("http_request_duration_seconds",
			"Time from a request's headers to the end of its answer, by method and route; a stream is one request.",
			secondsBuckets), []string{"method", "route"}),
	}
}

// Observe counts a request that has ended, as httpapi.Config.Observe is told of it: method, route and status are of
// closed sets there already.
func (r *Requests) Observe(method, route string, status int, elapsed time.Duration) {
	r.total.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	r.duration.WithLabelValues(method, route).Observe(elapsed.Seconds())
}

// RegisterInFlight adds to reg how many requests are being served.
func RegisterInFlight(reg prometheus.Registerer, inFlight func() int64) {
	gauge(reg, "http_requests_in_flight", "HTTP requests that are being served.",
		func() float64 { return float64(inFlight()) })
}

// gauge adds a gauge whose value is asked for when metrics are.
func gauge(reg prometheus.Registerer, name, help string, value func() float64) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value)
}
