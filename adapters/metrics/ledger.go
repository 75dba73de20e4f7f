package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/domain"
)

// Ledger is a *domain.Ledger whose outcomes are counted. It is safe for any number of goroutines.
type Ledger struct {
	*domain.Ledger
	// By result, those of engagements but for rejections.
	recorded, duplicate, failed prometheus.Counter
	rejected                    map[domain.Code]prometheus.Counter
	// events are by type; an event's type is its index.
	events    []prometheus.Counter
	unmoved   map[domain.Reason]prometheus.Counter
	operator  *prometheus.CounterVec
	purchases *prometheus.CounterVec
	duration  prometheus.Histogram
	batchSize prometheus.Histogram
}

// The requests of operators.
const (
	requestTariff        = "tariff"
	requestReversal      = "reversal"
	requestReinstatement = "reinstatement"
)

// NewLedger returns a ledger whose outcomes are counted in reg.
func NewLedger(reg prometheus.Registerer, ledger *domain.Ledger) *Ledger {
	outcomes := counters(reg, "engagements_total",
		"Engagements by outcome, and rejected ones by code; no code where none was rejected.", "outcome", "code")
	l := &Ledger{
		Ledger:    ledger,
		recorded:  outcomes.WithLabelValues(string(domain.Recorded), ""),
		duplicate: outcomes.WithLabelValues(string(domain.Duplicate), ""),
		failed:    outcomes.WithLabelValues(string(domain.Failed), ""),
		rejected:  map[domain.Code]prometheus.Counter{},
		unmoved:   map[domain.Reason]prometheus.Counter{},
		operator: counters(reg, "operator_requests_total",
			"Tariffs, reversals and reinstatements that operators asked for, by outcome.", "request", "outcome"),
		purchases: counters(reg, "report_purchases_total", "Purchases of reports by outcome.", "outcome"),
		duration: histogram(reg, "record_duration_seconds",
			"Time to decide and append one batch of engagements.", secondsBuckets),
		batchSize: histogram(reg, "record_batch_engagements", "Engagements that were recorded together as one batch.",
			countBuckets),
	}
	for _, code := range domain.Codes {
		l.rejected[code] = outcomes.WithLabelValues(string(domain.Rejected), string(code))
	}
	events := counters(reg, "recorded_events_total", "Events that this process was told to have recorded, by type.",
		"type")
	l.events = make([]prometheus.Counter, domain.PostPublished)
	for t := domain.PostPublished; t.Valid(); t++ {
		l.events = append(l.events, events.WithLabelValues(t.String()))
	}
	unmoved := counters(reg, "unmoved_events_total", "Recorded events that moved nothing, by reason.", "reason")
	for _, reason := range domain.Reasons {
		l.unmoved[reason] = unmoved.WithLabelValues(string(reason))
	}
	for _, result := range []domain.Result{domain.Recorded, domain.Duplicate, domain.Rejected, domain.Failed} {
		for _, request := range []string{requestTariff, requestReversal, requestReinstatement} {
			l.operator.WithLabelValues(request, string(result))
		}
		l.purchases.WithLabelValues(string(result))
	}
	return l
}

// Record records engagements as *domain.Ledger does.
func (l *Ledger) Record(ctx context.Context, engagements []domain.Received) []domain.Outcome {
	began := time.Now()
	outcomes := l.Ledger.Record(ctx, engagements)
	since(l.duration, began)
	l.batchSize.Observe(float64(len(outcomes)))
	l.count(outcomes)
	return outcomes
}

// count counts a batch, the frequent ones together: counters are shared by all processors.
func (l *Ledger) count(outcomes []domain.Outcome) {
	var recorded, duplicate, failed int
	events := make([]int, len(l.events))
	for i := range outcomes {
		switch o := &outcomes[i]; o.Result {
		case domain.Recorded:
			recorded++
			for _, e := range [2]*domain.Event{o.Recorded.Event, o.Also.Event} {
				if e != nil {
					events[e.Type]++
					l.countReason(e)
				}
			}
		case domain.Duplicate:
			duplicate++
		case domain.Rejected:
			l.rejected[o.Rejection.Code].Inc()
		case domain.Failed:
			failed++
		}
	}
	l.recorded.Add(float64(recorded))
	l.duplicate.Add(float64(duplicate))
	l.failed.Add(float64(failed))
	for t, n := range events {
		if n > 0 {
			l.events[t].Add(float64(n))
		}
	}
}

func (l *Ledger) countReason(e *domain.Event) {
	if e.Reason != "" {
		l.unmoved[e.Reason].Inc()
	}
}

// PublishTariff publishes a version as *domain.Ledger does.
func (l *Ledger) PublishTariff(ctx context.Context, t domain.Tariff, by string) domain.Outcome {
	return l.countRequest(requestTariff, l.Ledger.PublishTariff(ctx, t, by))
}

// Reverse takes an event's postings back as *domain.Ledger does.
func (l *Ledger) Reverse(ctx context.Context, event domain.EventID, note, by string) domain.Outcome {
	return l.countRequest(requestReversal, l.Ledger.Reverse(ctx, event, note, by))
}

// Reinstate makes a reversal good as *domain.Ledger does.
func (l *Ledger) Reinstate(ctx context.Context, reversal domain.EventID, note, by string) domain.Outcome {
	return l.countRequest(requestReinstatement, l.Ledger.Reinstate(ctx, reversal, note, by))
}

// IssueReport sells a report as *domain.Ledger does.
func (l *Ledger) IssueReport(ctx context.Context, post, account, key string) domain.Outcome {
	o := l.Ledger.IssueReport(ctx, post, account, key)
	l.purchases.WithLabelValues(string(o.Result)).Inc()
	l.countRecorded(&o)
	return o
}

func (l *Ledger) countRequest(request string, o domain.Outcome) domain.Outcome {
	l.operator.WithLabelValues(request, string(o.Result)).Inc()
	l.countRecorded(&o)
	return o
}

// countRecorded counts the event of an outcome that has no other.
func (l *Ledger) countRecorded(o *domain.Outcome) {
	if o.Result == domain.Recorded {
		l.events[o.Recorded.Type].Inc()
		l.countReason(o.Recorded.Event)
	}
}
