package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// mediaType returns the media type of a request's body, in lower case and without parameters. What is compressed, or
// says that it is not UTF-8, is of no type that anything here takes.
func mediaType(r *http.Request) (string, error) {
	for _, coding := range r.Header["Content-Encoding"] {
		if !strings.EqualFold(coding, "identity") {
			return "", problemf(codeUnsupportedMedia, "Content-Encoding", "%.40q is not taken", coding)
		}
	}
	fields := r.Header["Content-Type"]
	if len(fields) != 1 {
		return "", problemf(codeUnsupportedMedia, "Content-Type", "stands %d times, once is allowed", len(fields))
	}
	media, params, err := mime.ParseMediaType(fields[0])
	if err != nil {
		return "", problemf(codeUnsupportedMedia, "Content-Type", "%.80q is not a media type", fields[0])
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return "", problemf(codeUnsupportedMedia, "Content-Type", "the charset must be utf-8, not %.40q", charset)
	}
	return media, nil
}

// firstBodyBytes is how much of a body is made room for before any of it has arrived, whatever the client says is to
// come.
const firstBodyBytes = 64 << 10

// readBody reads a whole body of at most limit bytes. What is held grows with what has arrived.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	tooLarge := problemf(codeTooLarge, "", "the body has more than %d bytes", limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body := make([]byte, 0, min(max(r.ContentLength, 0), firstBodyBytes)+512)
	from := http.MaxBytesReader(w, r.Body, limit)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var over *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case errors.As(err, &over):
			return nil, tooLarge
		case err != nil:
			return nil, problemf(codeBadRequest, "", "the body could not be read to its end: %v", err)
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}
