package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

const (
	// importBatchLines and importBatchBytes bound what is recorded at a time.
	importBatchLines = 1_000
	importBatchBytes = 8 << 20

	// importTries is how often a batch is sent, with pauses that double from importPause: 3.2 s in all, which a server
	// has to start again.
	importTries = 7
	importPause = 50 * time.Millisecond

	// maxNotes is how many rejections are told one by one.
	maxNotes = 10
)

// importBatch is what an importer records at a time: lines of one file.
type importBatch struct {
	*importer
	file  string
	lines []importLine
	bytes int64
}

// importLine is a line with its outcome, once there is one.
type importLine struct {
	textLine
	answer answer
}

// add adds a line, and sends the batch when it is full. A line that is too long is answered here.
func (b *importBatch) add(ctx context.Context, line textLine) error {
	b.bytes += line.bytes
	if len(bytes.TrimSpace(line.text)) > 0 {
		l := importLine{textLine: line}
		if line.long {
			l.answer = answer{Result: domain.Rejected, Code: domain.CodeInvalid,
				Detail: fmt.Sprintf("the line has more than %d bytes", maxEngagementBytes)}
			l.text = nil
		}
		b.lines = append(b.lines, l)
	}
	if len(b.lines) < importBatchLines && b.bytes < importBatchBytes {
		return nil
	}
	return b.send(ctx)
}

// send records the batch, and empties it. Where lines fail in every try it tells, and returns an error.
func (b *importBatch) send(ctx context.Context) error {
	err := b.try(ctx)
	for i := range b.lines {
		b.count(&b.lines[i])
	}
	_ = b.bar.Add64(b.bytes)
	b.lines, b.bytes = b.lines[:0], 0
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("stopped after %d engagements (import again, which is safe): %w", b.summary.engagements, err)
	}
	return nil
}

// try sends what has no good answer yet, again and again. It returns nil when nothing has failed, else why.
func (b *importBatch) try(ctx context.Context) error {
	pause := importPause
	for tries := 1; ; tries++ {
		again := b.unanswered()
		if len(again) == 0 {
			return nil
		}
		why := b.record(ctx, again)
		if why == nil {
			return nil
		}
		if tries == importTries || !b.answered || refused(why) {
			return why
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return why
		}
	}
}

// refused reports whether a server refused a batch as a whole, which it will do again.
func refused(why error) bool {
	var p *problem
	return errors.As(why, &p) && p.Status < http.StatusInternalServerError
}

// unanswered returns the lines to send: in their order all that were not answered or failed, and behind the first of
// these those that were rejected, perhaps for want of it.
func (b *importBatch) unanswered() (again []*importLine) {
	for i := range b.lines {
		l := &b.lines[i]
		open := l.answer.Result == "" || l.answer.Result == domain.Failed
		if open || len(again) > 0 && l.answer.Result == domain.Rejected && l.answer.Code != domain.CodeInvalid {
			again = append(again, l)
		}
	}
	return again
}

// record sends lines once and keeps the answers. It returns why some are still without a good one.
func (b *importBatch) record(ctx context.Context, lines []*importLine) error {
	engagements := make([][]byte, len(lines))
	for i, l := range lines {
		engagements[i] = l.text
	}
	answers, err := b.to.record(ctx, engagements)
	b.answered = b.answered || len(answers) > 0
	for i := range lines {
		if i < len(answers) {
			lines[i].answer = answers[i]
		} else if lines[i].answer.Result == "" {
			lines[i].answer = answer{Result: domain.Failed, Detail: "not answered"}
		}
	}
	for _, l := range lines {
		if err == nil && l.answer.Result == domain.Failed {
			err = fmt.Errorf("%s:%d: %s", b.file, l.number, l.answer.why())
		}
	}
	return err
}

// count adds the outcome of a line to the summary, and tells of the first that were not recorded.
func (b *importBatch) count(l *importLine) {
	b.summary.add(&l.answer)
	if l.answer.done() || b.notesLeft == 0 {
		return
	}
	fmt.Fprintf(b.notes, "%s:%d: %s\n", b.file, l.number, l.answer.why())
	if b.notesLeft--; b.notesLeft == 0 {
		fmt.Fprintln(b.notes, "there may be more, which only the summary counts")
	}
}
