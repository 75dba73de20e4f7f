package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/adapters/metrics"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// refusing is a log that answers every append with an error.
type refusing struct {
	domain.EventLog
	err error
}

func (r refusing) Append(_ context.Context, appends []domain.Append) []domain.Appended {
	answers := make([]domain.Appended, len(appends))
	for i := range answers {
		answers[i].Err = r.err
	}
	return answers
}

// TestAppendErrors has a row for each sentinel that an append may come with.
func TestAppendErrors(t *testing.T) {
	for kind, err := range map[string]error{
		"revision_conflict": &domain.RevisionConflictError{},
		"message_taken":     &domain.MessageTakenError{},
		"too_large":         domain.ErrAppendTooLarge,
		"unavailable":       domain.ErrUnavailable,
		"outcome_unknown":   domain.ErrOutcomeUnknown,
		"closed":            domain.ErrClosed,
		"other":             errors.New("something else"),
	} {
		reg := prometheus.NewRegistry()
		log := metrics.NewLog(reg, refusing{err: fmt.Errorf("wrapped: %w", err)})
		answers := log.Append(t.Context(), make([]domain.Append, 2))
		if len(answers) != 2 || !errors.Is(answers[1].Err, err) {
			t.Errorf("%s: the answers are %v", kind, answers)
		}
		got := samples(t, reg)
		if got["append_errors_total{"+kind+"}"] != 2 || got["appended_events_total"] != 0 || got["append_duration_seconds_count"] != 1 {
			t.Errorf("%s: %v", kind, got)
		}
		delete(got, "append_errors_total{"+kind+"}")
		for series, value := range got {
			if strings.HasPrefix(series, "append_errors") && value != 0 {
				t.Errorf("%s: %s is %g", kind, series, value)
			}
		}
	}
}

// failing is a store whose commits fail.
type failing struct {
	projections.Store
	err error
}

func (f failing) Commit([]projections.Row) error { return f.err }

// failingGenerations make such stores.
type failingGenerations struct {
	projections.Generations
	err error
}

func (f failingGenerations) Create() (projections.Store, error) { return failing{err: f.err}, nil }

func TestCommitErrors(t *testing.T) {
	for kind, err := range map[string]error{
		"paused": projections.ErrPaused, "damaged": projections.ErrDamaged, "other": errors.New("something else"), "": nil,
	} {
		reg := prometheus.NewRegistry()
		store, refused := metrics.NewGenerations(reg, failingGenerations{err: err}).Create()
		if refused != nil {
			t.Fatal(refused)
		}
		if got := store.Commit(make([]projections.Row, 3)); !errors.Is(got, err) {
			t.Errorf("%s: %v", kind, got)
		}
		got := samples(t, reg)
		var failed, committed float64
		if committed = 1; err != nil {
			failed, committed = got["fold_commit_errors_total{"+kind+"}"], 0
			if failed != 1 {
				t.Errorf("%s is counted %g times", kind, failed)
			}
		}
		if got["fold_commit_duration_seconds_count"] != committed || got["fold_commit_rows_sum"] != 3*committed {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

// TestViews: how far the fold is, in events and in time, while it is held up and when it has caught up.
func TestViews(t *testing.T) {
	w := newWorld(t)
	scraped := w.now()
	metrics.RegisterViews(w.reg, metrics.Views{
		Views: w.views, Clock: func() time.Time { return scraped }, LogSize: w.size, Writable: takesAppends,
	})
	w.expect(map[string]float64{
		"log_events": 1, "fold_events": 0, "fold_lag_events": 1, "fold_lag_seconds": 0, "views_caught_up": 0,
	})
	w.fold()
	w.record([]domain.Received{w.publish("p1")}, domain.Recorded)
	w.settle()
	w.expect(map[string]float64{
		"log_events": 2, "fold_events": 2, "fold_lag_events": 0, "fold_lag_seconds": 0,
		"fold_stopped": 0, "fold_waiting": 0, "views_caught_up": 1, "views_rebuilding": 0, "fold_commit_errors_total{paused}": 0,
	})

	// A quiet night is no lag.
	morning := w.now().Add(8 * time.Hour)
	w.clock.Store(&morning)
	scraped = morning
	w.paused.Store(true)
	w.record([]domain.Received{w.publish("p2")}, domain.Recorded)
	later := morning.Add(time.Minute)
	w.clock.Store(&later)
	w.record([]domain.Received{w.publish("p3")}, domain.Recorded)
	<-w.refused
	<-w.refused // the first refusal was noted before the second try
	scraped = scraped.Add(90 * time.Second)
	w.expect(map[string]float64{
		"log_events": 4, "fold_events": 2, "fold_lag_events": 2, "fold_lag_seconds": 90,
		"fold_stopped": 0, "fold_waiting": 1, "views_caught_up": 1,
	})
	w.paused.Store(false)
	w.settle()
	w.expect(map[string]float64{
		"log_events": 4, "fold_events": 4, "fold_lag_events": 0, "fold_lag_seconds": 0, "fold_waiting": 0,
	})

	unknown := domain.Append{Stream: "praise-p1", Expected: domain.NoStream, Message: domain.Message{Source: "/newer", ID: "1"},
		Events: []domain.EncodedEvent{{Canonical: []byte(`{"recorded_at":"2026-01-29T20:00:30Z","type":"PostPraised"}`)}}}
	answer := w.log.Append(t.Context(), []domain.Append{unknown})[0]
	if err := w.views.Wait(t.Context(), answer.Positions[0]); !errors.Is(err, domain.ErrUnsupported) {
		t.Fatalf("the fold goes on: %v", err)
	}
	w.expect(map[string]float64{
		"log_events": 5, "fold_events": 4, "fold_lag_events": 1, "fold_lag_seconds": 60, "fold_stopped": 1,
	})
}

// TestWritable: whether the log takes appends is asked anew each time.
func TestWritable(t *testing.T) {
	w := newWorld(t)
	var why error
	metrics.RegisterViews(w.reg, metrics.Views{Views: w.views, Clock: w.now, Writable: func() error { return why }})
	w.expect(map[string]float64{"log_writable": 1})
	why = domain.ErrUnavailable
	w.expect(map[string]float64{"log_writable": 0})
}

// TestLogThatTellsItsSize: the log is larger than what was read of it, unless it does not answer.
func TestLogThatTellsItsSize(t *testing.T) {
	w := newWorld(t)
	size, away := uint64(2_000_000), error(nil)
	metrics.RegisterViews(w.reg, metrics.Views{Views: w.views, Clock: w.now, Writable: takesAppends,
		LogSize: func(context.Context) (uint64, error) { return size, away }})
	w.expect(map[string]float64{"log_events": 2e6, "fold_lag_events": 2e6, "fold_lag_seconds": 0})
	w.fold()
	w.settle()
	w.expect(map[string]float64{"log_events": 2e6, "fold_events": 1, "fold_lag_events": 2e6 - 1})
	size = 0
	w.expect(map[string]float64{"log_events": 1, "fold_lag_events": 0})
	size, away = 2_000_000, domain.ErrUnavailable
	w.expect(map[string]float64{"log_events": 1, "fold_lag_events": 0})
}

// TestRebuilding: views of another log are built anew.
func TestRebuilding(t *testing.T) {
	w := newWorld(t)
	stop := w.fold()
	w.record([]domain.Received{w.publish("p9")}, domain.Recorded)
	w.settle()
	stop()
	other := newWorld(t)
	other.record([]domain.Received{other.publish("p1")}, domain.Recorded)
	views, err := projections.Open(t.Context(), w.stores, other.log)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	metrics.RegisterViews(reg, metrics.Views{Views: views, Clock: time.Now, Writable: takesAppends})
	if got := samples(t, reg); got["views_rebuilding"] != 1 || got["views_caught_up"] != 0 {
		t.Errorf("before it: %v", got)
	}
	other.views = views
	other.fold()
	other.settle()
	if got := samples(t, reg); got["views_rebuilding"] != 0 || got["views_caught_up"] != 1 {
		t.Errorf("after it: %v", got)
	}
}

func TestTariffs(t *testing.T) {
	w := newWorld(t)
	now := w.now()
	metrics.RegisterTariffs(w.reg, w.ledger.Ledger, func() time.Time { return now })
	w.expect(map[string]float64{"tariff_versions": 1, "tariff_version_in_force": 1})
	two := domain.DefaultTariff()
	two.Version, two.EffectiveFrom = 2, now.Add(time.Hour)
	if o := w.ledger.PublishTariff(t.Context(), two, "me"); o.Result != domain.Recorded {
		t.Fatal(o)
	}
	w.expect(map[string]float64{"tariff_versions": 2, "tariff_version_in_force": 1})
	now = now.Add(time.Hour)
	w.expect(map[string]float64{"tariff_versions": 2, "tariff_version_in_force": 2})
}

// TestWhatCannotBeAskedIsLeftOut: the other metrics are served, and why is logged.
func TestWhatCannotBeAskedIsLeftOut(t *testing.T) {
	reg := prometheus.NewRegistry()
	size := func(n uint64) func() (uint64, error) { return func() (uint64, error) { return n, nil } }
	metrics.RegisterDisk(reg, metrics.Disk{
		Free: func() (uint64, error) { return 0, errors.New("no answer") }, MinFree: 512, Log: size(10), Views: size(20),
	})
	var logged strings.Builder
	w := httptest.NewRecorder()
	metrics.Handler(reg, slog.New(slog.NewTextHandler(&logged, nil))).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	for _, want := range []string{"tweiledger_disk_min_free_bytes 512\n", "tweiledger_log_bytes 10\n", "tweiledger_views_bytes 20\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(string(text), "disk_free_bytes") || !strings.Contains(logged.String(), "no answer") {
		t.Errorf("the free space is told: %s\nlogged: %s", text, logged.String())
	}
}
