package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/domain"
)

// Log is a domain.EventLog whose appends are measured.
type Log struct {
	domain.EventLog
	duration      prometheus.Histogram
	events, bytes prometheus.Counter
	errors        errorCounters
}

// appendErrors are the errors of an append by kind.
var appendErrors = []errorKind{
	{"revision_conflict", domain.ErrRevisionConflict},
	{"message_taken", domain.ErrMessageTaken},
	{"too_large", domain.ErrAppendTooLarge},
	{"unavailable", domain.ErrUnavailable},
	{"outcome_unknown", domain.ErrOutcomeUnknown},
	{"closed", domain.ErrClosed},
}

// NewLog returns a log whose appends are measured in reg.
func NewLog(reg prometheus.Registerer, log domain.EventLog) *Log {
	return &Log{
		EventLog: log,
		duration: histogram(reg, "append_duration_seconds",
			"Time until the log answered the appends of one call, which are durable then.", secondsBuckets),
		events: counter(reg, "appended_events_total", "Events that the log answered to be durable."),
		bytes:  counter(reg, "appended_bytes_total", "Bytes of the lines of events that the log answered to be durable."),
		errors: countErrors(reg, "append_errors_total",
			"Appends that the log refused, by kind; most lost a race and are decided again.", appendErrors),
	}
}

// Append appends as the log does.
func (l *Log) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	began := time.Now()
	answers := l.EventLog.Append(ctx, appends)
	since(l.duration, began)
	var events, bytes int
	for i := range answers {
		if err := answers[i].Err; err != nil {
			l.errors.count(err)
			continue
		}
		events += len(appends[i].Events)
		for k := range appends[i].Events {
			bytes += len(appends[i].Events[k].Canonical)
		}
	}
	l.events.Add(float64(events))
	l.bytes.Add(float64(bytes))
	return answers
}

// errorKind is an error with the value of its label.
type errorKind struct {
	kind string
	is   error
}

// otherKind is the label of an error that no kind is of.
const otherKind = "other"

// errorCounters count errors by kind.
type errorCounters struct {
	kinds    []errorKind
	counters *prometheus.CounterVec
}

func countErrors(reg prometheus.Registerer, name, help string, kinds []errorKind) errorCounters {
	c := errorCounters{kinds, counters(reg, name, help, "kind")}
	c.counters.WithLabelValues(otherKind)
	for _, k := range kinds {
		c.counters.WithLabelValues(k.kind)
	}
	return c
}

// count counts an error under the first kind that it is.
func (c errorCounters) count(err error) {
	kind := otherKind
	for _, k := range c.kinds {
		if errors.Is(err, k.is) {
			kind = k.kind
			break
		}
	}
	c.counters.WithLabelValues(kind).Inc()
}
