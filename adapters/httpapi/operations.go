package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tweiledger/tweiledger/docs"
)

// readinessPatience is how long a log may take to answer before it counts as away.
const readinessPatience = 2 * time.Second

// purpose is what the service is ready for.
type purpose string

const (
	purposeRead  purpose = "read"
	purposeWrite purpose = "write"
)

// unreadiness is one thing that keeps the service from being ready.
type unreadiness struct {
	purpose purpose
	detail  string
}

// getLiveness serves GET /livez.
func (a *API) getLiveness(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	writeNow(w, http.StatusOK, []byte(`{"live":true}`))
	return nil
}

// getReadiness serves GET /readyz.
func (a *API) getReadiness(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, param{name: "for"})
	if err != nil {
		return err
	}
	asked := purpose(values.Get("for"))
	if values.Has("for") && asked != purposeRead && asked != purposeWrite {
		return problemf(codeBadRequest, "for", "must be read or write")
	}
	var reasons []unreadiness
	if asked != purposeWrite {
		reasons = a.unreadyForReads(reasons)
	}
	if asked != purposeRead {
		reasons = a.unreadyForWrites(r, reasons)
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	writeNow(w, status, appendReadiness(nil, reasons))
	return nil
}

// unreadyForReads adds what keeps the views from being current. A fold that waits for space does not: reads go on as of
// where it paused.
func (a *API) unreadyForReads(reasons []unreadiness) []unreadiness {
	status := a.Views.Status()
	if status.Err != nil {
		reasons = append(reasons, unreadiness{purposeRead, "the fold has stopped: " + status.Err.Error()})
	}
	if !status.CaughtUp {
		detail := "the views have folded " + strconv.FormatUint(status.Size, 10) + " events so far and have not caught up"
		if status.Waiting != nil {
			detail += ": " + status.Waiting.Error()
		}
		reasons = append(reasons, unreadiness{purposeRead, detail})
	}
	return reasons
}

func (a *API) unreadyForWrites(r *http.Request, reasons []unreadiness) []unreadiness {
	ctx, cancel := context.WithTimeout(r.Context(), readinessPatience)
	defer cancel()
	for _, err := range []error{a.Writable(), a.Ledger.Ready(ctx)} {
		if err != nil {
			reasons = append(reasons, unreadiness{purposeWrite, err.Error()})
		}
	}
	if a.draining.Err() != nil {
		reasons = append(reasons, unreadiness{purposeWrite, errDraining.detail})
	}
	return reasons
}

func appendReadiness(dst []byte, reasons []unreadiness) []byte {
	dst = strconv.AppendBool(append(dst, `{"ready":`...), len(reasons) == 0)
	dst = append(dst, `,"reasons":[`...)
	for i, reason := range reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"purpose":`...), string(reason.purpose))
		dst = appendText(append(dst, `,"detail":`...), reason.detail)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// writeNow writes JSON that is true now and not kept.
func writeNow(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	// Who does not read the answer cannot be told.
	_, _ = w.Write(body)
}

var (
	typeYAML   = []string{"application/yaml"}
	openAPITag = sync.OnceValue(func() string { return etag(docs.OpenAPI) })
)

// getOpenAPI serves GET /openapi.yaml.
func (a *API) getOpenAPI(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	w.Header()["Cache-Control"] = noCache
	writeRead(w, r, typeYAML, openAPITag(), docs.OpenAPI)
	return nil
}
