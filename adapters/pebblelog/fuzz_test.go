package pebblelog

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

// FuzzRecord decodes any bytes: what is taken for a record is just what is written for it.
func FuzzRecord(f *testing.F) {
	a := add("post-p", 6, 0)
	for _, revision := range []domain.Revision{0, 1, 200} {
		f.Add(uint64(500), appendRecord(nil, &a, a.Events[0].Canonical, revision, 300, revision != 1))
	}
	f.Add(uint64(0), []byte("\x80\x00\x00\x00\x00")) // a number that is longer than it need be
	f.Fuzz(func(t *testing.T, index uint64, value []byte) {
		r, err := decodeRecord(index, value)
		if err != nil {
			return
		}
		a := domain.Append{
			Stream:  domain.Stream(r.stream),
			Message: domain.Message{Source: string(r.source), ID: string(r.id)},
		}
		if again := appendRecord(nil, &a, r.line, r.revision, r.back, r.first); !bytes.Equal(again, value) {
			t.Fatalf("%q is read as %+v, which is written %q", value, r, again)
		}
		if len(value) > recordLen(&a, r.line) {
			t.Fatalf("a record of %d bytes, bounded at %d", len(value), recordLen(&a, r.line))
		}
		if r.revision > 0 && (r.back == 0 || r.back > index) {
			t.Fatalf("event %d goes back by %d", index, r.back)
		}
	})
}

// FuzzChunks reads any bytes as a write-ahead log or a manifest: what can be read can be read alone.
func FuzzChunks(f *testing.F) {
	fs := vfs.NewMem()
	l, err := Open(testDir, onFS(fs))
	if err != nil {
		f.Fatal(err)
	}
	for i := range domain.Revision(3) {
		if err := l.Append(f.Context(), []domain.Append{add("post-p", i-1, 100)})[0].Err; err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	names, err := fs.List(testDir + "/events")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		file, err := readFile(fs, testDir+"/events/"+name)
		if err != nil {
			f.Fatal(err)
		}
		number, _ := logNumber(name)
		f.Add(file, uint32(number))
	}
	f.Fuzz(func(t *testing.T, file []byte, log uint32) {
		if c, ok := readChunk(file, log); ok {
			if c.len > len(file) {
				t.Fatalf("a chunk of %d bytes is read from %d", c.len, len(file))
			}
			if alone, ok := readChunk(file[:c.len:c.len], log); !ok || alone != c {
				t.Fatalf("a chunk is read as %+v, alone as %+v, %v", c, alone, ok)
			}
		}
		end, ok := readable(file, log)
		if end > len(file) {
			t.Fatalf("%d bytes of %d can be read", end, len(file))
		}
		if alone, ok := readable(file[:end:end], log); alone != end || !ok {
			t.Fatalf("%d bytes can be read, alone %d, %v", end, alone, ok)
		}
		if err := checkChunks(file, log); ok && err != nil {
			t.Fatalf("a file that can be read to its end is refused: %v", err)
		}
	})
}
