package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// world records engagements in a log by the real rules.
type world struct {
	t      testing.TB
	log    *logtest.Memory
	ledger *domain.Ledger
	now    time.Time
	sent   int
	// late, if set, tells how long ago an engagement occurred.
	late func() time.Duration
}

func newWorld(t testing.TB, log *logtest.Memory, tariffs ...domain.Tariff) *world {
	w := &world{t: t, log: log, now: time.Now().Add(-time.Hour)}
	w.ledger = domain.NewLedger(domain.Config{
		Log: log, Messages: log, Events: scanFinder{log}, Clock: func() time.Time { return w.now },
	})
	if err := w.ledger.Start(context.Background(), tariffs); err != nil {
		t.Fatal(err)
	}
	return w
}

// scanFinder finds events by reading the log.
type scanFinder struct{ log domain.EventLog }

func (f scanFinder) FindEvent(ctx context.Context, id domain.EventID) (domain.LogEvent, bool, error) {
	for events, err := range f.log.Read(ctx, domain.Position{}) {
		if err != nil {
			return domain.LogEvent{}, false, err
		}
		for _, e := range events {
			decoded, err := domain.DecodeEvent(e.Canonical)
			if err != nil || decoded.ID == id {
				return e, err == nil, err
			}
		}
	}
	return domain.LogEvent{}, false, nil
}

// received completes an engagement: each has a message of its own and occurs now, a second after the one before.
func (w *world) received(e domain.Engagement) domain.Received {
	w.sent++
	w.now = w.now.Add(time.Second)
	e.Message = domain.Message{Source: "/test", ID: fmt.Sprint(w.sent)}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = w.now.UTC().Round(0)
		if w.late != nil {
			e.OccurredAt = e.OccurredAt.Add(-w.late())
		}
	}
	return domain.Received{Engagement: e}
}

// send records engagements that must not fail, and returns their outcomes.
func (w *world) send(engagements ...domain.Engagement) []domain.Outcome {
	w.t.Helper()
	received := make([]domain.Received, len(engagements))
	for i, e := range engagements {
		received[i] = w.received(e)
	}
	outcomes := w.ledger.Record(context.Background(), received)
	for _, o := range outcomes {
		if o.Result == domain.Failed {
			w.t.Fatalf("%+v: %s", o.Message, o.Detail)
		}
	}
	return outcomes
}

// record sends one engagement that must be recorded.
func (w *world) record(e domain.Engagement) domain.Outcome {
	w.t.Helper()
	o := w.send(e)[0]
	if o.Result != domain.Recorded {
		w.t.Fatalf("%+v: %v", e, o.Rejection)
	}
	return o
}

func postID(i int) string    { return fmt.Sprintf("post-%06d", i) }
func accountID(i int) string { return fmt.Sprintf("account-%08d", i) }
func commentID(i int) string { return fmt.Sprintf("comment-%08d", i) }

func (w *world) publish(post string) domain.Outcome {
	w.t.Helper()
	return w.record(domain.Engagement{Type: domain.PostPublished, PostID: post, AccountID: "author-" + post, Title: "A post", TimeToReadSeconds: 60})
}

// traffic records n engagements like those of DESIGN section 8: half of them reads, a quarter reactions to posts, a
// fifth to comments, the rest comments.
func (w *world) traffic(n, posts, accounts int) {
	w.t.Helper()
	for i := range posts {
		w.publish(postID(i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	written := 0
	batch := make([]domain.Engagement, 0, 1000)
	for i := range n {
		e := domain.Engagement{PostID: postID(random.IntN(posts)), AccountID: accountID(random.IntN(accounts))}
		switch kind := random.IntN(20); {
		case kind < 10:
			e.Type, e.SecondsRead = domain.PostRead, 50+random.Uint64N(30)
		case kind < 15:
			e.Type = pick(random, domain.PostLiked, domain.PostDisliked)
		case kind < 19 && written > 100:
			e.Type, e.PostID, e.CommentID = pick(random, domain.CommentLiked, domain.CommentDisliked), "", commentID(random.IntN(written-100))
		default:
			e.Type, e.CommentID, e.Level = domain.CommentAdded, commentID(written), 13
			written++
		}
		if batch = append(batch, e); len(batch) == cap(batch) || i == n-1 {
			w.send(batch...)
			batch = batch[:0]
		}
	}
}

func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// report appends the event of a bought report, which is its own to decide; nothing for a post that is unknown.
func (w *world) report(post, account string) {
	w.t.Helper()
	events := decodeAll(w.t, w.log)
	statement := events.statement(domain.Scope{PostID: post})
	if statement == nil {
		return
	}
	w.sent++
	w.now = w.now.Add(time.Second)
	m := domain.Message{Source: domain.ReportSourcePrefix + account, ID: fmt.Sprint(w.sent)}
	report := domain.NewReportID(m)
	stream := domain.ReportStream(report)
	own := events.statement(domain.Scope{PostID: post, AccountID: account})
	statement.Size, own.Size = uint64(len(events)), uint64(len(events))
	author := events[slices.IndexFunc(events, func(e *domain.Event) bool { return e.PostID == post })].Author
	tariff := events[0].Published
	w.append(&domain.Event{
		ID: domain.NewEventID(m, stream), Type: domain.PnLReportIssued, Stream: stream, Source: m.Source, SourceID: m.ID,
		OccurredAt: w.now.UTC().Round(0), RecordedAt: w.now.UTC().Round(0), Tariff: 1, PostID: post, AccountID: account,
		Author: author, ReportID: report, Size: uint64(len(events)), Statement: statement,
		OwnStatement: own,
		Postings:     tariff.Postings(domain.PnLReportIssued, domain.Parties{Actor: account, Author: author}),
	})
}

// append appends an event to the log as it is, after the revision before its own.
func (w *world) append(e *domain.Event) {
	w.t.Helper()
	line, err := e.AppendCanonical(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.appendLine(e, line)
}

func (w *world) appendLine(e *domain.Event, line []byte) {
	w.t.Helper()
	answers := w.log.Append(context.Background(), []domain.Append{{
		Stream: e.Stream, Expected: e.Revision - 1, Message: e.Message(),
		Events: []domain.EncodedEvent{{Type: e.Type, Canonical: line}},
	}})
	if answers[0].Err != nil {
		w.t.Fatal(answers[0].Err)
	}
}

// fixedLog is a log that does not grow, as fast as memory.
type fixedLog struct {
	domain.EventLog
	events []domain.LogEvent
}

func readAll(t testing.TB, log domain.EventLog) *fixedLog {
	f := &fixedLog{EventLog: log}
	for events, err := range log.Read(context.Background(), domain.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		f.events = append(f.events, events...)
	}
	return f
}

func (f *fixedLog) Head(context.Context) (domain.Position, error) { return f.head(), nil }

func (f *fixedLog) head() domain.Position { return f.events[len(f.events)-1].Position }

func (f *fixedLog) behind(after domain.Position) []domain.LogEvent {
	return f.events[sort.Search(len(f.events), func(i int) bool { return f.events[i].Position.Compare(after) > 0 }):]
}

func (f *fixedLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for part := range slices.Chunk(f.behind(after), 1000) {
			if !yield(part, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

// shortLog is a log as it was when it had fewer events.
type shortLog struct {
	*fixedLog
	n int
}

func (s *shortLog) part() *fixedLog { return &fixedLog{s.EventLog, s.events[:s.n]} }

func (s *shortLog) Head(context.Context) (domain.Position, error) { return s.part().head(), nil }

func (s *shortLog) Read(_ context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for part := range slices.Chunk(s.part().behind(after), 1000) {
			if !yield(part, nil) {
				return
			}
		}
	}
}

func (s *shortLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return s.part().Follow(ctx, after)
}

func (s *shortLog) ReadStream(ctx context.Context, stream domain.Stream, from domain.Revision) iter.Seq2[domain.LogEvent, error] {
	return func(yield func(domain.LogEvent, error) bool) {
		for e, err := range s.EventLog.ReadStream(ctx, stream, from) {
			if err == nil && e.Position.Compare(s.part().head()) > 0 || !yield(e, err) {
				return
			}
		}
	}
}

// folded returns the views of a log, folded to its end by a run that has ended.
func folded(t testing.TB, store projections.Generations, log domain.EventLog) *projections.Views {
	t.Helper()
	views, err := projections.Open(context.Background(), store, log)
	if err != nil {
		t.Fatal(err)
	}
	catchUp(t, views, log)
	return views
}

// catchUp runs views until they are where the log is.
func catchUp(t testing.TB, views *projections.Views, log domain.EventLog) {
	t.Helper()
	head, err := log.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	if err := views.Wait(ctx, head); err != nil {
		t.Errorf("waiting for %s: %v", head, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
}
