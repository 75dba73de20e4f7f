package httpapi

import (
	"context"
	"iter"
	"net/http"

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
		read = a.Log.Follow
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
