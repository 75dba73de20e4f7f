package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/domain"
)

// logReader reads a log's canonical lines.
type logReader interface {
	// lines yields the lines from an index on, up to the log's end as of the call. It ends after the first error, and
	// never early without one.
	lines(ctx context.Context, from uint64) iter.Seq2[[]byte, error]
	close() error
}

// logReader opens the place to read its log. Nothing is made or written in a folder.
func (p *place) logReader() (logReader, error) {
	if p.URL != "" {
		return p.client()
	}
	if p.isStore() {
		log, err := openStore("--log", p.Log, eventstore.Options{Prefix: p.LogPrefix})
		return storeLog{log}, err
	}
	log, err := openLog(p.Data)
	if err != nil {
		return nil, err
	}
	return folderLog{log}, nil
}

// folderLog reads an embedded log.
type folderLog struct{ log *pebblelog.Log }

func (f folderLog) lines(ctx context.Context, from uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var after domain.Position
		if from > 0 {
			// In the embedded log a position is an index.
			after = domain.NewPosition(from-1, from-1)
		}
		for events, err := range f.log.Read(ctx, after) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range events {
				if !yield(events[i].Canonical, nil) {
					return
				}
			}
		}
	}
}

func (f folderLog) close() error { return f.log.Close() }

// lines reads the log of a serving process.
func (c *client) lines(ctx context.Context, from uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		response, err := c.do(ctx, http.MethodGet, "/v1/log", url.Values{"from": {strconv.FormatUint(from, 10)}}, "", nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer response.Body.Close()
		textLines(response.Body, "the server's log")(yield)
	}
}

// fileLog reads an export.
type fileLog struct{ file *os.File }

func openFileLog(path string) (fileLog, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fileLog{}, &usageError{fmt.Sprintf("there is no file %s", path), ""}
	}
	if err != nil {
		return fileLog{}, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return fileLog{}, &usageError{fmt.Sprintf("%s is no regular file, which is needed as it is read twice", path),
			"write the export to a file first"}
	}
	return fileLog{f}, nil
}

// lines reads the file anew, always as a whole.
func (f fileLog) lines(ctx context.Context, _ uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			yield(nil, err)
			return
		}
		textLines(contextReader{ctx, f.file}, f.file.Name())(yield)
	}
}

// contextReader reads until ctx ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (f fileLog) close() error { return f.file.Close() }

// textLines yields the lines of r. Of one that is longer than an event's can be, only the beginning is given, which
// still is too long.
func textLines(r io.Reader, name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for line, err := range readLines(r, domain.MaxEventBytes) {
			if err != nil {
				yield(nil, fmt.Errorf("reading %s, line %d: %w", name, line.number, err))
				return
			}
			if !line.ended {
				yield(nil, fmt.Errorf("%s, line %d: no line feed ends it: it was cut off", name, line.number))
				return
			}
			if !yield(line.text, nil) {
				return
			}
		}
	}
}
