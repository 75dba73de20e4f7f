package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace begins every name.
const namespace = "tweiledger"

// The classic buckets. Native ones need no choice.
var (
	// secondsBuckets go from a cached read to the patience of a request.
	secondsBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	// countBuckets go from a single one to the largest batch.
	countBuckets = []float64{1, 10, 100, 1_000, 10_000, 100_000}
)

func counter(reg prometheus.Registerer, name, help string) prometheus.Counter {
	return promauto.With(reg).NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(reg prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	return promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(reg prometheus.Registerer, name, help string, buckets []float64) prometheus.Histogram {
	return promauto.With(reg).NewHistogram(histogramOpts(name, help, buckets))
}

func histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		// A native bucket is at most 10% wide. The bounds of their number and age bound memory.
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// since observes in seconds how long something took.
func since(h prometheus.Observer, began time.Time) { h.Observe(time.Since(began).Seconds()) }

// Handler serves what is gathered, as a scraper asks for it. A metric that cannot be collected is left out and told to
// the logger; the others are served.
func Handler(from prometheus.Gatherer, logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(from, promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
		CoalesceGather:    true,
	})
}
