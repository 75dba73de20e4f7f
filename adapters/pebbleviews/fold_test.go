package pebbleviews_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// filledLog returns a log of posts, reads and likes.
func filledLog(t *testing.T) *logtest.Memory { return logOf(t, 4000) }

// logOf returns a log of 20 posts, and so many reads, likes and dislikes each.
func logOf(t *testing.T, each int) *logtest.Memory {
	t.Helper()
	log := logtest.NewMemory(logtest.MemoryOptions{T: t, BatchEvents: 64})
	ledger := domain.NewLedger(domain.Config{Log: log, Messages: log, Clock: time.Now})
	if err := ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var batch []domain.Received
	add := func(e domain.Engagement) {
		e.Message = domain.Message{Source: "/test", ID: fmt.Sprint(len(batch))}
		e.OccurredAt = time.Date(2026, 1, 1, 0, 0, len(batch), 0, time.UTC)
		batch = append(batch, domain.Received{Engagement: e})
	}
	random := rand.New(rand.NewPCG(3, 4))
	post := func() string { return fmt.Sprint("p", random.IntN(20)) }
	account := func() string { return fmt.Sprint("u", random.IntN(300)) }
	for i := range 20 {
		add(domain.Engagement{Type: domain.PostPublished, PostID: fmt.Sprint("p", i), AccountID: account(), Title: "A post", TimeToReadSeconds: 60})
	}
	for range each {
		add(domain.Engagement{Type: domain.PostRead, PostID: post(), AccountID: account(), SecondsRead: 60})
		add(domain.Engagement{Type: domain.PostLiked, PostID: post(), AccountID: account()})
		add(domain.Engagement{Type: domain.PostDisliked, PostID: post(), AccountID: account()})
	}
	for _, o := range ledger.Record(t.Context(), batch) {
		if o.Result == domain.Failed {
			t.Fatal(o.Detail)
		}
	}
	return log
}

// run folds until the views are at a position, which it does not wait for where that is the zero one.
func run(t *testing.T, store *store, log domain.EventLog, until domain.Position, meanwhile func(*projections.Views)) {
	t.Helper()
	views, err := projections.Open(t.Context(), store.in, log)
	if err != nil {
		t.Fatal(err)
	}
	if why := views.Status().Rebuilt; why != "" {
		t.Errorf("rebuilt: %s", why)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	meanwhile(views)
	if err := views.Wait(ctx, until); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
}

func nothing(*projections.Views) {}

// TestFoldOverCrashes: views that went on after crashes, at any moment of a fold, are those that were folded at once,
// however their rows were written.
func TestFoldOverCrashes(t *testing.T) {
	for name, bytes := range map[string]int{"batches": 1 << 30, "both": 100 << 10, "tables": 0} {
		t.Run(name, func(t *testing.T) {
			pebbleviews.IngestFrom(t, bytes)
			foldOverCrashes(t)
		})
	}
}

func foldOverCrashes(t *testing.T) {
	log := filledLog(t)
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole := open(t, "views", pebbleviews.Options{FS: vfs.NewMem()})
	run(t, whole, log, head, nothing)
	want := scan(t, whole, nil, nil)
	closed(t, whole)

	random := rand.New(rand.NewPCG(5, 6))
	fs := vfs.NewCrashableMem()
	for range 8 {
		s := open(t, "views", pebbleviews.Options{FS: fs})
		var clone *vfs.MemFS
		run(t, s, log, domain.Position{}, func(views *projections.Views) {
			size := views.Status().Size
			at, err := placeOf(t, log, int(size)+1+random.IntN(1500))
			if err == nil {
				err = views.Wait(t.Context(), at)
			}
			if err != nil {
				t.Error(err)
			}
			clone = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		})
		closed(t, s)
		fs = clone
	}
	s := open(t, "views", pebbleviews.Options{FS: fs})
	run(t, s, log, head, nothing)
	if got := scan(t, s, nil, nil); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after crashes %d rows, folded at once %d, and they differ", len(got), len(want))
	}
	closed(t, s)
}

// placeOf returns the position of the log's nth event, or of the last one.
func placeOf(t *testing.T, log domain.EventLog, n int) (at domain.Position, err error) {
	t.Helper()
	for events, err := range log.Read(t.Context(), domain.Position{}) {
		if err != nil {
			return at, err
		}
		at = events[min(n, len(events)-1)].Position
		if n -= len(events); n < 0 {
			break
		}
	}
	return at, nil
}

// TestFoldWithoutSpace: the fold waits for space and goes on by itself.
func TestFoldWithoutSpace(t *testing.T) {
	log := filledLog(t)
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	disk := &smallDisk{FS: vfs.NewMem(), asked: make(chan struct{}, 1000)}
	s := open(t, "views", pebbleviews.Options{FS: disk, MinFree: 1})
	defer closed(t, s)
	run(t, s, log, head, func(views *projections.Views) {
		// What a try came to is noted before the next one asks.
		for views.Status().Waiting == nil {
			<-disk.asked
		}
		if status := views.Status(); !errors.Is(status.Waiting, projections.ErrPaused) || status.Err != nil {
			t.Errorf("without space: %+v", status)
		}
		if got := scan(t, s, nil, nil); len(got) > 0 {
			t.Errorf("without space %d rows were written", len(got))
		}
		disk.free.Store(1)
	})
	if len(scan(t, s, nil, nil)) == 0 {
		t.Error("with space again nothing was written")
	}
}
