package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// readingPatience bounds what one scrape waits for the log or a file system.
const readingPatience = 2 * time.Second

// measure is a gauge of what is read at once for several: T.
type measure[T any] struct {
	name, help string
	// value is the gauge's value. With an error the gauge is left out and the others are served.
	value func(T) (float64, error)
}

// readings is a collector of the measures of one reading.
type readings[T any] struct {
	read     func(ctx context.Context) T
	measures []measure[T]
	descs    []*prometheus.Desc
}

// registerReadings adds measures to reg, which are read together whenever metrics are asked for.
func registerReadings[T any](reg prometheus.Registerer, read func(ctx context.Context) T, measures []measure[T]) {
	r := &readings[T]{read: read, measures: measures}
	for _, m := range measures {
		r.descs = append(r.descs, prometheus.NewDesc(prometheus.BuildFQName(namespace, "", m.name), m.help, nil, nil))
	}
	reg.MustRegister(r)
}

// Describe implements prometheus.Collector.
func (r *readings[T]) Describe(to chan<- *prometheus.Desc) {
	for _, d := range r.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (r *readings[T]) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readingPatience)
	defer cancel()
	reading := r.read(ctx)
	for i, m := range r.measures {
		value, err := m.value(reading)
		if err != nil {
			to <- prometheus.NewInvalidMetric(r.descs[i], err)
			continue
		}
		to <- prometheus.MustNewConstMetric(r.descs[i], prometheus.GaugeValue, value)
	}
}

// sure is the value of a measure that cannot fail.
func sure[T any](value func(T) float64) func(T) (float64, error) {
	return func(of T) (float64, error) { return value(of), nil }
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
