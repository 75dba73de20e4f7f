package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// brake lets the stores that it is put on take commits, or not for now.
type brake struct{ on atomic.Bool }

func (b *brake) put(s *projections.MemoryStore) {
	s.RefuseBy(func() error {
		if b.on.Load() {
			return fmt.Errorf("the test says so: %w", projections.ErrPaused)
		}
		return nil
	})
}

// until lets the others go on until the status is as wanted.
func until(t testing.TB, views *projections.Views, wanted func(projections.Status) bool) {
	t.Helper()
	for !wanted(views.Status()) {
		runtime.Gosched()
	}
}

// dropped returns once so many stores were dropped.
func dropped(g *projections.MemoryGenerations, n int) {
	for g.Dropped() < n {
		runtime.Gosched()
	}
}

func switched(s projections.Status) bool { return s.Rebuild == nil }

// paused says that what is built waits for space.
func paused(s projections.Status) bool {
	return s.Rebuild != nil && errors.Is(s.Rebuild.Waiting, projections.ErrPaused)
}

func headOf(t testing.TB, log domain.EventLog) domain.Position {
	t.Helper()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// half returns a store of views that go as far as the log's first n events.
func half(t testing.TB, log domain.EventLog, n int) *projections.MemoryStore {
	t.Helper()
	s := projections.NewMemoryStore(t)
	folded(t, s, &shortLog{readAll(t, log), n})
	return s
}

// checkOnly wants one store alone to be kept, of the views that a fold of the log gives.
func checkOnly(t *testing.T, g *projections.MemoryGenerations, log domain.EventLog) {
	t.Helper()
	kept := g.Kept()
	if len(kept) != 1 || projections.Dump(t, kept[0]) != freshDump(t, log) {
		t.Errorf("of the %d stores that are kept the first is not what a fold gives", len(kept))
	}
}

// TestOlderFormatServesUntilRebuilt: views of an older format are read as they stand, until newer ones have caught up.
func TestOlderFormatServesUntilRebuilt(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	old := projections.NewMemoryStore(t)
	folded(t, old, w.log)
	projections.Outdate(t, old)
	before := uint64(w.log.Len())
	later := w.read(1, 1)
	var b brake
	b.on.Store(true)
	g := projections.NewMemoryGenerations(t, old)
	g.OnCreate(b.put)
	views := open(t, g, w.log)
	stop := start(t, views)
	until(t, views, paused)
	s := views.Status()
	if s.Size != before || !s.CaughtUp || s.Err != nil || s.Rebuilt != "" || !errors.Is(s.Waiting, projections.ErrPaused) ||
		s.Rebuild.Size != 0 || s.Rebuild.Goal != later.Recorded.Position || !strings.Contains(s.Rebuild.Why, "format") ||
		s.Rebuild.Since.IsZero() {
		t.Errorf("status %+v, rebuild %+v", s, s.Rebuild)
	}
	held := views.Snapshot()
	waited := make(chan error)
	go func() { waited <- views.Wait(t.Context(), later.Recorded.Position) }()
	b.on.Store(false)
	if err := <-waited; err != nil {
		t.Errorf("waiting over the switch: %v", err)
	}
	after := views.Snapshot()
	if after.Size() != before+1 || held.Size() != before {
		t.Errorf("sizes %d and %d", held.Size(), after.Size())
	}
	after.Close()
	if got, err := held.Statement(context.Background(), domain.Scope{}, projections.AsOf{}); err != nil || got.Size != before {
		t.Errorf("a snapshot of the old views: %+v, %v", got, err)
	}
	if n := g.Dropped(); n != 0 {
		t.Errorf("%d stores were dropped while one is read", n)
	}
	held.Close()
	dropped(g, 1)
	stop()
	checkOnly(t, g, w.log)
}

// TestNoSwitchBeforeTheEnd: views that are further than the serving ones do not serve before they are where the log ends.
func TestNoSwitchBeforeTheEnd(t *testing.T) {
	w := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{}))
	w.traffic(12_000, 10, 50)
	old := half(t, w.log, 5)
	projections.Outdate(t, old)
	g := projections.NewMemoryGenerations(t, old)
	var commits, most atomic.Int64
	most.Store(1)
	g.OnCreate(func(s *projections.MemoryStore) {
		s.RefuseBy(func() error {
			if commits.Load() == most.Load() {
				return projections.ErrPaused
			}
			commits.Add(1)
			return nil
		})
	})
	views := open(t, g, w.log)
	stop := start(t, views)
	until(t, views, func(s projections.Status) bool { return s.Rebuild == nil || s.Rebuild.Size > 5 && paused(s) })
	if s := views.Status(); s.Size != 5 || s.Rebuild == nil {
		t.Errorf("a half serves: %+v", s)
	}
	most.Store(1000)
	until(t, views, switched)
	if s := views.Status(); s.Size != uint64(w.log.Len()) {
		t.Errorf("switched to %+v", s)
	}
	stop()
	checkOnly(t, g, w.log)
}

// TestOlderFormatThatCannotBeRead: the views are built in place, and not ready until they have caught up.
func TestOlderFormatThatCannotBeRead(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	old := projections.NewMemoryStore(t)
	folded(t, old, w.log)
	projections.ReadNoOlder(t)
	t.Run("marked", func(t *testing.T) { projections.Outdate(t, old) })
	g := projections.NewMemoryGenerations(t, old)
	views := open(t, g, w.log)
	if s := views.Status(); s.Size != 0 || s.CaughtUp || s.Rebuild != nil || !strings.Contains(s.Rebuilt, "have format") {
		t.Errorf("status %+v", s)
	}
	catchUp(t, views, w.log)
	checkOnly(t, g, w.log)
}

// TestReadersOverSwitches: while the log grows and the views are rebuilt again and again, whoever reads sees no error,
// never fewer events than before, and what he waited for.
func TestReadersOverSwitches(t *testing.T) {
	w := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{BatchEvents: 50}))
	w.traffic(300, 5, 20)
	g := projections.NewMemoryGenerations(t)
	views := open(t, g, w.log)
	stop := start(t, views)
	if err := views.Wait(t.Context(), headOf(t, w.log)); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := uint64(0); !done.Load(); {
				s := views.Snapshot()
				checkConsistent(t, s)
				if s.Size() < last {
					t.Errorf("size %d came behind %d", s.Size(), last)
				}
				last = s.Size()
				s.Close()
			}
		})
	}
	for range 10 {
		views.Rebuild("the test wants it")
		for going := true; going; going = !switched(views.Status()) {
			if !views.Status().CaughtUp {
				t.Error("not caught up while other views are built")
			}
			o := w.read(w.sent%5, w.sent)
			if err := views.Wait(t.Context(), o.Recorded.Position); err != nil {
				t.Error(err)
			}
			s := views.Snapshot()
			if s.Position().Compare(o.Recorded.Position) < 0 {
				t.Errorf("%s was waited for, and %s is read", o.Recorded.Position, s.Position())
			}
			s.Close()
		}
	}
	done.Store(true)
	readers.Wait()
	dropped(g, 10)
	if err := stop(); !errors.Is(err, context.Canceled) || views.Status().Err != nil {
		t.Errorf("the run ended with %v, status %+v", err, views.Status())
	}
	checkOnly(t, g, w.log)
}

// TestRebuildOfNothing: views that hold nothing yet, or are built from nothing, are not built twice.
func TestRebuildOfNothing(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	full := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{}))
	full.traffic(12_000, 10, 50)
	g := projections.NewMemoryGenerations(t)
	commits := 0
	g.OnCreate(func(s *projections.MemoryStore) {
		s.RefuseBy(func() error {
			if commits++; commits > 1 {
				return projections.ErrPaused
			}
			return nil
		})
	})
	views := open(t, g, w.log)
	views.Rebuild("the test wants it")
	if b := views.Status().Rebuild; b != nil {
		t.Errorf("of nothing: %+v", b)
	}
	views = open(t, g, full.log)
	start(t, views)
	until(t, views, func(s projections.Status) bool { return s.Size > 0 })
	views.Rebuild("the test wants it")
	if s := views.Status(); s.Rebuild != nil || s.CaughtUp {
		t.Errorf("of a part: %+v, %+v", s, s.Rebuild)
	}
}

// TestDamageIsMendedAtOnce: damage that is noticed while nothing is folded, or by the fold, has the views rebuilt, while
// what is whole is read.
func TestDamageIsMendedAtOnce(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, *world, *projections.MemoryStore){
		"noticed by a reader": func(t *testing.T, _ *world, s *projections.MemoryStore) {
			if err := s.Condemn("a torn page"); err != nil {
				t.Fatal(err)
			}
		},
		"noticed by the fold": func(_ *testing.T, w *world, s *projections.MemoryStore) {
			s.FailReadsWith(fmt.Errorf("a torn page: %w", projections.ErrDamaged))
			w.read(1, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := smallWorld(t, logtest.MemoryOptions{})
			first := projections.NewMemoryStore(t)
			g := projections.NewMemoryGenerations(t, first)
			var b brake
			b.on.Store(true)
			g.OnCreate(b.put)
			views := open(t, g, w.log)
			stop := start(t, views)
			if err := views.Wait(t.Context(), headOf(t, w.log)); err != nil {
				t.Fatal(err)
			}
			// A fold that began with empty views knows what is in them, and need not read.
			stop()
			stop = start(t, views)
			size := uint64(w.log.Len())
			damage(t, w, first)
			until(t, views, paused)
			if s := views.Status(); !errors.Is(s.Err, projections.ErrDamaged) || s.Size != size || !strings.Contains(s.Rebuild.Why, "a torn page") {
				t.Errorf("status %+v, rebuild %+v", s, s.Rebuild)
			}
			if first.Condemned() == "" {
				t.Error("the damaged store would be opened again")
			}
			s := views.Snapshot()
			if s.Size() != size {
				t.Errorf("size %d is read, not %d", s.Size(), size)
			}
			s.Close()
			b.on.Store(false)
			if err := views.Wait(t.Context(), headOf(t, w.log)); err != nil {
				t.Errorf("waiting over the switch: %v", err)
			}
			until(t, views, switched)
			if s := views.Status(); s.Err != nil || !s.CaughtUp {
				t.Errorf("mended: %+v", s)
			}
			o := w.read(0, 9)
			if err := views.Wait(t.Context(), o.Recorded.Position); err != nil {
				t.Error(err)
			}
			stop()
			checkOnly(t, g, w.log)
		})
	}
}

// TestDamageOfWhatIsBuilt: a store that is found damaged while it is filled is made anew.
func TestDamageOfWhatIsBuilt(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	g := projections.NewMemoryGenerations(t)
	views := open(t, g, w.log)
	catchUp(t, views, w.log)
	made := 0
	g.OnCreate(func(s *projections.MemoryStore) {
		if made++; made == 1 {
			s.RefuseBy(func() error { return fmt.Errorf("a torn page: %w", projections.ErrDamaged) })
		}
	})
	views.Rebuild("the test wants it")
	stop := start(t, views)
	until(t, views, switched)
	stop()
	if made != 2 {
		t.Errorf("%d stores were made", made)
	}
	checkOnly(t, g, w.log)
}

// TestOpeningAHalf: what a process left that was killed while it built. A half never serves where a whole can.
func TestOpeningAHalf(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	other := newWorld(t, logtest.NewMemory(logtest.MemoryOptions{T: t}), otherTariff())
	other.publish(postID(0))
	whole := func(t *testing.T) *projections.MemoryStore { return half(t, w.log, w.log.Len()) }
	foreign := func(t *testing.T) *projections.MemoryStore { return half(t, other.log, other.log.Len()) }
	for name, tc := range map[string]struct {
		stores        func(t *testing.T) []*projections.MemoryStore
		size, resumed uint64
		rebuilt, why  string
	}{
		"a half behind a whole": {func(t *testing.T) []*projections.MemoryStore {
			return []*projections.MemoryStore{whole(t), half(t, w.log, 4)}
		}, 7, 4, "", "goes on"},
		"nothing behind a whole": {func(t *testing.T) []*projections.MemoryStore {
			return []*projections.MemoryStore{whole(t), projections.NewMemoryStore(t)}
		}, 7, 0, "", "goes on"},
		"a half behind an older format": {func(t *testing.T) []*projections.MemoryStore {
			old := whole(t)
			projections.Outdate(t, old)
			return []*projections.MemoryStore{old, half(t, w.log, 4)}
		}, 7, 4, "", "goes on"},
		"a half of an older format": {func(t *testing.T) []*projections.MemoryStore {
			old := half(t, w.log, 4)
			projections.Outdate(t, old)
			return []*projections.MemoryStore{whole(t), old}
		}, 7, 0, "", "begins again"},
		"a half of another log": {func(t *testing.T) []*projections.MemoryStore {
			return []*projections.MemoryStore{whole(t), foreign(t)}
		}, 7, 0, "", "begins again"},
		"a half behind what cannot serve": {func(t *testing.T) []*projections.MemoryStore {
			return []*projections.MemoryStore{foreign(t), half(t, w.log, 4)}
		}, 4, 0, "another one", ""},
		"nothing that can serve": {func(t *testing.T) []*projections.MemoryStore {
			return []*projections.MemoryStore{foreign(t), foreign(t)}
		}, 0, 0, "another one", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := projections.NewMemoryGenerations(t, tc.stores(t)...)
			views := open(t, g, w.log)
			s := views.Status()
			if s.Size != tc.size || !strings.Contains(s.Rebuilt, tc.rebuilt) || tc.rebuilt == "" && s.Rebuilt != "" || (s.Rebuild == nil) != (tc.why == "") {
				t.Fatalf("status %+v", s)
			}
			if b := s.Rebuild; b != nil && (b.Size != tc.resumed || !strings.Contains(b.Why, tc.why)) {
				t.Errorf("rebuild %+v", b)
			}
			if s.CaughtUp && s.Size < 7 {
				t.Errorf("a half is called whole: %+v", s)
			}
			stop := start(t, views)
			until(t, views, func(s projections.Status) bool { return s.Size == 7 && switched(s) && s.CaughtUp })
			stop()
			checkOnly(t, g, w.log)
		})
	}
}

// TestRunsThatEndMeanwhile: a rebuild that Run was stopped in goes on with the next one, from where it was.
func TestRunsThatEndMeanwhile(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	var b brake
	b.on.Store(true)
	g := projections.NewMemoryGenerations(t, half(t, w.log, w.log.Len()))
	g.OnCreate(b.put)
	views := open(t, g, w.log)
	views.Rebuild("the test wants it")
	for range 2 {
		stop := start(t, views)
		until(t, views, paused)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("the run ended with %v", err)
		}
		if s := views.Status(); s.Rebuild == nil || s.Rebuild.Err != nil || s.Rebuild.Waiting != nil || s.Err != nil {
			t.Errorf("stopped: %+v, %+v", s, s.Rebuild)
		}
	}
	b.on.Store(false)
	stop := start(t, views)
	until(t, views, switched)
	stop()
	checkOnly(t, g, w.log)
}

// TestRebuildThatCannotBe: views that cannot be built leave the serving ones as they were, and folding, where they can
// be folded.
func TestRebuildThatCannotBe(t *testing.T) {
	refused := errors.New("no such disk")
	w := smallWorld(t, logtest.MemoryOptions{})
	t.Run("made", func(t *testing.T) {
		g := projections.NewMemoryGenerations(t, half(t, w.log, w.log.Len()))
		g.RefuseCreating(refused)
		views := open(t, g, w.log)
		views.Rebuild("the test wants it")
		stop := start(t, views)
		until(t, views, func(s projections.Status) bool { return s.Rebuild.Err != nil })
		o := w.read(1, 5)
		if err := views.Wait(t.Context(), o.Recorded.Position); err != nil {
			t.Error(err)
		}
		if s := views.Status(); !errors.Is(s.Rebuild.Err, refused) || s.Err != nil {
			t.Errorf("status %+v, rebuild %+v", s, s.Rebuild)
		}
		g.RefuseCreating(nil)
		views.Rebuild("the test wants it again")
		stop()
		stop = start(t, views)
		until(t, views, switched)
		stop()
		checkOnly(t, g, w.log)
	})
	t.Run("folded", func(t *testing.T) {
		old := half(t, w.log, w.log.Len())
		projections.Outdate(t, old)
		all := readAll(t, w.log)
		commit, _ := all.head().Numbers()
		bad := domain.LogEvent{Position: domain.NewPosition(commit+1, commit+1), Canonical: []byte("{}")}
		all.events = append(all.events, bad)
		views := open(t, projections.NewMemoryGenerations(t, old), all)
		var fold *projections.FoldError
		if err := views.Run(t.Context()); !errors.As(err, &fold) {
			t.Errorf("run: %v", err)
		}
		if s := views.Status(); !errors.As(s.Err, &fold) || s.Rebuild == nil || s.Rebuild.Err == nil {
			t.Errorf("status %+v", s)
		}
		if err := views.Wait(t.Context(), bad.Position); !errors.As(err, &fold) {
			t.Errorf("waiting for it: %v", err)
		}
		s := views.Snapshot()
		defer s.Close()
		if got, err := s.Statement(context.Background(), domain.Scope{}, projections.AsOf{}); err != nil || got.Size != uint64(w.log.Len()) {
			t.Errorf("reads go on: %+v, %v", got, err)
		}
	})
}

// restorableLog is a log that goes away and comes back as another one.
type restorableLog struct {
	mu   sync.Mutex
	log  domain.EventLog
	gone chan struct{} // closed when it goes away
}

func (r *restorableLog) now() (domain.EventLog, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log, r.gone
}

func (r *restorableLog) restore(log domain.EventLog) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.gone)
	r.log, r.gone = log, make(chan struct{})
}

func (r *restorableLog) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	log, _ := r.now()
	return log.Append(ctx, appends)
}

func (r *restorableLog) Head(ctx context.Context) (domain.Position, error) {
	log, _ := r.now()
	return log.Head(ctx)
}

func (r *restorableLog) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	log, _ := r.now()
	return log.Read(ctx, after)
}

func (r *restorableLog) ReadStream(
	ctx context.Context, stream domain.Stream, from domain.Revision,
) iter.Seq2[domain.LogEvent, error] {
	log, _ := r.now()
	return log.ReadStream(ctx, stream, from)
}

func (r *restorableLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	log, gone := r.now()
	return func(yield func([]domain.LogEvent, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-gone:
				cancel()
			case <-ctx.Done():
			}
		}()
		for events, err := range log.Follow(ctx, after) {
			select {
			case <-gone:
				err = domain.ErrUnavailable
			default:
			}
			if !yield(events, err) || err != nil {
				return
			}
		}
	}
}

// TestLogRestored: a log that comes back with fewer events than were folded has the views built anew, of what it has, and
// says so meanwhile.
func TestLogRestored(t *testing.T) {
	w := smallWorld(t, logtest.MemoryOptions{})
	whole := readAll(t, w.log)
	log := &restorableLog{log: whole, gone: make(chan struct{})}
	views := open(t, projections.NewMemoryGenerations(t), log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	if err := views.Wait(t.Context(), whole.head()); err != nil {
		t.Fatal(err)
	}
	short := &shortLog{whole, len(whole.events) / 2}
	log.restore(short)
	var why string
	until(t, views, func(s projections.Status) bool {
		if s.Rebuild != nil {
			why = s.Rebuild.Why
		}
		return s.Size == uint64(short.n) && s.Rebuild == nil && s.CaughtUp
	})
	if why != "" && !strings.Contains(why, "lacks event") {
		t.Errorf("views were rebuilt for %q", why)
	}
	snapshot := views.Snapshot()
	defer snapshot.Close()
	got, err := snapshot.Statement(t.Context(), domain.Scope{}, projections.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := folded(t, projections.NewMemoryGenerations(t), short).Snapshot()
	defer fresh.Close()
	if want, err := fresh.Statement(t.Context(), domain.Scope{}, projections.AsOf{}); err != nil || *got != *want {
		t.Errorf("the platform's statement is %+v, of the log it is %+v, %v", got, want, err)
	}
}
