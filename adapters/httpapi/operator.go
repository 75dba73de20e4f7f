package httpapi

import (
	"context"
	"net/http"

	"github.com/tweiledger/tweiledger/domain"
)

// postReversal serves POST /v1/reversals.
func (a *API) postReversal(w http.ResponseWriter, r *http.Request) error {
	return a.operate(w, r, a.Ledger.Reverse)
}

// postReinstatement serves POST /v1/reinstatements.
func (a *API) postReinstatement(w http.ResponseWriter, r *http.Request) error {
	return a.operate(w, r, a.Ledger.Reinstate)
}

func (a *API) operate(
	w http.ResponseWriter, r *http.Request,
	do func(_ context.Context, _ domain.EventID, note, by string) domain.Outcome,
) error {
	body, err := operatorBody(w, r, maxLineBytes)
	if err != nil {
		return err
	}
	event, note, rejection := domain.ParseRequest(body)
	if rejection != nil {
		return outcomeProblem(&domain.Outcome{Result: domain.Rejected, Rejection: rejection})
	}
	// The event may have been recorded a moment ago.
	behind := a.awaitHead(r.Context())
	o := do(context.WithoutCancel(r.Context()), event, note, operatorName(w))
	if o.Rejection != nil && o.Rejection.Code == domain.CodeUnknownEvent {
		if behind != nil {
			return problemf(codePositionNotReached, "",
				"the event is unknown so far, and the views have not got to the log's end: %v", behind)
		}
		p := outcomeProblem(&o)
		p.absent = true
		return p
	}
	return writeOutcome(w, &o)
}

// awaitHead waits until the views have got to the log's end.
func (a *API) awaitHead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.operatorPatience)
	defer cancel()
	head, err := a.Log.Head(ctx)
	if err != nil {
		return err
	}
	return a.Views.Wait(ctx, head)
}

// operatorBody returns the body of an operator's request, which is JSON.
func operatorBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	media, err := mediaType(r)
	if err != nil {
		return nil, err
	}
	if media != "application/json" {
		return nil, problemf(codeUnsupportedMedia, "Content-Type", "the route takes application/json")
	}
	return readBody(w, r, limit)
}

func invalid(field, detail string) *domain.Rejection {
	return &domain.Rejection{Code: domain.CodeInvalid, Field: field, Detail: detail}
}
