package pebbleviews_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/projections"
)

// withFile returns a copy of a file system with one file changed.
func withFile(t *testing.T, fs *vfs.MemFS, path string, change func([]byte) []byte) *vfs.MemFS {
	t.Helper()
	fs = fs.CrashClone(vfs.CrashCloneCfg{})
	from, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(from)
	if err := errors.Join(err, from.Close()); err != nil {
		t.Fatal(err)
	}
	to, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.Write(change(text))
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		t.Fatal(err)
	}
	return fs
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at%len(b)] ^= 1 << (at % 8); return b }
}

// TestDamage changes one bit somewhere in the tables or the log of Pebble, or cuts one short. Whatever it is, no
// process ends of it, and after at most one more start the views are those of the log.
func TestDamage(t *testing.T) {
	log := logOf(t, 1000)
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewCrashableMem()
	// The second time the rows have gone from Pebble's log into tables.
	for range 2 {
		s := open(t, "views", pebbleviews.Options{FS: fs})
		run(t, s, log, head, nothing)
		closed(t, s)
	}
	s := open(t, "views", pebbleviews.Options{FS: fs})
	wanted := fmt.Sprint(scan(t, s, nil, nil))
	closed(t, s)
	folder := fs.PathJoin("views", "1")
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	thrownAway := map[string]int{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") && !strings.HasSuffix(name, ".log") {
			continue
		}
		path := fs.PathJoin(folder, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		changes := []func([]byte) []byte{}
		if info.Size() > 0 {
			changes = append(changes, func(b []byte) []byte { return b[:len(b)/2] })
			for i := range 8 {
				changes = append(changes, flip(int(info.Size())*i/8+i))
			}
		}
		for _, change := range changes {
			if heal(t, withFile(t, fs, path, change), log, wanted) {
				thrownAway[name[strings.LastIndexByte(name, '.')+1:]]++ // by kind of file
			}
		}
	}
	if thrownAway["sst"] == 0 {
		t.Errorf("no damaged table was found: the test shows nothing (%v)", thrownAway)
	}
}

// heal opens damaged views until they are those of the log, and reports whether they were thrown away.
func heal(t *testing.T, fs *vfs.MemFS, log *logtest.Memory, wanted string) (thrownAway bool) {
	t.Helper()
	for start := range 2 {
		g, err := pebbleviews.Open("views", pebbleviews.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		views, err := projections.Open(t.Context(), g, log)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fold(t, g, views, log)
		thrownAway = thrownAway || views.Status().Rebuilt != "" || !exists(fs, "views/1")
		_ = g.Close() // it may say what is damaged
		if err == nil && got == wanted {
			return thrownAway
		}
		if start == 1 {
			t.Errorf("after two starts the views are not those of the log: %v, rebuilt %q", err, views.Status().Rebuilt)
		} else if !errors.Is(err, projections.ErrDamaged) {
			t.Errorf("damaged views: %v", err)
		}
	}
	return thrownAway
}

// fold folds to the log's end, and returns all rows.
func fold(t *testing.T, g *pebbleviews.Generations, views *projections.Views, log *logtest.Memory) (rows string, err error) {
	t.Helper()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- views.Run(ctx) }()
	err = views.Wait(ctx, head)
	cancel()
	<-ended
	if err != nil {
		return "", err
	}
	var texts []string
	stores := g.Stores()
	for row, err := range stores[len(stores)-1].Scan(nil, nil) {
		if err != nil {
			return "", err
		}
		texts = append(texts, string(row.Key)+"="+string(row.Value))
	}
	return fmt.Sprint(texts), nil
}

func exists(fs vfs.FS, path string) bool {
	_, err := fs.Stat(path)
	return err == nil
}

// TestCondemned: what was condemned is read on, takes no commits, and is thrown away by the next opening, of which a
// crash may come in between.
func TestCondemned(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, "views", pebbleviews.Options{FS: fs})
	commit(t, s, "a=1")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Damaged(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	if err := s.Condemn("a row makes no sense"); err != nil {
		t.Fatal(err)
	}
	want(t, "condemned", scan(t, s, nil, nil), "a=1")
	if err := s.Damaged(t.Context()); !errors.Is(err, projections.ErrDamaged) || !strings.Contains(err.Error(), "a row makes no sense") {
		t.Errorf("condemned: %v", err)
	}
	if err := s.Commit(rows("b=1")); !errors.Is(err, projections.ErrDamaged) {
		t.Errorf("a commit: %v", err)
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	closed(t, s)
	for _, fs := range []*vfs.MemFS{fs, crashed} {
		s = open(t, "views", pebbleviews.Options{FS: fs})
		if why := s.in.Discarded(); !strings.Contains(why, "a row makes no sense") {
			t.Errorf("discarded: %q", why)
		}
		want(t, "opened again", scan(t, s, nil, nil))
		commit(t, s, "c=1")
		closed(t, s)
		s = open(t, "views", pebbleviews.Options{FS: fs})
		if why := s.in.Discarded(); why != "" {
			t.Errorf("discarded again: %q", why)
		}
		want(t, "and again", scan(t, s, nil, nil), "c=1")
		closed(t, s)
	}
}
