package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// getLog serves GET /v1/log: the canonical lines from an index on, to the log's end or on and on.
func (a *API) getLog(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition, param{name: "from"}, param{name: "follow"})
	if err != nil {
		return err
	}
	from, _, err := queryInteger(values, "from")
	if err != nil {
		return err
	}
	follow := values.Get("follow") == "true"
	if values.Has("follow") && !follow && values.Get("follow") != "false" {
		return problemf(codeBadRequest, "follow", "must be true or false")
	}
	s, err := a.snapshot(w, r, values)
	if err != nil {
		return err
	}
	after, skip, err := start(s, from)
	s.Close()
	if err != nil {
		return err
	}
	w.Header()["Content-Type"] = typeNDJSON
	if r.Method == http.MethodHead {
		return nil
	}
	return a.writeLog(w, r, after, skip, follow)
}

// start returns the position behind which the event of an index is found when skip others are left out. Where the views
// do not go that far it is their own: what the log has beyond is counted off.
func start(s *projections.Snapshot, from uint64) (after domain.Position, skip uint64, err error) {
	switch {
	case from == 0:
		return domain.Position{}, 0, nil
	case from > s.Size():
		return s.Position(), from - s.Size(), nil
	}
	place, err := s.Place(from - 1)
	return place.Position, 0, err
}

func (a *API) writeLog(w http.ResponseWriter, r *http.Request, after domain.Position, skip uint64, follow bool) error {
	s, err := a.openStream(w, r, drainTimeout)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	read := a.Log.Read
	if follow {
		read = a.follow
		// The headers go out now, whenever the first event comes.
		if err := s.write(nil); err != nil {
			return err
		}
	}
	err = writeLines(s, read(ctx, after), skip)
	switch {
	case err == nil || s.ending.Err() == nil:
		return err
	case follow:
		return nil
	}
	// An answer that has begun is cut off: it is not the whole log.
	return s.why()
}

// followPatience is how long a log that is away is left alone before it is followed again.
const followPatience = time.Second

// errAnotherLog ends the following of a log that came back as another one, as from a backup.
var errAnotherLog = errors.New("the log that came back is not the log that was followed: it lacks an event")

// follow is the log's own Follow, but goes on where the log was away, as while a store changes its leader.
func (a *API) follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		f := follower{log: a.Log, last: domain.LogEvent{Position: after}}
		for {
			more, err := f.follow(ctx, yield)
			if !more {
				return
			}
			if !errors.Is(err, domain.ErrUnavailable) {
				yield(nil, err)
				return
			}
			select {
			case <-time.After(a.followPatience):
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// follower is how far a log was followed.
type follower struct {
	log domain.EventLog
	// last is the event that was given last; before the first one it has no bytes. before is a position behind which it is
	// the first.
	last   domain.LogEvent
	before domain.Position
}

// follow goes on once, until that fails. It reports false where no more are wanted.
func (f *follower) follow(ctx context.Context, yield func([]domain.LogEvent, error) bool) (more bool, err error) {
	if err := f.check(ctx); err != nil {
		return true, err
	}
	for events, err := range f.log.Follow(ctx, f.last.Position) {
		if err != nil {
			return true, err
		}
		f.before = f.last.Position
		if n := len(events); n > 1 {
			f.before = events[n-2].Position
		}
		f.last = events[len(events)-1]
		if !yield(events, nil) {
			return false, nil
		}
	}
	return true, nil
}

// check sees that the last event is still where it was: a log that came back may have been restored from a backup.
func (f *follower) check(ctx context.Context) error {
	if f.last.Canonical == nil {
		return nil
	}
	for events, err := range f.log.Read(ctx, f.before) {
		if err != nil {
			return err
		}
		if events[0].Position == f.last.Position && bytes.Equal(events[0].Canonical, f.last.Canonical) {
			return nil
		}
		break
	}
	return fmt.Errorf("%w at position %s", errAnotherLog, f.last.Position)
}

func writeLines(s *stream, batches iter.Seq2[[]domain.LogEvent, error], skip uint64) error {
	var lines []byte
	for events, err := range batches {
		if err != nil {
			return err
		}
		skipped := min(skip, uint64(len(events)))
		skip -= skipped
		lines = lines[:0]
		for _, event := range events[skipped:] {
			lines = append(append(lines, event.Canonical...), '\n')
		}
		if len(lines) == 0 {
			continue
		}
		if err := s.write(lines); err != nil {
			return err
		}
	}
	return nil
}
