package web

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// eventContent is what event.html shows: an event with what explains it.
type eventContent struct {
	*projections.Explained
	Heading, Who, WhoHref string
	PostTitle             string
	Postings              []postingView
	// About are the events that this one leads to.
	About []eventLink
	// TariffHref is where the version that a tariff's event published is shown.
	TariffHref string
	Line       string
}

// eventLink leads to an event, and says what that is to the one shown.
type eventLink struct{ Says, Href string }

// postingView is a posting in words: which row of the tariff gave it, From whom it goes To whom, for what, and what it
// adds to which lines.
type postingView struct {
	Row, RowHref string
	From, To     partyView
	// TakesBack: it takes another posting back.
	TakesBack bool
	Amount    domain.Twei
	For       string
	Entries   []postingEntry
}

// partyView is who a side of a posting is. The treasury has no account to show.
type partyView struct{ Party, Account string }

// postingEntry is what a posting adds to a line, and what that does to the account's balance.
type postingEntry struct {
	Account, Line, Href string
	Change, Effect      domain.Twei
}

// event shows GET /events/{event}.
func (p *Pages) event(r *request) (*page, error) {
	id, err := domain.ParseEventID(r.path("event"))
	if err != nil {
		return nil, unknownEvent("no event can have this id")
	}
	place, found, err := r.views.Event(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, unknownEvent("there is no event " + id.String())
	}
	e, err := projections.NewExplainer(r.ctx, p.Log, r.views).Explain(place)
	if err != nil {
		return nil, err
	}
	c := newEventContent(e)
	if c.PostTitle, err = r.titleOf(map[string]string{}, e.Event.PostID); err != nil {
		return nil, err
	}
	return &page{Title: c.Heading, Nav: "/log", Content: c,
		Description: "Event " + strconv.FormatUint(place.Index, 10) + ": who did what, what it moved, and why."}, nil
}

func newEventContent(e *projections.Explained) *eventContent {
	c := &eventContent{Explained: e, Heading: nounOf(e.Event.Type), Line: strings.TrimSpace(string(e.Canonical))}
	who, isAccount := whoActed(e.Event)
	if c.Who = who; isAccount {
		c.WhoHref = pathOf("accounts", who)
	}
	if e.Event.Published != nil {
		c.TariffHref = tariffHref(e.Event.Published.Version)
	}
	for i := range e.Explanation.Postings {
		c.Postings = append(c.Postings, newPostingView(e, &e.Explanation.Postings[i]))
	}
	c.link()
	return c
}

// link sets what the event leads to, each event once: what the links say is closer than what it was first of all about.
func (c *eventContent) link() {
	about, _ := c.Event.IsAbout()
	shown := map[domain.EventID]bool{{}: true}
	for _, l := range []struct {
		says string
		id   domain.EventID
	}{
		{"It was taken back by", c.Links.TakenBackBy},
		{"It was made good by", c.Links.MadeGoodBy},
		{"It takes back", c.Links.TakesBack},
		{"It is about", about},
		{"The tariff had first priced", c.Origin},
	} {
		if !shown[l.id] {
			shown[l.id] = true
			c.About = append(c.About, eventLink{l.says, eventHref(l.id)})
		}
	}
}

func newPostingView(e *projections.Explained, p *domain.ExplainedPosting) postingView {
	v := postingView{
		TakesBack: p.Reversal, Amount: p.Amount, For: lowerFirst(nounOf(p.Engagement)),
		From: newPartyView(p.DebitParty, p.Debit), To: newPartyView(p.CreditParty, p.Credit),
	}
	v.Row, v.RowHref = tariffRow(e.Explanation.Tariff, p.Row)
	entries, n := p.Entries()
	for _, entry := range entries[:n] {
		moved := newMove(entry)
		v.Entries = append(v.Entries, postingEntry{entry.Account, moved.Line, moved.Href, entry.Change, moved.Effect})
	}
	return v
}

func newPartyView(party domain.Party, side domain.Side) partyView {
	if side.IsTreasury() {
		return partyView{Party: partyOf(domain.PartyTreasury)}
	}
	return partyView{partyOf(party), side.Account}
}

// lowerFirst returns a text that begins a sentence as it stands within one.
func lowerFirst(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return strings.ToLower(text[:size]) + text[size:]
}
