package metrics_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// TestKnownSeriesBeginAtZero: what can happen has a series before it does, and nothing else has one.
func TestKnownSeriesBeginAtZero(t *testing.T) {
	w := newWorld(t)
	want := map[string]float64{}
	for _, result := range []domain.Result{domain.Recorded, domain.Duplicate, domain.Rejected, domain.Failed} {
		if result != domain.Rejected {
			want[fmt.Sprintf("engagements_total{%s}", result)] = 0
		}
		want[fmt.Sprintf("report_purchases_total{%s}", result)] = 0
		for _, request := range []string{"tariff", "reversal", "reinstatement"} {
			want[fmt.Sprintf("operator_requests_total{%s,%s}", result, request)] = 0
		}
	}
	for _, code := range domain.Codes {
		want[fmt.Sprintf("engagements_total{%s,rejected}", code)] = 0
	}
	for _, reason := range domain.Reasons {
		want[fmt.Sprintf("unmoved_events_total{%s}", reason)] = 0
	}
	for e := domain.PostPublished; e.Valid(); e++ {
		want[fmt.Sprintf("recorded_events_total{%s}", e)] = 0
	}
	got := samples(t, w.reg)
	maps.DeleteFunc(got, func(series string, _ float64) bool {
		name, _, _ := strings.Cut(series, "{")
		return !slices.Contains([]string{"engagements_total", "operator_requests_total", "report_purchases_total", "unmoved_events_total", "recorded_events_total"}, name)
	})
	if !maps.Equal(got, want) {
		t.Errorf("the series are %v\nwant %v", got, want)
	}
}

// TestOutcomesAreCounted has each outcome, a switch, a duplicate and reasons, in batches.
func TestOutcomesAreCounted(t *testing.T) {
	w := newWorld(t)
	like := w.reaction("post.liked", "p1", "u2")
	w.record([]domain.Received{
		w.publish("p1"), like, like, w.reaction("post.disliked", "p1", "u2"), w.reaction("post.liked", "p1", "u1"),
		w.reaction("post.liked", "p9", "u2"), w.reaction("post.disliked", "p1", "u2"), w.reaction("post.liked", "", "u2"),
		w.engagement("post.read", `{"post_id":"p1","account_id":"u2","seconds_read":1}`),
	}, domain.Recorded, domain.Recorded, domain.Duplicate, domain.Recorded, domain.Recorded,
		domain.Rejected, domain.Rejected, domain.Rejected, domain.Recorded)
	w.fault.Store(uint32(logtest.Unavailable))
	w.record([]domain.Received{w.reaction("post.liked", "p1", "u3"), w.reaction("post.liked", "p1", "u4")}, domain.Failed, domain.Failed)
	w.expect(map[string]float64{
		"engagements_total{recorded}": 5, "engagements_total{duplicate}": 1, "engagements_total{failed}": 2,
		"engagements_total{unknown_post,rejected}": 1, "engagements_total{already_reacted,rejected}": 1,
		"engagements_total{invalid,rejected}": 1, "engagements_total{no_tariff,rejected}": 0,
		"recorded_events_total{PostPublished}": 1, "recorded_events_total{PostLiked}": 2, "recorded_events_total{PostDisliked}": 1,
		"recorded_events_total{ReactionWithdrawn}": 1, "recorded_events_total{PostRead}": 1, "recorded_events_total{TariffPublished}": 0,
		"unmoved_events_total{self_reaction}": 1, "unmoved_events_total{too_short}": 1, "unmoved_events_total{no_row}": 0,
		"record_batch_engagements_count": 2, "record_batch_engagements_sum": 11, "record_duration_seconds_count": 2,
		// The tariff is one of them.
		"appended_events_total": 7, "append_errors_total{unavailable}": 2,
	})
}

// TestOperatorRequestsAreCounted asks for each, with success and without.
func TestOperatorRequestsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.fold()
	o := w.record([]domain.Received{w.publish("p1"), w.reaction("post.liked", "p1", "u2")}, domain.Recorded, domain.Recorded)
	w.settle()
	like := o[1].Recorded.ID
	reversal := w.ledger.Reverse(t.Context(), like, "a robot", "me")
	w.ledger.Reverse(t.Context(), like, "a robot", "me")
	w.ledger.Reverse(t.Context(), domain.EventID{}, "a robot", "me")
	w.settle()
	w.ledger.Reinstate(t.Context(), reversal.Recorded.ID, "none", "me")
	tariff := domain.DefaultTariff()
	w.ledger.PublishTariff(t.Context(), tariff, "me")
	tariff.Version, tariff.EffectiveFrom = 2, w.now().AddDate(1, 0, 0)
	w.ledger.PublishTariff(t.Context(), tariff, "me")
	w.fault.Store(uint32(logtest.Unavailable))
	tariff.Version, tariff.EffectiveFrom = 3, w.now().AddDate(2, 0, 0)
	w.ledger.PublishTariff(t.Context(), tariff, "me")
	w.expect(map[string]float64{
		"operator_requests_total{recorded,reversal}": 1, "operator_requests_total{duplicate,reversal}": 1,
		"operator_requests_total{rejected,reversal}": 1, "operator_requests_total{recorded,reinstatement}": 1,
		"operator_requests_total{duplicate,tariff}": 1, "operator_requests_total{recorded,tariff}": 1,
		"operator_requests_total{failed,tariff}": 1, "engagements_total{recorded}": 2, "engagements_total{duplicate}": 0,
		"recorded_events_total{EventReversed}": 1, "recorded_events_total{EventReinstated}": 1, "recorded_events_total{TariffPublished}": 1,
	})
}

// TestPurchasesAreCounted has each outcome.
func TestPurchasesAreCounted(t *testing.T) {
	w := newWorld(t)
	w.fold()
	w.record([]domain.Received{w.publish("p1")}, domain.Recorded)
	w.settle()
	for _, purchase := range [][3]string{{"p1", "u2", "k"}, {"p1", "u2", "k"}, {"p1", "u3", "k"}, {"p9", "u2", "k"}} {
		w.ledger.IssueReport(t.Context(), purchase[0], purchase[1], purchase[2])
	}
	w.fault.Store(uint32(logtest.Unavailable))
	w.ledger.IssueReport(t.Context(), "p1", "u4", "k")
	w.expect(map[string]float64{
		"report_purchases_total{recorded}": 2, "report_purchases_total{duplicate}": 1, "report_purchases_total{rejected}": 1,
		"report_purchases_total{failed}": 1, "recorded_events_total{PnLReportIssued}": 2, "engagements_total{recorded}": 1,
	})
}
