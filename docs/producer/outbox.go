package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// maxBatchBytes bounds the lines of a batch. Encoded anew they may be six times as long, and the ledger takes 10 MiB.
const maxBatchBytes = 1 << 20

// outbox is a file of engagements that is read from where it is settled. It is used by one goroutine.
type outbox struct {
	path     string
	file     *os.File
	lines    *bufio.Reader
	rejected *os.File
	progress progress
	// read is how many bytes of the file are read, settled or not.
	read int64
}

// progress is what is remembered of an outbox. It is replaced as a whole, after what it speaks of is on the disk.
type progress struct {
	// Settled is how many bytes of the outbox are settled: recorded, duplicate, or rejected and put aside.
	Settled int64 `json:"settled"`
	// Rejected is how many bytes of the rejected ones' file belong to these. What is behind is of a batch that was killed.
	Rejected int64   `json:"rejected"`
	Summary  summary `json:"summary"`
}

// summary counts what is settled.
type summary struct {
	Engagements int            `json:"engagements"`
	Outcomes    map[string]int `json:"outcomes"`
	Codes       map[string]int `json:"codes"`
}

// entry is an engagement read from the outbox.
type entry struct {
	engagement
	event cloudevents.Event
	// end is where its line ends.
	end int64
}

func openOutbox(path string) (_ *outbox, err error) {
	b := &outbox{path: path, progress: progress{Summary: summary{Outcomes: map[string]int{}, Codes: map[string]int{}}}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := b.readProgress(); err != nil {
		return nil, fmt.Errorf("reading the progress: %w", err)
	}
	if b.file, err = os.Open(path); err != nil {
		return nil, err
	}
	info, err := b.file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < b.progress.Settled {
		return nil, fmt.Errorf("%s has %d bytes, and %d are settled: it is another outbox", path, info.Size(),
			b.progress.Settled)
	}
	if b.read, err = b.file.Seek(b.progress.Settled, io.SeekStart); err != nil {
		return nil, err
	}
	b.lines = bufio.NewReaderSize(b.file, 1<<16)
	return b, b.openRejected()
}

// openRejected opens the rejected ones' file behind those of what is settled. Somebody may have taken it away
// meanwhile.
func (b *outbox) openRejected() (err error) {
	if b.rejected, err = os.OpenFile(b.path+".rejected", os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	info, err := b.rejected.Stat()
	if err != nil {
		return err
	}
	b.progress.Rejected = min(b.progress.Rejected, info.Size())
	if err := b.rejected.Truncate(b.progress.Rejected); err != nil {
		return err
	}
	_, err = b.rejected.Seek(b.progress.Rejected, io.SeekStart)
	return err
}

func (b *outbox) readProgress() error {
	text, err := os.ReadFile(b.path + ".progress")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &b.progress)
}

func (b *outbox) close() {
	for _, f := range []*os.File{b.file, b.rejected} {
		if f != nil {
			// Nothing is written that was not synced.
			_ = f.Close()
		}
	}
}

// next reads the next engagements, at most so many, none at the end. A last line that has no line feed yet is still
// being written, and left alone. A line that is no engagement is an error: to skip it would be to lose somebody's pay
// in silence.
func (b *outbox) next(most int) (batch []entry, err error) {
	for start := b.read; len(batch) < most && b.read-start < maxBatchBytes; {
		line, err := b.lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		e := entry{end: b.read + int64(len(line))}
		if err = json.Unmarshal(line, &e.engagement); err == nil {
			e.event, err = e.engagement.event()
		}
		if err != nil {
			return nil, fmt.Errorf("%s, the line at byte %d is no engagement: %w", b.path, b.read, err)
		}
		b.read = e.end
		batch = append(batch, e)
	}
	return batch, nil
}

// settle remembers entries with their outcomes, none of which is "failed": first what was rejected, then how far it
// goes.
func (b *outbox) settle(entries []entry, outcomes []outcome) error {
	next := b.progress
	for i := range entries {
		o := &outcomes[i]
		next.Summary.Engagements++
		next.Summary.Outcomes[o.Outcome]++
		next.Settled = entries[i].end
		if o.Outcome != "rejected" {
			continue
		}
		next.Summary.Codes[o.Code]++
		n, err := b.putAside(&entries[i].engagement, o)
		if err != nil {
			return err
		}
		next.Rejected += n
	}
	if next.Rejected > b.progress.Rejected {
		if err := b.rejected.Sync(); err != nil {
			return err
		}
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := replaceFile(b.path+".progress", text); err != nil {
		return err
	}
	b.progress = next
	return nil
}

// putAside appends an engagement to the rejected ones, with its outcome and what to do about it.
func (b *outbox) putAside(e *engagement, o *outcome) (bytes int64, err error) {
	line, err := json.Marshal(struct {
		*engagement
		Outcome json.RawMessage `json:"outcome"`
		Do      string          `json:"do"`
	}{e, o.text, remedy(o.Code)})
	if err != nil {
		return 0, err
	}
	n, err := b.rejected.Write(append(line, '\n'))
	return int64(n), err
}

// replaceFile writes a file whole or not at all, and durably.
func replaceFile(path string, text []byte) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
