package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadLines(t *testing.T) {
	const limit = 8
	for text, want := range map[string][]string{
		"":                      nil,
		"\n":                    {""},
		"a\n\nb\n":              {"a", "", "b"},
		"a\r\nb":                {"a\r", "b"},
		"12345678\n123456789\n": {"12345678", "123456789!"},
		"1234567890123\nx":      {"123456789!", "x"},
	} {
		for _, in := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			var got []string
			bytes := int64(0)
			for line, err := range readLines(in, limit) {
				if err != nil {
					t.Fatal(err)
				}
				if line.number != len(got)+1 {
					t.Errorf("%q: line %d is numbered %d", text, len(got)+1, line.number)
				}
				bytes += line.bytes
				long := ""
				if line.long {
					long = "!"
				}
				got = append(got, string(line.text)+long)
			}
			if !slices.Equal(got, want) || bytes != int64(len(text)) {
				t.Errorf("%q: got %q of %d bytes, want %q", text, got, bytes, want)
			}
		}
	}
}

// A line longer than any buffer is thrown away, not kept.
func TestReadLinesLong(t *testing.T) {
	in := io.MultiReader(strings.NewReader(strings.Repeat("x", 10<<20)), strings.NewReader("\nshort\n"))
	var kept []int
	for line, err := range readLines(in, 100) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, len(line.text))
	}
	if !slices.Equal(kept, []int{101, 5}) {
		t.Errorf("kept %v bytes", kept)
	}
}

func TestReadLinesFails(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("whole\npart"), iotest.ErrReader(broken))
	var got []string
	var failed error
	for line, err := range readLines(in, 100) {
		if err != nil {
			failed = err
			continue
		}
		got = append(got, string(line.text))
	}
	if !errors.Is(failed, broken) || !slices.Equal(got, []string{"whole"}) {
		t.Errorf("got %q and %v", got, failed)
	}
}

// ahead does not wait for a read that does not end.
func TestAheadEnds(t *testing.T) {
	never, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	next, stop := iter.Pull2(ahead(ctx, readLines(never, 100)))
	defer stop()
	go io.WriteString(writer, "one\n")
	if line, err, ok := next(); !ok || err != nil || string(line.text) != "one" {
		t.Fatalf("got %q, %v, %t", line.text, err, ok)
	}
	cancel()
	if _, err, ok := next(); !ok || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, %t", err, ok)
	}
}
