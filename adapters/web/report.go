package web

import (
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// reportContent is what report.html shows: a statement as it was bought.
type reportContent struct {
	*domain.Event
	Price             domain.Twei
	Title             string
	Statement         *statementView
	Counts, OwnCounts []countFact
}

// report shows GET /reports/{report}. It is read from the log, so that who bought it can read it at once.
func (p *Pages) report(r *request) (*page, error) {
	id := r.path("report")
	if !domain.ValidID(id) {
		return nil, notFound("no report can have this id")
	}
	e, err := domain.ReadReport(r.ctx, p.Log, id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, notFound("there is no report " + id)
	}
	c := &reportContent{Event: e, Title: e.PostID, Counts: countFacts(&e.Statement.Counts, false),
		OwnCounts: countFacts(&e.OwnStatement.Counts, true)}
	if c.Price, err = e.ReportPrice(); err != nil {
		return nil, err
	}
	if c.Statement, err = newStatementView(e.Statement, e.OwnStatement, nil); err != nil {
		return nil, err
	}
	if err := c.readTitle(r); err != nil {
		return nil, err
	}
	return &page{Title: "Report of " + c.Title, Nav: "/", Content: c,
		Description: "What the post earned and lost, frozen as of " + plural(e.Size, "event", "events") + "."}, nil
}

// readTitle sets the title that the post had when the report was frozen.
func (c *reportContent) readTitle(r *request) error {
	if c.Size > r.views.Size() {
		return nil
	}
	post, _, err := r.views.Post(c.PostID, projections.AsOf{Size: c.Size, Sized: true})
	if err == nil && post.Title != "" {
		c.Title = post.Title
	}
	return err
}
