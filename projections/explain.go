package projections

import (
	"context"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// Explainer reads events from the log with what explains them, for one answer: a tariff, and an event that several are
// about, is read once. It is used by one goroutine, while its snapshot is open.
type Explainer struct {
	ctx   context.Context
	log   domain.EventLog
	views *Snapshot
	// tariffs are those read so far, by version; about the events that others are about, by index.
	tariffs map[uint64]*domain.Tariff
	about   map[uint64]*domain.Event
}

// Explained is an event with its place and what explains it.
type Explained struct {
	Place Place
	// Canonical is the event as the log holds it.
	Canonical   []byte
	Event       *domain.Event
	Explanation domain.Explanation
	Links       Links
	// Origin is the engagement to which the tariff gave what the event takes back or makes again, the zero id for none.
	Origin domain.EventID
}

// Entry is a posting seen from one of its sides; or, where Posting is nil, an event that moved nothing, and why.
type Entry struct {
	*Explained
	Posting *domain.ExplainedPosting
	// Account is whose line it is, and Party who that is in the engagement. Of what moved nothing it is who acted.
	Account string
	Party   domain.Party
	Line    domain.Line
	// Change is what the entry adds to the line.
	Change domain.Twei
}

// NewExplainer returns an Explainer of the events of a log that a snapshot of its views knows.
func NewExplainer(ctx context.Context, log domain.EventLog, s *Snapshot) *Explainer {
	return &Explainer{ctx, log, s, map[uint64]*domain.Tariff{}, map[uint64]*domain.Event{}}
}

// Explain reads the event at a place and explains it.
func (x *Explainer) Explain(place Place) (*Explained, error) {
	e := &Explained{Place: place}
	var err error
	if e.Canonical, err = x.line(place.Stream, place.Revision); err == nil {
		e.Event, err = domain.DecodeEvent(e.Canonical)
	}
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", place.Index, err)
	}
	origin, err := x.origin(e.Event)
	if err != nil {
		return nil, err
	}
	tariff, err := x.Tariff(e.Event.Tariff)
	if err != nil {
		return nil, err
	}
	if e.Explanation, err = domain.Explain(e.Event, origin, tariff); err != nil {
		return nil, err
	}
	if origin != nil {
		e.Origin = origin.ID
	}
	e.Links, err = x.views.Links(e.Event)
	return e, err
}

// origin returns the engagement's event that an event leads back to, nil where it is about none.
func (x *Explainer) origin(e *domain.Event) (*domain.Event, error) {
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
func (x *Explainer) event(place Place) (*domain.Event, error) {
	if e := x.about[place.Index]; e != nil {
		return e, nil
	}
	line, err := x.line(place.Stream, place.Revision)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", place.Index, err)
	}
	e, err := domain.DecodeEvent(line)
	x.about[place.Index] = e
	return e, err
}

// Tariff returns a version, nil for 0.
func (x *Explainer) Tariff(version uint64) (*domain.Tariff, error) {
	if version == 0 || x.tariffs[version] != nil {
		return x.tariffs[version], nil
	}
	line, err := x.line(domain.TariffStream, domain.Revision(version-1))
	if err != nil {
		return nil, fmt.Errorf("tariff %d: %w", version, err)
	}
	e, err := domain.DecodeEvent(line)
	if err != nil {
		return nil, fmt.Errorf("tariff %d: %w", version, err)
	}
	x.tariffs[version] = e.Published
	return e.Published, nil
}

// line reads an event's line from the log.
func (x *Explainer) line(stream domain.Stream, at domain.Revision) ([]byte, error) {
	for event, err := range x.log.ReadStream(x.ctx, stream, at) {
		return event.Canonical, err
	}
	return nil, fmt.Errorf("stream %s has no revision %d: %w", stream, at, domain.ErrCorrupt)
}

// Entries returns those of events, within what a query asks for.
func (x *Explainer) Entries(places []Place, q JournalQuery) (entries []Entry, err error) {
	for _, place := range places {
		e, err := x.Explain(place)
		if err != nil {
			return nil, err
		}
		entries = e.appendEntries(entries, q.Scope, q.Line)
	}
	return entries, nil
}

// appendEntries appends the entries of an event within a scope, and of one line where that is valid. An event that
// moved nothing in the scope, and has no reason why, has none.
func (e *Explained) appendEntries(entries []Entry, scope domain.Scope, line domain.Line) []Entry {
	if e.Event.Reason != "" && !line.Valid() {
		return append(entries, Entry{Explained: e, Account: e.Event.AccountID})
	}
	for i := range e.Explanation.Postings {
		p := &e.Explanation.Postings[i]
		sides, n := p.Entries()
		for _, side := range sides[:n] {
			if scope.AccountID != "" && side.Account != scope.AccountID || line.Valid() && side.Line != line {
				continue
			}
			party := p.CreditParty
			if side.Side == p.Debit {
				party = p.DebitParty
			}
			entries = append(entries, Entry{e, p, side.Account, party, side.Line, side.Change})
		}
	}
	return entries
}
