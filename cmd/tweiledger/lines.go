package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
)

// textLine is a line of a file, without its line feed.
type textLine struct {
	// number counts from 1.
	number int
	text   []byte
	// long says that the line has more bytes than asked for; text then holds the first of them.
	long bool
	// bytes is what the line takes in the file.
	bytes int64
	// ended says that a line feed ends it.
	ended bool
}

// readLines yields the lines of r, whose text is the receiver's to keep. Of a line with more than limit bytes only the
// first limit+1 are kept. After an error of r it ends.
func readLines(r io.Reader, limit int) iter.Seq2[textLine, error] {
	return func(yield func(textLine, error) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		for number := 1; ; number++ {
			line, err := readLine(in, limit)
			line.number = number
			if line.bytes > 0 && (err == nil || err == io.EOF) && !yield(line, nil) {
				return
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(textLine{number: number}, err)
				return
			}
		}
	}
}

// readLine reads up to the next line feed, or to the end with io.EOF.
func readLine(in *bufio.Reader, limit int) (line textLine, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line.bytes += int64(len(part))
		text, ended := bytes.CutSuffix(part, []byte("\n"))
		line.ended = ended
		if room := limit + 1 - len(line.text); len(text) > room {
			text = text[:room]
		}
		line.text = append(line.text, text...)
		line.long = len(line.text) > limit
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// ahead yields what lines yields, which is read on a goroutine of its own: so a read that blocks does not outlast ctx.
// Where ctx ends first it yields ctx's error.
func ahead(ctx context.Context, lines iter.Seq2[textLine, error]) iter.Seq2[textLine, error] {
	type item struct {
		line textLine
		err  error
	}
	return func(yield func(textLine, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		items := make(chan item, importBatchLines)
		go func() {
			defer close(items)
			for line, err := range lines {
				select {
				case items <- item{line, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		for {
			select {
			case next, more := <-items:
				if !more || !yield(next.line, next.err) {
					return
				}
			case <-ctx.Done():
				yield(textLine{}, ctx.Err())
				return
			}
		}
	}
}
