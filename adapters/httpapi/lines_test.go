package httpapi

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// linesOf reads a stream with the reader under test. A line that was too long is nil.
func linesOf(from io.Reader) (lines [][]byte, numbers []int) {
	l := lineReader{from: from}
	for more := true; more; more = l.fill() {
		for line, tooLong, ok := l.next(); ok; line, tooLong, ok = l.next() {
			numbers = append(numbers, l.line)
			if tooLong {
				lines = append(lines, nil)
				continue
			}
			lines = append(lines, append([]byte{}, line...))
		}
	}
	return lines, numbers
}

// cut is what linesOf is to return.
func cut(text []byte) (lines [][]byte) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) > maxLineBytes {
			line = nil
		} else {
			line = append([]byte{}, line...)
		}
		lines = append(lines, line)
	}
	return lines
}

func sameLines(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) || !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLineBytes)
	for name, text := range map[string]string{
		"nothing": "", "one": "a\n", "no end": "a\nb", "empty ones": "\n\na\n\n", "the longest": long + "\n" + long, "too long": "a\n" + long + "x\nb\n",
		"too long at the end": long + "x", "far too long": "a\n" + strings.Repeat(long, 5) + "\nb", "too long twice": long + "x\n" + long + "y\nz", "CRLF": "a\r\nb\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for way, from := range map[string]io.Reader{
				"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)),
			} {
				lines, numbers := linesOf(from)
				if !sameLines(lines, cut([]byte(text))) {
					t.Errorf("%s: %d lines, want %d", way, len(lines), len(cut([]byte(text))))
				}
				for i, n := range numbers {
					if n != i+1 {
						t.Errorf("%s: line %d has number %d", way, i+1, n)
					}
				}
			}
		})
	}
}

// TestLineCutOffByAnError holds that what an error cuts off is not taken for a line.
func TestLineCutOffByAnError(t *testing.T) {
	lines, _ := linesOf(io.MultiReader(strings.NewReader("a\n{}"), iotest.ErrReader(errors.New("reset"))))
	if !sameLines(lines, cut([]byte("a\n"))) {
		t.Errorf("%q", lines)
	}
}

// pieces is a reader that gives a text in pieces of given lengths, over and over.
type pieces struct {
	text    []byte
	lengths []byte
	next    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	length := 1
	if len(p.lengths) > 0 {
		length += int(p.lengths[p.next%len(p.lengths)])
		p.next++
	}
	n := copy(b[:min(length, len(b))], p.text)
	p.text = p.text[n:]
	return n, nil
}

// FuzzLines: however a stream is cut into reads, its lines are the same.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n\nc"), []byte{0, 3}, uint32(0))
	f.Add([]byte("\n"), []byte{}, uint32(maxLineBytes))
	f.Add([]byte("x\ny\n"), []byte{255}, uint32(maxLineBytes+1))
	f.Fuzz(func(t *testing.T, text, lengths []byte, long uint32) {
		text = append(bytes.Repeat([]byte{'x'}, int(long%(3*maxLineBytes))), text...)
		lines, _ := linesOf(&pieces{text: text, lengths: lengths})
		if !sameLines(lines, cut(text)) {
			t.Fatalf("%d lines, want %d", len(lines), len(cut(text)))
		}
	})
}
