package web

import (
	"html/template"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// statementView is what the template "statement" shows: a statement, and beside it an account's own part where there is
// one.
type statementView struct {
	Profit, Loss sideView
	Total        domain.Twei
	OwnTotal     domain.Twei
	// HasOwn: there is an account's own part, of the account Own.
	HasOwn bool
	Own    string
	// Picture is the waterfall from the first plus to the total.
	Picture template.HTML
}

// sideView is the profit or the loss of a statement.
type sideView struct {
	// Key begins the keys of its numbers; Heading and Subtotal are its labels.
	Key, Heading, SubtotalLabel string
	Lines                       []lineView
	Subtotal, OwnSubtotal       domain.Twei
	// Decimals is how many decimals the longest shown amount has, with its ellipsis: the width of what stands behind the
	// point.
	Decimals int
	HasOwn   bool
	Own      string
}

// lineView is a line of a statement.
type lineView struct {
	Key, Label  string
	Amount, Own domain.Twei
	// Share is how much of its side's subtotal the line is.
	Share template.HTML
	// Href leads to the entries that make it up, "" where the reader may not see them.
	Href string
}

// newStatementView returns the view of a statement. own may be nil, and href returns where the entries of a line are, ""
// for nowhere.
func newStatementView(whole, own *domain.Statement, href func(domain.Line) string) (*statementView, error) {
	v := &statementView{HasOwn: own != nil, Picture: waterfalls(whole)}
	ownSums := domain.Sums{}
	if own != nil {
		v.Own, ownSums = own.Scope.AccountID, own.Sums
	}
	profit, loss, total, err := whole.Sums.Subtotals()
	if err != nil {
		return nil, err
	}
	ownProfit, ownLoss, ownTotal, err := ownSums.Subtotals()
	if err != nil {
		return nil, err
	}
	v.Total, v.OwnTotal = total, ownTotal
	v.Profit = sideView{Key: "profit", Heading: "Post Profit", SubtotalLabel: "Profit Subtotal, Twei",
		Subtotal: profit, OwnSubtotal: ownProfit, HasOwn: v.HasOwn, Own: v.Own}
	v.Loss = sideView{Key: "loss", Heading: "Post Loss", SubtotalLabel: "Loss Subtotal, Twei",
		Subtotal: loss, OwnSubtotal: ownLoss, HasOwn: v.HasOwn, Own: v.Own}
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		switch l.Side() {
		case domain.ProfitSide:
			v.Profit.add(l, whole.Sums.Of(l), ownSums.Of(l), href)
		case domain.LossSide:
			v.Loss.add(l, whole.Sums.Of(l), ownSums.Of(l), href)
		}
	}
	v.Profit.measure()
	v.Loss.measure()
	return v, nil
}

func (v *sideView) add(l domain.Line, amount, own domain.Twei, href func(domain.Line) string) {
	line := lineView{Key: v.Key + "." + l.String(), Label: l.Label(), Amount: amount, Own: own,
		Share: shareBar(amount, v.Subtotal)}
	if href != nil {
		line.Href = href(l)
	}
	v.Lines = append(v.Lines, line)
}

func (v *sideView) measure() {
	amounts := []domain.Twei{v.Subtotal, v.OwnSubtotal}
	for i := range v.Lines {
		amounts = append(amounts, v.Lines[i].Amount, v.Lines[i].Own)
	}
	v.Decimals = decimals(amounts...)
}

// decimals returns how many characters the longest of the amounts has behind its point, as it is shown.
func decimals(amounts ...domain.Twei) (most int) {
	for _, a := range amounts {
		_, fraction := cutText(a)
		most = max(most, len([]rune(fraction)))
	}
	return most
}

// pager leads from a page of a list to the next one and back to the first, "" for neither.
type pager struct{ Next, First string }

// hoursDays is how many days a course by hours goes back, so that it costs the same however old its scope is.
const hoursDays = 14

// courseView is what the template "course" shows: the course of profit, loss and total over time of occurrence.
type courseView struct {
	Days              bool
	HourHref, DayHref string
	Picture           template.HTML
	Rows              []coursePoint
}

// courseOf returns the course of a scope by hours or days, as the query's interval says. By hours it is that of the last
// days up to the newest occurrence.
func (p *Pages) courseOf(r *request, scope domain.Scope) (*courseView, error) {
	v := &courseView{HourHref: withQuery(r, "interval", "hour"), DayHref: withQuery(r, "interval", "day")}
	var err error
	switch r.query.Get("interval") {
	case "", "day":
		v.Days = true
		v.Rows, err = r.course(projections.HistoryQuery{Scope: scope, Days: true})
	case "hour":
		v.Rows, err = r.hours(scope)
	default:
		err = badRequest("interval", "must be hour or day")
	}
	v.Picture = course(v.Rows, v.Days)
	return v, err
}

// hours returns a course by hours.
func (r *request) hours(scope domain.Scope) ([]coursePoint, error) {
	days, err := r.course(projections.HistoryQuery{Scope: scope, Days: true})
	if err != nil || len(days) == 0 {
		return nil, err
	}
	from := days[len(days)-1].Start.AddDate(0, 0, 1-hoursDays)
	return r.course(projections.HistoryQuery{Scope: scope, From: from})
}

// course returns all intervals of a query.
func (r *request) course(q projections.HistoryQuery) (points []coursePoint, _ error) {
	q.Limit = 1000
	for {
		intervals, next, err := r.views.History(q)
		if err != nil {
			return nil, err
		}
		for i := range intervals {
			profit, loss, total, err := intervals[i].Statement.Sums.Subtotals()
			if err != nil {
				return nil, err
			}
			points = append(points, coursePoint{Start: intervals[i].Start, Profit: profit, Loss: loss, Total: total})
		}
		if q.Cursor = next; next == "" {
			return points, nil
		}
	}
}

// withQuery returns the address of the page that was asked for, with one parameter set, or without it where value is "".
func withQuery(r *request, name, value string) string {
	values := r.URL.Query()
	values.Set(name, value)
	if value == "" {
		values.Del(name)
	}
	address := r.URL.EscapedPath()
	if query := values.Encode(); query != "" {
		address += "?" + query
	}
	return address
}
