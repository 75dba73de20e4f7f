package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

// code says what is wrong with a request: a domain.Code, or one of those below.
type code string

// The codes of problems that are not rejections. With domain.Codes they are a closed set.
const (
	codeBadRequest         code = "bad_request"
	codeNotFound           code = "not_found"
	codeMethodNotAllowed   code = "method_not_allowed"
	codeNotAcceptable      code = "not_acceptable"
	codeTooLarge           code = "too_large"
	codeUnsupportedMedia   code = "unsupported_media_type"
	codeMisdirected        code = "misdirected_request"
	codeInternal           code = "internal"
	codeFailed             code = "failed"
	codePositionNotReached code = "position_not_reached"
	codeUnauthorized       code = "unauthorized"
	codeForbidden          code = "forbidden"
	codeTooBusy            code = "too_busy"
)

// statuses gives each code its status. An unknown_* that stands in the path, or that an operator names, is 404 instead:
// see absent.
var statuses = map[code]int{
	codeBadRequest:         http.StatusBadRequest,
	codeNotFound:           http.StatusNotFound,
	codeMethodNotAllowed:   http.StatusMethodNotAllowed,
	codeNotAcceptable:      http.StatusNotAcceptable,
	codeTooLarge:           http.StatusRequestEntityTooLarge,
	codeUnsupportedMedia:   http.StatusUnsupportedMediaType,
	codeMisdirected:        http.StatusMisdirectedRequest,
	codeInternal:           http.StatusInternalServerError,
	codeFailed:             http.StatusServiceUnavailable,
	codePositionNotReached: http.StatusServiceUnavailable,
	codeUnauthorized:       http.StatusUnauthorized,
	codeForbidden:          http.StatusForbidden,
	codeTooBusy:            http.StatusServiceUnavailable,

	code(domain.CodeInvalid):              http.StatusUnprocessableEntity,
	code(domain.CodeConflictingDuplicate): http.StatusConflict,
	code(domain.CodeInFuture):             http.StatusUnprocessableEntity,
	code(domain.CodeUnknownPost):          http.StatusUnprocessableEntity,
	code(domain.CodeUnknownComment):       http.StatusUnprocessableEntity,
	code(domain.CodeUnknownEvent):         http.StatusUnprocessableEntity,
	code(domain.CodePostExists):           http.StatusConflict,
	code(domain.CodeCommentExists):        http.StatusConflict,
	code(domain.CodeCommentRemoved):       http.StatusConflict,
	code(domain.CodeLevelTooLow):          http.StatusUnprocessableEntity,
	code(domain.CodeAlreadyReacted):       http.StatusConflict,
	code(domain.CodeNoReaction):           http.StatusConflict,
	code(domain.CodeOutOfOrder):           http.StatusConflict,
	code(domain.CodeTooMany):              http.StatusConflict,
	code(domain.CodeAlreadyReversed):      http.StatusConflict,
	code(domain.CodeNotReversible):        http.StatusUnprocessableEntity,
	code(domain.CodeVersionTaken):         http.StatusConflict,
	code(domain.CodeTariffTooEarly):       http.StatusUnprocessableEntity,
	code(domain.CodeNoTariff):             http.StatusUnprocessableEntity,
}

// retryAfterSeconds is what Retry-After says with every 503.
const retryAfterSeconds = "1"

// mediaProblem is the media type of problem documents.
const mediaProblem = "application/problem+json"

// problem is an error that is answered as a problem document (RFC 9457).
type problem struct {
	code code
	// absent makes an unknown_* 404: what the path or an operator names is not there.
	absent        bool
	field, detail string
	// challenge is the WWW-Authenticate of one that a token would help (RFC 6750, section 3).
	challenge string
	// outcome is there where an engagement, or what an operator asks for, was decided. It then has code, field and detail.
	outcome *domain.Outcome
}

func (p *problem) Error() string { return fmt.Sprintf("%s: %s: %s", p.code, p.field, p.detail) }

func problemf(c code, field, format string, args ...any) *problem {
	return &problem{code: c, field: field, detail: fmt.Sprintf(format, args...)}
}

// outcomeProblem returns the problem that a rejected or failed outcome is.
func outcomeProblem(o *domain.Outcome) *problem {
	if o.Rejection == nil {
		return &problem{code: codeFailed, outcome: o}
	}
	return &problem{code: code(o.Rejection.Code), outcome: o}
}

func (p *problem) status() int {
	if p.absent && strings.HasPrefix(string(p.code), "unknown_") {
		return http.StatusNotFound
	}
	return statuses[p.code]
}

// appendJSON appends the document, which names the request. Where there is an outcome, its members are the outcome's
// own.
func (p *problem) appendJSON(dst []byte, requestID string) []byte {
	status := p.status()
	dst = append(dst, `{"type":"about:blank","title":`...)
	dst = appendText(dst, http.StatusText(status))
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = appendText(append(dst, `,"request_id":`...), requestID)
	if p.outcome != nil {
		dst = appendText(append(dst, `,"outcome":`...), string(p.outcome.Result))
	}
	if p.outcome == nil || p.outcome.Rejection == nil {
		dst = appendText(append(dst, `,"code":`...), string(p.code))
	}
	if p.outcome != nil {
		return append(p.outcome.AppendMembers(dst), '}')
	}
	if p.field != "" {
		dst = appendText(append(dst, `,"field":`...), p.field)
	}
	return append(appendText(append(dst, `,"detail":`...), p.detail), '}')
}

// appendText appends a JSON string. What is not UTF-8 in it is replaced.
func appendText(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// errLogAway answers reads that need the log itself while it is away.
var errLogAway = problemf(codeFailed, "", "the log is away, and this cannot be answered from the views")

// errClientGone: nobody reads the answer any more.
var errClientGone = errors.New("the client reads no more")

// fail answers an error: a *problem as what it says, anything else as 500 after logging it. An answer that has begun is
// cut off instead, so that nobody takes it for whole.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	res := w.(*response)
	var p *problem
	if !errors.As(err, &p) && errors.Is(err, domain.ErrUnavailable) {
		err = errLogAway
	}
	if !errors.As(err, &p) {
		if !errors.Is(err, errPanic) && (errors.Is(err, errClientGone) || r.Context().Err() != nil) {
			panic(http.ErrAbortHandler)
		}
		a.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path,
			"request_id", res.id[0], "error", err)
		p = problemf(codeInternal, "", "the request could not be served, the service's log says why")
	}
	if res.begun {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if r.ContentLength < 0 && p.outcome == nil && r.ProtoMajor == 1 {
		// The body may be an open stream. Else the server would wait for the rest of it first.
		_ = http.NewResponseController(w).EnableFullDuplex()
		h.Set("Connection", "close")
	}
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	status := p.status()
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfterSeconds)
	}
	if a.showsPage(res, r) {
		a.ErrorPage(w, r, status, string(p.code), p.detail)
		return
	}
	body := p.appendJSON(nil, res.id[0])
	h.Set("Content-Type", mediaProblem)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// Who does not read the answer cannot be told.
	_, _ = w.Write(body)
}
