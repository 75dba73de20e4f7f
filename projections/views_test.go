package projections_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// smallWorld is a log of two posts, three reads and a like.
func smallWorld(t testing.TB, o logtest.MemoryOptions) *world {
	o.T = t
	w := newWorld(t, logtest.NewMemory(o))
	w.publish(postID(0))
	w.publish(postID(1))
	w.read(0, 0)
	w.read(0, 1)
	w.read(1, 0)
	w.record(domain.Engagement{Type: domain.PostLiked, PostID: postID(0), AccountID: accountID(0)})
	return w
}

// read records a whole read of a post by an account.
func (w *world) read(post, account int) domain.Outcome {
	w.t.Helper()
	return w.record(domain.Engagement{Type: domain.PostRead, PostID: postID(post), AccountID: accountID(account), SecondsRead: 60})
}

func freshDump(t testing.TB, log domain.EventLog) string {
	t.Helper()
	store := projections.NewMemoryStore(t)
	folded(t, store, log)
	return projections.Dump(t, store)
}

// start runs views until the test ends, or stop is called, which returns what Run returned.
func start(t testing.TB, views *projections.Views) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { stop() })
	return stop
}

func open(t testing.TB, store projections.Generations, log domain.EventLog) *projections.Views {
	t.Helper()
	views, err := projections.Open(t.Context(), store, log)
	if err != nil {
		t.Fatal(err)
	}
	return views
}

func TestViewsOfAnotherLogAreRebuilt(t *testing.T) {
	folding := smallWorld(t, logtest.MemoryOptions{})
	all := readAll(t, folding.log)
	branch := func(n int) *world {
		other := &world{t: t, log: logtest.NewMemory(logtest.MemoryOptions{T: t}), now: folding.now}
		for i, e := range decodeAll(t, folding.log)[:n] {
			other.appendLine(e, all.events[i].Canonical)
		}
		other.ledger = domain.NewLedger(domain.Config{Log: other.log, Messages: other.log, Events: scanFinder{other.log}, Clock: func() time.Time { return other.now }})
		return other
	}
	goneOn, grown := branch(5), branch(7)
	for range 8 {
		goneOn.sent += 100
		goneOn.publish(fmt.Sprint("other-", goneOn.sent))
		grown.sent += 100
		grown.publish(fmt.Sprint("more-", grown.sent))
	}
	other := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{T: t}), otherTariff())
	for i := range 10 {
		other.publish(postID(i))
	}
	for name, tc := range map[string]struct {
		log domain.EventLog
		why string
	}{
		"empty":           {logtest.NewMemory(logtest.MemoryOptions{}), "the log is empty"},
		"older":           {branch(5).log, "the log lacks event 6"},
		"older, gone on":  {goneOn.log, "the log lacks event 6"},
		"another":         {other.log, "its first event differs"},
		"the same":        {folding.log, ""},
		"the same, grown": {grown.log, ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := projections.NewMemoryStore(t)
			folded(t, store, folding.log)
			views := open(t, store, tc.log)
			if why := views.Status().Rebuilt; !strings.Contains(why, tc.why) || tc.why == "" && why != "" {
				t.Errorf("rebuilt for %q, not %q", why, tc.why)
			}
			catchUp(t, views, tc.log)
			if got, want := projections.Dump(t, store), freshDump(t, tc.log); got != want {
				t.Errorf("rebuilt:\n%s\nfolded at once:\n%s", got, want)
			}
		})
	}
}

// TestAnotherEventAtTheCheckpoint: the log has an event where the checkpoint says, with other bytes.
func TestAnotherEventAtTheCheckpoint(t *testing.T) {
	events := smallWorld(t, logtest.MemoryOptions{})
	all := readAll(t, events.log)
	last := decodeAll(t, events.log)[6]
	other := &world{t: t, log: logtest.NewMemory(logtest.MemoryOptions{T: t})}
	for i, e := range decodeAll(t, events.log)[:6] {
		other.appendLine(e, all.events[i].Canonical)
	}
	last.Type = domain.PostDisliked
	other.append(last)
	store := projections.NewMemoryStore(t)
	folded(t, store, events.log)
	if why := open(t, store, other.log).Status().Rebuilt; !strings.Contains(why, "event 6 differs") {
		t.Errorf("rebuilt for %q", why)
	}
}

func TestViewsOfAnotherFormatAreRebuilt(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	for name, tc := range map[string]struct {
		checkpoint []byte
		why        string
	}{
		"newer":         {binary.AppendUvarint(nil, projections.ViewFormat+1), "have format"},
		"newer, longer": {append(binary.AppendUvarint(nil, projections.ViewFormat+1), "more"...), "have format"},
		"none":          {nil, "have no checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			store := projections.NewMemoryStore(t)
			folded(t, store, w.log)
			if err := store.Commit([]projections.Row{{Key: []byte("0"), Value: tc.checkpoint}}); err != nil {
				t.Fatal(err)
			}
			views := open(t, store, w.log)
			if why := views.Status().Rebuilt; !strings.Contains(why, tc.why) {
				t.Errorf("rebuilt for %q, not %q", why, tc.why)
			}
			if size := views.Status().Size; size != 0 {
				t.Errorf("size %d of what was thrown away", size)
			}
			catchUp(t, views, w.log)
			if projections.Dump(t, store) != freshDump(t, w.log) {
				t.Error("rebuilt views differ")
			}
		})
	}
}

// TestDamagedCheckpoint: views whose checkpoint makes no sense are built anew.
func TestDamagedCheckpoint(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	if err := store.Commit([]projections.Row{{Key: []byte("0"), Value: []byte{projections.ViewFormat, 7}}}); err != nil {
		t.Fatal(err)
	}
	views := open(t, store, w.log)
	if why := views.Status().Rebuilt; !strings.Contains(why, "damaged") {
		t.Errorf("rebuilt: %q", why)
	}
	catchUp(t, views, w.log)
	if projections.Dump(t, store) != freshDump(t, w.log) {
		t.Error("rebuilt views differ")
	}
}

// TestUnreadableStore: that a row cannot be read is not the fault of the event that needs it, and a later start goes on.
// Where the row is damaged the views are condemned.
func TestUnreadableStore(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	for i, want := range []error{errors.New("no such disk"), projections.ErrDamaged} {
		store := projections.NewMemoryStore(t)
		folded(t, store, w.log)
		w.read(1, 10+i)
		views := open(t, store, w.log)
		store.FailReadsWith(want)
		err := views.Run(t.Context())
		var fold *projections.FoldError
		if !errors.Is(err, want) || errors.As(err, &fold) || !errors.Is(views.Status().Err, want) {
			t.Errorf("run: %v, status %+v", err, views.Status())
		}
		if got := store.Condemned() != ""; got != errors.Is(want, projections.ErrDamaged) {
			t.Errorf("%v: condemned: %q", want, store.Condemned())
		}
		store.FailReadsWith(nil)
		views = open(t, store, w.log)
		catchUp(t, views, w.log)
		if projections.Dump(t, store) != freshDump(t, w.log) {
			t.Errorf("%v: views that went on differ", want)
		}
	}
}

func TestWait(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	views := open(t, projections.NewMemoryStore(t), w.log)
	if err := views.Wait(t.Context(), domain.Position{}); err != nil {
		t.Errorf("waiting for nothing: %v", err)
	}
	head, _ := w.log.Head(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := views.Wait(ended, head); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with a context that ended: %v", err)
	}
	if s := views.Status(); s.CaughtUp || s.Size != 0 {
		t.Errorf("before a run: %+v", s)
	}
	stop := start(t, views)
	for range 3 {
		o := w.publish(fmt.Sprint("post-", w.sent))
		if err := views.Wait(t.Context(), o.Recorded.Position); err != nil {
			t.Fatal(err)
		}
		s := views.Snapshot()
		if _, found, err := s.Post(o.Recorded.PostID, projections.AsOf{}); !found || err != nil {
			t.Errorf("what was waited for is not there: %v", err)
		}
		s.Close()
	}
	status := views.Status()
	if !status.CaughtUp || status.Position != status.Head || status.Read != status.Size || status.Size != uint64(w.log.Len()) || status.Err != nil || status.Waiting != nil {
		t.Errorf("status %+v", status)
	}
	if err := views.Run(t.Context()); err == nil {
		t.Error("a second run began")
	}
	if err := stop(); !errors.Is(err, context.Canceled) || views.Status().Err != nil {
		t.Errorf("the run ended with %v, status %+v", err, views.Status())
	}
}

func TestEmptyLogIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logtest.NewMemory(logtest.MemoryOptions{T: t})
		views := open(t, projections.NewMemoryStore(t), log)
		stop := start(t, views)
		synctest.Wait()
		if status := views.Status(); !status.CaughtUp || status.Err != nil {
			t.Errorf("at the end of an empty log: %+v", status)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("the run ended with %v", err)
		}
		s := views.Snapshot()
		defer s.Close()
		got, err := s.Statement(context.Background(), domain.Scope{}, projections.AsOf{})
		if err != nil || got.Size != 0 || !got.RecordedThrough.IsZero() {
			t.Errorf("the platform's statement is %+v, %v", got, err)
		}
	})
}

// TestPause: a store without space is waited for; reads go on meanwhile.
func TestPause(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	views := folded(t, store, w.log)
	size := views.Status().Size
	var full atomic.Bool
	tried := make(chan struct{}, 100)
	full.Store(true)
	store.RefuseBy(func() error {
		tried <- struct{}{}
		if full.Load() {
			return fmt.Errorf("the test says so: %w", projections.ErrPaused)
		}
		return nil
	})
	stop := start(t, views)
	o := w.publish(postID(7))
	<-tried
	<-tried // the first refusal was noted before the second try
	status := views.Status()
	if !errors.Is(status.Waiting, projections.ErrPaused) || status.Err != nil || status.Size != size || status.Read != size+1 || status.LogAway != nil {
		t.Errorf("paused: %+v", status)
	}
	s := views.Snapshot()
	if got, err := s.Statement(context.Background(), domain.Scope{}, projections.AsOf{}); err != nil || got.Size != size {
		t.Errorf("reads while paused: %+v, %v", got, err)
	}
	s.Close()
	full.Store(false)
	if err := views.Wait(t.Context(), o.Recorded.Position); err != nil {
		t.Fatal(err)
	}
	if status := views.Status(); status.Waiting != nil || status.Err != nil {
		t.Errorf("with space again: %+v", status)
	}
	full.Store(true)
	w.publish(postID(8))
	<-tried
	if err := stop(); !errors.Is(err, context.Canceled) || views.Status().Err != nil || views.Status().Waiting != nil {
		t.Errorf("stopped while paused: %v, %+v", err, views.Status())
	}
	full.Store(false)
	catchUp(t, views, w.log)
	if projections.Dump(t, store) != freshDump(t, w.log) {
		t.Error("views that were paused differ")
	}
}

// TestFullBatches: a fold goes on while a commit takes long, by a bounded amount, and comes to the same.
func TestFullBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{BatchEvents: 700}))
		w.traffic(12_000, 10, 50)
		store := projections.NewMemoryStore(t)
		gate := make(chan struct{})
		store.RefuseBy(func() error {
			<-gate
			return nil
		})
		views := open(t, store, w.log)
		stop := start(t, views)
		synctest.Wait()
		if n := views.Status().Size; n != 0 || store.Commits() != 0 {
			t.Errorf("%d events in %d commits, and none had ended", n, store.Commits())
		}
		close(gate)
		head, _ := w.log.Head(t.Context())
		if err := views.Wait(t.Context(), head); err != nil {
			t.Fatal(err)
		}
		stop()
		if n := store.Commits(); n > 4 {
			t.Errorf("%d commits", n)
		}
		if projections.Dump(t, store) != freshDump(t, w.log) {
			t.Error("views of full batches differ")
		}
	})
}

func TestStoreThatFailsStopsTheRun(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	store := projections.NewMemoryStore(t)
	broken := errors.New("broken")
	store.RefuseBy(func() error { return broken })
	views := open(t, store, w.log)
	if err := views.Run(t.Context()); !errors.Is(err, broken) || !errors.Is(views.Status().Err, broken) {
		t.Errorf("run %v, status %+v", err, views.Status())
	}
}

// TestLogAway: a log that is away is waited for, one that is damaged stops the run.
func TestLogAway(t *testing.T) {
	var failure atomic.Pointer[error]
	tried := make(chan struct{}, 100)
	w := smallWorld(t, logtest.MemoryOptions{BatchEvents: 2, FailRead: func(domain.Position) error {
		if err := failure.Load(); err != nil {
			tried <- struct{}{}
			return *err
		}
		return nil
	}})
	store := projections.NewMemoryStore(t)
	views := open(t, store, w.log)
	away := fmt.Errorf("no connection: %w", domain.ErrUnavailable)
	failure.Store(&away)
	start(t, views)
	<-tried
	<-tried
	if status := views.Status(); status.Err != nil || status.CaughtUp {
		t.Errorf("with the log away: %+v", status)
	}
	failure.Store(nil)
	head, _ := w.log.Head(t.Context())
	if err := views.Wait(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	damaged := fmt.Errorf("a torn page: %w", domain.ErrCorrupt)
	failure.Store(&damaged)
	o := w.publish(postID(9))
	if err := views.Wait(t.Context(), o.Recorded.Position); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("waiting behind the damage: %v", err)
	}
	if err := views.Status().Err; !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), "event 7") {
		t.Errorf("the status names %v", err)
	}
	failure.Store(nil)
	all := readAll(t, w.log)
	if projections.Dump(t, store) != freshDump(t, &shortLog{all, len(all.events) - 1}) {
		t.Error("the views are not those of what could be read")
	}
}

func TestClosedLogStopsTheRun(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	views := folded(t, projections.NewMemoryStore(t), w.log)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := views.Run(t.Context()); !errors.Is(err, domain.ErrClosed) {
		t.Errorf("run: %v", err)
	}
}

func TestFind(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	dislike := w.record(domain.Engagement{Type: domain.PostDisliked, PostID: postID(0), AccountID: accountID(0)})
	if dislike.Also.Event == nil {
		t.Fatal("no switch")
	}
	views := folded(t, projections.NewMemoryStore(t), w.log)
	event, found, err := views.FindEvent(t.Context(), dislike.Recorded.ID)
	if err != nil || !found || event.Position != dislike.Recorded.Position {
		t.Errorf("the event is at %s, %v, %v", event.Position, found, err)
	}
	event, found, err = views.FindMessage(t.Context(), dislike.Message)
	if err != nil || !found || event.Position != dislike.Also.Position {
		t.Errorf("the message's first event is at %s, %v, %v", event.Position, found, err)
	}
	want, _, _ := w.log.FindMessage(t.Context(), dislike.Message)
	if string(event.Canonical) != string(want.Canonical) {
		t.Errorf("found %s, the log finds %s", event.Canonical, want.Canonical)
	}
	if _, found, err := views.FindMessage(t.Context(), domain.Message{Source: "/tes", ID: "t1"}); found || err != nil {
		t.Errorf("an unknown message: %v, %v", found, err)
	}
	if _, found, err := views.FindEvent(t.Context(), domain.EventID{1}); found || err != nil {
		t.Errorf("an unknown event: %v, %v", found, err)
	}
}

// TestFindMessageBeforeCaughtUp: what the views have not seen yet they do not call unknown.
func TestFindMessageBeforeCaughtUp(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	like := w.record(domain.Engagement{Type: domain.PostDisliked, PostID: postID(0), AccountID: accountID(0)})
	views := open(t, projections.NewMemoryStore(t), w.log)
	if _, found, err := views.FindMessage(t.Context(), like.Message); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("before the run: %v, %v", found, err)
	}
	start(t, views)
	if err := views.Wait(t.Context(), like.Recorded.Position); err != nil {
		t.Fatal(err)
	}
	if _, found, err := views.FindMessage(t.Context(), like.Message); !found || err != nil {
		t.Errorf("caught up: %v, %v", found, err)
	}
}

func TestPost(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	o := w.record(domain.Engagement{Type: domain.PostPublished, PostID: "p", AccountID: "u", Title: "One", URL: "https://example.org/1", TimeToReadSeconds: 9})
	w.record(domain.Engagement{Type: domain.PostChanged, PostID: "p", Title: "Two"})
	w.record(domain.Engagement{Type: domain.PostChanged, PostID: "p", TimeToReadSeconds: 10})
	s := folded(t, projections.NewMemoryStore(t), w.log).Snapshot()
	defer s.Close()
	got, found, err := s.Post("p", projections.AsOf{})
	want := projections.Post{PostID: "p", Author: "u", Title: "Two", URL: "https://example.org/1", TimeToReadSeconds: 10,
		PublishedAt: o.Recorded.OccurredAt, RecordedAt: o.Recorded.RecordedAt}
	if err != nil || !found || got != want {
		t.Errorf("post %+v, %v, %v, not %+v", got, found, err, want)
	}
	if _, found, err := s.Post("q", projections.AsOf{}); found || err != nil {
		t.Errorf("an unknown post: %v, %v", found, err)
	}
}

// TestReading: the date is that of the rewarded read, also after the reward was taken back and given again.
func TestReading(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	read := w.read(1, 3)
	scope := domain.Scope{PostID: postID(1), AccountID: accountID(3)}
	check := func(what string, date time.Time, rewarded uint64) {
		t.Helper()
		s := folded(t, projections.NewMemoryStore(t), w.log).Snapshot()
		defer s.Close()
		got, err := s.Statement(context.Background(), scope, projections.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Reading.Date.Equal(date) || got.RewardedReads != rewarded || got.Size != uint64(w.log.Len()) || got.Reading.TimeToReadSeconds != 60 {
			t.Errorf("%s: %+v with %+v", what, got, got.Reading)
		}
	}
	check("rewarded", read.Recorded.OccurredAt, 1)
	reversal := w.ledger.Reverse(t.Context(), read.Recorded.ID, "a bot", domain.OperatorName)
	check("reversed", time.Time{}, 0)
	w.read(1, 3)
	check("read again", time.Time{}, 0)
	w.ledger.Reinstate(t.Context(), reversal.Recorded.ID, "no bot", domain.OperatorName)
	check("reinstated", read.Recorded.OccurredAt, 1)
}

// TestSnapshotsAreConsistent reads while the log is folded: rows and checkpoint are of one size.
func TestSnapshotsAreConsistent(t *testing.T) {
	w := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{T: t, BatchEvents: 50}))
	w.traffic(1500, 5, 20)
	head, _ := w.log.Head(t.Context())
	views := open(t, projections.NewMemoryStore(t), w.log)
	start(t, views)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for done := false; !done; {
				s := views.Snapshot()
				checkConsistent(t, s)
				done = s.Position() == head
				s.Close()
			}
		})
	}
	readers.Wait()
}

// TestCursorOfViewsThatWentFurther: where one process has folded more than another, its cursors wait for that one.
func TestCursorOfViewsThatWentFurther(t *testing.T) {
	w := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{T: t}))
	w.traffic(50, 2, 5)
	behind := open(t, projections.NewMemoryStore(t), w.log)
	ahead := open(t, projections.NewMemoryStore(t), w.log)
	start(t, ahead)
	head, _ := w.log.Head(t.Context())
	if err := ahead.Wait(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	q := projections.JournalQuery{Newest: true, Page: projections.Page{Limit: 1}}
	page := func(views *projections.Views) (string, error) {
		s := views.Snapshot()
		defer s.Close()
		_, next, err := s.Journal(q)
		return next, err
	}
	next, err := page(ahead)
	if err != nil || next == "" {
		t.Fatalf("cursor %q, %v", next, err)
	}
	q.Cursor = next
	if _, err := page(behind); !errors.Is(err, projections.ErrNotFolded) {
		t.Errorf("views that have not got as far say %v", err)
	}
}

func checkConsistent(t *testing.T, s *projections.Snapshot) {
	platform, err := s.Statement(context.Background(), domain.Scope{}, projections.AsOf{})
	if err != nil || platform.Size != s.Size() {
		t.Errorf("the platform's size is %d, %v, the snapshot's %d", platform.Size, err, s.Size())
	}
	if s.Size() > 0 {
		if place, err := s.Place(s.Size() - 1); err != nil || place.Position != s.Position() {
			t.Errorf("the last place is %+v, %v, the snapshot's position %s", place, err, s.Position())
		}
	}
	var posts domain.Sums
	for i := range 5 {
		post, err := s.Statement(context.Background(), domain.Scope{PostID: postID(i)}, projections.AsOf{})
		if err == nil {
			addSums(t, &posts, post)
		} else if !errors.Is(err, projections.ErrUnknownPost) {
			t.Error(err)
		}
	}
	if posts != platform.Sums {
		t.Errorf("at size %d the posts' sums %v are not the platform's %v", s.Size(), posts, platform.Sums)
	}
}
