package pebblelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

const testDir = "data/log"

// onFS are the options of a log that writes its index every few events.
func onFS(fs vfs.FS) Options { return Options{FS: fs, generation: 64, filterBlocks: 64} }

func openFS(t *testing.T, fs vfs.FS) *Log {
	t.Helper()
	l, err := Open(testDir, onFS(fs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// add appends an event to a stream, with a line that names both.
func add(stream domain.Stream, expected domain.Revision, size int) domain.Append {
	line := fmt.Sprintf("%s %d", stream, expected+1)
	if pad := size - len(line); pad > 0 {
		line += strings.Repeat(".", pad)
	}
	return domain.Append{
		Stream: stream, Expected: expected, Message: domain.Message{Source: "/test", ID: fmt.Sprintf("%s %d", stream, expected+1)},
		Events: []domain.EncodedEvent{{Type: domain.PostPublished, Canonical: []byte(line)}},
	}
}

func mustAppend(t *testing.T, l *Log, appends ...domain.Append) {
	t.Helper()
	for i, a := range l.Append(t.Context(), appends) {
		if a.Err != nil {
			t.Fatalf("append %d: %v", i, a.Err)
		}
	}
}

// fill appends count events, each on a stream of its own, in calls of ten.
func fill(t *testing.T, l *Log, from, count, size int) {
	t.Helper()
	for part := range slices.Chunk(numbers(from, count), 10) {
		var appends []domain.Append
		for _, n := range part {
			appends = append(appends, add(domain.PostStream(fmt.Sprint(n)), domain.NoStream, size))
		}
		mustAppend(t, l, appends...)
	}
}

func numbers(from, count int) []int {
	n := make([]int, count)
	for i := range n {
		n[i] = from + i
	}
	return n
}

// verify reads the whole log and checks it against itself: positions without gaps, every event at its revision of its
// stream, every message found, and the index the same as one made anew.
func verify(t *testing.T, l *Log) map[domain.Stream][]string {
	t.Helper()
	streams := map[domain.Stream][]string{}
	first := map[domain.Message]uint64{}
	var lines []string
	next := uint64(0)
	for batch, err := range l.Read(t.Context(), domain.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			if e.Position != positionOf(next) {
				t.Fatalf("event %d is at %q", next, e.Position)
			}
			lines = append(lines, string(e.Canonical))
			next++
		}
	}
	if err := scan(l.events, 0, next, func(at uint64, r record) bool {
		stream, message := domain.Stream(r.stream), domain.Message{Source: string(r.source), ID: string(r.id)}
		if int(r.revision) != len(streams[stream]) {
			t.Fatalf("event %d has revision %d of %s, which has %d events", at, r.revision, stream, len(streams[stream]))
		}
		streams[stream] = append(streams[stream], lines[at])
		if _, seen := first[message]; !seen {
			first[message] = at
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for stream, lines := range streams {
		i := 0
		for e, err := range l.ReadStream(t.Context(), stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(lines) || string(e.Canonical) != lines[i] {
				t.Fatalf("stream %s: event %d is %.60q", stream, i, e.Canonical)
			}
			i++
		}
		if i != len(lines) {
			t.Fatalf("stream %s has %d events, the log has %d", stream, i, len(lines))
		}
	}
	for m, at := range first {
		if e, found, err := l.FindMessage(t.Context(), m); err != nil || !found || e.Position != positionOf(at) {
			t.Fatalf("message %+v: found %v at %q, %v; want %d", m, found, e.Position, err, at)
		}
	}
	return streams
}

// acknowledged is what a log has answered for, by stream: the number of events.
type acknowledged struct {
	mu   sync.Mutex // guards done
	done map[domain.Stream]domain.Revision
}

func (k *acknowledged) copy() map[domain.Stream]domain.Revision {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := map[domain.Stream]domain.Revision{}
	for s, r := range k.done {
		c[s] = r
	}
	return c
}

// firstOfTwo ends the line of the first event of an append of two.
const firstOfTwo = " and one more"

// write appends until its context ends: streams of its own, of one and of two events an append, in calls of several.
func (k *acknowledged) write(ctx context.Context, l *Log, writer int) {
	next := map[domain.Stream]domain.Revision{}
	for round := 0; ctx.Err() == nil; round++ {
		var appends []domain.Append
		for i := range 3 {
			stream := domain.PostStream(fmt.Sprintf("%d-%d", writer, (round+i*7)%20))
			if slices.ContainsFunc(appends, func(a domain.Append) bool { return a.Stream == stream }) {
				continue
			}
			a := add(stream, next[stream]-1, 50+round%1000)
			if i == 1 {
				a.Events = append(a.Events, add(stream, next[stream], 70).Events...)
				a.Events[0].Canonical = append(a.Events[0].Canonical, firstOfTwo...)
			}
			appends = append(appends, a)
		}
		for i, answer := range l.Append(context.Background(), appends) {
			if answer.Err == nil {
				s := appends[i].Stream
				next[s] += domain.Revision(len(appends[i].Events))
				k.mu.Lock()
				k.done[s] = next[s]
				k.mu.Unlock()
			}
		}
	}
}

// stepFS counts the operations that change a file system or make changes durable, and calls at at each of them.
type stepFS struct {
	vfs.FS
	at func()
}

func (s *stepFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	s.at()
	f, err := s.FS.Create(name, c)
	return &stepFile{f, s}, err
}

func (s *stepFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	s.at()
	f, err := s.FS.ReuseForWrite(old, name, c)
	return &stepFile{f, s}, err
}

func (s *stepFS) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	return &stepFile{f, s}, err
}

func (s *stepFS) MkdirAll(dir string, perm iofs.FileMode) error {
	s.at()
	return s.FS.MkdirAll(dir, perm)
}

func (s *stepFS) Link(old, name string) error {
	s.at()
	return s.FS.Link(old, name)
}

func (s *stepFS) RemoveAll(name string) error {
	s.at()
	return s.FS.RemoveAll(name)
}

func (s *stepFS) Rename(from, to string) error {
	s.at()
	return s.FS.Rename(from, to)
}

func (s *stepFS) Remove(name string) error {
	s.at()
	return s.FS.Remove(name)
}

type stepFile struct {
	vfs.File
	fs *stepFS
}

func (f *stepFile) Write(p []byte) (int, error) {
	f.fs.at()
	return f.File.Write(p)
}

func (f *stepFile) Sync() error {
	f.fs.at()
	defer f.fs.at()
	return f.File.Sync()
}

func (f *stepFile) SyncData() error {
	f.fs.at()
	defer f.fs.at()
	return f.File.SyncData()
}

// crash is a file system as a crash might have left it, and what had been acknowledged by then.
type crash struct {
	fs   *vfs.MemFS
	done map[domain.Stream]domain.Revision
}

// long is set to try every step, where otherwise some are tried.
var long = os.Getenv("TWEILEDGER_TEST_LONG") == "1"

// TestCrash takes crash clones at steps of the file system while a log is written, closed and opened, and opens each:
// everything acknowledged before is there, no append is there by half, and the index is right.
func TestCrash(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			k := &acknowledged{done: map[domain.Stream]domain.Revision{}}
			var mu sync.Mutex // guards crashes, steps and rng
			var crashes []crash
			steps := 0
			rng := rand.New(rand.NewPCG(seed, 0))
			fs := &stepFS{FS: mem, at: func() {
				mu.Lock()
				defer mu.Unlock()
				// The first steps, which make the folders, are all tried; later ones now and then, unless there is time.
				if steps++; !long && (steps > 60 && rng.IntN(20) != 0 || len(crashes) >= 80) {
					return
				}
				done := k.copy() // before the clone: what is acknowledged later need not be in it
				crashes = append(crashes, crash{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 30, 100}[steps%3], RNG: rng}), done})
			}}
			for range 2 {
				l, err := Open(testDir, onFS(fs))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var writing sync.WaitGroup
				for w := range 4 {
					writing.Go(func() { k.write(ctx, l, w) })
				}
				for batch, err := range l.Follow(t.Context(), domain.Position{}) {
					if err != nil {
						t.Fatal(err)
					}
					if index, _ := batch[len(batch)-1].Position.Numbers(); index > 1000 {
						break
					}
				}
				cancel()
				writing.Wait()
				closeLog(t, l)
			}
			for _, c := range crashes {
				checkCrash(t, c)
			}
			t.Logf("%d crashes at %d steps", len(crashes), steps)
		})
	}
}

func checkCrash(t *testing.T, c crash) {
	t.Helper()
	l, err := Open(testDir, onFS(c.fs))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	streams := verify(t, l)
	for stream, count := range c.done {
		if len(streams[stream]) < int(count) {
			t.Fatalf("stream %s has %d events after the crash, %d were acknowledged", stream, len(streams[stream]), count)
		}
	}
	for stream, lines := range streams {
		if last := lines[len(lines)-1]; strings.HasSuffix(last, firstOfTwo) {
			t.Fatalf("stream %s ends in the middle of an append: %q", stream, last)
		}
		mustAppend(t, l, add(stream, domain.Revision(len(lines)-1), 0))
	}
}

// damagedLog is a folder with several tables, and events that are in a write-ahead log only.
func damagedLog(t *testing.T, closed bool) (fs *vfs.MemFS, events int) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	l := openFS(t, mem)
	for range 2 {
		fill(t, l, events, 80, 800)
		events += 80
		if err := l.events.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, l, events, 80, 800)
	events += 80
	if closed {
		closeLog(t, l)
	}
	return mem.CrashClone(vfs.CrashCloneCfg{}), events
}

// files returns the files of a folder that are not empty, by path, with their lengths.
func files(t *testing.T, fs vfs.FS, dir string) map[string]int {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[string]int{}
	for _, name := range names {
		path := dir + "/" + name
		if file, err := readFile(fs, path); err == nil && len(file) > 0 {
			lengths[path] = len(file)
		}
	}
	return lengths
}

// withFlip returns a copy of a file system with one bit of a file changed.
func withFlip(t *testing.T, fs *vfs.MemFS, path string, at int) *vfs.MemFS {
	t.Helper()
	fs = fs.CrashClone(vfs.CrashCloneCfg{})
	file, err := readFile(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	file[at] ^= 1 << (at % 8)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return fs
}

// TestDamage changes one bit somewhere in the files of a log. The log is refused, twice, or has all its events.
func TestDamage(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "crashed": false} {
		t.Run(name, func(t *testing.T) {
			fs, events := damagedLog(t, closed)
			newest := newestLogPath(t, fs)
			for path, end := range files(t, fs, testDir+"/events") {
				name := fs.PathBase(path)
				kind, found := "", 0
				switch {
				case strings.HasSuffix(name, ".sst"):
					kind = "table"
				case path == newest:
					if kind = "log"; !closed {
						// The last groups before a crash cannot be told from a torn end.
						end = end * 3 / 4
					}
				case strings.HasPrefix(name, "MANIFEST"):
					kind = "manifest"
				}
				tries := 0
				for at := 0; at < end; at += 1 + end/25 {
					tries++
					damaged := withFlip(t, fs, path, at)
					if flipped(t, damaged, events, kind, name, at) {
						found++
					}
				}
				t.Logf("%s: %d of %d changes were refused", name, found, tries)
				if (kind == "table" || kind == "log") && found < tries {
					t.Errorf("%s: %d changes went unnoticed", name, tries-found)
				}
			}
		})
	}
}

// flipped opens a damaged log and reports that it was refused.
func flipped(t *testing.T, fs vfs.FS, events int, kind, name string, at int) bool {
	t.Helper()
	l, err := Open(testDir, onFS(fs))
	if err == nil {
		defer l.Close()
		if n := len(verify(t, l)); n != events {
			t.Errorf("%s, byte %d: opened with %d events of %d", name, at, n, events)
		}
		return false
	}
	if kind != "" && !errors.Is(err, domain.ErrCorrupt) || (kind == "table" || kind == "log") && !strings.Contains(err.Error(), name) {
		t.Errorf("%s, byte %d: %v, want damage that names the file", name, at, err)
	}
	if l, err := Open(testDir, onFS(fs)); err == nil {
		l.Close()
		t.Errorf("%s, byte %d: refused, and opened the second time", name, at)
	}
	return true
}

// TestTornEnd cuts the write-ahead log short, as a crash does: what is left is opened.
func TestTornEnd(t *testing.T) {
	fs, events := damagedLog(t, false)
	name := newestLogPath(t, fs)
	file, err := readFile(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(file); cut > 0; cut -= 1 + len(file)/40 {
		torn := fs.CrashClone(vfs.CrashCloneCfg{})
		f, err := torn.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(file[:cut]); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l := openFS(t, torn)
		if n := len(verify(t, l)); n < events-80 || n > events {
			t.Fatalf("%d events after the log was cut at %d", n, cut)
		}
		closeLog(t, l)
	}
}

func newestLogPath(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List(testDir + "/events")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s/events/%06d.log", testDir, newestLog(names))
}

// TestTableMissing deletes each table in turn.
func TestTableMissing(t *testing.T) {
	fs, _ := damagedLog(t, true)
	names, err := fs.List(testDir + "/events")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			fs := fs.CrashClone(vfs.CrashCloneCfg{})
			if err := fs.Remove(testDir + "/events/" + name); err != nil {
				t.Fatal(err)
			}
			refused(t, fs, domain.ErrCorrupt, strings.TrimSuffix(name, ".sst"))
		}
	}
}

// TestIndexDamaged changes bytes of the index, which is made again.
func TestIndexDamaged(t *testing.T) {
	fs, events := damagedLog(t, true)
	for path, end := range files(t, fs, testDir+"/index") {
		for at := 0; at < end; at += 1 + end/12 {
			l := openFS(t, withFlip(t, fs, path, at))
			if n := len(verify(t, l)); n != events {
				t.Errorf("%s, byte %d: %d events of %d", path, at, n, events)
			}
			closeLog(t, l)
		}
	}
}

func TestIndexDeleted(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	fill(t, l, 0, 100, 0)
	mustAppend(t, l, add(domain.PostStream("7"), 0, 0))
	closeLog(t, l)
	if err := fs.RemoveAll(testDir + "/index"); err != nil {
		t.Fatal(err)
	}
	l = openFS(t, fs)
	if n := len(verify(t, l)["post-7"]); n != 2 {
		t.Fatalf("%d events on a stream, want 2", n)
	}
}

// TestIndexBehind opens events with an index of an earlier time, as a crash leaves them.
func TestIndexBehind(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	fill(t, l, 0, 100, 0)
	closeLog(t, l)
	cloneDir(t, fs, testDir+"/index", "old")
	l = openFS(t, fs)
	fill(t, l, 100, 50, 0)
	mustAppend(t, l, add(domain.PostStream("7"), 0, 0), add(domain.PostStream("107"), 0, 0))
	closeLog(t, l)
	replaceDir(t, fs, "old", testDir+"/index")
	verify(t, openFS(t, fs))
}

// TestIndexAhead restores an older copy of the events under a newer index.
func TestIndexAhead(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	fill(t, l, 0, 100, 0)
	closeLog(t, l)
	cloneDir(t, fs, testDir+"/events", "old")
	l = openFS(t, fs)
	fill(t, l, 100, 50, 0)
	closeLog(t, l)
	replaceDir(t, fs, "old", testDir+"/events")
	l = openFS(t, fs)
	if n := len(verify(t, l)); n != 100 {
		t.Fatalf("%d streams, want 100", n)
	}
	fill(t, l, 100, 10, 0)
}

// TestIndexOfAnotherLog puts the index of one log beside the events of another that is longer.
func TestIndexOfAnotherLog(t *testing.T) {
	fs, other := vfs.NewMem(), vfs.NewMem()
	l := openFS(t, fs)
	fill(t, l, 0, 100, 0)
	closeLog(t, l)
	l = openFS(t, other)
	fill(t, l, 1000, 50, 0)
	closeLog(t, l)
	if _, err := vfs.Clone(other, fs, testDir+"/index", "other"); err != nil {
		t.Fatal(err)
	}
	replaceDir(t, fs, "other", testDir+"/index")
	verify(t, openFS(t, fs))
}

func cloneDir(t *testing.T, fs vfs.FS, from, to string) {
	t.Helper()
	if ok, err := vfs.Clone(fs, fs, from, to); !ok || err != nil {
		t.Fatalf("cloning %s: %v %v", from, ok, err)
	}
}

func replaceDir(t *testing.T, fs vfs.FS, from, to string) {
	t.Helper()
	if err := fs.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	cloneDir(t, fs, from, to)
}

func TestInUse(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := Open(dir, Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{FS: fs}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "--url") {
				t.Fatalf("opening it again: %v", err)
			}
			closeLog(t, l)
			if l, err = Open(dir, Options{FS: fs}); err != nil {
				t.Fatalf("opening it after it was closed: %v", err)
			}
			closeLog(t, l)
			if err := l.Close(); !errors.Is(err, domain.ErrClosed) {
				t.Fatalf("closing it again: %v", err)
			}
		})
	}
}

func TestNewerFormat(t *testing.T) {
	fs := vfs.NewMem()
	closeLog(t, openFS(t, fs))
	db, err := pebble.Open(testDir+"/events", EventOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set(formatKey, binary.AppendUvarint(nil, 2), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	refused(t, fs, domain.ErrUnsupported, "format 2", "format 1")
}

func TestNewerStorageFormat(t *testing.T) {
	fs := vfs.NewMem()
	closeLog(t, openFS(t, fs))
	f, err := fs.Create(testDir+"/events/marker.format-version.000099.999", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	refused(t, fs, domain.ErrUnsupported, "format 999", fmt.Sprint(int(pebbleFormat)))
}

// refused checks that a folder is not opened, with that error, and a text that has those parts.
func refused(t *testing.T, fs vfs.FS, want error, texts ...string) {
	t.Helper()
	l, err := Open(testDir, onFS(fs))
	if err == nil {
		l.Close()
	}
	if !errors.Is(err, want) {
		t.Fatalf("opening: %v, want %v", err, want)
	}
	if want == domain.ErrUnsupported && errors.Is(err, domain.ErrCorrupt) {
		t.Fatalf("a newer format is called damage: %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Fatalf("the error does not name %q: %v", text, err)
		}
	}
}

// deafFS is a file system on which the test has tables not be opened.
type deafFS struct {
	vfs.FS
	deaf atomic.Bool
}

func (d *deafFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if d.deaf.Load() && strings.HasSuffix(name, ".sst") {
		return nil, errors.New("the disk is deaf")
	}
	return d.FS.Open(name, o...)
}

// TestIndexNotWritten has the index fail to be written, which reads an event. Everything that was appended is still
// found, nothing is appended, and a start catches up.
func TestIndexNotWritten(t *testing.T) {
	fs := &deafFS{FS: vfs.NewMem()}
	l := openFS(t, fs)
	const count = 64 // a generation
	fill(t, l, 0, count, 0)
	if err := l.events.Flush(); err != nil {
		t.Fatal(err)
	}
	fs.deaf.Store(true)
	// This one's group has the index written, and is the last that is taken. It is decided before that or after.
	l.Append(t.Context(), []domain.Append{add("post-last", domain.NoStream, 0)})
	l.index.working.Wait() // the writer has ended
	late := []domain.Append{add("post-7", 0, 0), add("post-8", domain.NoStream, 100), add("post-late", domain.NoStream, 0)}
	for i, answer := range l.Append(t.Context(), late) {
		if !errors.Is(answer.Err, domain.ErrUnavailable) || !strings.Contains(answer.Err.Error(), "the disk is deaf") {
			t.Errorf("append %d: %v", i, answer.Err)
		}
	}
	if err := l.Writable(); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("writable: %v", err)
	}
	fs.deaf.Store(false)
	if n := len(verify(t, l)); n < count || n > count+1 {
		t.Errorf("%d streams, want %d and perhaps the last", n, count)
	}
	if err := l.Close(); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("close: %v", err)
	}
	l = openFS(t, fs)
	mustAppend(t, l, late[0], late[2])
	if err := l.Append(t.Context(), late[1:2])[0].Err; !errors.Is(err, domain.ErrRevisionConflict) {
		t.Errorf("another first event: %v", err)
	}
	verify(t, l)
}

// freeFS is a file system whose free space the test sets.
type freeFS struct {
	vfs.FS
	free atomic.Uint64
}

func (f *freeFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load(), TotalBytes: 1 << 40}, nil
}

func TestNoSpace(t *testing.T) {
	fs := &freeFS{FS: vfs.NewMem()}
	const enough = 2 * openRoom
	fs.free.Store(enough)
	l, err := Open(testDir, Options{FS: fs, MinFree: enough})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fill(t, l, 0, 20, 0)
	fs.free.Store(999)
	if err := l.Writable(); !errors.Is(err, domain.ErrUnavailable) {
		t.Fatalf("writable without room: %v", err)
	}
	late := add("post-late", domain.NoStream, 0)
	for range 3 {
		if err := l.Append(t.Context(), []domain.Append{late})[0].Err; !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "999 bytes free") {
			t.Fatalf("append without room: %v", err)
		}
	}
	if n := len(verify(t, l)); n != 20 {
		t.Fatalf("%d streams, want 20", n)
	}
	fs.free.Store(enough)
	if err := l.Writable(); err != nil {
		t.Fatalf("writable with room again: %v", err)
	}
	mustAppend(t, l, late)
	verify(t, l)
}

// A log is not opened where there is no room for what opening it writes: Pebble would try for ever.
func TestNoSpaceToOpen(t *testing.T) {
	fs := &freeFS{FS: vfs.NewMem()}
	fs.free.Store(openRoom - 1)
	if l, err := Open(testDir, Options{FS: fs}); !errors.Is(err, domain.ErrUnavailable) {
		t.Fatalf("opened %v: %v", l, err)
	}
	fs.free.Store(openRoom)
	l, err := Open(testDir, Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fill(t, l, 0, 3, 0)
}
