package domain

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// ParseReportRequest reads who buys a report: a JSON object of account_id. A rejection has the code invalid, and the
// member as its field.
func ParseReportRequest(text []byte) (account string, rej *Rejection) {
	var doc struct {
		AccountID *string `json:"account_id"`
	}
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return "", documentRejection(err)
	}
	if err := rejectNull(text); err != nil {
		return "", invalidField(err)
	}
	if doc.AccountID == nil {
		return "", reject(CodeInvalid, "account_id", "is missing")
	}
	if !ValidID(*doc.AccountID) {
		return "", notAnID("account_id", *doc.AccountID)
	}
	return *doc.AccountID, nil
}

// ReadReport reads the event that issued a report from the log, nil where there is none.
func ReadReport(ctx context.Context, log EventLog, report string) (*Event, error) {
	stream := ReportStream(report)
	for event, err := range log.ReadStream(ctx, stream, 0) {
		if errors.Is(err, ErrStreamNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		e, err := DecodeEvent(event.Canonical)
		if err == nil && e.Type != PnLReportIssued {
			err = fmt.Errorf("position %s: stream %s begins with a %s: %w", event.Position, stream, e.Type, ErrCorrupt)
		}
		return e, err
	}
	return nil, nil
}

// ReportPrice returns what the buyer of a report was charged, nothing where the tariff charges nothing.
func (e *Event) ReportPrice() (price Twei, err error) {
	for _, p := range e.Postings {
		if p.Debit.Account == e.AccountID && p.Debit.Line == PnLReports && err == nil {
			price, err = price.Add(p.Amount)
		}
	}
	return price, err
}
