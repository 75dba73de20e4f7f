package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of what is unanswered of one stream, in lines and chunks.
const (
	// chunkLines is the most that the reader hands over at once.
	chunkLines = 500
	// queuedChunks stand between the reader and Record.
	queuedChunks = 8
	// batchLines is how many lines a Record call waits for no more of.
	batchLines = 1_000
)

// recordLines records engagements line by line and answers each while more are being sent. The package documentation
// draws how.
func (a *API) recordLines(w http.ResponseWriter, r *http.Request) error {
	rc := http.NewResponseController(w)
	// What was taken is answered, and the stream ends.
	s, err := a.openStream(w, r, shutdownTimeout)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.why(); err != nil {
		return err
	}
	// A stream has no end that it must come to.
	_ = rc.SetReadDeadline(time.Time{})
	stopReading := func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) }
	defer whenEnded(s.ending, stopReading)()
	// Only now: what is refused must be read to its end first, where that is known, or the client does not see why. And
	// the connection must not be used again, for what the server itself reads of a body after the handler would be read
	// twice. HTTP/2 is always full duplex and may not know the question.
	if err := rc.EnableFullDuplex(); err != nil && !(errors.Is(err, http.ErrNotSupported) && r.ProtoMajor > 1) {
		return err
	}

	h := w.Header()
	h["Content-Type"] = typeNDJSON
	h["Cache-Control"] = noStore
	if r.ProtoMajor == 1 {
		// Where the stream is ended from here, what the client has sent meanwhile must not be read as a request.
		h["Connection"] = []string{"close"}
	}
	// The client may wait for the headers before it sends. But where it waits for 100 Continue, the first read sends that,
	// and only as long as there are no headers.
	if r.Header.Get("Expect") == "" {
		if err := rc.Flush(); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
	}
	lines := queueLines(r.Body)
	whole := false
	defer func() {
		if whole {
			return
		}
		// The reader must end before the handler does, also where that panics, and the server would wait for the rest of
		// the body before it cuts off the answer. What is unanswered nobody waits for.
		stopReading()
		for range lines.arrived {
		}
	}()
	err = a.answerLines(s, context.WithoutCancel(r.Context()), lines.arrived)
	if err == nil {
		err = lines.err
	}
	whole = err == nil
	return err
}

// lineQueue is a stream on its way from its reader.
type lineQueue struct {
	arrived chan chunk
	// err is why reading failed by the service's own fault. It is set before arrived is closed.
	err error
}

// queueLines reads a stream on a goroutine of its own, never far ahead of who receives its chunks. They must be
// received until the channel is closed.
func queueLines(body io.Reader) *lineQueue {
	q := &lineQueue{arrived: make(chan chunk, queuedChunks)}
	go func() {
		defer close(q.arrived)
		defer func() {
			if p := recover(); p != nil {
				q.err = panicked(p)
			}
		}()
		lines := lineReader{from: body}
		lines.chunks(func(c chunk) { q.arrived <- c })
	}()
	return q
}

// answerLines records what arrives and answers it, in order, until arrived is closed or the client reads no more.
func (a *API) answerLines(s *stream, ctx context.Context, arrived <-chan chunk) error {
	var answer []byte
	for c := range arrived {
		c = gather(c, arrived)
		outcomes := a.Ledger.Record(ctx, c.engagements)
		answer = answer[:0]
		for i := range outcomes {
			answer = append(outcomes[i].AppendJSON(answer, "line", c.lines[i]), '\n')
		}
		if err := s.write(answer); err != nil {
			return err
		}
	}
	return nil
}

// gather adds to a chunk what else has arrived, without waiting.
func gather(c chunk, arrived <-chan chunk) chunk {
	for len(c.lines) < batchLines {
		select {
		case more, open := <-arrived:
			if !open {
				return c
			}
			c.engagements = append(c.engagements, more.engagements...)
			c.lines = append(c.lines, more.lines...)
		default:
			return c
		}
	}
	return c
}
