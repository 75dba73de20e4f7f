package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// postContent is what post.html shows.
type postContent struct {
	projections.Post
	// Account is whose part is shown beside the whole, "" for nobody's; Reading is its read-to-earn box.
	Account   string
	Reading   *domain.Reading
	AsOf      *asOfView
	Statement *statementView
	// ReadToEarn is what reading the post earned all its readers, in so many rewarded reads.
	ReadToEarn    domain.Twei
	RewardedReads uint64
	Counts        []countFact
	// Size is the number of events that the statement counts, RecordedThrough when the last of them was recorded.
	Size            uint64
	RecordedThrough time.Time
	// Price and MinLevel are those of the tariff in force; HasTariff is false where there is none.
	Price     domain.Twei
	MinLevel  uint64
	HasTariff bool
	// Entries leads to all entries behind what is shown, Everybody to the same page with nobody's part beside it.
	Entries, Everybody string
	// What follows is of now, and left out as of a time or a size.
	Course       *courseView
	Comments     []projections.Comment
	CommentPager pager
	// Known are accounts that the chooser proposes.
	Known []string
}

// post shows GET /posts/{post}: the block under the post, and what it comes of.
func (p *Pages) post(r *request) (*page, error) {
	id, account := r.path("post"), r.query.Get("account")
	asOf, view, err := r.asOf()
	if err != nil {
		return nil, err
	}
	if err := r.mayShow(account); err != nil {
		return nil, err
	}
	c := &postContent{Account: account, AsOf: view}
	if err := c.read(r, id, asOf); err != nil {
		return nil, err
	}
	if err := c.readTariff(p, r); err != nil {
		return nil, err
	}
	if view == nil {
		if err := c.lists(p, r); err != nil {
			return nil, err
		}
	}
	return c.page(r), nil
}

// mayShow returns an error unless the reader may see the part of an account, "" being nobody's.
func (r *request) mayShow(account string) error {
	switch {
	case account == "":
		return nil
	case !domain.ValidID(account):
		return badRequest("account", "no account can have this id")
	case r.mayRead:
		return nil
	case r.Header.Get("Authorization") == "":
		return &Error{http.StatusUnauthorized, "unauthorized", "an account's part of a post needs a token with the role read"}
	}
	return &Error{http.StatusForbidden, "forbidden", "an account's part of a post needs the role read"}
}

// read reads the post and its statement, and the account's part of it.
func (c *postContent) read(r *request, id string, asOf projections.AsOf) error {
	whole, err := r.views.Statement(r.ctx, domain.Scope{PostID: id}, asOf)
	if err != nil {
		return err
	}
	post, _, err := r.views.Post(id, asOf)
	if err != nil {
		return err
	}
	var own *domain.Statement
	if c.Account != "" {
		if own, err = r.views.Statement(r.ctx, domain.Scope{PostID: id, AccountID: c.Account}, asOf); err != nil {
			return err
		}
		c.Reading = own.Reading
	}
	c.Post, c.Size, c.RecordedThrough = post, whole.Size, whole.RecordedThrough
	c.ReadToEarn, c.RewardedReads = whole.Sums.Of(domain.ReadToEarn), whole.RewardedReads
	c.Counts = countFacts(&whole.Counts, false)
	entries := entriesOf(r, pathOf("posts", id, "entries"))
	c.Entries, c.Everybody = entries(0), withQuery(r, "account", "")
	if !r.mayRead {
		entries = nil
	}
	c.Statement, err = newStatementView(whole, own, entries)
	return err
}

// entriesOf returns what leads to the entries at a path behind a line, or behind all for none: of the same account, and as of the
// same time and size.
func entriesOf(r *request, path string) func(domain.Line) string {
	asked := url.Values{}
	for _, name := range []string{"account", "at", "size"} {
		if value := r.query.Get(name); value != "" {
			asked.Set(name, value)
		}
	}
	return func(l domain.Line) string {
		if l.Valid() {
			asked.Set("line", l.String())
		}
		address := path
		if query := asked.Encode(); query != "" {
			address += "?" + query
		}
		return address
	}
}

// readTariff sets price and level by the tariff in force now, or at the time that the page is as of.
func (c *postContent) readTariff(p *Pages, r *request) error {
	at := time.Now()
	switch {
	case c.AsOf != nil && !c.AsOf.At.IsZero():
		at = c.AsOf.At
	case c.AsOf != nil && !c.RecordedThrough.IsZero():
		at = c.RecordedThrough
	}
	t, err := p.tariffInForce(r.ctx, at)
	switch {
	case errors.Is(err, domain.ErrUnavailable):
		// The views answer all else while the log is away.
		return nil
	case err != nil || t == nil:
		return err
	}
	c.Price, c.MinLevel, c.HasTariff = t.ReportPrice(), t.CommentMinLevel, true
	return nil
}

// lists reads the post's course and comments.
func (c *postContent) lists(p *Pages, r *request) (err error) {
	if c.Course, err = p.courseOf(r, domain.Scope{PostID: c.PostID}); err != nil {
		return err
	}
	at := projections.Page{Cursor: r.query.Get("comments"), Limit: perPage}
	comments, next, err := r.views.Comments(c.PostID, at)
	if err != nil {
		return err
	}
	c.Comments, c.CommentPager = comments, pagerOf(r, "comments", next)
	c.Known = []string{c.Author}
	for i := range comments {
		c.Known = append(c.Known, comments[i].Commenter)
	}
	return nil
}

func (c *postContent) page(r *request) *page {
	shown := &page{Title: c.Title, Nav: "/", Content: c,
		Description: "Total Twei Earned: " + shownText(c.Statement.Total) + ". Profit " +
			shownText(c.Statement.Profit.Subtotal) + ", loss " + shownText(c.Statement.Loss.Subtotal) + ".",
		Picture: originOf(r.Request) + pathOf("posts", c.PostID, "statement.svg")}
	if c.Title == "" {
		shown.Title = c.PostID
	}
	if c.AsOf == nil {
		asked := url.Values{"post": {c.PostID}}
		if c.Account != "" {
			asked.Set("account", c.Account)
		}
		shown.Live, shown.IsLive = asked.Encode(), true
	}
	return shown
}

// originOf returns where a request was sent to, for an address that others are given.
func originOf(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host
}

// initial returns the letter that stands for a commenter.
func initial(account string) string { return strings.ToUpper(account[:1]) }

// reactions says how many like and dislike a comment.
func reactions(c projections.Comment) string {
	return plural(c.Likes, "like", "likes") + ", " + plural(c.Dislikes, "dislike", "dislikes")
}

// showPicture serves GET /posts/{post}/statement.svg: the statement as a picture, for those who share the address.
func (p *Pages) showPicture(w http.ResponseWriter, r *http.Request) {
	s := p.Views.Snapshot()
	defer s.Close()
	asked := &request{Request: r, ctx: r.Context(), views: s, query: r.URL.Query()}
	c := &postContent{}
	if err := c.read(asked, asked.path("post"), projections.AsOf{}); err != nil {
		p.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Ledger-Size", strconv.FormatUint(s.Size(), 10))
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-cache")
	writeTagged(w, r, http.StatusOK, []byte(sharedPicture(c)))
}
