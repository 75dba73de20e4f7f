package domain_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// long reports whether the whole campaigns are asked for.
var long = os.Getenv("TWEILEDGER_TEST_LONG") == "1"

// steps is how many steps a run of a model takes at most.
func steps() int {
	if long {
		return 120
	}
	return 40
}

// world draws what happens: engagements of a few accounts on a few posts and comments, so that they meet.
type world struct {
	t *rapid.T
	*model
	sent []domain.Engagement
}

func (w *world) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

// engagement draws an engagement, now and then one that was sent before, or its message with something else.
func (w *world) engagement() (e domain.Engagement) {
	defer func() { w.sent = append(w.sent, e) }()
	if len(w.sent) > 0 && rapid.IntRange(0, 7).Draw(w.t, "repeat") == 0 {
		return rapid.SampledFrom(w.sent).Draw(w.t, "sent")
	}
	post, comment, account := w.pick("post", "p1", "p2"), w.pick("comment", "c1", "c2", "c3"), w.pick("account", "ann", "bob", "cid")
	switch kind := rapid.IntRange(0, 22).Draw(w.t, "kind"); {
	case kind < 2:
		e = published(post, account)
		e.TimeToReadSeconds = rapid.Uint64Range(1, 3).Draw(w.t, "time to read")
	case kind < 3:
		e = changed(post, rapid.Uint64Range(0, 3).Draw(w.t, "time to read"))
		if e.TimeToReadSeconds == 0 {
			e.Title = "Another"
		}
	case kind < 6:
		e = read(post, account, rapid.Uint64Range(0, 3).Draw(w.t, "seconds"))
	case kind < 9:
		e = withLevel(rapid.Uint64Range(12, 14).Draw(w.t, "level"), commented(post, comment, account))
	case kind < 10:
		e = removed(comment)
	case kind < 12:
		e = liked(post, account)
	case kind < 14:
		e = disliked(post, account)
	case kind < 16:
		e = withdrawn(post, account)
	case kind < 18:
		e = commentLiked(comment, account)
	case kind < 20:
		e = commentDisliked(comment, account)
	default:
		e = commentWithdrawn(comment, account)
	}
	e.Message = domain.Message{Source: "/web", ID: fmt.Sprint(len(w.sent))}
	if len(w.sent) > 0 && rapid.IntRange(0, 9).Draw(w.t, "same message") == 0 {
		e.Message = rapid.SampledFrom(w.sent).Draw(w.t, "sent").Message
	}
	e.OccurredAt = w.now.Add(time.Duration(w.minutes()) * time.Minute)
	return e
}

// minutes draws when something occurs, from now: mostly lately, now and then before all tariffs or too far ahead.
func (w *world) minutes() int {
	return rapid.SampledFrom([]int{0, 0, 0, 0, 1, 3, 5, -1, -3, -8, -15, 6, -10_000}).Draw(w.t, "minutes")
}

// tariff draws a tariff of some version: the default one's rows, some left out, with other rules and amounts.
func (w *world) tariff(version uint64, from time.Time) domain.Tariff {
	t := domain.DefaultTariff()
	t.Version, t.EffectiveFrom = version, from
	t.OwnPostCommentPays, t.AuthorReactionPays = rapid.Bool().Draw(w.t, "own comments"), rapid.Bool().Draw(w.t, "own reactions")
	t.CommentMinLevel = rapid.Uint64Range(12, 14).Draw(w.t, "level")
	fraction, err := domain.ParseFraction(w.pick("fraction", "1", "0.5", "0.666666666667", "0"))
	if err != nil {
		panic(err)
	}
	t.ReadMinFraction = fraction
	t.Rows = slices.DeleteFunc(t.Rows, func(domain.TariffRow) bool { return rapid.IntRange(0, 5).Draw(w.t, "left out") == 0 })
	for i := range t.Rows {
		t.Rows[i].Amount = twei(w.pick("amount", "1", "0.5", "0.000000000001", "999999.999999999999", "7.25"))
	}
	return t
}

// fact draws something that was recorded, preferably of a kind.
func (w *world) fact(kind domain.EventType) *fact {
	if rapid.IntRange(0, 3).Draw(w.t, "any") > 0 {
		var some []*fact
		for _, f := range w.facts {
			if f.kind == kind || kind == domain.PostLiked && len(f.moves) > 0 {
				some = append(some, f)
			}
		}
		if len(some) > 0 {
			return rapid.SampledFrom(some).Draw(w.t, "fact")
		}
	}
	return rapid.SampledFrom(w.facts).Draw(w.t, "fact")
}

// start draws the tariffs that a log begins with.
func (w *world) start() (tariffs domain.Tariffs) {
	w.now = noon
	if rapid.Bool().Draw(w.t, "default tariff") {
		w.model.start(domain.DefaultTariff())
		return nil
	}
	for n := range rapid.IntRange(1, 2).Draw(w.t, "tariffs") {
		t := w.tariff(uint64(n+1), noon.Add(time.Duration(n-2)*4*time.Minute))
		tariffs = append(tariffs, t)
		w.model.start(t)
	}
	return tariffs
}

// A ledger answers and records what the model does: one that is sent batches, and two that take turns at one log which
// does not notice a message on another stream, one engagement at a time. At the end both logs hold the same lines, and
// domain.Check agrees with them and with the model's sums (I9, I10, I14).
func TestLedgerIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, model: &model{}}
		tariffs := w.start()
		batches := newBareFixture(t, logtest.MemoryOptions{})
		turns := newBareFixture(t, logtest.MemoryOptions{ManyWriters: true})
		batches.start(tariffs...)
		turns.start(tariffs...)
		w.facts[0].id = batches.events()[0].ID
		pair := [2]*domain.Ledger{turns.Ledger, turns.second(nil)}
		turn := func() *domain.Ledger { return pair[rapid.IntRange(0, 1).Draw(t, "turn")] }
		same := func(what any, want answer, f *fact, got ...domain.Outcome) {
			t.Helper()
			for i, o := range got {
				if g := given(o); g != want {
					t.Fatalf("ledger %d: %v: the answer is\n%s, the model's\n%s", i, what, g, want)
				}
				if f != nil {
					f.id = o.Recorded.ID
					if f.also != nil {
						f.also.id = o.Also.ID
					}
				}
			}
		}
		operate := func(kind domain.EventType, decide func(*fact, string) (answer, *fact), ask func(*domain.Ledger, context.Context, domain.EventID, string, string) domain.Outcome) {
			target, note := w.fact(kind), w.pick("note", "x", "y")
			if target.id == (domain.EventID{}) {
				return
			}
			want, f := decide(target, note)
			same(target.kind, want, f, ask(batches.Ledger, context.Background(), target.id, note, "ops"), ask(turn(), context.Background(), target.id, note, "ops"))
		}
		for range rapid.IntRange(1, steps()).Draw(t, "steps") {
			switch rapid.IntRange(0, 10).Draw(t, "step") {
			case 0:
				d := time.Duration(rapid.IntRange(1, 16).Draw(t, "minutes")) * time.Minute
				w.now = w.now.Add(d)
				batches.clock.advance(d)
				turns.clock.advance(d)
			case 1:
				operate(domain.PostLiked, w.reverse, (*domain.Ledger).Reverse)
			case 2:
				operate(domain.EventReversed, w.reinstate, (*domain.Ledger).Reinstate)
			case 3:
				version := len(w.tariffs) + 1 - rapid.SampledFrom([]int{0, 0, 0, 1, -1}).Draw(t, "version off by")
				if version == 0 {
					continue
				}
				next := w.tariff(uint64(version), w.now.Add(time.Duration(rapid.IntRange(14, 17).Draw(t, "minutes"))*time.Minute))
				want, f := w.publish(next)
				same("tariff", want, f, batches.publish(next), turn().PublishTariff(context.Background(), next, "operator"))
			case 4:
				post, account, key := w.pick("post", "p1", "p2"), w.pick("account", "ann", "bob", "cid"), w.pick("key", "k1", "k2")
				want, f := w.buy(post, account, key)
				same("report", want, f, batches.buy(post, account, key), turn().IssueReport(context.Background(), post, account, key))
			default:
				size := rapid.SampledFrom([]int{1, 2, 5, 8, 40}).Draw(t, "size")
				var batch []domain.Engagement
				for range size {
					batch = append(batch, w.engagement())
				}
				outcomes := batches.record(batch...)
				for i, e := range batch {
					want, f := w.send(e)
					same(e, want, f, outcomes[i], turn().Record(context.Background(), received(e))[0])
				}
			}
		}
		compareLogs(t, w.model, batches, turns)
	})
}

// compareLogs holds two logs of the same history against each other and against the model.
func compareLogs(t *rapid.T, m *model, logs ...*fixture) {
	t.Helper()
	var first []string
	for i, f := range logs {
		summary := f.check()
		if len(summary.Concurrent) != 0 || len(summary.RecordedTwice) != 0 || int(summary.Events) != len(m.facts) {
			t.Fatalf("log %d: %+v; the model has %d facts", i, summary, len(m.facts))
		}
		_, _, platform := m.sums()
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if want := platform[l.String()].String(); summary.Platform.Of(l).String() != want {
				t.Fatalf("log %d: the platform's %s is %s, the model's %s", i, l, summary.Platform.Of(l), want)
			}
		}
		var lines []string
		for _, line := range f.lines() {
			e, err := domain.DecodeEvent(line)
			if err != nil {
				t.Fatalf("%v", err)
			}
			if e.By != "" {
				// The only thing in which the two histories may differ.
				e.By = "x"
			}
			line, _ = e.AppendCanonical(nil)
			lines = append(lines, string(line))
		}
		slices.Sort(lines)
		if i == 0 {
			first = lines
		} else if !slices.Equal(first, lines) {
			t.Fatalf("log %d holds other lines than the first", i)
		}
	}
	checkModelSums(t, m)
}

// checkModelSums shows that the model itself keeps I9 and I10.
func checkModelSums(t *rapid.T, m *model) {
	posts, accounts, platform := m.sums()
	for line, sum := range platform {
		for _, scopes := range []map[string]map[string]decimal.Decimal{posts, accounts} {
			rest := sum
			for scope, lines := range scopes {
				rest = rest.Sub(lines[line])
				if lines[line].Sign() < 0 {
					t.Fatalf("the line %s of %s is %s", line, scope, lines[line])
				}
			}
			if !rest.IsZero() {
				t.Fatalf("the line %s of the platform is off by %s", line, rest)
			}
		}
	}
}
