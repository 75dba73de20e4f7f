package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Requests counts HTTP requests. It is safe for any number of goroutines.
type Requests struct {
	routes   map[string]bool
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// Values of labels for what is in no closed set.
const (
	otherRoute  = "other"
	otherMethod = "other"
	// noStatus is for what is no status of an answer.
	noStatus = "none"
)

// methods are the values of the label: those that the API knows.
var methods = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodOptions: true}

// statusTexts are the values of the label by status.
var statusTexts = func() (texts [600]string) {
	for status := range texts {
		if texts[status] = noStatus; status >= 100 {
			texts[status] = strconv.Itoa(status)
		}
	}
	return texts
}()

// NewRequests returns a counter in reg of requests to routes, which are given by their templates; a request to any other
// is counted as "other".
func NewRequests(reg prometheus.Registerer, routes []string) *Requests {
	r := &Requests{
		routes: map[string]bool{},
		total: counters(reg, "http_requests_total",
			"HTTP requests that have ended, by method, route and status.", "method", "route", "status"),
		duration: promauto.With(reg).NewHistogramVec(histogramOpts("http_request_duration_seconds",
			"Time from a request's headers to the end of its answer, by method and route; a stream is one request.",
			secondsBuckets), []string{"method", "route"}),
	}
	for _, route := range routes {
		r.routes[route] = true
	}
	return r
}

// Observe counts a request that has ended: its method, the template of the route that served it, and its
// status.
func (r *Requests) Observe(method, route string, status int, elapsed time.Duration) {
	if !methods[method] {
		method = otherMethod
	}
	if !r.routes[route] {
		route = otherRoute
	}
	if status < 0 || status >= len(statusTexts) {
		status = 0
	}
	r.total.WithLabelValues(method, route, statusTexts[status]).Inc()
	r.duration.WithLabelValues(method, route).Observe(elapsed.Seconds())
}

// RegisterInFlight adds to reg how many requests are being served.
func RegisterInFlight(reg prometheus.Registerer, inFlight func() int64) {
	gauge(reg, "http_requests_in_flight", "HTTP requests that are being served.", func() float64 { return float64(inFlight()) })
}

// gauge adds a gauge whose value is asked for when metrics are.
func gauge(reg prometheus.Registerer, name, help string, value func() float64) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value)
}
