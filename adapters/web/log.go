package web

import (
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// Bounds of the page of the log: how many events it shows, and of each how many entries.
const (
	eventsPerPage = 50
	movesShown    = 4
)

// logContent is what log.html shows.
type logContent struct {
	Events []loggedEvent
	// Newest: the newest event is on the page.
	Newest bool
	Pager  pager
}

// loggedEvent is an event in a line or two.
type loggedEvent struct {
	Index    uint64
	Href     string
	Recorded time.Time
	// Who acted, an account where WhoHref is not "", Did what, to which post.
	Who, WhoHref, Did           string
	PostID, PostTitle, PostHref string
	Tariff                      uint64
	TariffHref                  string
	Moves                       []move
	More                        int
	// Because says why nothing moved, "" where something did or could not.
	Because string
	// TakenBack: what it moved was taken back.
	TakenBack bool
}

// move is an entry as what it does to an account: what raises a loss takes from it.
type move struct {
	Account, Href, Line string
	Effect              domain.Twei
}

// log shows GET /log: events, the newest first.
func (p *Pages) log(r *request) (*page, error) {
	c := &logContent{}
	end := r.views.Size()
	if r.query.Has("before") {
		before, err := strconv.ParseUint(r.query.Get("before"), 10, 64)
		if err != nil {
			return nil, badRequest("before", "must be the index of an event")
		}
		end = min(end, before)
		c.Pager.First = "/log"
	}
	c.Newest = end == r.views.Size()
	explainer := projections.NewExplainer(r.ctx, p.Log, r.views)
	titles := map[string]string{}
	index := end
	for ; index > 0 && len(c.Events) < eventsPerPage; index-- {
		place, err := r.views.Place(index - 1)
		if err != nil {
			return nil, err
		}
		e, err := explainer.Explain(place)
		if err != nil {
			return nil, err
		}
		logged := newLoggedEvent(e)
		if logged.PostTitle, err = r.titleOf(titles, logged.PostID); err != nil {
			return nil, err
		}
		c.Events = append(c.Events, logged)
	}
	if index > 0 {
		c.Pager.Next = "/log?before=" + strconv.FormatUint(index, 10)
	}
	return &page{Title: "Log", Nav: "/log", IsLive: !r.query.Has("before"), Content: c,
		Description: "What was recorded, the newest first: who did what, and what it moved."}, nil
}

// titleOf returns a post's title of now, which it keeps in titles.
func (r *request) titleOf(titles map[string]string, id string) (string, error) {
	title, known := titles[id]
	if known || id == "" {
		return title, nil
	}
	post, _, err := r.views.Post(id, projections.AsOf{})
	titles[id] = post.Title
	return post.Title, err
}

func newLoggedEvent(e *projections.Explained) loggedEvent {
	of := e.Event
	logged := loggedEvent{
		Index: e.Place.Index, Href: pathOf("events", of.ID.String()), Recorded: of.RecordedAt, Did: didWhat(of),
		PostID: of.PostID, Because: e.Explanation.Because, TakenBack: e.Links.TakenBackBy != (domain.EventID{}),
	}
	who, isAccount := whoActed(of)
	if logged.Who = who; isAccount {
		logged.WhoHref = pathOf("accounts", who)
	}
	if of.PostID != "" {
		logged.PostHref = pathOf("posts", of.PostID)
	}
	if of.Published != nil {
		logged.Tariff = of.Published.Version
		logged.TariffHref = tariffHref(logged.Tariff)
	}
	for i := range e.Explanation.Postings {
		entries, n := e.Explanation.Postings[i].Entries()
		for _, entry := range entries[:n] {
			if len(logged.Moves) == movesShown {
				logged.More++
				continue
			}
			logged.Moves = append(logged.Moves, newMove(entry))
		}
	}
	return logged
}

func newMove(e domain.Entry) move {
	effect := e.Change
	if e.Line.Side() == domain.LossSide {
		// An amount of a posting is far from the bounds: its negation cannot overflow.
		effect, _ = domain.Twei{}.Sub(effect)
	}
	return move{e.Account, pathOf("accounts", e.Account), lineLabel(e.Line), effect}
}
