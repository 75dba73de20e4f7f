package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// entriesPerPage is how many events' entries a page shows.
const entriesPerPage = 50

// entriesContent is what entries.html shows: the entries behind a number, or behind all numbers of a scope.
type entriesContent struct {
	domain.Scope
	PostTitle string
	// Line is the label of the line whose entries alone are shown, "" for all lines, and Sum what it comes to.
	Line string
	Sum  domain.Twei
	// Back leads to the statement that the number stands in, All to the entries of all lines.
	Back, All string
	AsOf      *asOfView
	Rows      []entryRow
	Decimals  int
	Pager     pager
}

// entryRow is an entry in words.
type entryRow struct {
	Href, What string
	Occurred   time.Time
	// PostID is "" where the post is the page's.
	PostID, PostTitle string
	Account, Party    string
	// Line is what Change is added to, "" for what moved nothing.
	Line   string
	Change domain.Twei
	// Row names the row of the tariff that gave the entry.
	Row, RowHref          string
	TakenBack, TakesBack  string
	MadeGood, WhyNotMoved string
}

// entries shows the entries of a scope, the newest first.
func (p *Pages) entries(r *request) (*page, error) {
	q, err := r.journalQuery()
	if err != nil {
		return nil, err
	}
	asOf, view, err := r.asOf()
	if err != nil {
		return nil, err
	}
	c := &entriesContent{Scope: q.Scope, AsOf: view}
	// The statement comes first: it knows whether there was such a post by then.
	statement, err := r.views.Statement(r.ctx, q.Scope, asOf)
	if err != nil {
		return nil, err
	}
	if q.Line.Valid() {
		c.Line, c.Sum = lineLabel(q.Line), statement.Sums.Of(q.Line)
	}
	titles := map[string]string{}
	if c.PostTitle, err = r.titleOf(titles, c.PostID); err != nil {
		return nil, err
	}
	c.link(r)
	if err := c.read(p, r, q, asOf, titles); err != nil {
		return nil, err
	}
	shown := &page{Title: c.title(), Nav: c.nav(), Content: c, Description: "The entries behind it, the newest first."}
	if view == nil {
		shown.Live, shown.IsLive = scopeQuery(q.Scope), true
	}
	return shown, nil
}

// journalQuery returns what path and query ask for.
func (r *request) journalQuery() (q projections.JournalQuery, err error) {
	q.Newest, q.Page = true, projections.Page{Cursor: r.query.Get("cursor"), Limit: entriesPerPage}
	q.Scope = domain.Scope{PostID: r.path("post"), AccountID: r.path("account")}
	if q.Scope.AccountID == "" {
		q.Scope.AccountID = r.query.Get("account")
	}
	if account := q.Scope.AccountID; account != "" && !domain.ValidID(account) {
		return q, notFound("no account can have this id")
	}
	if key := r.query.Get("line"); key != "" {
		var known bool
		if q.Line, known = domain.ParseLine(key); !known {
			return q, badRequest("line", "is no line of a statement")
		}
	}
	return q, nil
}

// read reads the entries that a query asks for, of what counts as of a time and a size.
func (c *entriesContent) read(p *Pages, r *request, q projections.JournalQuery, asOf projections.AsOf,
	titles map[string]string) error {
	if asOf.Sized && asOf.Size == 0 {
		return nil
	}
	q.Size = asOf.Size
	if !asOf.At.IsZero() {
		q.To = asOf.At.Add(time.Nanosecond)
	}
	places, next, err := r.views.Journal(q)
	if err != nil {
		return err
	}
	entries, err := projections.NewExplainer(r.ctx, p.Log, r.views).Entries(places, q)
	if err != nil {
		return err
	}
	for i := range entries {
		row := newEntryRow(&entries[i])
		if row.PostID == c.PostID {
			row.PostID = ""
		}
		if row.PostTitle, err = r.titleOf(titles, row.PostID); err != nil {
			return err
		}
		c.Decimals = max(c.Decimals, decimals(row.Change))
		c.Rows = append(c.Rows, row)
	}
	c.Pager = pager{Next: withQuery(r, "cursor", next)}
	if next == "" {
		c.Pager.Next = ""
	}
	if q.Cursor != "" {
		c.Pager.First = withQuery(r, "cursor", "")
	}
	return nil
}

// link sets where the statement and the entries of all lines are.
func (c *entriesContent) link(r *request) {
	asked := url.Values{}
	for _, name := range []string{"account", "at", "size"} {
		if value := r.query.Get(name); value != "" {
			asked.Set(name, value)
		}
	}
	query := ""
	if len(asked) > 0 {
		query = "?" + asked.Encode()
	}
	c.All = r.URL.EscapedPath() + query
	switch {
	case c.PostID != "":
		c.Back = pathOf("posts", c.PostID) + query
	case c.AccountID != "":
		asked.Del("account")
		c.Back = pathOf("accounts", c.AccountID)
		if len(asked) > 0 {
			c.Back += "?" + asked.Encode()
		}
	default:
		c.Back = "/"
	}
}

func (c *entriesContent) title() string {
	what := "All entries"
	if c.Line != "" {
		what = c.Line
	}
	switch {
	case c.PostID != "" && c.AccountID != "":
		return what + " of " + c.AccountID + " under a post"
	case c.PostID != "":
		return what + " under a post"
	case c.AccountID != "":
		return what + " of " + c.AccountID
	}
	return what + " of the platform"
}

func (c *entriesContent) nav() string {
	if c.PostID == "" && c.AccountID != "" {
		return "/accounts"
	}
	return "/"
}

// scopeQuery returns the query of the stream that tells of a scope.
func scopeQuery(scope domain.Scope) string {
	asked := url.Values{}
	if scope.PostID != "" {
		asked.Set("post", scope.PostID)
	}
	if scope.AccountID != "" {
		asked.Set("account", scope.AccountID)
	}
	return asked.Encode()
}

func newEntryRow(e *projections.Entry) entryRow {
	who, _ := whoActed(e.Event)
	row := entryRow{
		Href: eventHref(e.Event.ID), What: who + " " + didWhat(e.Event), Occurred: e.Event.OccurredAt,
		PostID: e.Event.PostID, Account: e.Account, Change: e.Change, WhyNotMoved: e.Explanation.Because,
		TakenBack: eventHref(e.Links.TakenBackBy), TakesBack: eventHref(e.Links.TakesBack),
		MadeGood: eventHref(e.Links.MadeGoodBy),
	}
	if e.Posting == nil {
		return row
	}
	row.Party, row.Line = partyOf(e.Party), lineLabel(e.Line)
	row.Row, row.RowHref = tariffRow(e.Explanation.Tariff, e.Posting.Row)
	return row
}

// eventHref returns where an event is shown, "" for the zero id.
func eventHref(id domain.EventID) string {
	if id == (domain.EventID{}) {
		return ""
	}
	return pathOf("events", id.String())
}

// tariffRow names a row of a version of the tariff, and returns where it is shown.
func tariffRow(version uint64, row int) (name, href string) {
	at := strconv.Itoa(row)
	return "version " + strconv.FormatUint(version, 10) + ", row " + at, tariffHref(version) + "#row-" + at
}

// unknownEvent is the error for an event that there is not.
func unknownEvent(detail string) error { return &Error{http.StatusNotFound, "unknown_event", detail} }
