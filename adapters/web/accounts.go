package web

import (
	"net/url"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// accountOrders are the orders of the list of accounts.
var accountOrders = []order{
	amountOrder("balance", "Balance", projections.ByBalance),
	amountOrder("total", "Total", projections.ByTotal),
	amountOrder("profit", "Profit", projections.ByProfit),
}

// listedAccount is a row of a list of accounts.
type listedAccount struct {
	ID, Href                              string
	Balance, Profit, Loss, Total, Reading domain.Twei
}

func newListedAccount(s *domain.Statement) (l listedAccount, err error) {
	id := s.Scope.AccountID
	l = listedAccount{ID: id, Href: pathOf("accounts", id), Reading: s.Sums.Of(domain.ReadToEarn)}
	if l.Profit, l.Loss, l.Total, err = s.Sums.Subtotals(); err == nil {
		l.Balance, err = s.Balance()
	}
	return l, err
}

// accountsContent is what accounts.html shows.
type accountsContent struct {
	Listing  *listing
	Accounts []listedAccount
	Decimals columnDecimals
}

// accounts shows GET /accounts: who has how much.
func (p *Pages) accounts(r *request) (*page, error) {
	c := &accountsContent{}
	var err error
	if c.Listing, err = r.listing("/accounts", accountOrders); err != nil {
		return nil, err
	}
	statements, next, err := r.views.Accounts(c.Listing.by, c.Listing.Ascending, c.Listing.Page)
	if err != nil {
		return nil, err
	}
	c.Listing.next(next)
	for _, s := range statements {
		row, err := newListedAccount(s)
		if err != nil {
			return nil, err
		}
		c.Accounts = append(c.Accounts, row)
		d := &c.Decimals
		d.Profit, d.Loss = max(d.Profit, decimals(row.Profit)), max(d.Loss, decimals(row.Loss))
		d.Total, d.Reading = max(d.Total, decimals(row.Total)), max(d.Reading, decimals(row.Reading))
		d.Balance = max(d.Balance, decimals(row.Balance))
	}
	return &page{Title: "Accounts", Nav: "/accounts", IsLive: true, Content: c,
		Description: "What each account has: what it earned and spent under posts, and what reading earned it."}, nil
}

// accountContent is what account.html shows.
type accountContent struct {
	ID string
	// Unknown: nothing is recorded of the account, or was by then.
	Unknown   bool
	AsOf      *asOfView
	Statement *statementView
	// Balance is Total and Reading together, BalanceDecimals how many decimals the longest of the three has.
	Balance, Total, Reading domain.Twei
	BalanceDecimals         int
	RewardedReads           uint64
	ReadingHref, Entries    string
	Counts                  []countFact
	// What follows is of now, and left out as of a time or a size.
	Course       *courseView
	Posts        []listedPost
	PostDecimals columnDecimals
	PostPager    pager
	Reports      []listedReport
	ReportPager  pager
}

// account shows GET /accounts/{account}.
func (p *Pages) account(r *request) (*page, error) {
	id := r.path("account")
	if !domain.ValidID(id) {
		return nil, notFound("no account can have this id")
	}
	asOf, view, err := r.asOf()
	if err != nil {
		return nil, err
	}
	scope := domain.Scope{AccountID: id}
	statement, err := r.views.Statement(r.ctx, scope, asOf)
	if err != nil {
		return nil, err
	}
	c := &accountContent{
		ID: id, Unknown: statement.RecordedThrough.IsZero(), AsOf: view,
	}
	if err := c.show(r, statement); err != nil {
		return nil, err
	}
	shown := &page{Title: id, Nav: "/accounts", Content: c,
		Description: "The account " + id + " has " + c.Balance.String() + " Twei: its statement, posts and reports."}
	if view == nil {
		shown.Live, shown.IsLive = "account="+url.QueryEscape(id), true
		err = c.lists(p, r)
	}
	return shown, err
}

// show sets what comes of the account's statement.
func (c *accountContent) show(r *request, s *domain.Statement) (err error) {
	c.RewardedReads, c.Counts = s.RewardedReads, countFacts(&s.Counts, true)
	c.Reading = s.Sums.Of(domain.ReadToEarn)
	href := entriesOf(r, pathOf("accounts", c.ID, "entries"))
	c.Entries = href(0)
	c.ReadingHref = href(domain.ReadToEarn)
	if c.Statement, err = newStatementView(s, nil, href); err != nil {
		return err
	}
	c.Total = c.Statement.Total
	c.Balance, err = s.Balance()
	c.BalanceDecimals = decimals(c.Balance, c.Total, c.Reading)
	return err
}

// lists reads the account's course, posts and reports.
func (c *accountContent) lists(p *Pages, r *request) (err error) {
	if c.Course, err = p.courseOf(r, domain.Scope{AccountID: c.ID}); err != nil {
		return err
	}
	at := projections.Page{Cursor: r.query.Get("posts"), Limit: perPage}
	posts, next, err := r.views.AccountPosts(c.ID, at)
	if err != nil {
		return err
	}
	c.PostPager = pagerOf(r, "posts", next)
	if c.Posts, c.PostDecimals, err = listedPosts(posts, c.ID); err != nil {
		return err
	}
	reports, next, err := r.views.Reports(c.ID, projections.Page{Cursor: r.query.Get("reports"), Limit: perPage})
	if err != nil {
		return err
	}
	c.ReportPager = pagerOf(r, "reports", next)
	c.Reports, err = r.listedReports(reports)
	return err
}

// pagerOf leads through one of the lists of a page, whose cursor is a parameter, and down to that list.
func pagerOf(r *request, parameter, next string) (p pager) {
	if r.query.Get(parameter) != "" {
		p.First = withQuery(r, parameter, "") + "#" + parameter
	}
	if next != "" {
		p.Next = withQuery(r, parameter, next) + "#" + parameter
	}
	return p
}

// listedReport is a row of a list of reports, with the post's title of now.
type listedReport struct {
	projections.Report
	Href, PostHref, PostTitle string
}

func (r *request) listedReports(reports []projections.Report) (rows []listedReport, err error) {
	titles := map[string]string{}
	for i := range reports {
		row := listedReport{Report: reports[i], Href: pathOf("reports", reports[i].ReportID),
			PostHref: pathOf("posts", reports[i].PostID)}
		if row.PostTitle, err = r.titleOf(titles, row.PostID); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}
