package workload

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// tally is what became of a workload.
type tally struct {
	log *logtest.Memory
	// results counts by result, rejections by code instead.
	results map[string]int
	// reasons counts recorded events that moved nothing.
	reasons map[domain.Reason]int
	// switches counts recorded engagements with a withdrawal beside them.
	switches int
	// types counts what was recorded, without those withdrawals.
	types map[domain.EventType]int
}

// record sends lines through a Ledger over an empty log, in batches as the API does, and checks the whole log.
func record(t *testing.T, lines iter.Seq[[]byte]) *tally {
	t.Helper()
	log := logtest.NewMemory(logtest.MemoryOptions{T: t, BatchEvents: 1_000})
	// All workloads are of before this.
	now := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	ledger := domain.NewLedger(domain.Config{Log: log, Clock: func() time.Time { return now }, Messages: log})
	if err := ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	c := &tally{log: log, results: map[string]int{}, reasons: map[domain.Reason]int{}, types: map[domain.EventType]int{}}
	for batch := range slices.Chunk(slices.Collect(lines), 1_000) {
		for _, o := range ledger.Record(t.Context(), domain.ParseEngagements(batch)) {
			c.add(t, &o)
		}
	}
	c.checkLog(t)
	return c
}

func (c *tally) add(t *testing.T, o *domain.Outcome) {
	t.Helper()
	switch {
	case o.Result == domain.Failed:
		t.Fatalf("%s %s failed: %s", o.Message.Source, o.Message.ID, o.Detail)
	case o.Result == domain.Rejected:
		c.results[string(o.Rejection.Code)]++
		return
	}
	c.results[string(o.Result)]++
	if o.Result == domain.Duplicate {
		return
	}
	c.types[o.Recorded.Type]++
	if o.Recorded.Reason != "" {
		c.reasons[o.Recorded.Reason]++
	}
	if o.Also.Event != nil {
		c.switches++
	}
}

// lines yields the log's canonical lines.
func (c *tally) lines(t *testing.T) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for batch, err := range c.log.Read(t.Context(), domain.Position{}) {
			for _, e := range batch {
				if !yield(e.Canonical, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (c *tally) checkLog(t *testing.T) {
	t.Helper()
	if _, err := domain.Check(func() iter.Seq2[[]byte, error] { return c.lines(t) }, func(uint64) {}); err != nil {
		t.Errorf("the log is not what the rules make: %v", err)
	}
}

// sums folds the log into the sums of every post, of every account and of the platform, and holds that for every line
// the posts together, and the accounts together, are the platform.
func (c *tally) sums(t *testing.T) (posts, accounts map[string]*domain.Sums, platform *domain.Sums) {
	t.Helper()
	posts, accounts, platform = map[string]*domain.Sums{}, map[string]*domain.Sums{}, &domain.Sums{}
	for line, err := range c.lines(t) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := domain.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range e.Postings {
			entries, n := p.Entries()
			for _, entry := range entries[:n] {
				addTo(t, posts, e.PostID, entry)
				addTo(t, accounts, entry.Account, entry)
				if err := platform.Add(entry.Line, entry.Change); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, scopes := range map[string]map[string]*domain.Sums{"posts": posts, "accounts": accounts} {
		if together := addUp(t, scopes); together != *platform {
			t.Errorf("the %s together are %v, the platform is %v", name, together, *platform)
		}
	}
	return posts, accounts, platform
}

func addTo(t *testing.T, scopes map[string]*domain.Sums, name string, e domain.Entry) {
	t.Helper()
	if scopes[name] == nil {
		scopes[name] = new(domain.Sums)
	}
	if err := scopes[name].Add(e.Line, e.Change); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func addUp(t *testing.T, scopes map[string]*domain.Sums) (together domain.Sums) {
	t.Helper()
	for _, s := range scopes {
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if err := together.Add(l, s.Of(l)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return together
}
