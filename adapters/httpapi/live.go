package httpapi

import (
	"bytes"
	"context"
	endian "encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

const (
	// maxListeners is how many listeners one token has at a time. One costs two or three goroutines and some 30 KiB.
	maxListeners = 4096
	// heartbeat is how long a listener hears nothing at most.
	heartbeat = 15 * time.Second
)

var (
	typeEvents  = []string{"text/event-stream"}
	encodedGzip = []string{"gzip"}
	// notBuffered keeps nginx from collecting events.
	notBuffered = []string{"no"}

	// greeting is what a listener is sent at once, whatever it is told.
	greeting = []byte("retry: 2000\n: the ledger tells what changes\n\n")
	beat     = []byte(":\n\n")
	// deflatedGreeting and deflatedBeat are the same within a gzip stream.
	deflatedGreeting, deflatedBeat = deflated(greeting), deflated(beat)
	// gzipHeader begins a gzip stream (RFC 1952), finalBlock ends what is in it, before its trailer.
	gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	finalBlock = []byte{1, 0, 0, 255, 255}
)

// getStream serves GET /v1/stream: statements as they change, as server-sent events.
func (a *API) getStream(w http.ResponseWriter, r *http.Request) error {
	of, err := a.querySubject(w, r)
	if err != nil {
		return err
	}
	l := a.hub.join(of)
	defer a.hub.leave(l)
	read, resumed, err := a.firstNews(w, r, of)
	if err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Accel-Buffering"] = typeEvents, noStore, notBuffered
	if r.Method == http.MethodHead {
		return nil
	}
	s, err := a.openCounted(w, r, drainTimeout, &a.listeners, a.maxListeners)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.why(); err != nil {
		return err
	}
	t := newTelling(s, r)
	if err := t.send(greeting, deflatedGreeting); err != nil {
		return err
	}
	first := a.hub.first(l, read)
	// Others may have been told of a change meanwhile, which who resumes does not know.
	if resumed == nil || first.follows(read, resumed) {
		if err := t.send(first.event, first.compressedFor(t)); err != nil {
			return err
		}
	}
	return t.listen(r.Context(), l, first, resumed)
}

// querySubject returns what a request wants to listen to.
func (a *API) querySubject(w http.ResponseWriter, r *http.Request) (of subject, err error) {
	values, err := query(r, param{name: "post"}, paramAccount)
	if err != nil {
		return of, err
	}
	if of.post, err = queryID(values, "post"); err != nil {
		return of, err
	}
	of.account, err = queryID(values, paramAccount.name)
	// Who may read one account alone is not told what a post brought others.
	of.part = of.post != "" && of.account != "" && a.Tokens != nil && !w.(*response).caller.has(roleRead)
	return of, err
}

// firstNews reads what a listener is told first, and whether it knows that already: by the position that it was told
// last, where it says one.
func (a *API) firstNews(
	w http.ResponseWriter, r *http.Request, of subject,
) (n *news, known *domain.Position, err error) {
	s, err := a.snapshot(w, r, nil)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	if n, err = readNews(r.Context(), s, of); err != nil {
		return nil, nil, a.viewsProblem(r.Context(), err)
	}
	told := r.Header["Last-Event-Id"]
	if len(told) != 1 {
		return n, nil, nil
	}
	last, err := domain.ParsePosition(told[0])
	if err != nil {
		// Another service gave it.
		return n, nil, nil
	}
	if n.changed > 0 {
		place, err := s.Place(n.changed - 1)
		if err != nil {
			return nil, nil, a.viewsProblem(r.Context(), err)
		}
		if place.Position.Compare(last) > 0 {
			return n, nil, nil
		}
	}
	return n, &last, nil
}

// telling is the answer to a listener. Where that takes gzip, it puts the stream together of what is compressed once
// for all listeners: a compressor for each would take more memory than all the rest.
type telling struct {
	*stream
	gzip bool
	sum  uint32
	size uint32
}

func newTelling(s *stream, r *http.Request) *telling {
	t := &telling{stream: s, gzip: takesGzip(r)}
	if t.gzip {
		s.w.Header()["Content-Encoding"] = encodedGzip
	}
	return t
}

// send sends text, or the same deflated.
func (t *telling) send(text, deflated []byte) error {
	if !t.gzip {
		return t.write(text)
	}
	if t.size == 0 {
		deflated = append(bytes.Clone(gzipHeader), deflated...)
	}
	t.sum, t.size = crc32.Update(t.sum, crc32.IEEETable, text), t.size+uint32(len(text))
	return t.write(deflated)
}

// end ends the stream so that nobody takes it for cut off.
func (t *telling) end() error {
	if !t.gzip {
		return nil
	}
	trailer := endian.LittleEndian.AppendUint32(bytes.Clone(finalBlock), t.sum)
	return t.write(endian.LittleEndian.AppendUint32(trailer, t.size))
}

// listen tells what the hub tells and was not told, until the client has gone or the stream ends. What was so at the
// position known its reader knows.
func (t *telling) listen(ctx context.Context, l *listener, told *news, known *domain.Position) error {
	silence := time.NewTimer(heartbeat)
	defer silence.Stop()
	for {
		err := error(nil)
		select {
		case <-t.ending.Done():
			return t.end()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errClientGone, ctx.Err())
		case <-silence.C:
			err = t.send(beat, deflatedBeat)
		case <-l.ready:
			n := l.slot.Load()
			if !n.follows(told, known) {
				continue
			}
			told = n
			err = t.send(n.event, n.compressedFor(t))
		}
		if err != nil {
			return err
		}
		silence.Reset(heartbeat)
	}
}

// compressedFor returns the event compressed where it is needed so.
func (n *news) compressedFor(t *telling) []byte {
	if !t.gzip {
		return nil
	}
	return n.compressed()
}

// follows reports whether news are such for who was told others before, and knows what was so at a position.
func (n *news) follows(told *news, known *domain.Position) bool {
	return n.position.Compare(told.position) >= 0 && !bytes.Equal(n.statements, told.statements) &&
		(known == nil || n.position.Compare(*known) > 0)
}
