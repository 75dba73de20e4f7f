package httpapi

import (
	"bytes"
	"errors"
	"io"

	"github.com/tweiledger/tweiledger/domain"
)

// lineReader cuts a stream of bytes into lines. It is used by one goroutine.
type lineReader struct {
	from io.Reader
	// buf[start:end] has arrived and was not given out. A line of the greatest length and what ends it fit in.
	buf        [2 * maxLineBytes]byte
	start, end int
	// searched says how much of it is known to have no line feed.
	searched int
	// overlong: the line that is being read was too long, and what is left of it is thrown away.
	overlong bool
	// line is the number of lines given out or skipped.
	line int
	// err is the end of the stream: io.EOF or what went wrong.
	err error
}

// next returns the next line that has arrived whole, without its line feed. It is good until fill. tooLong says that
// the line had more than maxLineBytes, ok that there is one. The last line of a stream needs no line feed.
func (l *lineReader) next() (line []byte, tooLong, ok bool) {
	arrived := l.buf[l.start:l.end]
	length := bytes.IndexByte(arrived[l.searched:], '\n')
	if length >= 0 {
		length += l.searched
		l.start += length + 1
		return l.found(arrived[:length])
	}
	l.searched = len(arrived)
	if l.overlong || len(arrived) > maxLineBytes {
		l.overlong = true
		l.start, l.searched = l.end, 0
		arrived = nil
	}
	// What was cut off by an error is no line.
	if errors.Is(l.err, io.EOF) && (l.overlong || len(arrived) > 0) {
		l.start = l.end
		return l.found(arrived)
	}
	return nil, false, false
}

func (l *lineReader) found(line []byte) ([]byte, bool, bool) {
	tooLong := l.overlong || len(line) > maxLineBytes
	l.searched, l.overlong = 0, false
	l.line++
	return line, tooLong, true
}

// fill waits for more of the stream, once, and reports whether next is to be asked again. It is to be called when next
// has nothing more.
func (l *lineReader) fill() bool {
	if l.err != nil {
		return false
	}
	if l.start > 0 {
		l.end = copy(l.buf[:], l.buf[l.start:l.end])
		l.start = 0
	}
	n, err := l.from.Read(l.buf[l.end:])
	l.end += n
	l.err = err
	return true
}

// chunk is some lines of a stream as engagements, with the number of each.
type chunk struct {
	engagements []domain.Received
	lines       []int
}

// chunks reads a stream to its end and yields what has arrived, parsed, at most chunkLines at a time, whenever more
// would have to be waited for. Lines of nothing but white space are skipped.
func (l *lineReader) chunks(yield func(chunk)) {
	var c chunk
	for more := true; more; more = l.fill() {
		for line, tooLong, ok := l.next(); ok; line, tooLong, ok = l.next() {
			if !tooLong && len(bytes.Trim(line, " \t\r")) == 0 {
				continue
			}
			c.engagements = append(c.engagements, parseLine(line, tooLong))
			c.lines = append(c.lines, l.line)
			if len(c.lines) == chunkLines {
				yield(c)
				c = chunk{}
			}
		}
		if len(c.lines) > 0 {
			yield(c)
			c = chunk{}
		}
	}
}

func parseLine(line []byte, tooLong bool) domain.Received {
	if tooLong {
		return domain.Received{Rejection: invalid("", "the line has more than 65536 bytes")}
	}
	return domain.ParseEngagement(line)
}
