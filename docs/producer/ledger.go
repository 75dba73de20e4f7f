package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// maxAnswerBytes bounds an answer: 10,000 outcomes of some hundred bytes each.
const maxAnswerBytes = 64 << 20

// ledger is where events are sent.
type ledger struct {
	url, token string
	http       *http.Client
}

// outcome is what the ledger says of one event.
type outcome struct {
	// Outcome is recorded, duplicate, rejected or failed.
	Outcome string `json:"outcome"`
	// Code says why it was rejected.
	Code string `json:"code"`
	// Detail says more, for a person.
	Detail string `json:"detail"`
	// text is the whole of it.
	text json.RawMessage
}

func (o *outcome) UnmarshalJSON(text []byte) error {
	type members outcome
	o.text = append(o.text[:0], text...)
	return json.Unmarshal(text, (*members)(o))
}

// refusal is an answer that sending again does not change: a wrong address, a token that is missing.
type refusal struct {
	status string
	body   []byte
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the ledger answers %s: %.500s", r.status, r.body)
}

// unavailable is a try that came to nothing, or to nobody knows what: a time-out, a cut connection, an overload.
type unavailable struct {
	// after is how long the ledger asks to wait at least.
	after time.Duration
	why   error
}

func (u *unavailable) Error() string { return u.why.Error() }
func (u *unavailable) Unwrap() error { return u.why }

// send sends events in one batch and returns the outcome of each, in their order. The error is *unavailable where the
// same is to be sent again, *refusal where that is no use.
func (l *ledger) send(ctx context.Context, events []cloudevents.Event) ([]outcome, error) {
	request, err := cehttp.NewHTTPRequestFromEvents(ctx, strings.TrimRight(l.url, "/")+"/v1/events", events)
	if err != nil {
		return nil, err
	}
	if l.token != "" {
		request.Header.Set("Authorization", "Bearer "+l.token)
	}
	response, err := l.http.Do(request)
	if err != nil {
		return nil, &unavailable{why: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	switch status := response.StatusCode; {
	case err != nil:
		return nil, &unavailable{why: fmt.Errorf("the answer was cut off: %w", err)}
	case status == http.StatusOK:
		return readOutcomes(body, len(events))
	case status == http.StatusTooManyRequests || status >= 500:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return nil, &unavailable{time.Duration(seconds) * time.Second, &refusal{response.Status, body}}
	}
	return nil, &refusal{response.Status, body}
}

func readOutcomes(body []byte, want int) ([]outcome, error) {
	var answer struct {
		Outcomes []outcome `json:"outcomes"`
	}
	err := json.Unmarshal(body, &answer)
	if err == nil && len(answer.Outcomes) != want {
		err = fmt.Errorf("it has %d outcomes for %d events", len(answer.Outcomes), want)
	}
	if err != nil {
		return nil, &unavailable{why: fmt.Errorf("the answer cannot be read: %w", err)}
	}
	return answer.Outcomes, nil
}
