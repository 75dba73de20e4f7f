package httpapi

import (
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// response is the writer of one answer, and what is known of its request.
type response struct {
	http.ResponseWriter
	// id is the request's, as a header's field.
	id    [1]string
	began time.Time
	// route is the request's, nil where there is none, and template its path as the table of routes has it.
	route    *route
	template string
	// expensive: reading what is answered takes a place among the expensive requests.
	expensive bool
	// caller is the token that asks, nil where nobody has to say who they are.
	caller *token

	// begun: the answer has begun. cut: it was cut off, or there is none.
	begun, cut bool
	// held is what is written while it must not leave yet, nil where it leaves at once.
	held   *[]byte
	status int
	bytes  int64
}

// callerName returns the name of the token that asks, "" where nobody has to say.
func (w *response) callerName() string {
	if w.caller == nil {
		return ""
	}
	return w.caller.name
}

// operatorName returns who an operator's request is by.
func operatorName(w http.ResponseWriter) string {
	if name := w.(*response).callerName(); name != "" {
		return name
	}
	return domain.OperatorName
}

func (w *response) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) begin(status int) {
	if !w.begun {
		w.begun, w.status = true, status
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	if w.held != nil {
		*w.held = append(*w.held, b...)
		return len(b), nil
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// FlushError begins the answer too.
func (w *response) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// maxRequestIDBytes bounds an id that a client gives.
const maxRequestIDBytes = 64

// requestID returns the id that a client gave its request, if it is a sane one, else a random one. It is no secret.
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && saneRequestID(given[0]) {
		return given[0]
	}
	var random [8]byte
	for i, n := 0, rand.Uint64(); i < len(random); i++ {
		random[i] = byte(n >> (8 * i))
	}
	var text [2 * len(random)]byte
	hex.Encode(text[:], random[:])
	return string(text[:])
}

// saneRequestID reports whether an id can stand in a log and a header as it is: letters, digits and . _ ~ : @ -.
func saneRequestID(id string) bool { return len(id) <= maxRequestIDBytes && domain.ValidID(id) }

const (
	// otherName stands for a route that is none, and for a method that no route has.
	otherName = "other"
	// statusGone is told of a request that was not answered: who asked had gone, or the service failed.
	statusGone = 499
)

// finish tells the log and the observer of a request that was served. What a client made up is told by neither, but for
// a sane id: a path is its route's, and no query, header or body is there.
func (a *API) finish(w *response, r *http.Request) {
	status := w.status
	switch {
	case w.begun:
	case w.cut:
		status = statusGone
	default:
		status = http.StatusOK
	}
	method, template := r.Method, w.template
	if template == "" {
		template = otherName
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
	default:
		method = otherName
	}
	elapsed := time.Since(w.began)
	if a.Observe != nil {
		a.Observe(method, template, status, elapsed)
	}
	level := slog.LevelInfo
	switch template {
	case "/livez", "/readyz", "/metrics":
		level = slog.LevelDebug
	}
	if !a.Logger.Enabled(r.Context(), level) {
		return
	}
	var caller, cut slog.Attr
	if w.caller != nil {
		caller = slog.String("token", w.caller.name)
	}
	if w.cut {
		cut = slog.Bool("cut_off", true)
	}
	a.Logger.LogAttrs(r.Context(), level, "request",
		slog.String("method", method), slog.String("route", template), slog.Int("status", status),
		slog.Int64("bytes", w.bytes), slog.Duration("duration", elapsed), slog.String("request_id", w.id[0]),
		slog.String("remote", r.RemoteAddr), caller, cut)
}
