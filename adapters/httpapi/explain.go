package httpapi

import (
	"context"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// explainer reads events from the log with what explains them, for one answer: a tariff, and an event that several lead
// to, is read once. It is used by one goroutine.
type explainer struct {
	api   *API
	ctx   context.Context
	views *projections.Snapshot
	// tariffs are those read so far, by version; linked the events that others lead to, by index.
	tariffs map[uint64]*domain.Tariff
	linked  map[uint64]*domain.Event
}

// explained is an event with its place and what explains it.
type explained struct {
	place projections.Place
	// line is the event as the log holds it.
	line        []byte
	event       *domain.Event
	explanation domain.Explanation
	links       links
}

// links name the events that an event has to do with; the zero id is none.
type links struct {
	// takenBackBy took back the postings that the event made, madeGoodBy made a reversal good; the event takes back
	// those of takesBack, and origin is the engagement by which the tariff gave what it takes back or makes again.
	takenBackBy, madeGoodBy, takesBack, origin domain.EventID
}

// byName lists the links under their names.
func (l *links) byName() [4]struct {
	name string
	id   domain.EventID
} {
	return [4]struct {
		name string
		id   domain.EventID
	}{
		{"taken_back_by", l.takenBackBy}, {"made_good_by", l.madeGoodBy}, {"takes_back", l.takesBack}, {"origin", l.origin},
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
		e.links.origin = origin.ID
	}
	return e, x.link(e)
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

// link finds out which events the event has to do with.
func (x *explainer) link(e *explained) error {
	found, err := x.views.Links(e.event)
	if err != nil {
		return err
	}
	for _, l := range [...]struct {
		place *projections.Place
		id    *domain.EventID
	}{
		{found.TakenBackBy, &e.links.takenBackBy}, {found.MadeGoodBy, &e.links.madeGoodBy},
		{found.TakesBack, &e.links.takesBack},
	} {
		if l.place == nil {
			continue
		}
		linked, err := x.event(*l.place)
		if err != nil {
			return err
		}
		*l.id = linked.ID
	}
	return nil
}

// event reads an event that another one leads to.
func (x *explainer) event(place projections.Place) (*domain.Event, error) {
	if e := x.linked[place.Index]; e != nil {
		return e, nil
	}
	line, err := x.api.line(x.ctx, place)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", place.Index, err)
	}
	e, err := domain.DecodeEvent(line)
	x.linked[place.Index] = e
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
	return append(e.links.appendMembers(dst), `}}`...)
}

func (l *links) appendMembers(dst []byte) []byte {
	for _, link := range l.byName() {
		if link.id != (domain.EventID{}) {
			dst = append(append(append(dst, `,"`...), link.name...), `":`...)
			dst = appendText(dst, link.id.String())
		}
	}
	return dst
}
