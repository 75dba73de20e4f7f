package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

// operatorRequest is the body of a reversal or a reinstatement.
type operatorRequest struct {
	event domain.EventID
	note  string
}

// postReversal serves POST /v1/reversals.
func (a *API) postReversal(w http.ResponseWriter, r *http.Request) error {
	return a.operate(w, r, a.Ledger.Reverse)
}

// postReinstatement serves POST /v1/reinstatements.
func (a *API) postReinstatement(w http.ResponseWriter, r *http.Request) error {
	return a.operate(w, r, a.Ledger.Reinstate)
}

func (a *API) operate(w http.ResponseWriter, r *http.Request, do func(_ context.Context, _ domain.EventID, note, by string) domain.Outcome) error {
	body, err := operatorBody(w, r, maxLineBytes)
	if err != nil {
		return err
	}
	asked, rejection := parseOperatorRequest(body)
	if rejection != nil {
		return outcomeProblem(&domain.Outcome{Result: domain.Rejected, Rejection: rejection})
	}
	// The event may have been recorded a moment ago.
	behind := a.awaitHead(r.Context())
	o := do(context.WithoutCancel(r.Context()), asked.event, asked.note, domain.OperatorName)
	if o.Rejection != nil && o.Rejection.Code == domain.CodeUnknownEvent {
		if behind != nil {
			return problemf(codePositionNotReached, "", "the event is unknown so far, and the views have not got to the log's end: %v", behind)
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

// parseOperatorRequest reads {"event_id": …, "note": …}, and nothing beside it. What the note may be, the ledger says.
func parseOperatorRequest(body []byte) (q operatorRequest, _ *domain.Rejection) {
	members, rejection := stringMembers(body, "event_id", "note")
	if rejection != nil {
		return q, rejection
	}
	id, err := domain.ParseEventID(members["event_id"])
	if err != nil {
		return q, invalid("event_id", err.Error())
	}
	return operatorRequest{id, members["note"]}, nil
}

func invalid(field, detail string) *domain.Rejection {
	return &domain.Rejection{Code: domain.CodeInvalid, Field: field, Detail: detail}
}

// stringMembers reads a JSON object that has the members named, all strings, and no others.
func stringMembers(text []byte, names ...string) (map[string]string, *domain.Rejection) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	// The whole text first: what is not JSON, or has a name twice, is nothing else.
	value, err := dec.ReadValue()
	if err != nil {
		return nil, notJSON(err)
	}
	value = value.Clone()
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, notJSON(err)
	}
	if value.Kind() != '{' {
		return nil, invalid("", "must be a JSON object")
	}
	members := map[string]string{}
	if rejection := readMembers(value, names, members); rejection != nil {
		return nil, rejection
	}
	for _, name := range names {
		if _, there := members[name]; !there {
			return nil, invalid(name, "is missing")
		}
	}
	return members, nil
}

// readMembers reads a valid object into members.
func readMembers(object jsontext.Value, names []string, members map[string]string) *domain.Rejection {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	_, _ = dec.ReadToken()
	for dec.PeekKind() == '"' {
		token, _ := dec.ReadToken()
		name := token.String()
		value, _ := dec.ReadToken()
		switch {
		case !slices.Contains(names, name):
			return invalid(clip(name), "unknown field")
		case value.Kind() != '"':
			return invalid(name, "must be a string")
		}
		members[name] = value.String()
	}
	return nil
}

// notJSON is the rejection of a text that is not one JSON value; a nil error says that there is more behind it.
func notJSON(err error) *domain.Rejection {
	if err == nil {
		return invalid("", "there is more behind the JSON object")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName) {
		return invalid(clip(strings.TrimPrefix(string(syntax.JSONPointer), "/")), "the name stands twice")
	}
	return invalid("", "not valid JSON: "+err.Error())
}
