package pebblelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

// syncFS is a file system on which the test holds up the syncs of write-ahead logs, or has them fail.
type syncFS struct {
	vfs.FS
	// before is called with each sync; its error is the sync's.
	before atomic.Pointer[func() error]
}

func (s *syncFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	if err != nil || s.PathBase(s.PathDir(name)) != "events" {
		return f, err
	}
	return &syncFile{f, s}, nil
}

// hold holds up every sync from now on, until release is closed; syncing gets a value for each.
func (s *syncFS) hold() (syncing <-chan struct{}, release chan struct{}) {
	begun, release := make(chan struct{}, 100), make(chan struct{})
	before := func() error {
		begun <- struct{}{}
		<-release
		return nil
	}
	s.before.Store(&before)
	return begun, release
}

type syncFile struct {
	vfs.File
	fs *syncFS
}

func (f *syncFile) SyncData() error {
	if before := f.fs.before.Load(); before != nil {
		if err := (*before)(); err != nil {
			return err
		}
	}
	return f.File.SyncData()
}

func (f *syncFile) Sync() error { return f.SyncData() }

// TestCancelDuringSync ends the context of an append whose group is being synced: its outcome is unknown, readers do
// not see it before it is durable, and the same append sent again is answered.
func TestCancelDuringSync(t *testing.T) {
	fs := &syncFS{FS: vfs.NewMem()}
	l := openFS(t, fs)
	mustAppend(t, l, add("post-before", domain.NoStream, 0))
	syncing, release := fs.hold()
	ctx, cancel := context.WithCancel(t.Context())
	a := add("post-p", domain.NoStream, 0)
	answer := make(chan error)
	go func() { answer <- l.Append(ctx, []domain.Append{a})[0].Err }()
	<-syncing
	cancel()
	if err := <-answer; !errors.Is(err, domain.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Fatalf("an append cancelled during its sync: %v", err)
	}
	if head, err := l.Head(t.Context()); err != nil || head != positionOf(0) {
		t.Fatalf("head is %q before the sync: %v", head, err)
	}
	for batch, err := range l.Read(t.Context(), domain.Position{}) {
		if err != nil || len(batch) != 1 {
			t.Fatalf("%d events before the sync: %v", len(batch), err)
		}
	}
	// A read of the stream waits for the append that is on its way, or for its context.
	for _, err := range l.ReadStream(ctx, "post-p", 0) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("reading the stream: %v", err)
		}
	}
	read := make(chan int)
	go func() {
		n := 0
		for range l.ReadStream(t.Context(), "post-p", 0) {
			n++
		}
		read <- n
	}()
	close(release)
	if n := <-read; n != 1 {
		t.Fatalf("%d events after the sync, want 1", n)
	}
	mustAppend(t, l, a)
	if n := len(verify(t, l)); n != 2 {
		t.Fatalf("%d streams, want 2", n)
	}
}

// TestSharedSync has many appends wait while one is synced: they share the syncs that follow.
func TestSharedSync(t *testing.T) {
	fs := &syncFS{FS: vfs.NewMem()}
	l := openFS(t, fs)
	syncing, release := fs.hold()
	const appends = 33
	var appending sync.WaitGroup
	appendOne := func(n int) {
		appending.Go(func() {
			if err := l.Append(t.Context(), []domain.Append{add(domain.PostStream(fmt.Sprint(n)), domain.NoStream, 0)})[0].Err; err != nil {
				t.Error(err)
			}
		})
	}
	appendOne(0)
	<-syncing
	for n := 1; n < appends; n++ {
		appendOne(n)
	}
	// All are decided, or wait for that.
	for accepted := 0; accepted < appends; runtime.Gosched() {
		l.mu.Lock()
		accepted = len(l.queue)
		l.mu.Unlock()
		l.index.mu.Lock()
		accepted += int(l.index.end)
		l.index.mu.Unlock()
	}
	close(release)
	appending.Wait()
	// One for the group that was decided meanwhile, one for the rest, and one to spare for either.
	if syncs := len(syncing); syncs > 4 {
		t.Errorf("%d appends took %d syncs after the first", appends-1, syncs)
	}
	if n := len(verify(t, l)); n != appends {
		t.Fatalf("%d streams, want %d", n, appends)
	}
}

// TestCloseDuringSync closes a log that has accepted appends: they are answered.
func TestCloseDuringSync(t *testing.T) {
	fs := &syncFS{FS: vfs.NewMem()}
	l := openFS(t, fs)
	syncing, release := fs.hold()
	answer, closed := make(chan error), make(chan error)
	go func() { answer <- l.Append(t.Context(), []domain.Append{add("post-p", domain.NoStream, 0)})[0].Err }()
	<-syncing
	go func() { closed <- l.Close() }()
	<-l.closing
	close(release)
	if err := errors.Join(<-answer, <-closed); err != nil {
		t.Fatal(err)
	}
	if n := len(verify(t, openFS(t, fs))); n != 1 {
		t.Fatalf("%d streams, want 1", n)
	}
}

// TestFailedSync has a sync fail in a process of its own, which must end without an answer.
func TestFailedSync(t *testing.T) {
	if os.Getenv("TWEILEDGER_TEST_FAILED_SYNC") != "" {
		fs := &syncFS{FS: vfs.NewMem()}
		l := openFS(t, fs)
		mustAppend(t, l, add("post-p", domain.NoStream, 0))
		before := func() error { return errors.New("the disk is gone") }
		fs.before.Store(&before)
		fmt.Println("ready")
		fmt.Printf("answered: %+v\n", l.Append(t.Context(), []domain.Append{add("post-p", 0, 0)}))
		return
	}
	test := exec.Command(os.Args[0], "-test.run=^TestFailedSync$")
	test.Env = append(os.Environ(), "TWEILEDGER_TEST_FAILED_SYNC=1")
	out, err := test.CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("the process ended with %v: %s", err, out)
	}
	for text, want := range map[string]bool{"ready": true, "the disk is gone": true, "answered": false, "FAIL": false} {
		if strings.Contains(string(out), text) != want {
			t.Errorf("that the output has %q should be %v: %s", text, want, out)
		}
	}
}

// TestLargeCalls appends more in one call than one group takes, while the index is written again and again.
func TestLargeCalls(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	const writers, count = 4, 150
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			var appends []domain.Append
			for i := range count {
				appends = append(appends, add(domain.PostStream(fmt.Sprint(w, i)), domain.NoStream, 20_000))
			}
			for i, a := range l.Append(t.Context(), appends) {
				if a.Err != nil {
					t.Errorf("append %d: %v", i, a.Err)
				}
			}
		})
	}
	writing.Wait()
	if n := len(verify(t, l)); n != writers*count {
		t.Fatalf("%d streams, want %d", n, writers*count)
	}
	closeLog(t, l)
	verify(t, openFS(t, fs))
}

// TestLongStream reads a stream that is too large to be kept in memory, from several revisions on.
func TestLongStream(t *testing.T) {
	l := openFS(t, vfs.NewMem())
	const count = 100
	for i := range domain.Revision(count) {
		mustAppend(t, l, add("post-p", i-1, 50_000))
	}
	for _, from := range []domain.Revision{0, 1, 50, 79, 80, 99} {
		next := from
		for e, err := range l.ReadStream(t.Context(), "post-p", from) {
			if err != nil || e.Position != positionOf(uint64(next)) || len(e.Canonical) != 50_000 {
				t.Fatalf("revision %d: %d bytes at %q, %v", next, len(e.Canonical), e.Position, err)
			}
			next++
		}
		if next != count {
			t.Fatalf("from %d the stream ends at %d", from, next)
		}
	}
}

// TestRepeatInOneCall sends the same append twice in one call.
func TestRepeatInOneCall(t *testing.T) {
	l := openFS(t, vfs.NewMem())
	a := add("post-p", domain.NoStream, 0)
	other := add("post-p", domain.NoStream, 100)
	answers := l.Append(t.Context(), []domain.Append{a, a, other})
	if answers[0].Err != nil || answers[1].Err != nil || answers[1].Positions[0] != answers[0].Positions[0] {
		t.Fatalf("the same append twice: %+v", answers)
	}
	if !errors.Is(answers[2].Err, domain.ErrRevisionConflict) {
		t.Fatalf("another append after it: %v", answers[2].Err)
	}
}

// TestIndexWhileWritten looks up streams and messages while the index moves them from memory to disk.
func TestIndexWhileWritten(t *testing.T) {
	l := openFS(t, vfs.NewMem())
	const streams, rounds = 100, 20
	var done atomic.Bool
	var known [streams]atomic.Int64
	var reading sync.WaitGroup
	for r := range 2 {
		reading.Go(func() {
			for i := r; !done.Load(); i++ {
				s := i * 7 % streams
				stream, least := domain.PostStream(fmt.Sprint(s)), known[s].Load()
				n := int64(0)
				for _, err := range l.ReadStream(t.Context(), stream, 0) {
					if err != nil && !errors.Is(err, domain.ErrStreamNotFound) {
						t.Error(err)
					} else if err == nil {
						n++
					}
				}
				if n < least {
					t.Errorf("stream %s has %d events, had %d", stream, n, least)
				}
				runtime.Gosched()
			}
		})
	}
	for round := range rounds {
		var appends []domain.Append
		for s := range streams {
			appends = append(appends, add(domain.PostStream(fmt.Sprint(s)), domain.Revision(round-1), 0))
		}
		mustAppend(t, l, appends...)
		for s := range streams {
			known[s].Store(int64(round + 1))
		}
	}
	done.Store(true)
	reading.Wait()
	verify(t, l)
}

// TestModel compares a log with a naive one over random appends, closings and lost indexes.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		o := onFS(fs)
		o.generation = 3
		l, err := Open(testDir, o)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { l.Close() }()
		streams := map[domain.Stream][]string{}
		messages := map[domain.Message]domain.Stream{}
		size := uint64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				stream := domain.PostStream(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream"))
				text := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "text")
				a := domain.Append{
					Stream:   stream,
					Expected: domain.Revision(rapid.IntRange(-1, len(streams[stream])).Draw(rt, "expected")),
					Message:  domain.Message{Source: "/", ID: rapid.StringMatching("[a-e]").Draw(rt, "id")},
				}
				for range rapid.IntRange(1, 2).Draw(rt, "events") {
					a.Events = append(a.Events, domain.EncodedEvent{Type: domain.PostLiked, Canonical: []byte(text)})
				}
				got := l.Append(rt.Context(), []domain.Append{a})[0].Err
				want := error(nil)
				held, there := messages[a.Message]
				first, end := int(a.Expected)+1, int(a.Expected)+1+len(a.Events)
				repeat := end <= len(streams[stream])
				for i := first; repeat && i < end; i++ {
					repeat = streams[stream][i] == text
				}
				switch {
				case repeat:
				case there && held != stream:
					want = domain.ErrMessageTaken
				case first != len(streams[stream]):
					want = domain.ErrRevisionConflict
				default:
					for range a.Events {
						streams[stream] = append(streams[stream], text)
						size++
					}
					messages[a.Message] = stream
				}
				if !errors.Is(got, want) || (want == nil) != (got == nil) {
					rt.Fatalf("append %+v: %v, want %v", a, got, want)
				}
			},
			"restart": func(rt *rapid.T) {
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				if rapid.Bool().Draw(rt, "without index") {
					if err := fs.RemoveAll(testDir + "/index"); err != nil {
						rt.Fatal(err)
					}
				}
				if l, err = Open(testDir, o); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				if n := l.durable.n.Load(); n != size {
					rt.Fatalf("%d events, want %d", n, size)
				}
				for stream, want := range streams {
					n := 0
					for e, err := range l.ReadStream(rt.Context(), stream, 0) {
						if err != nil || n >= len(want) || string(e.Canonical) != want[n] {
							rt.Fatalf("stream %s, event %d: %q, %v", stream, n, e.Canonical, err)
						}
						n++
					}
					if n != len(want) {
						rt.Fatalf("stream %s has %d events, want %d", stream, n, len(want))
					}
				}
			},
		})
	})
}
