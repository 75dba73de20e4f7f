package pebbleviews_test

import (
	"context"
	"fmt"

	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// reopened opens a folder as it is after a crash, without what was not synced.
func reopened(t *testing.T, fs *vfs.MemFS) *pebbleviews.Generations {
	t.Helper()
	g, err := pebbleviews.Open("views", pebbleviews.Options{FS: fs.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, g) })
	return g
}

// contents returns the rows of each store, oldest first.
func contents(t *testing.T, g *pebbleviews.Generations) (all []string) {
	for _, s := range g.Stores() {
		all = append(all, strings.Join(scan(t, s, nil, nil), " "))
	}
	return all
}

func TestGenerations(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, "views", pebbleviews.Options{FS: fs})
	commit(t, s, "0=point", "a=1")
	next := create(t, s.in)
	commit(t, next, "0=next")
	want(t, "two", contents(t, s.in), "0=point a=1", "0=next")
	if n := len(reopened(t, fs).Stores()); n != 2 {
		t.Errorf("after a crash %d stores", n)
	}
	if err := s.in.Promote(next); err != nil {
		t.Fatal(err)
	}
	want(t, "the one that was replaced is still read", contents(t, s.in), "0=point a=1", "0=next")
	g := reopened(t, fs)
	want(t, "promoted, after a crash", contents(t, g), "0=next")
	if why := g.Discarded(); why != "" {
		t.Errorf("discarded: %q", why)
	}
	if err := s.in.Drop(s.Store); err != nil {
		t.Fatal(err)
	}
	want(t, "dropped", contents(t, s.in), "0=next")
	want(t, "dropped, after a crash", contents(t, reopened(t, fs)), "0=next")
	third := create(t, s.in)
	if err := s.in.Drop(third); err != nil {
		t.Fatal(err)
	}
	want(t, "what was built dropped", contents(t, reopened(t, fs)), "0=next")
	closed(t, s)
	names, err := fs.List("views")
	if err != nil || len(names) != 2 {
		t.Errorf("left in the folder: %q, %v", names, err)
	}
}

// TestFolderWithoutGenerations: the files of a program that kept one store in the folder itself are replaced; what is
// nobody's here is left alone.
func TestFolderWithoutGenerations(t *testing.T) {
	fs := vfs.NewMem()
	db, err := pebble.Open("views", &pebble.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("0"), []byte("point"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	closed(t, db)
	foreign := []string{"notes", "removed-by-hand", "007"}
	for _, name := range foreign {
		if err := fs.MkdirAll("views/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	foreign = append(foreign, "notes.txt", "000004.sst.bak")
	for _, name := range foreign[3:] {
		f, err := fs.Create("views/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, f)
	}
	s := open(t, "views", pebbleviews.Options{FS: fs})
	if why := s.in.Discarded(); !strings.Contains(why, "did not keep them in generations") {
		t.Errorf("discarded: %q", why)
	}
	want(t, "replaced", scan(t, s, nil, nil))
	commit(t, s, "0=new")
	closed(t, s)
	s = open(t, "views", pebbleviews.Options{FS: fs})
	if why := s.in.Discarded(); why != "" {
		t.Errorf("discarded again: %q", why)
	}
	want(t, "opened again", scan(t, s, nil, nil), "0=new")
	closed(t, s)
	names, err := fs.List("views")
	slices.Sort(names)
	// Beside what is foreign there are the lock and the generation.
	if want := slices.Sorted(slices.Values(append(foreign, "LOCK", "1"))); err != nil || !slices.Equal(names, want) {
		t.Errorf("in the folder are %q, %v, not %q", names, err, want)
	}
}

// TestRebuildOverCrashes takes the file system as a crash may leave it at each step with which a rebuild makes, fills,
// promotes and removes stores. Whatever is opened then serves at least what served before, and comes to the same rows.
func TestRebuildOverCrashes(t *testing.T) {
	log := logOf(t, 100)
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewCrashableMem()
	s := open(t, "views", pebbleviews.Options{FS: fs})
	run(t, s, log, head, nothing)
	wanted := fmt.Sprint(scan(t, s, nil, nil))
	closed(t, s)
	closed(t, open(t, "views", pebbleviews.Options{FS: fs})) // all is in tables now, and durable

	crashes := rebuildWithCrashes(t, fs, log)
	served := map[int]int{}
	for _, c := range crashes {
		served[openCrashed(t, c, log, wanted)]++
	}
	t.Logf("%d crashes, generations that served: %v", len(crashes), served)
	if len(crashes) < 20 || served[1] == 0 || served[2] == 0 {
		t.Errorf("%d crashes, generations that served: %v; the test shows little", len(crashes), served)
	}
}

// crash is a file system after one, and the step before which it came.
type crash struct {
	fs   *vfs.MemFS
	step string
}

// rebuildWithCrashes rebuilds views, and returns clones of the file system from before the steps.
func rebuildWithCrashes(t *testing.T, fs *vfs.MemFS, log *logtest.Memory) (crashes []crash) {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 12))
	var mu sync.Mutex // guards random and crashes
	steps := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpRename, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpMkdirAll, errorfs.OpFileSync, errorfs.OpFileSyncData:
			mu.Lock()
			defer mu.Unlock()
			percent := []int{0, 50, 100}[len(crashes)%3]
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
			crashes = append(crashes, crash{clone, fmt.Sprintf("%d: %v %s, %d%% of what was not synced", len(crashes), op.Kind, op.Path, percent)})
		}
		return nil
	}))
	g, err := pebbleviews.Open("views", pebbleviews.Options{FS: steps})
	if err != nil {
		t.Fatal(err)
	}
	views, err := projections.Open(t.Context(), g, log)
	if err != nil {
		t.Fatal(err)
	}
	views.Rebuild("the test wants it")
	rebuilt(t, views, func() bool { return len(g.Stores()) == 1 && views.Status().Rebuild == nil })
	closed(t, g)
	return crashes
}

// rebuilt runs views until done, which it looks at as long as the run goes on.
func rebuilt(t *testing.T, views *projections.Views, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	for !done() {
		select {
		case err := <-ended:
			t.Fatalf("the run ended: %v", err)
		default:
			runtime.Gosched()
		}
	}
	cancel()
	<-ended
}

// openCrashed opens what a crash left, and returns the number of the generation that serves.
func openCrashed(t *testing.T, c crash, log *logtest.Memory, wanted string) (number int) {
	t.Helper()
	g, err := pebbleviews.Open("views", pebbleviews.Options{FS: c.fs})
	if err != nil {
		t.Fatalf("%s: %v", c.step, err)
	}
	defer closed(t, g)
	views, err := projections.Open(t.Context(), g, log)
	if err != nil {
		t.Fatalf("%s: %v", c.step, err)
	}
	if s := views.Status(); s.Size != uint64(log.Len()) || s.Rebuilt != "" {
		t.Errorf("%s: %+v", c.step, s)
	}
	number = 1
	if !exists(c.fs, "views/1") {
		number = 2
	}
	if got := fmt.Sprint(scan(t, g.Stores()[0], nil, nil)); got != wanted {
		t.Errorf("%s: what serves has other rows", c.step)
	}
	rebuilt(t, views, func() bool { return len(g.Stores()) == 1 && views.Status().Rebuild == nil && views.Status().CaughtUp })
	if got := fmt.Sprint(scan(t, g.Stores()[0], nil, nil)); got != wanted {
		t.Errorf("%s: what serves in the end has other rows", c.step)
	}
	return number
}

// TestRebuildMendsDamage: where a reader meets a damaged table, the views are rebuilt with no start in between.
func TestRebuildMendsDamage(t *testing.T) {
	log := logOf(t, 1000)
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewCrashableMem()
	for range 2 { // the second time the rows have gone into tables
		s := open(t, "views", pebbleviews.Options{FS: fs})
		run(t, s, log, head, nothing)
		closed(t, s)
	}
	fs = damagedTable(t, fs)
	g, err := pebbleviews.Open("views", pebbleviews.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	views, err := projections.Open(t.Context(), g, log)
	if err != nil {
		t.Fatal(err)
	}
	if s := views.Status(); s.Size != uint64(log.Len()) || s.Rebuild != nil {
		t.Fatalf("before it was noticed: %+v", s)
	}
	failed := false
	read := func() (done bool) {
		s := views.Snapshot()
		defer s.Close()
		errs := 0
		for i := range 20 {
			for j := range 300 {
				scope := domain.Scope{PostID: fmt.Sprint("p", i), AccountID: fmt.Sprint("u", j)}
				if _, err := s.Statement(context.Background(), scope, projections.AsOf{}); err != nil {
					errs++
				}
			}
		}
		failed = failed || errs > 0
		return failed && errs == 0 && views.Status().Rebuild == nil && len(g.Stores()) == 1
	}
	rebuilt(t, views, read)
	if s := views.Status(); s.Err != nil || s.Size != uint64(log.Len()) {
		t.Errorf("mended: %+v", s)
	}
}

// damagedTable changes blocks that the statements of accounts under posts are in.
func damagedTable(t *testing.T, fs *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	names, err := fs.List("views/1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		fs = withFile(t, fs, "views/1/"+name, func(b []byte) []byte {
			for at := len(b) * 3 / 4; at < len(b)*7/8; at += 512 {
				b[at] ^= 1
			}
			return b
		})
	}
	return fs
}
