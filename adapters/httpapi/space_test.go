package httpapi

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// roomy is enough for a log to be opened.
const roomy = 1 << 30

// smallDisk is a file system whose free space the test sets.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

// TestSpaceLostAndRegained: one service, with the log and the views that it is run with, takes nothing while there is
// no space, answers reads meanwhile, and goes on by itself when there is space again.
func TestSpaceLostAndRegained(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(roomy)
	log, err := pebblelog.Open("log", pebblelog.Options{FS: disk, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	store, err := pebbleviews.Open("views", pebbleviews.Options{FS: disk, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, logged: new(lockedBuffer)}
	if w.views, err = projections.Open(t.Context(), store, log); err != nil {
		t.Fatal(err)
	}
	w.ledger = domain.NewLedger(domain.Config{Log: log, Clock: time.Now, Messages: log, Events: w.views})
	if err := w.ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	w.runViews()
	w.api = New(Config{Ledger: w.ledger, Views: w.views, Log: log, Writable: log.Writable,
		Logger: slog.New(slog.NewTextHandler(w.logged, nil))})
	w.server = httptest.NewServer(w.api)
	w.client = w.server.Client()
	defer func() {
		w.server.Close()
		w.stopViews()
		if err := errors.Join(store.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	}()
	settle := func() {
		t.Helper()
		head, err := log.Head(t.Context())
		if err == nil {
			err = w.views.Wait(t.Context(), head)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.post(event("post.published", "p", `{"post_id":"p1","account_id":"u1","title":"T","time_to_read_seconds":60}`)).want(t, 201)
	settle()
	w.get("/readyz").want(t, 200)

	disk.free.Store(0)
	w.post(liked("e-1", "p1", "u2")).want(t, 503, `"outcome":"failed"`)
	w.get("/readyz?for=write").want(t, 503, `"purpose":"write"`, "log has 0 bytes free, fewer than the 1 that must stay free")
	w.get("/readyz?for=read").want(t, 200)
	w.get("/v1/posts/p1/pnl").want(t, 200, `"likes":0`)
	w.get("/v1/log").want(t, 200, `"PostPublished"`)

	disk.free.Store(roomy)
	w.post(liked("e-1", "p1", "u2")).want(t, 201)
	settle()
	w.get("/v1/posts/p1/pnl").want(t, 200, `"likes":1`)
	w.get("/readyz").want(t, 200)
}
