package web

import (
	"strings"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// postOrders are the orders of the list of posts.
var postOrders = []order{
	amountOrder("total", "Total", projections.ByTotal),
	amountOrder("profit", "Profit", projections.ByProfit),
	amountOrder("loss", "Loss", projections.ByLoss),
	{"published", "Date", "newest first", "oldest first", projections.ByPublication},
}

// platformContent is what platform.html shows.
type platformContent struct {
	Statement *statementView
	// Reading is what all reads earned, RewardedReads how many were rewarded, Treasury the opposite of all balances.
	Reading       domain.Twei
	RewardedReads uint64
	Treasury      domain.Twei
	Counts        []countFact
	// Found is what a search found, nil where none was asked for. Then there is no list.
	Found    *found
	Listing  *listing
	Posts    []listedPost
	Decimals columnDecimals
}

// found is what has the id that was searched for: a post, an account, both or nothing.
type found struct {
	ID      string
	Post    *listedPost
	Account *listedAccount
}

// platform shows GET /: the posts, what a search found among posts and accounts, and the platform's statement.
func (p *Pages) platform(r *request) (*page, error) {
	statement, err := r.views.Statement(r.ctx, domain.Scope{}, projections.AsOf{})
	if err != nil {
		return nil, err
	}
	c := &platformContent{Reading: statement.Sums.Of(domain.ReadToEarn), RewardedReads: statement.RewardedReads,
		Counts: countFacts(&statement.Counts, false)}
	href := func(l domain.Line) string { return "/entries?line=" + l.String() }
	if c.Statement, err = newStatementView(statement, nil, href); err != nil {
		return nil, err
	}
	balance, err := statement.Balance()
	if err != nil {
		return nil, err
	}
	if c.Treasury, err = (domain.Twei{}).Sub(balance); err != nil {
		return nil, err
	}
	shown := &page{Title: "Posts", Nav: "/", Content: c,
		Description: "What each post earned and cost its people, and the statement of the whole platform."}
	if asked := strings.TrimSpace(r.query.Get("q")); asked != "" {
		shown.Title = "Search"
		c.Found, err = r.find(asked)
		return shown, err
	}
	shown.IsLive = true
	return shown, c.list(r)
}

// list reads the list of posts.
func (c *platformContent) list(r *request) error {
	var err error
	if c.Listing, err = r.listing("/", postOrders); err != nil {
		return err
	}
	posts, next, err := r.views.Posts(c.Listing.by, c.Listing.Ascending, c.Listing.Page)
	if err != nil {
		return err
	}
	c.Listing.next(next)
	c.Posts, c.Decimals, err = listedPosts(posts, "")
	return err
}

// find returns the post and the account with an id. An account is there once something touched it.
func (r *request) find(id string) (*found, error) {
	hit := &found{ID: id}
	if !domain.ValidID(id) {
		return hit, nil
	}
	post, published, err := r.views.Post(id, projections.AsOf{})
	if err != nil {
		return nil, err
	}
	if published {
		statement, err := r.views.Statement(r.ctx, domain.Scope{PostID: id}, projections.AsOf{})
		if err != nil {
			return nil, err
		}
		row, err := newListedPost(&projections.PostStatement{Post: post, Statement: statement}, "")
		if err != nil {
			return nil, err
		}
		hit.Post = &row
	}
	statement, err := r.views.Statement(r.ctx, domain.Scope{AccountID: id}, projections.AsOf{})
	if err != nil || statement.Size == 0 {
		return hit, err
	}
	row, err := newListedAccount(statement)
	hit.Account = &row
	return hit, err
}
