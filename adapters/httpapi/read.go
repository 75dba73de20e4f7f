package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// mediaJSON is the media type of most answers.
const mediaJSON = "application/json"

// Values of headers that many answers share. They are never changed.
var (
	typeJSON   = []string{mediaJSON}
	typeNDJSON = []string{"application/x-ndjson"}
	typeCSV    = []string{mediaCSV + "; charset=utf-8; header=present"}
	noCache    = []string{"no-cache"}
	noStore    = []string{"no-store"}
)

// buffers are those of answers.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// snapshot waits for the query's min_position and returns the views. What is answered as of them has their size and
// position in its headers from now on.
func (a *API) snapshot(w http.ResponseWriter, r *http.Request, values url.Values) (*projections.Snapshot, error) {
	if values.Has(paramMinPosition.name) {
		at, err := domain.ParsePosition(values.Get(paramMinPosition.name))
		if err != nil {
			return nil, problemf(codeBadRequest, paramMinPosition.name, "%.60q is not a position",
				values.Get(paramMinPosition.name))
		}
		if err := a.await(r.Context(), at); err != nil {
			return nil, err
		}
	}
	s := a.Views.Snapshot()
	h := w.Header()
	h["Ledger-Size"] = []string{strconv.FormatUint(s.Size(), 10)}
	h["Ledger-Position"] = []string{s.Position().String()}
	h["Cache-Control"] = noCache
	return s, nil
}

// await waits until the views have got to a position, but not longer than the API's patience, nor when it drains.
func (a *API) await(ctx context.Context, at domain.Position) error {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	defer context.AfterFunc(a.draining, cancel)()
	err := a.Views.Wait(ctx, at)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = errors.New("it was waited for long enough")
	}
	return problemf(codePositionNotReached, paramMinPosition.name, "the views have not got to position %s: %v", at, err)
}

// appendBody appends the body of an answer, as of a snapshot.
type appendBody func(s *projections.Snapshot, dst []byte) ([]byte, error)

// read answers with the JSON that appends gives, as of the views.
func (a *API) read(w http.ResponseWriter, r *http.Request, values url.Values, appends appendBody) error {
	return a.readAs(w, r, values, typeJSON, appends)
}

// readAs answers with what appends gives, as of the views.
func (a *API) readAs(
	w http.ResponseWriter, r *http.Request, values url.Values, mediaType []string, appends appendBody,
) error {
	s, err := a.snapshot(w, r, values)
	if err != nil {
		return err
	}
	defer s.Close()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, err := a.readPlaced(w, r, s, (*buffer)[:0], appends)
	if err != nil {
		return a.viewsProblem(r.Context(), err)
	}
	*buffer = body
	writeRead(w, r, mediaType, etag(body), body)
	return nil
}

// viewsProblem returns the problem that an error of the views is, any other error as it is.
func (a *API) viewsProblem(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, projections.ErrDamaged):
		a.Logger.ErrorContext(ctx, "the views are damaged", "error", err)
		return problemf(codeFailed, "", "the views are damaged, and are being built anew")
	case errors.Is(err, projections.ErrUnknownPost):
		return &problem{code: code(domain.CodeUnknownPost), absent: true, field: "post", detail: err.Error()}
	case errors.Is(err, projections.ErrBadCursor):
		return badCursor()
	case errors.Is(err, projections.ErrNotFolded):
		// Another process gave the cursor, whose views went further.
		return problemf(codePositionNotReached, paramCursor.name, "%v", err)
	}
	return err
}

// readPlaced calls appends, for an expensive request within a place among those: neither while it waits for the views
// nor while the client reads the answer does one keep others out.
func (a *API) readPlaced(
	w http.ResponseWriter, r *http.Request, s *projections.Snapshot, dst []byte, appends appendBody,
) ([]byte, error) {
	if w.(*response).expensive {
		release, err := a.enter(r.Context())
		if err != nil {
			return nil, err
		}
		defer release()
	}
	return appends(s, dst)
}

// etag returns the strong validator of an answer's bytes. It is made of them and nothing else, so it changes exactly
// when they do, whatever log or program they come from.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	var tag [2 + 22]byte
	tag[0], tag[len(tag)-1] = '"', '"'
	base64.RawURLEncoding.Encode(tag[1:], sum[:16])
	return string(tag[:])
}

// writeRead writes an answer that has an ETag, or 304 where the client has it.
func writeRead(w http.ResponseWriter, r *http.Request, mediaType []string, tag string, body []byte) {
	h := w.Header()
	h["Etag"] = []string{tag}
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = mediaType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	// Who does not read the answer cannot be told.
	_, _ = w.Write(body)
}

// matches reports whether an If-None-Match names tag: any, or one in a list, compared weakly (RFC 9110, section
// 13.1.2).
func matches(fields []string, tag string) bool {
	for _, field := range fields {
		if strings.Trim(field, " \t") == "*" {
			return true
		}
		for rest := field; rest != ""; {
			rest = strings.TrimLeft(rest, " \t,")
			given := strings.TrimPrefix(rest, "W/")
			if given == "" || given[0] != '"' {
				break
			}
			end := strings.IndexByte(given[1:], '"') + 2
			if end < 2 {
				break
			}
			if given[:end] == tag {
				return true
			}
			rest = given[end:]
		}
	}
	return false
}
