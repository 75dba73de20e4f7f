package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
)

// answer is an outcome as far as commands look into it, from a Ledger or from a server.
type answer struct {
	Result domain.Result `json:"outcome"`
	Code   domain.Code   `json:"code"`
	Field  string        `json:"field"`
	Detail string        `json:"detail"`
	// ReportID is there where a report was bought.
	ReportID string `json:"report_id"`
	// Position is the recorded event's.
	Position domain.Position `json:"-"`
	// text is the outcome's JSON.
	text []byte
}

// answerOf returns the answer that an outcome is.
func answerOf(o domain.Outcome) answer {
	a := answer{Result: o.Result, Detail: o.Detail, Position: o.Recorded.Position, text: o.AppendJSON(nil, "", 0)}
	if e := o.Recorded.Event; e != nil {
		a.ReportID = e.ReportID
	}
	if o.Rejection != nil {
		a.Code, a.Field, a.Detail = o.Rejection.Code, o.Rejection.Field, o.Rejection.Detail
	}
	return a
}

// parseAnswer reads an outcome's JSON.
func parseAnswer(text []byte) (answer, error) {
	var members struct {
		answer
		Position string `json:"position"`
	}
	err := json.Unmarshal(text, &members)
	a := members.answer
	a.text = text
	if members.Position != "" && err == nil {
		a.Position, err = domain.ParsePosition(members.Position)
	}
	switch a.Result {
	case domain.Recorded, domain.Duplicate, domain.Rejected, domain.Failed:
	default:
		err = errors.Join(err, fmt.Errorf("%q is none", a.Result))
	}
	if err != nil {
		return a, fmt.Errorf("reading an outcome: %w: %.200s", err, text)
	}
	return a, nil
}

// done reports whether what was asked for stands in the log.
func (a *answer) done() bool { return a.Result == domain.Recorded || a.Result == domain.Duplicate }

// why says why it was not recorded.
func (a *answer) why() string {
	why := string(cmp.Or(a.Code, domain.Code(a.Result)))
	for _, part := range []string{a.Field, a.Detail} {
		if part != "" {
			why += ": " + part
		}
	}
	return why
}

// show prints an operator's outcome; one that was not recorded is an error.
func (c console) show(a answer, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n", a.text)
	if !a.done() {
		return fmt.Errorf("%s", a.why())
	}
	return nil
}
