package httpapi

import (
	"context"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// explainer reads events from the log with what explains them, for one answer: a tariff, and an event that several are
// about, is read once. It is used by one goroutine.
type explainer struct {
	api   *API
	ctx   context.Context
	views *projections.Snapshot
	// tariffs are those read so far, by version; about the events that others are about, by index.
	tariffs map[uint64]*domain.Tariff
	about   map[uint64]*domain.Event
}

// explained is an event with its place and what explains it.
type explained struct {
	place projections.Place
	// line is the event as the log holds it.
	line        []byte
	event       *domain.Event
	explanation domain.Explanation
	links       projections.Links
	// origin is the engagement to which the tariff gave what the event takes back or makes again, the zero id for none.
	origin domain.EventID
}

// linked lists the events that the event has to do with, under their names; the zero id is none.
func (e *explained) linked() [4]struct {
	name string
	id   domain.EventID
} {
	return [4]struct {
		name string
		id   domain.EventID
	}{
		{"taken_back_by", e.links.TakenBackBy}, {"made_good_by", e.links.MadeGoodBy},
		{"takes_back", e.links.TakesBack}, {"origin", e.origin},
	}
}

func (a *API) explainer(ctx context.Context, s *projections.Snapshot) *explainer {
	return &explainer{a, ctx, s, map[uint64]*domain.Tariff{}, map[uint64]*domain.Event{}}
}

// explain reads the event at a place and explains it.
func (x *explainer) explain(place projections.Place) (*explained, error) {
	e := &explained{place: place}
	var err error
	if e.line, err = x.api.line(x.ctx, place); err == nil {
		e.event, err = domain.DecodeEvent(e.line)
	}
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", place.Index, err)
	}
	origin, err := x.origin(e.event)
	if err != nil {
		return nil, err
	}
	tariff, err := x.tariff(e.event.Tariff)
	if err != nil {
		return nil, err
	}
	if e.explanation, err = domain.Explain(e.event, origin, tariff); err != nil {
		return nil, err
	}
	if origin != nil {
		e.origin = origin.ID
	}
	e.links, err = x.views.Links(e.event)
	return e, err
}

// origin returns the engagement's event that an event leads back to, nil where it is about none.
func (x *explainer) origin(e *domain.Event) (*domain.Event, error) {
	id, about := e.IsAbout()
	if !about {
		return nil, nil
	}
	place, found, err := x.views.Event(id)
	if err == nil && !found {
		err = fmt.Errorf("event %s is about %s, which there is not: %w", e.ID, id, domain.ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	of, err := x.event(place)
	if err != nil {
		return nil, err
	}
	if _, again := of.IsAbout(); again {
		return x.origin(of)
	}
	return of, nil
}

// event reads an event that another one is about.
func (x *explainer) event(place projections.Place) (*domain.Event, error) {
	if e := x.about[place.Index]; e != nil {
		return e, nil
	}
	line, err := x.api.line(x.ctx, place)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", place.Index, err)
	}
	e, err := domain.DecodeEvent(line)
	x.about[place.Index] = e
	return e, err
}

// tariff returns a version, nil for 0.
func (x *explainer) tariff(version uint64) (*domain.Tariff, error) {
	if version == 0 || x.tariffs[version] != nil {
		return x.tariffs[version], nil
	}
	err := x.api.tariffs(x.ctx, domain.Revision(version-1), func(t *domain.Tariff) bool {
		x.tariffs[version] = t
		return false
	})
	return x.tariffs[version], err
}

// appendJSON appends the event with its place, and what explains it. Its line is as the log holds it, which is JSON.
func (e *explained) appendJSON(dst []byte) []byte {
	dst = appendPlace(append(dst, '{'), e.place)
	dst = append(append(dst, `,"event":`...), e.line...)
	dst = e.explanation.AppendMembers(append(dst, `,"explanation":{`...))
	return append(e.appendLinks(dst), `}}`...)
}

func (e *explained) appendLinks(dst []byte) []byte {
	for _, link := range e.linked() {
		if link.id != (domain.EventID{}) {
			dst = append(append(append(dst, `,"`...), link.name...), `":`...)
			dst = appendText(dst, link.id.String())
		}
	}
	return dst
}
