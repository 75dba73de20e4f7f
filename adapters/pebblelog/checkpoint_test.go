package pebblelog

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

const restoredDir = "restored/log"

// backUp takes a checkpoint and returns its archive.
func backUp(t *testing.T, l *Log) []byte {
	t.Helper()
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	length, err := c.Len()
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if n, err := c.WriteTo(&archive); err != nil || n != length || archive.Len() != int(length) {
		t.Fatalf("an archive of %d bytes was written as %d: %v", length, n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.fs.Stat(c.dir); err == nil {
		t.Fatalf("%s is still there", c.dir)
	}
	return archive.Bytes()
}

// restore makes a log of an archive, and checks it against itself.
func restore(t *testing.T, fs vfs.FS, dir string, archive []byte) map[domain.Stream][]string {
	t.Helper()
	events, err := Restore(dir, bytes.NewReader(archive), onFS(fs))
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir, onFS(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	if n := l.durable.n.Load(); n != events {
		t.Fatalf("%d events were restored, there are %d", events, n)
	}
	return verify(t, l)
}

// TestBackupUnderLoad: whatever is appended meanwhile, a backup holds everything that was answered before it, each
// append whole, and nothing that is not in the log. The write-ahead logs are rotated and used again all the time.
func TestBackupUnderLoad(t *testing.T) {
	fs, dir := vfs.Default, t.TempDir()
	l, err := Open(fs.PathJoin(dir, testDir), onFS(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	k := &acknowledged{done: map[domain.Stream]domain.Revision{}}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() { k.write(ctx, l, w) })
	}
	writing.Go(func() { writeLarge(ctx, l) })
	defer writing.Wait()
	defer cancel()
	rounds := 2
	if long {
		rounds = 20
	}
	for round := range rounds {
		awaitMore(t, l, 1000)
		done := k.copy()
		to := fs.PathJoin(dir, fmt.Sprint(restoredDir, round))
		checkBackup(t, restore(t, fs, to, backUp(t, l)), done, l)
		if err := fs.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
	}
}

// writeLarge appends large events, which fill memtables and logs.
func writeLarge(ctx context.Context, l *Log) {
	for n := 0; ctx.Err() == nil; n++ {
		l.Append(context.Background(), []domain.Append{add(domain.PostStream(fmt.Sprint("large-", n)), domain.NoStream, 30_000)})
	}
}

// awaitMore waits until the log has that many more events.
func awaitMore(t *testing.T, l *Log, more uint64) {
	t.Helper()
	if err := l.durable.wait(t.Context(), l.closing, l.durable.n.Load()+more); err != nil {
		t.Fatal(err)
	}
}

// checkBackup compares what was restored with what had been answered before, and with the log as it has become.
func checkBackup(t *testing.T, restored map[domain.Stream][]string, done map[domain.Stream]domain.Revision, l *Log) {
	t.Helper()
	for stream, count := range done {
		if len(restored[stream]) < int(count) {
			t.Fatalf("stream %s has %d events in the backup, %d were answered before it", stream, len(restored[stream]), count)
		}
	}
	for stream, lines := range restored {
		if strings.HasSuffix(lines[len(lines)-1], firstOfTwo) {
			t.Fatalf("stream %s ends in the middle of an append", stream)
		}
		i := 0
		for e, err := range l.ReadStream(t.Context(), stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if i < len(lines) && string(e.Canonical) != lines[i] {
				t.Fatalf("stream %s: event %d is another one in the backup", stream, i)
			}
			i++
		}
		if i < len(lines) {
			t.Fatalf("stream %s has %d events in the backup, and %d in the log", stream, len(lines), i)
		}
	}
}

// TestTornCopy: a log's file that was copied while it was written may have a hole with whole records behind it. They
// are cut off, not taken for damage.
func TestTornCopy(t *testing.T) {
	fs, _ := damagedLog(t, false)
	path := newestLogPath(t, fs)
	whole, err := readFile(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Clone(whole)
	clear(torn[len(torn)/2 : len(torn)/2+100])
	if err := errors.Join(writeFile(fs, path, torn), syncFolder(fs, fs.PathDir(path))); err != nil {
		t.Fatal(err)
	}
	refused(t, fs.CrashClone(vfs.CrashCloneCfg{}), domain.ErrCorrupt)
	if err := cutTornEnd(fs, fs.PathDir(path)); err != nil {
		t.Fatal(err)
	}
	l := openFS(t, fs)
	if len(verify(t, l)) == 0 {
		t.Fatal("nothing is left")
	}
}

// TestBackupCrash takes crash clones while a checkpoint is taken and written, and while it is restored: the log is as
// it was and keeps no space, and where the backup should be there is none, or all of it.
func TestBackupCrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex // guards crashes, steps and rng
	var crashes []*vfs.MemFS
	rng := rand.New(rand.NewPCG(1, 0))
	watching, steps := false, 0
	fs := &stepFS{FS: mem, at: func() {
		mu.Lock()
		defer mu.Unlock()
		if steps++; watching && (long || steps%3 == 0) {
			crashes = append(crashes, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[len(crashes)%3], RNG: rng}))
		}
	}}
	l := openFS(t, fs)
	fill(t, l, 0, 100, 500)
	watching = true
	archive := backUp(t, l)
	restored, err := Restore(restoredDir, bytes.NewReader(archive), onFS(fs))
	if err != nil || restored != 100 {
		t.Fatalf("%d events: %v", restored, err)
	}
	watching = false
	if len(crashes) < 15 {
		t.Fatalf("only %d crashes", len(crashes))
	}
	unfinished := 0
	for i, crash := range crashes {
		again := openFS(t, crash)
		if n := len(verify(t, again)); n != 100 {
			t.Fatalf("crash %d: %d streams, want 100", i, n)
		}
		closeLog(t, again)
		if _, err := crash.Stat(crash.PathJoin(testDir, checkpointFolder)); err == nil {
			t.Fatalf("crash %d: the checkpoint is still there", i)
		}
		if _, err := crash.Stat(restoredDir + "/events"); err != nil {
			unfinished++
			continue
		}
		if again, err = Open(restoredDir, onFS(crash)); err != nil {
			t.Fatal(err)
		}
		if n := len(verify(t, again)); n != 100 {
			t.Fatalf("crash %d: %d streams were restored, want 100", i, n)
		}
		closeLog(t, again)
	}
	if unfinished == 0 || unfinished == len(crashes) {
		t.Errorf("%d of %d crashes left no backup", unfinished, len(crashes))
	}
}

func TestOneCheckpointAtATime(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	fill(t, l, 0, 20, 0)
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Checkpoint(); !errors.Is(err, ErrCheckpointOpen) {
		t.Fatalf("a second one: %v", err)
	}
	fill(t, l, 20, 20, 0)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(restore(t, fs, restoredDir, backUp(t, l))); n != 40 {
		t.Fatalf("%d events, want 40", n)
	}
	// A log that was closed has none, and what was left by one that was killed is removed at the start.
	if _, err = l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	if _, err := l.Checkpoint(); !errors.Is(err, domain.ErrClosed) {
		t.Fatalf("of a closed log: %v", err)
	}
	openFS(t, fs)
	if _, err := fs.Stat(fs.PathJoin(testDir, checkpointFolder)); err == nil {
		t.Fatal("it is still there after a start")
	}
}

// TestBackupSpace: a checkpoint is not taken where its files could stop the log, and ended where they do.
func TestBackupSpace(t *testing.T) {
	fs := &freeFS{FS: vfs.NewMem()}
	const minFree = 2 * openRoom
	fs.free.Store(minFree)
	l, err := Open(testDir, Options{FS: fs, MinFree: minFree})
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	fill(t, l, 0, 20, 0)
	if _, err := l.Checkpoint(); !errors.Is(err, domain.ErrUnavailable) {
		t.Fatalf("without room: %v", err)
	}
	fs.free.Store(minFree + checkpointRoom)
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	fs.free.Store(minFree - 1)
	var part bytes.Buffer
	if _, err := c.WriteTo(&part); !errors.Is(err, domain.ErrUnavailable) {
		t.Fatalf("where the room is needed: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	fs.free.Store(minFree + checkpointRoom)
	if _, err := Restore(restoredDir, &part, Options{FS: fs}); !errors.Is(err, ErrBackupDamaged) {
		t.Fatalf("restoring what was cut off: %v", err)
	}
}

// TestRestoreRefuses: an archive that is not whole, or not one of ours, leaves nothing.
func TestRestoreRefuses(t *testing.T) {
	l := openFS(t, vfs.NewMem())
	fill(t, l, 0, 50, 100)
	archive := backUp(t, l)
	refuses := func(what string, archive []byte, want error) {
		t.Helper()
		fs := vfs.NewMem()
		if n, err := Restore(restoredDir, bytes.NewReader(archive), onFS(fs)); !errors.Is(err, want) {
			t.Errorf("%s: %d events were restored, %v", what, n, err)
		}
		if names, err := fs.List(restoredDir); err == nil {
			t.Errorf("%s: there is %s", what, names)
		}
	}
	files := entries(t, archive)
	last := len(files) - 1
	// What follows on the manifest only says that nothing does.
	end := len(archive) - 2*tarBlock - int(padded(int64(len(files[last].text)))) + len(files[last].text)
	for cut := end - 1; cut > 0; cut -= 1 + len(archive)/60 {
		refuses(fmt.Sprintf("cut off at %d of %d", cut, len(archive)), archive[:cut], ErrBackupDamaged)
	}
	changed := func(change func(files []entry) []entry) []byte { return packed(t, change(slices.Clone(files))) }
	for what, archive := range map[string][]byte{
		"a byte changed": changed(func(f []entry) []entry {
			i := slices.IndexFunc(f, func(e entry) bool { return len(e.text) > 0 })
			f[i].text = bytes.Clone(f[i].text)
			f[i].text[0] ^= 1
			return f
		}),
		"a file less":         changed(func(f []entry) []entry { return f[1:] }),
		"a file more":         changed(func(f []entry) []entry { return append([]entry{{"events/x", nil}}, f...) }),
		"a file twice":        changed(func(f []entry) []entry { return append(f[:1:1], f...) }),
		"a path upwards":      changed(func(f []entry) []entry { return append([]entry{{"events/../../x", nil}}, f...) }),
		"an absolute path":    changed(func(f []entry) []entry { return append([]entry{{"/tmp/x", nil}}, f...) }),
		"another folder":      changed(func(f []entry) []entry { return append([]entry{{"index/x", nil}}, f...) }),
		"a manifest of words": changed(func(f []entry) []entry { f[last].text = []byte("all is well"); return f }),
		"more events promised": changed(func(f []entry) []entry {
			f[last].text = bytes.Replace(f[last].text, []byte(`"events":50`), []byte(`"events":51`), 1)
			return f
		}),
		"no archive": []byte(strings.Repeat("no archive ", 100)),
	} {
		refuses(what, archive, ErrBackupDamaged)
	}
	refuses("a newer format", changed(func(f []entry) []entry {
		f[last].text = bytes.Replace(f[last].text, []byte(`"format":1`), []byte(`"format":2`), 1)
		return f
	}), domain.ErrUnsupported)
	// Nothing is written where something is.
	fs := vfs.NewMem()
	if err := errors.Join(fs.MkdirAll(restoredDir, 0o755), writeFile(fs, restoredDir+"/letter", []byte("dear"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(restoredDir, bytes.NewReader(archive), onFS(fs)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder with a file: %v", err)
	}
	if text, err := readFile(fs, restoredDir+"/letter"); err != nil || string(text) != "dear" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// entry is a file of an archive.
type entry struct {
	name string
	text []byte
}

func entries(t *testing.T, archive []byte) (files []entry) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, entry{h.Name, text})
	}
}

func packed(t *testing.T, files []entry) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		if err := writeHeader(w, f.name, int64(len(f.text))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}
