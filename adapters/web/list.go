package web

import (
	"net/url"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// perPage is how many elements of a list a page shows.
const perPage = 20

// order is an order in which a list may be asked for. Greatest and Least say which end comes first.
type order struct {
	Name, Label     string
	Greatest, Least string
	by              projections.Sort
}

// amountOrder is an order by an amount.
func amountOrder(name, label string, by projections.Sort) order {
	return order{name, label, "greatest first", "least first", by}
}

// orderChoice is an order with the address that asks for it; of the order in force, for its other end.
type orderChoice struct {
	order
	Href    string
	Current bool
}

// listing is which page of a list is asked for, in which order, and where the others are.
type listing struct {
	projections.Page
	by        projections.Sort
	Ascending bool
	Choices   []orderChoice
	Pager     pager
	path      string
	query     url.Values
}

// listing returns what a list's query says: its sort, which is the first of some orders where there is none, its order
// and its cursor.
func (r *request) listing(path string, orders []order) (*listing, error) {
	l := &listing{Page: projections.Page{Cursor: r.query.Get("cursor"), Limit: perPage}, path: path, query: url.Values{}}
	switch end := r.query.Get("order"); end {
	case "asc":
		l.Ascending = true
		l.query.Set("order", end)
	case "", "desc":
	default:
		return nil, badRequest("order", "must be asc or desc")
	}
	sort := r.query.Get("sort")
	if sort == "" {
		sort = orders[0].Name
	}
	l.query.Set("sort", sort)
	names := ""
	for i, o := range orders {
		if i > 0 {
			names += ", "
		}
		names += o.Name
		choice := orderChoice{order: o, Current: o.Name == sort}
		asked := url.Values{"sort": {o.Name}}
		if choice.Current {
			l.by = o.by
			if !l.Ascending {
				asked.Set("order", "asc")
			}
		}
		choice.Href = path + "?" + asked.Encode()
		l.Choices = append(l.Choices, choice)
	}
	if l.by == 0 {
		return nil, badRequest("sort", "must be one of "+names)
	}
	return l, nil
}

// next sets where the pages behind and before are, of the cursor that the list gave.
func (l *listing) next(cursor string) {
	if l.Cursor != "" {
		l.Pager.First = l.path + "?" + l.query.Encode()
	}
	if cursor != "" {
		l.query.Set("cursor", cursor)
		l.Pager.Next = l.path + "?" + l.query.Encode()
	}
}

// listedPost is a row of a list of posts: a post with a statement of it.
type listedPost struct {
	ID, Title, Author   string
	PublishedAt         time.Time
	Href                string
	Profit, Loss, Total domain.Twei
	// Reading is what reading it earned.
	Reading domain.Twei
}

// newListedPost returns the row of a post. account, where it is not "", is whose part the statement is, and the post's
// page shows it.
func newListedPost(p *projections.PostStatement, account string) (l listedPost, err error) {
	l = listedPost{ID: p.PostID, Title: p.Title, Author: p.Author, PublishedAt: p.PublishedAt,
		Href: pathOf("posts", p.PostID), Reading: p.Statement.Sums.Of(domain.ReadToEarn)}
	if account != "" {
		l.Href += "?account=" + url.QueryEscape(account)
	}
	l.Profit, l.Loss, l.Total, err = p.Statement.Sums.Subtotals()
	return l, err
}

// columnDecimals are how many decimals the longest amount of each column of a list has.
type columnDecimals struct{ Profit, Loss, Total, Reading, Balance int }

// listedPosts returns the rows of posts, and the decimals of their columns.
func listedPosts(posts []projections.PostStatement, account string) (rows []listedPost, d columnDecimals, err error) {
	for i := range posts {
		row, err := newListedPost(&posts[i], account)
		if err != nil {
			return nil, d, err
		}
		rows = append(rows, row)
		d.Profit, d.Loss = max(d.Profit, decimals(row.Profit)), max(d.Loss, decimals(row.Loss))
		d.Total, d.Reading = max(d.Total, decimals(row.Total)), max(d.Reading, decimals(row.Reading))
	}
	return rows, d, nil
}

// countFact is a count with its label.
type countFact struct {
	Key, Label string
	N          uint64
}

// countLabels are the labels of counts, by their names: of all, and of an account's own acts.
var countLabels = map[string][2]string{
	"reads":            {"Reads", "Reads"},
	"likes":            {"Likes of posts", "Posts liked"},
	"dislikes":         {"Dislikes of posts", "Posts disliked"},
	"comments":         {"Comments", "Comments written"},
	"comment_likes":    {"Likes of comments", "Comments liked"},
	"comment_dislikes": {"Dislikes of comments", "Comments disliked"},
	"reports":          {"Reports", "Reports bought"},
}

// countFacts returns the counts of a statement in their order.
func countFacts(c *domain.Counts, own bool) (facts []countFact) {
	numbers := [...]uint64{
		c.Reads, c.Likes, c.Dislikes, c.Comments, c.CommentLikes, c.CommentDislikes, c.Reports,
	}
	for i, name := range domain.CountNames {
		label := countLabels[name][0]
		if own {
			label = countLabels[name][1]
		}
		facts = append(facts, countFact{"counts." + name, label, numbers[i]})
	}
	return facts
}
