package metrics_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/metrics"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a ledger, its log and its views, all measured in one registry.
type world struct {
	t      testing.TB
	reg    *prometheus.Registry
	log    *logtest.Memory
	stores *pebbleviews.Generations
	views  *projections.Views
	ledger *metrics.Ledger
	// fault is what goes wrong with every append.
	fault atomic.Uint32
	// paused: the views' store takes no writes; each refusal is sent on refused.
	paused  atomic.Bool
	refused chan struct{}
	// clock is what the ledger goes by.
	clock atomic.Pointer[time.Time]
	sent  int
}

// takesAppends is a log's Writable.
func takesAppends() error { return nil }

// pausable is a store that can be out of space.
type pausable struct {
	projections.Store
	w *world
}

func (p pausable) Commit(rows []projections.Row) error {
	if p.w.paused.Load() {
		select {
		case p.w.refused <- struct{}{}:
		default:
		}
		return projections.ErrPaused
	}
	return p.Store.Commit(rows)
}

// pausables make such stores.
type pausables struct {
	projections.Generations
	w *world
}

func (p pausables) Create() (projections.Store, error) {
	store, err := p.Generations.Create()
	return pausable{store, p.w}, err
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, reg: prometheus.NewRegistry(), refused: make(chan struct{}, 10)}
	now := time.Date(2026, 1, 29, 12, 0, 0, 0, time.UTC)
	w.clock.Store(&now)
	w.log = logtest.NewMemory(logtest.MemoryOptions{T: t, Fault: func(domain.Append) logtest.Fault { return logtest.Fault(w.fault.Load()) }})
	var err error
	if w.stores, err = pebbleviews.Open("views", pebbleviews.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stores.Close() })
	if w.views, err = projections.Open(t.Context(), metrics.NewGenerations(w.reg, pausables{w.stores, w}), w.log); err != nil {
		t.Fatal(err)
	}
	ledger := domain.NewLedger(domain.Config{
		Log: metrics.NewLog(w.reg, w.log), Clock: w.now, Messages: w.log, Events: w.views, Statements: w.views,
	})
	if err := ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.ledger = metrics.NewLedger(w.reg, ledger)
	return w
}

func (w *world) now() time.Time { return *w.clock.Load() }

// size returns how many events the log has.
func (w *world) size(context.Context) (uint64, error) { return uint64(w.log.Len()), nil }

// fold lets the views follow the log until stop is called or the test ends.
func (w *world) fold() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.views.Run(ctx)
	}()
	stop = func() { cancel(); <-ended }
	w.t.Cleanup(stop)
	return stop
}

// settle waits until the views hold the log.
func (w *world) settle() {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	if err == nil {
		err = w.views.Wait(w.t.Context(), head)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// record records engagements in one batch, each of which must come to its result.
func (w *world) record(engagements []domain.Received, results ...domain.Result) (outcomes []domain.Outcome) {
	w.t.Helper()
	outcomes = w.ledger.Record(w.t.Context(), engagements)
	for i, o := range outcomes {
		if o.Result != results[i] {
			w.t.Fatalf("engagement %d is %s: %v %s", i, o.Result, o.Rejection, o.Detail)
		}
	}
	return outcomes
}

// engagement returns one with an id of its own.
func (w *world) engagement(kind, data string) domain.Received {
	w.sent++
	return engagement(kind, fmt.Sprint("e-", w.sent), data)
}

func engagement(kind, id, data string) domain.Received {
	return domain.ParseEngagement(fmt.Appendf(nil, `{"specversion":"1.0","type":"tweiledger.%s.v1","source":"/web","id":%q,`+
		`"time":"2026-01-29T11:00:00Z","data":%s}`, kind, id, data))
}

func (w *world) publish(post string) domain.Received {
	return w.engagement("post.published", fmt.Sprintf(`{"post_id":%q,"account_id":"u1","title":"T","time_to_read_seconds":60}`, post))
}

func (w *world) reaction(kind, post, account string) domain.Received {
	return w.engagement(kind, fmt.Sprintf(`{"post_id":%q,"account_id":%q}`, post, account))
}

// samples are the values of all series: of a histogram, the number and the sum of what was observed.
func samples(t testing.TB, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "tweiledger_")
		for _, m := range f.Metric {
			series := labels(m)
			switch {
			case m.Counter != nil:
				values[name+series] = m.Counter.GetValue()
			case m.Gauge != nil:
				values[name+series] = m.Gauge.GetValue()
			case m.Histogram != nil:
				values[name+"_count"+series] = float64(m.Histogram.GetSampleCount())
				values[name+"_sum"+series] = m.Histogram.GetSampleSum()
			}
		}
	}
	return values
}

// labels returns the values of a series' labels that are not empty: {a,b}.
func labels(m *dto.Metric) string {
	var values []string
	for _, l := range m.Label {
		if l.GetValue() != "" {
			values = append(values, l.GetValue())
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "{" + strings.Join(values, ",") + "}"
}

// expect fails the test where a series has another value, or is not there.
func (w *world) expect(want map[string]float64) {
	w.t.Helper()
	got := samples(w.t, w.reg)
	for series, value := range want {
		if v, ok := got[series]; !ok || v != value {
			w.t.Errorf("%s is %g (there: %t), want %g", series, v, ok, value)
		}
	}
}
