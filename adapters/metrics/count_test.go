package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/domain"
)

// TestCountingAllocatesByBatch: counting takes as many allocations for many outcomes as for one.
func TestCountingAllocatesByBatch(t *testing.T) {
	l := NewLedger(prometheus.NewRegistry(), nil)
	var outcomes []domain.Outcome
	for i := range 1_000 {
		o := domain.Outcome{Result: domain.Recorded}
		switch i % 4 {
		case 0:
			o.Recorded.Event = &domain.Event{Type: domain.PostRead, Reason: domain.ReasonTooShort}
		case 1:
			o.Recorded.Event, o.Also.Event = &domain.Event{Type: domain.PostLiked}, &domain.Event{Type: domain.ReactionWithdrawn}
		case 2:
			o = domain.Outcome{Result: domain.Rejected, Rejection: &domain.Rejection{Code: domain.CodeInvalid}}
		case 3:
			o = domain.Outcome{Result: domain.Duplicate}
		}
		outcomes = append(outcomes, o)
	}
	one := testing.AllocsPerRun(100, func() { l.count(outcomes[:1]) })
	many := testing.AllocsPerRun(100, func() { l.count(outcomes) })
	if one != many || many > 1 {
		t.Errorf("%g allocations for one outcome, %g for 1,000", one, many)
	}
}
