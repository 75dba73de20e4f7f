package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// Views is what is asked about the log and the views that follow it.
type Views struct {
	Views *projections.Views
	// LogSize tells how many events the log has. Nil for a log that cannot tell: then those count that were read from it.
	LogSize func(context.Context) (uint64, error)
	// Writable says why the log takes no appends now, nil if it does.
	Writable func() error
	Clock    func() time.Time
}

// RegisterViews adds to reg how far the views have followed the log.
func RegisterViews(reg prometheus.Registerer, v Views) { registerReadings(reg, v.read, viewMeasures) }

// RegisterWritable adds to reg whether the log takes appends, and nothing else of it: for a service that cannot open its
// views yet.
func RegisterWritable(reg prometheus.Registerer, writable func() error) {
	read := func(context.Context) viewsReading { return viewsReading{notWritable: writable()} }
	registerReadings(reg, read, []measure[viewsReading]{logWritable})
}

// viewsReading is the views and the log at one moment.
type viewsReading struct {
	projections.Status
	// size is the log's, unfolded the rest of it behind the views.
	size, unfolded uint64
	// age is how long ago the first event that is not folded was recorded, 0 where there is none.
	age    time.Duration
	ageErr error
	// notWritable is why the log takes no appends.
	notWritable error
}

func (v Views) read(ctx context.Context) (r viewsReading) {
	r.Status, r.notWritable = v.Views.Status(), v.Writable()
	r.size = r.Read
	if v.LogSize != nil {
		// Of a log that is away the events that were read are known.
		if size, err := v.LogSize(ctx); err == nil {
			r.size = max(size, r.size)
		}
	}
	r.unfolded = r.size - r.Size
	// A log that does not tell its size is asked whether there is more.
	if r.unfolded > 0 || v.LogSize == nil {
		r.age, r.ageErr = v.age(ctx)
	}
	if r.age > 0 {
		r.unfolded = max(r.unfolded, 1)
	}
	return r
}

// age returns how long ago the first event that is not folded was recorded; 0 where all are.
func (v Views) age(ctx context.Context) (time.Duration, error) {
	recorded, err := v.Views.Unfolded(ctx)
	if errors.Is(err, domain.ErrUnavailable) {
		return 0, nil // of a log that is away nothing is known: fold_waiting says so
	}
	if err != nil || recorded.IsZero() {
		return 0, err
	}
	// Clocks of several machines may differ.
	return max(0, v.Clock().Sub(recorded)), nil
}

var logWritable = measure[viewsReading]{
	"log_writable", "1 where the log takes appends, 0 where there is too little space or a store is away.",
	sure(func(r viewsReading) float64 { return truth(r.notWritable == nil) }),
}

var viewMeasures = []measure[viewsReading]{
	{"log_events", "Events in the log: its size.",
		sure(func(r viewsReading) float64 { return float64(r.size) })},
	logWritable,
	{"fold_events", "Events folded into the views: their size.",
		sure(func(r viewsReading) float64 { return float64(r.Size) })},
	{"fold_lag_events", "Events in the log that are not folded.",
		sure(func(r viewsReading) float64 { return float64(r.unfolded) })},
	{"fold_lag_seconds", "Time since the first event that is not folded was recorded, 0 where all are folded.",
		func(r viewsReading) (float64, error) { return r.age.Seconds(), r.ageErr }},
	{"fold_stopped", "1 where the fold has stopped for good, as at an event that cannot be folded, else 0.",
		sure(func(r viewsReading) float64 { return truth(r.Err != nil) })},
	{"fold_waiting", "1 where the fold waits for space or for the log, else 0.",
		sure(func(r viewsReading) float64 { return truth(r.Waiting != nil) })},
	{"views_caught_up", "1 where the views have gone as far as the log did when the fold began, else 0.",
		sure(func(r viewsReading) float64 { return truth(r.CaughtUp) })},
	{"views_rebuilding", "1 while the views are built anew from the whole log, else 0.",
		sure(func(r viewsReading) float64 { return truth(r.Rebuild != nil || r.Rebuilt != "" && !r.CaughtUp) })},
	{"views_rebuilt_events",
		"Events folded into the views that are built beside the serving ones; 0 where there are none.",
		sure(func(r viewsReading) float64 {
			if r.Rebuild == nil {
				return 0
			}
			return float64(r.Rebuild.Size)
		})},
}
