package pebblelog

import (
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

// TestImport: events go into the log in the order given, also those whose message is on another stream; what follows on
// nothing stops it, with all before it taken, and it goes on from there.
func TestImport(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	twin := add("post-twin", domain.NoStream, 0)
	twin.Message = add("post-a", domain.NoStream, 0).Message
	appends := []domain.Append{
		add("post-a", domain.NoStream, 0), add("post-b", domain.NoStream, 0), add("post-a", 0, 0), twin,
		add("post-c", 0, 0), // revision 1 of a stream that has none
		add("post-d", domain.NoStream, 0),
	}
	err := l.Import(t.Context(), appends)
	var conflict *domain.RevisionConflictError
	if !errors.As(err, &conflict) || conflict.Stream != "post-c" || conflict.Actual != domain.NoStream {
		t.Fatalf("a gap: %v", err)
	}
	if n := l.durable.n.Load(); n != 4 {
		t.Fatalf("%d events before the gap, want 4", n)
	}
	if err := l.Import(t.Context(), slices.Concat([]domain.Append{add("post-c", domain.NoStream, 0)}, appends[4:])); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), []domain.Append{add("post-e", domain.NoStream, 0)})[0].Err; !errors.Is(err, domain.ErrClosed) {
		t.Fatalf("an append after an import: %v", err)
	}
	for range 2 {
		streams := verify(t, l)
		if len(streams) != 5 || len(streams["post-a"]) != 2 || len(streams["post-twin"]) != 1 || len(streams["post-c"]) != 2 {
			t.Fatalf("streams %q", streams)
		}
		closeLog(t, l)
		l = openFS(t, fs)
	}
	// The next start appends again, and knows the message by its first event.
	mustAppend(t, l, add("post-e", domain.NoStream, 0))
	again := add("post-f", domain.NoStream, 0)
	again.Message = twin.Message
	var taken *domain.MessageTakenError
	if err := l.Append(t.Context(), []domain.Append{again})[0].Err; !errors.As(err, &taken) || taken.Held.Position != positionOf(0) {
		t.Fatalf("a message that two streams have: %v", err)
	}
}

// TestImportMany goes over many generations of the index, in calls of many events that build on each other.
func TestImportMany(t *testing.T) {
	fs := vfs.NewMem()
	l := openFS(t, fs)
	next := map[domain.Stream]domain.Revision{}
	for round := range 40 {
		var appends []domain.Append
		for i := range 100 {
			stream := domain.PostStream(string(rune('a' + (round*7+i*i)%26)))
			appends = append(appends, add(stream, next[stream]-1, 40))
			next[stream]++
		}
		if err := l.Import(t.Context(), appends); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for stream, lines := range verify(t, l) {
			if len(lines) != int(next[stream]) {
				t.Fatalf("stream %s has %d events, want %d", stream, len(lines), next[stream])
			}
		}
		closeLog(t, l)
		l = openFS(t, fs)
	}
}

func TestImportSpace(t *testing.T) {
	fs := &freeFS{FS: vfs.NewMem()}
	fs.free.Store(2 * openRoom)
	l, err := Open(testDir, Options{FS: fs, MinFree: openRoom})
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	fs.free.Store(openRoom - 1)
	a := []domain.Append{add("post-a", domain.NoStream, 0)}
	if err := l.Import(t.Context(), a); !errors.Is(err, domain.ErrUnavailable) {
		t.Fatalf("without room: %v", err)
	}
	fs.free.Store(2 * openRoom)
	if err := l.Import(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}
