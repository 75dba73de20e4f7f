package httpapi

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/tweiledger/tweiledger/docs"
)

// getLiveness serves GET /livez.
func (a *API) getLiveness(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	writeNow(w, http.StatusOK, alive)
	return nil
}

// alive is what GET /livez answers.
var alive = []byte(`{"live":true}`)

// getMetrics serves GET /metrics.
func (a *API) getMetrics(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	if a.Metrics == nil {
		return problemf(codeNotFound, "", "the service has no metrics")
	}
	w.Header()["Cache-Control"] = noStore
	a.Metrics.ServeHTTP(w, r)
	return nil
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
