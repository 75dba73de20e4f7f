package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/tweiledger/tweiledger/domain"
)

// maxLineBytes bounds one engagement, alone or on a line.
const maxLineBytes = 64 << 10

// The media types of engagements, beside those of binary mode.
const (
	mediaStructured = "application/cloudevents+json"
	mediaBatch      = "application/cloudevents-batch+json"
	mediaLines      = "application/x-ndjson"
)

// postEvents serves POST /v1/events: engagements in any encoding.
func (a *API) postEvents(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	media, err := mediaType(r)
	if err != nil {
		return err
	}
	switch {
	case media == mediaStructured:
		body, err := readBody(w, r, maxLineBytes)
		if err != nil {
			return err
		}
		return a.recordOne(w, r, domain.ParseEngagement(body))
	case media == mediaBatch:
		return a.recordBatch(w, r)
	case media == mediaLines:
		return a.recordLines(w, r)
	case isBinaryMode(media, r.Header):
		body, err := readBody(w, r, maxLineBytes)
		if err != nil {
			return err
		}
		return a.recordOne(w, r, parseBinary(r.Header, body))
	}
	return problemf(codeUnsupportedMedia, "Content-Type",
		"the route takes %s, %s, %s, and application/json with ce- headers",
		mediaStructured, mediaBatch, mediaLines)
}

// isBinaryMode reports whether a request is a CloudEvent in binary mode, whose data is JSON.
func isBinaryMode(media string, h http.Header) bool {
	json := strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
	if !json || strings.HasPrefix(media, "application/cloudevents") {
		return false
	}
	for name := range h {
		if strings.HasPrefix(name, attributePrefix) {
			return true
		}
	}
	return false
}

// recordOne records one engagement and answers with its outcome. Who goes away does not stop an append half-way.
func (a *API) recordOne(w http.ResponseWriter, r *http.Request, engagement domain.Received) error {
	outcomes := a.Ledger.Record(context.WithoutCancel(r.Context()), []domain.Received{engagement})
	return writeOutcome(w, &outcomes[0])
}

// writeOutcome answers with an outcome: 201 where something was recorded, 200 where it was before, else a problem.
func writeOutcome(w http.ResponseWriter, o *domain.Outcome) error {
	status := http.StatusOK
	switch o.Result {
	case domain.Recorded:
		status = http.StatusCreated
		location := "/v1/events/" + o.Recorded.ID.String()
		if report := o.Recorded.ReportID; report != "" {
			location = "/v1/reports/" + report
		}
		w.Header().Set("Location", location)
	case domain.Duplicate:
	default:
		return outcomeProblem(o)
	}
	body := o.AppendJSON(nil, "", 0)
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	// Who does not read the answer sends again, and gets it as a duplicate.
	_, _ = w.Write(body)
	return nil
}
