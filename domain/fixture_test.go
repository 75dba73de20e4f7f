package domain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// noon is when the clock of a fixture stands at first, and when an engagement occurs that says nothing else.
var noon = time.Date(2026, 1, 29, 12, 0, 0, 0, time.UTC)

// lead and third are DESIGN section 3's, written down again.
const (
	lead  = 15 * time.Minute
	third = 5 * time.Minute
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// failer is what a fixture needs of *testing.T, *testing.B and *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// fixture is a Ledger on a log in memory, under a clock.
type fixture struct {
	failer
	*domain.Ledger
	log   *logtest.Memory
	clock *clock
}

// newFixture returns a started Ledger; its log starts with the tariffs given, the default one if there are none. At the
// end of the test domain.Check must agree with the log.
func newFixture(t testing.TB, o logtest.MemoryOptions, tariffs ...domain.Tariff) *fixture {
	o.T = t
	f := newBareFixture(t, o)
	f.start(tariffs...)
	t.Cleanup(func() { f.check() })
	return f
}

// newBareFixture returns a Ledger that is not started.
func newBareFixture(t failer, o logtest.MemoryOptions) *fixture {
	f := &fixture{failer: t, log: logtest.NewMemory(o), clock: &clock{now: noon}}
	f.Ledger = domain.NewLedger(f.config(o.ManyWriters))
	return f
}

func (f *fixture) config(manyWriters bool) domain.Config {
	return domain.Config{
		Log: f.log, Clock: f.clock.Now, Messages: f.log, Events: eventFinder{f}, Statements: statementReader{f},
		ManyWriters: manyWriters,
	}
}

func (f *fixture) start(tariffs ...domain.Tariff) {
	f.Helper()
	if err := f.Start(context.Background(), tariffs); err != nil {
		f.Fatalf("starting: %v", err)
	}
}

// second returns another Ledger on the same log, started, as another process has it. change may change its config.
func (f *fixture) second(change func(*domain.Config)) *domain.Ledger {
	f.Helper()
	cfg := f.config(f.ManyWriters)
	if change != nil {
		change(&cfg)
	}
	l := domain.NewLedger(cfg)
	if err := l.Start(context.Background(), nil); err != nil {
		f.Fatalf("starting a second ledger: %v", err)
	}
	return l
}

// record sends engagements in one batch, each through its text.
func (f *fixture) record(engagements ...domain.Engagement) []domain.Outcome {
	f.Helper()
	outcomes := f.Record(context.Background(), received(engagements...))
	if len(outcomes) != len(engagements) {
		f.Fatalf("%d outcomes for %d engagements", len(outcomes), len(engagements))
	}
	return outcomes
}

// one sends one engagement.
func (f *fixture) one(e domain.Engagement) domain.Outcome { f.Helper(); return f.record(e)[0] }

// must sends engagements one by one; each must be recorded. It returns the last one's event.
func (f *fixture) must(engagements ...domain.Engagement) (last *domain.Event) {
	f.Helper()
	for _, e := range engagements {
		last = f.recorded(f.one(e))
	}
	return last
}

// recorded returns the event of an outcome, which must be recorded.
func (f *fixture) recorded(o domain.Outcome) *domain.Event {
	f.Helper()
	if o.Result != domain.Recorded {
		f.Fatalf("not recorded: %s", o.AppendJSON(nil, "", 0))
	}
	return o.Recorded.Event
}

func (f *fixture) reverse(e *domain.Event, note string) domain.Outcome {
	return f.Reverse(context.Background(), e.ID, note, domain.OperatorName)
}

func (f *fixture) reinstate(e *domain.Event, note string) domain.Outcome {
	return f.Reinstate(context.Background(), e.ID, note, domain.OperatorName)
}

func (f *fixture) publish(t domain.Tariff) domain.Outcome {
	return f.PublishTariff(context.Background(), t, domain.OperatorName)
}

func (f *fixture) buy(post, account, key string) domain.Outcome {
	return f.IssueReport(context.Background(), post, account, key)
}

// lines returns the log's lines in order.
func (f *fixture) lines() (lines [][]byte) {
	f.Helper()
	for batch, err := range f.log.Read(context.Background(), domain.Position{}) {
		if err != nil {
			f.Fatalf("reading the log: %v", err)
		}
		for _, e := range batch {
			lines = append(lines, e.Canonical)
		}
	}
	return lines
}

// events returns the log's events in order.
func (f *fixture) events() (events []*domain.Event) {
	f.Helper()
	for _, line := range f.lines() {
		e, err := domain.DecodeEvent(line)
		if err != nil {
			f.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

// check holds the log against all invariants.
func (f *fixture) check() domain.Summary {
	f.Helper()
	summary, err := domain.Check(source(f.lines()), nil)
	if err != nil {
		f.Fatalf("Check: %v", err)
	}
	return summary
}

// source gives lines to domain.Check.
func source(lines [][]byte) func() iter.Seq2[[]byte, error] {
	return func() iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
		}
	}
}

// statementReader gives the statements of the whole log, as domain.Check works them out.
type statementReader struct{ f *fixture }

func (r statementReader) ReportStatements(
	_ context.Context, post, account string,
) (size uint64, whole, own *domain.Statement, err error) {
	lines := r.f.lines()
	whole, own, err = domain.StatementsOf(lines, post, account)
	return uint64(len(lines)), whole, own, err
}

// eventFinder finds an event by reading the whole log.
type eventFinder struct{ f *fixture }

func (finder eventFinder) FindEvent(ctx context.Context, id domain.EventID) (domain.LogEvent, bool, error) {
	needle := []byte(`,"id":"` + id.String() + `",`)
	for batch, err := range finder.f.log.Read(ctx, domain.Position{}) {
		if err != nil {
			return domain.LogEvent{}, false, err
		}
		for _, e := range batch {
			if bytes.Contains(e.Canonical, needle) {
				return e, true, nil
			}
		}
	}
	return domain.LogEvent{}, false, nil
}

// received reads the texts of engagements.
func received(engagements ...domain.Engagement) []domain.Received {
	texts := make([][]byte, len(engagements))
	for i := range engagements {
		texts[i] = cloudEvent(engagements[i])
	}
	return domain.ParseEngagements(texts)
}

// dataMembers says what the data of each type holds: DESIGN section 4, with "?" behind what may be left out.
var dataMembers = map[domain.EventType][]string{
	domain.PostPublished:     {"post_id", "account_id", "title", "time_to_read_seconds", "url?"},
	domain.PostChanged:       {"post_id", "title?", "time_to_read_seconds?", "url?"},
	domain.PostRead:          {"post_id", "account_id", "seconds_read"},
	domain.PostLiked:         {"post_id", "account_id"},
	domain.PostDisliked:      {"post_id", "account_id"},
	domain.CommentAdded:      {"post_id", "comment_id", "account_id", "level"},
	domain.CommentRemoved:    {"comment_id"},
	domain.CommentLiked:      {"comment_id", "account_id"},
	domain.CommentDisliked:   {"comment_id", "account_id"},
	domain.ReactionWithdrawn: {"post_id?", "comment_id?", "account_id"},
}

// cloudEvents are the CloudEvents types of DESIGN section 4.
var cloudEvents = map[domain.EventType]string{
	domain.PostPublished:     "tweiledger.post.published.v1",
	domain.PostChanged:       "tweiledger.post.changed.v1",
	domain.PostRead:          "tweiledger.post.read.v1",
	domain.PostLiked:         "tweiledger.post.liked.v1",
	domain.PostDisliked:      "tweiledger.post.disliked.v1",
	domain.CommentAdded:      "tweiledger.comment.added.v1",
	domain.CommentRemoved:    "tweiledger.comment.removed.v1",
	domain.CommentLiked:      "tweiledger.comment.liked.v1",
	domain.CommentDisliked:   "tweiledger.comment.disliked.v1",
	domain.ReactionWithdrawn: "tweiledger.reaction.withdrawn.v1",
}

// cloudEvent writes an engagement as a CloudEvent in structured mode.
func cloudEvent(e domain.Engagement) []byte {
	values := map[string]any{
		"post_id": e.PostID, "comment_id": e.CommentID, "account_id": e.AccountID, "title": e.Title, "url": e.URL,
		"time_to_read_seconds": e.TimeToReadSeconds, "seconds_read": e.SecondsRead, "level": e.Level,
	}
	data := map[string]any{}
	for _, name := range dataMembers[e.Type] {
		if n := len(name) - 1; name[n] == '?' {
			name = name[:n]
			if v := values[name]; v == "" || v == uint64(0) {
				continue
			}
		}
		data[name] = values[name]
	}
	text, err := json.Marshal(map[string]any{
		"specversion": "1.0", "type": cloudEvents[e.Type], "source": e.Source, "id": e.ID,
		"time": e.OccurredAt.Format(time.RFC3339Nano), "data": data,
	})
	if err != nil {
		panic(err)
	}
	return text
}

// Engagements of the platform "/web" at noon. The id is made of what they say, so that two of a kind are the same
// message; named gives another.

func engagement(t domain.EventType, e domain.Engagement) domain.Engagement {
	e.Type, e.OccurredAt = t, noon
	e.Message = domain.Message{Source: "/web", ID: fmt.Sprintf("%s %s%s %s", t, e.PostID, e.CommentID, e.AccountID)}
	return e
}

func published(post, author string) domain.Engagement {
	return engagement(domain.PostPublished, domain.Engagement{PostID: post, AccountID: author, Title: "A title", TimeToReadSeconds: 60})
}

func changed(post string, timeToRead uint64) domain.Engagement {
	return engagement(domain.PostChanged, domain.Engagement{PostID: post, TimeToReadSeconds: timeToRead})
}

func read(post, reader string, seconds uint64) domain.Engagement {
	return engagement(domain.PostRead, domain.Engagement{PostID: post, AccountID: reader, SecondsRead: seconds})
}

func liked(post, actor string) domain.Engagement {
	return engagement(domain.PostLiked, domain.Engagement{PostID: post, AccountID: actor})
}

func disliked(post, actor string) domain.Engagement {
	return engagement(domain.PostDisliked, domain.Engagement{PostID: post, AccountID: actor})
}

func commented(post, comment, commenter string) domain.Engagement {
	return engagement(domain.CommentAdded, domain.Engagement{PostID: post, CommentID: comment, AccountID: commenter, Level: 13})
}

func removed(comment string) domain.Engagement {
	return engagement(domain.CommentRemoved, domain.Engagement{CommentID: comment})
}

func commentLiked(comment, actor string) domain.Engagement {
	return engagement(domain.CommentLiked, domain.Engagement{CommentID: comment, AccountID: actor})
}

func commentDisliked(comment, actor string) domain.Engagement {
	return engagement(domain.CommentDisliked, domain.Engagement{CommentID: comment, AccountID: actor})
}

func withdrawn(post, actor string) domain.Engagement {
	return engagement(domain.ReactionWithdrawn, domain.Engagement{PostID: post, AccountID: actor})
}

func commentWithdrawn(comment, actor string) domain.Engagement {
	return engagement(domain.ReactionWithdrawn, domain.Engagement{CommentID: comment, AccountID: actor})
}

// at gives an engagement another time, as an offset from noon.
func at(offset time.Duration, e domain.Engagement) domain.Engagement {
	e.OccurredAt = noon.Add(offset)
	return e
}

// named gives an engagement another message id.
func named(id string, e domain.Engagement) domain.Engagement {
	e.ID = id
	return e
}

// withLevel gives a comment another level.
func withLevel(level uint64, e domain.Engagement) domain.Engagement {
	e.Level = level
	return e
}

// tariffFrom returns the default tariff as another version, effective from an offset to noon, changed.
func tariffFrom(version uint64, offset time.Duration, change func(*domain.Tariff)) domain.Tariff {
	t := domain.DefaultTariff()
	t.Version, t.EffectiveFrom = version, noon.Add(offset)
	if change != nil {
		change(&t)
	}
	return t
}

// twei reads an amount.
func twei(s string) domain.Twei {
	t, err := domain.ParseTwei(s)
	if err != nil {
		panic(err)
	}
	return t
}

// posting is a posting as the tables of the tests write it: "debit account line / credit account line / amount", with
// "back" in front for a reversal.
func posting(p domain.Posting) string {
	side := func(s domain.Side) string {
		if s.Line == 0 {
			return s.Account
		}
		return s.Account + ":" + s.Line.String()
	}
	text := side(p.Debit) + " > " + side(p.Credit) + " " + p.Amount.String()
	if p.Reversal {
		text = "back " + text
	}
	return text
}

func postings(ps []domain.Posting) []string {
	texts := []string{}
	for _, p := range ps {
		texts = append(texts, posting(p))
	}
	return texts
}
