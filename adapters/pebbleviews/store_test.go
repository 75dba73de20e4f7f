package pebbleviews_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is the oldest store of a folder, with the folder.
type store struct {
	*pebbleviews.Store
	in *pebbleviews.Generations
}

// Close closes the folder.
func (s *store) Close() error { return s.in.Close() }

// open opens a folder, and makes a store where it has none.
func open(t testing.TB, dir string, o pebbleviews.Options) *store {
	t.Helper()
	g, err := pebbleviews.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Stores()) == 0 {
		create(t, g)
	}
	return &store{g.Stores()[0].(*pebbleviews.Store), g}
}

func create(t testing.TB, g *pebbleviews.Generations) *pebbleviews.Store {
	t.Helper()
	s, err := g.Create()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*pebbleviews.Store)
}

func closed(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestScanBack: the rows of a range, the last one first, however they were written.
func TestScanBack(t *testing.T) {
	for _, bytes := range []int{0, 1 << 20} {
		pebbleviews.IngestFrom(t, bytes)
		s := open(t, "views", pebbleviews.Options{FS: vfs.NewMem()})
		for _, texts := range [][]string{{"a=1", "b=2", "i1=x", "z=9"}, {"a=3", "b", "c=4", "i2=y"}} {
			if err := s.Commit(rows(texts...)); err != nil {
				t.Fatal(err)
			}
		}
		for _, tc := range []struct {
			from, to string
			want     []string
		}{
			{"", "~", []string{"z=9", "i2=y", "i1=x", "c=4", "a=3"}},
			{"b", "i2", []string{"i1=x", "c=4"}},
			{"d", "i", nil},
		} {
			var got []string
			for row, err := range s.ScanBack([]byte(tc.from), []byte(tc.to)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(row.Key)+"="+string(row.Value))
			}
			want(t, fmt.Sprintf("back from %q to %q", tc.to, tc.from), got, tc.want...)
		}
		for range s.ScanBack(nil, nil) {
			break
		}
		closed(t, s)
	}
}

// rows makes rows of "key=value" and "key", which removes.
func rows(texts ...string) (rows []projections.Row) {
	for _, text := range texts {
		key, value, set := strings.Cut(text, "=")
		row := projections.Row{Key: []byte(key)}
		if set {
			row.Value = []byte(value)
		}
		rows = append(rows, row)
	}
	return rows
}

func commit(t testing.TB, s projections.Store, texts ...string) {
	t.Helper()
	if err := s.Commit(rows(texts...)); err != nil {
		t.Fatal(err)
	}
}

// scan returns rows as "key=value".
func scan(t testing.TB, r projections.Reader, from, to []byte) (texts []string) {
	t.Helper()
	for row, err := range r.Scan(from, to) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(row.Key)+"="+string(row.Value))
	}
	return texts
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", what, got, want)
	}
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "views")
	s := open(t, dir, pebbleviews.Options{})
	commit(t, s, "0=point", "a=1", "b=", "c=3", "d=4")
	before := s.Snapshot()
	commit(t, s, "0=next", "a", "c=33", "e=5")
	want(t, "all rows", scan(t, s, nil, nil), "0=next", "b=", "c=33", "d=4", "e=5")
	want(t, "from b to d", scan(t, s, []byte("b"), []byte("d")), "b=", "c=33")
	want(t, "the snapshot", scan(t, before, nil, nil), "0=point", "a=1", "b=", "c=3", "d=4")
	for key, want := range map[string]string{"c": "3", "b": "", "a": "1"} {
		if got, found, err := before.Get([]byte(key), []byte("dst ")); err != nil || !found || string(got) != "dst "+want {
			t.Errorf("the snapshot's %s is %q, %v, %v", key, got, found, err)
		}
	}
	closed(t, before)
	if got, found, err := s.Get([]byte("a"), []byte("dst")); err != nil || found || string(got) != "dst" {
		t.Errorf("what was removed: %q, %v, %v", got, found, err)
	}
	for range s.Scan(nil, nil) {
		break // the iterator is closed
	}
	closed(t, s)
	s = open(t, dir, pebbleviews.Options{})
	defer closed(t, s)
	want(t, "opened again", scan(t, s, nil, nil), "0=next", "b=", "c=33", "d=4", "e=5")
}

func TestFolderThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pebbleviews.Open(file, pebbleviews.Options{}); err == nil {
		t.Error("a file was taken for a folder")
	}
	views := filepath.Join(dir, "views")
	s := open(t, views, pebbleviews.Options{})
	commit(t, s, "a=1")
	if _, err := pebbleviews.Open(views, pebbleviews.Options{}); err == nil {
		t.Error("a folder was opened twice")
	}
	want(t, "opened twice", scan(t, s, nil, nil), "a=1")
	closed(t, s)
	closed(t, open(t, views, pebbleviews.Options{})) // the lock was let go
}

// smallDisk is a file system whose free space the test sets.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
	// gone makes each question fail.
	gone atomic.Bool
	// asked, if set, is sent on for each question.
	asked chan struct{}
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.asked != nil {
		d.asked <- struct{}{}
	}
	if d.gone.Load() {
		return vfs.DiskUsage{}, errors.New("no answer")
	}
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestMinFree(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(1000)
	s := open(t, "views", pebbleviews.Options{FS: disk, MinFree: 1000})
	defer closed(t, s)
	commit(t, s, "a=1")
	disk.free.Store(999)
	if err := s.Commit(rows("a=2", "b=2")); !errors.Is(err, projections.ErrPaused) {
		t.Errorf("without space: %v", err)
	}
	disk.gone.Store(true)
	if err := s.Commit(rows("a=2")); !errors.Is(err, projections.ErrPaused) {
		t.Errorf("where the free space is not known: %v", err)
	}
	disk.gone.Store(false)
	want(t, "without space", scan(t, s, nil, nil), "a=1")
	disk.free.Store(1000)
	commit(t, s, "a=3")
	want(t, "with space again", scan(t, s, nil, nil), "a=3")
}

// TestCrash: what a crash leaves is what the first commits wrote, whole. Commit n writes n to three rows, and a row of
// its own that grows, so that tables are written too.
func TestCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, "views", pebbleviews.Options{FS: fs})
	random := rand.New(rand.NewPCG(7, 7))
	filler := strings.Repeat("x", 30_000)
	left := 0
	for n := range 200 {
		commit(t, s, fmt.Sprint("0=", n), fmt.Sprint("a=", n), fmt.Sprintf("b%04d=%s", n, filler), fmt.Sprint("z=", n))
		if n%20 != 19 {
			continue
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		after := open(t, "views", pebbleviews.Options{FS: clone})
		left = max(left, checkCrashed(t, after, n))
		closed(t, after)
	}
	closed(t, s)
	if left == 0 {
		t.Error("no crash left anything: the test shows nothing")
	}
}

// checkCrashed checks that the rows are those of the commits up to one, and returns how many that are.
func checkCrashed(t *testing.T, s projections.Store, last int) (commits int) {
	t.Helper()
	value := func(key string) string {
		v, _, err := s.Get([]byte(key), nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	for range s.Scan([]byte("b"), []byte("c")) {
		commits++
	}
	at := ""
	if commits > 0 {
		at = fmt.Sprint(commits - 1)
	}
	if commits > last+1 || value("0") != at || value("a") != at || value("z") != at {
		t.Errorf("of %d commits %d are left, with the checkpoint %q, a %q, z %q", last+1, commits, value("0"), value("a"), value("z"))
	}
	return commits
}
