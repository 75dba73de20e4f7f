package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// postReport serves POST /v1/posts/{post}/reports: it buys a report. Who goes away does not stop an append half-way.
func (a *API) postReport(w http.ResponseWriter, r *http.Request) error {
	post, err := pathID(r, "post")
	if err != nil {
		return err
	}
	body, err := operatorBody(w, r, maxLineBytes)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	account, rejection := domain.ParseReportRequest(body)
	if rejection != nil {
		return outcomeProblem(&domain.Outcome{Result: domain.Rejected, Rejection: rejection})
	}
	if err := a.awaitPurchase(r.Context(), account, key); err != nil {
		return err
	}
	o := a.Ledger.IssueReport(context.WithoutCancel(r.Context()), post, account, key)
	if o.Rejection != nil && o.Rejection.Code == domain.CodeUnknownPost {
		p := outcomeProblem(&o)
		p.absent = true
		return p
	}
	return writeOutcome(w, &o)
}

// awaitPurchase waits until the views have got to the log's end: what is frozen and sold is what stands there, and who
// just published a post can buy. Where the report was bought before there is nothing to freeze or to wait for.
func (a *API) awaitPurchase(ctx context.Context, account, key string) error {
	id := domain.NewReportID(domain.Message{Source: domain.ReportSourcePrefix + account, ID: key})
	if e, err := domain.ReadReport(ctx, a.Log, id); err == nil && e != nil {
		return nil
	}
	behind := a.awaitHead(ctx)
	switch {
	case behind == nil:
		return nil
	case errors.Is(behind, domain.ErrUnavailable):
		return problemf(codeFailed, "", "the log is away: nothing was bought, send it again with the same key")
	}
	return problemf(codePositionNotReached, "",
		"the views have not got to the log's end: nothing was bought, send it again with the same key")
}

// getReport serves GET /v1/reports/{report}: a report as it was bought, as JSON or CSV. Who may not read it gets the
// same answer whether there is one or not.
func (a *API) getReport(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "report")
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	media, err := negotiate(w, r, mediaJSON, mediaCSV)
	if err != nil {
		return err
	}
	// From the log: it may not be folded yet.
	e, err := domain.ReadReport(r.Context(), a.Log, id)
	if err != nil {
		return err
	}
	if caller := w.(*response).caller; a.Tokens != nil && !caller.readsReport(e) {
		return accessReport.refusal(caller, true)
	}
	if e == nil {
		return problemf(codeNotFound, "report", "there is no report %s", id)
	}
	answer, appends := typeJSON, AppendReport
	if media == mediaCSV {
		answer, appends = typeCSV, AppendReportCSV
	}
	body, err := appends(nil, e)
	if err != nil {
		return err
	}
	w.Header()["Cache-Control"] = noCache
	writeRead(w, r, answer, etag(body), body)
	return nil
}

// readsReport reports whether a token may read a report, nil for one that there is not.
func (t *token) readsReport(e *domain.Event) bool {
	return t.has(roleRead) || e != nil && t.has(readPrefix+e.AccountID)
}

// AppendReport appends a PnLReportIssued as GET /v1/reports/{report} gives it.
func AppendReport(dst []byte, e *domain.Event) ([]byte, error) {
	price, err := e.ReportPrice()
	if err != nil {
		return nil, err
	}
	dst = appendText(append(dst, `{"report_id":`...), e.ReportID)
	dst = appendText(append(dst, `,"event_id":`...), e.ID.String())
	dst = appendText(append(dst, `,"account_id":`...), e.AccountID)
	dst = appendText(append(dst, `,"post_id":`...), e.PostID)
	dst = appendText(append(dst, `,"author":`...), e.Author)
	dst = strconv.AppendUint(append(dst, `,"size":`...), e.Size, 10)
	dst = domain.AppendTime(append(dst, `,"issued_at":"`...), e.OccurredAt)
	dst = strconv.AppendUint(append(dst, `","tariff":`...), e.Tariff, 10)
	dst = appendText(append(dst, `,"price":`...), price.String())
	dst = domain.AppendPostings(append(dst, `,"postings":`...), e.Postings)
	if e.Reason != "" {
		dst = appendText(append(dst, `,"reason":`...), string(e.Reason))
	}
	if dst, err = e.Statement.AppendJSON(append(dst, `,"statement":`...)); err != nil {
		return nil, err
	}
	dst, err = e.OwnStatement.AppendJSON(append(dst, `,"own_statement":`...))
	return append(dst, '}'), err
}

// reportHeader are the columns of a report as CSV, in their order.
var reportHeader = []string{
	"report_id", "issued_at", "post_id", "account_id", "size", "side", "line", "label", "post_amount", "own_amount",
}

// AppendReportCSV appends a PnLReportIssued as GET /v1/reports/{report} gives it as CSV: one row a line of the
// statement, with the subtotals and the total between them.
func AppendReportCSV(dst []byte, e *domain.Event) ([]byte, error) {
	post, own := &e.Statement.Sums, &e.OwnStatement.Sums
	profit, loss, total, err := post.Subtotals()
	if err != nil {
		return nil, err
	}
	ownProfit, ownLoss, ownTotal, err := own.Subtotals()
	if err != nil {
		return nil, err
	}
	records := [][]string{reportHeader}
	row := func(side, line, label string, post, own domain.Twei) {
		records = append(records, []string{e.ReportID, domain.FormatTime(e.OccurredAt), e.PostID, e.AccountID,
			strconv.FormatUint(e.Size, 10), side, line, label, post.String(), own.String()})
	}
	lines := func(side domain.LineSide, name string) {
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if l.Side() == side {
				row(name, l.String(), l.Label(), post.Of(l), own.Of(l))
			}
		}
	}
	lines(domain.ProfitSide, "profit")
	row("profit", "subtotal", "Profit Subtotal, Twei", profit, ownProfit)
	lines(domain.LossSide, "loss")
	row("loss", "subtotal", "Loss Subtotal, Twei", loss, ownLoss)
	row("", "total", "Total Twei Earned", total, ownTotal)
	row("reading", domain.ReadToEarn.String(), "Read-to-Earn", post.Of(domain.ReadToEarn), own.Of(domain.ReadToEarn))
	return appendCSV(dst, records)
}

// getAccountReports serves GET /v1/accounts/{account}/reports: pages of the reports that an account bought, the newest
// first.
func (a *API) getAccountReports(w http.ResponseWriter, r *http.Request) error {
	account, values, page, err := pathPage(r, "account")
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		reports, next, err := s.Reports(account, page)
		if errors.Is(err, projections.ErrNotFolded) {
			return nil, problemf(codePositionNotReached, "", "the views are being built anew, and do not list reports yet")
		}
		if err != nil {
			return nil, err
		}
		dst, err = appendList(append(dst, `{"reports":`...), reports, appendListedReport)
		return appendNext(w, values, dst, next), err
	})
}

func appendListedReport(dst []byte, r *projections.Report) ([]byte, error) {
	dst = appendText(append(dst, `{"report_id":`...), r.ReportID)
	dst = appendText(append(dst, `,"post_id":`...), r.PostID)
	dst = strconv.AppendUint(append(dst, `,"size":`...), r.Size, 10)
	dst = appendText(append(dst, `,"price":`...), r.Price.String())
	dst = domain.AppendTime(append(dst, `,"issued_at":"`...), r.IssuedAt)
	dst = strconv.AppendUint(append(dst, `","index":`...), r.Index, 10)
	return append(dst, '}'), nil
}
