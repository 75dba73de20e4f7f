package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// stream is an answer of any length, which is written bit by bit. It is used by the handler's goroutine.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	// ending ends when the API drains, or when who asked may no more; its cause is the problem that either is.
	ending context.Context
	// lastWrite is how long a write may take from then on.
	lastWrite time.Duration
	// release undoes what openStream did, once each.
	release []func()
}

// openStream makes a stream of the answer to a request, which may be one of so many for each token. Close it before the
// handler returns.
func (a *API) openStream(w http.ResponseWriter, r *http.Request, lastWrite time.Duration) (*stream, error) {
	return a.openCounted(w, r, lastWrite, &a.streams, a.maxStreams)
}

// openCounted is openStream, with those of one kind counted by themselves.
func (a *API) openCounted(
	w http.ResponseWriter, r *http.Request, lastWrite time.Duration, counts *streamCounts, most int,
) (*stream, error) {
	res := w.(*response)
	release, ok := counts.take(res.callerName(), most)
	if !ok {
		return nil, problemf(codeTooBusy, "", "%d streams of this kind are open with this token already", most)
	}
	s := &stream{w: w, rc: http.NewResponseController(w), lastWrite: lastWrite}
	ending, end := context.WithCancelCause(a.draining)
	var watching sync.WaitGroup
	if res.caller != nil {
		watching.Go(func() { a.endWhenRevoked(ending, end, res, r) })
	}
	stop := whenEnded(ending, func() {
		// Who does not read holds up a write, not the end.
		_ = s.rc.SetWriteDeadline(time.Now().Add(lastWrite))
	})
	s.ending = ending
	s.release = []func(){release, stop, func() { end(nil) }, watching.Wait}
	// Its reader sets the pace, as long as it reads at all: see write.
	_ = s.rc.SetWriteDeadline(time.Time{})
	return s, nil
}

// whenEnded calls f, on a goroutine of its own, when ctx ends, unless stop is called before. Once stop has returned f
// does not run: the writer of an answer must not be touched when its handler has returned. Call stop once.
func whenEnded(ctx context.Context, f func()) (stop func()) {
	ran := make(chan struct{})
	prevent := context.AfterFunc(ctx, func() {
		defer close(ran)
		f()
	})
	return func() {
		if !prevent() {
			<-ran
		}
	}
}

// endWhenRevoked calls end, with the reason, when a caller may no more ask what it asked. It returns when ctx ends.
func (a *API) endWhenRevoked(ctx context.Context, end context.CancelCauseFunc, res *response, r *http.Request) {
	for {
		now := a.Tokens.file.current.Load()
		t := now.value.withHash(res.caller.hash)
		if t == nil || t.name != res.caller.name {
			end(res.route.access.refusal(nil, true))
			return
		}
		if !res.route.access.admits(t, now.value.public, r) {
			end(res.route.access.refusal(t, true))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-now.replaced:
		}
	}
}

// why returns the problem that the stream ends for, nil where it goes on.
func (s *stream) why() error { return context.Cause(s.ending) }

// write writes lines and sees that they are on their way. A reader that takes nothing for answerTimeout counts as gone.
func (s *stream) write(lines []byte) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(answerTimeout))
	if s.ending.Err() != nil {
		_ = s.rc.SetWriteDeadline(time.Now().Add(s.lastWrite))
	}
	_, err := s.w.Write(lines)
	if err == nil {
		err = s.rc.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	// It may be long until there is more, and under HTTP/2 a time that runs out ends the stream.
	_ = s.rc.SetWriteDeadline(time.Time{})
	return nil
}

// close ends what openStream began, and leaves lastWrite for what the server still writes.
func (s *stream) close() {
	for _, release := range s.release {
		release()
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.lastWrite))
}
