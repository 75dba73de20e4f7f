package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// minCompressed is the length from which on an answer is compressed: a shorter one fits into a packet as it is.
const minCompressed = 1 << 10

// encodedSuffix ends the validator of an answer that is compressed, within its quotes: its bytes are others.
const encodedSuffix = "-gzip"

// compressors are those that are in use no more. The fastest level is half as small again as the best one, in a small
// part of the time, and takes the least memory for each stream.
var compressors = sync.Pool{New: func() any {
	// It fails only for a level that there is not.
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// compressing is the writer of an answer to a client that takes gzip. It decides when the answer begins: by its length
// where that is known, else once there is enough of it, or it is flushed, as a stream is.
type compressing struct {
	http.ResponseWriter
	// status is what the answer begins with once that is decided, 0 for nothing yet.
	status  int
	decided bool
	// held is what was written before.
	held []byte
	// to compresses, nil where nothing does.
	to *gzip.Writer
	// matched: the client has the compressed answer of one of its If-None-Match.
	matched []string
}

// newCompressing returns a writer of the answer to a request, and the request without what handlers do not know: names
// of compressed answers.
func newCompressing(w http.ResponseWriter, r *http.Request) (*compressing, *http.Request) {
	c := &compressing{ResponseWriter: w}
	fields := r.Header["If-None-Match"]
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(f, encodedSuffix+`"`) }) {
		return c, r
	}
	c.matched = fields
	plain := make([]string, len(fields))
	for i, field := range fields {
		plain[i] = strings.ReplaceAll(field, encodedSuffix+`"`, `"`)
	}
	asked := *r
	asked.Header = r.Header.Clone()
	asked.Header["If-None-Match"] = plain
	return c, &asked
}

// takesGzip reports whether a request takes an answer that is compressed (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	if r.Header["Accept-Encoding"] == nil {
		return false
	}
	takes := false
	for _, element := range splitList(strings.Join(r.Header["Accept-Encoding"], ",")) {
		name, weight, weighted := strings.Cut(element, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "gzip" && name != "*" {
			continue
		}
		q := 1_000
		if weighted {
			text, _ := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
			q, _ = parseQuality(text)
		}
		if takes = q > 0; name == "gzip" {
			return takes
		}
	}
	return takes
}

// compressible reports whether a type is one of text that is not compressed already.
func compressible(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.TrimSpace(mediaType)
	if strings.HasPrefix(mediaType, "text/") {
		return true
	}
	for _, kind := range []string{"json", "xml", "yaml", "javascript"} {
		if strings.HasSuffix(mediaType, kind) {
			return true
		}
	}
	return false
}

func (c *compressing) WriteHeader(status int) {
	if status < http.StatusOK {
		c.ResponseWriter.WriteHeader(status)
		return
	}
	if c.status != 0 {
		return
	}
	c.status = status
	h := c.Header()
	length, err := strconv.Atoi(h.Get("Content-Length"))
	switch {
	case status == http.StatusNotModified:
		if tag := h.Get("ETag"); c.matched != nil && matches(c.matched, suffixed(tag)) {
			h["Etag"] = []string{suffixed(tag)}
		}
		c.begin(false)
	case status == http.StatusNoContent, h["Content-Encoding"] != nil, h["Content-Range"] != nil,
		!compressible(h.Get("Content-Type")), err == nil && length < minCompressed:
		c.begin(false)
	case err == nil:
		c.begin(true)
	}
}

// suffixed returns the validator of a compressed answer, given that of the plain one.
func suffixed(tag string) string {
	if bare, quoted := strings.CutSuffix(tag, `"`); quoted {
		return bare + encodedSuffix + `"`
	}
	return tag
}

// begin begins the answer, compressed or not.
func (c *compressing) begin(compressed bool) {
	c.decided = true
	if compressed {
		h := c.Header()
		h["Content-Encoding"] = encodedGzip
		delete(h, "Content-Length")
		if tag := h.Get("ETag"); tag != "" {
			h["Etag"] = []string{suffixed(tag)}
		}
		c.to = compressors.Get().(*gzip.Writer)
		c.to.Reset(c.ResponseWriter)
	}
	c.ResponseWriter.WriteHeader(c.status)
}

func (c *compressing) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if !c.decided {
		if len(c.held)+len(b) < minCompressed {
			c.held = append(c.held, b...)
			return len(b), nil
		}
		c.begin(true)
		if err := c.writeHeld(); err != nil {
			return 0, err
		}
	}
	if c.to != nil {
		return c.to.Write(b)
	}
	return c.ResponseWriter.Write(b)
}

func (c *compressing) writeHeld() (err error) {
	if len(c.held) > 0 && c.to != nil {
		_, err = c.to.Write(c.held)
	} else if len(c.held) > 0 {
		_, err = c.ResponseWriter.Write(c.held)
	}
	c.held = nil
	return err
}

// FlushError sends what was written so far, or the headers where that is nothing.
func (c *compressing) FlushError() error {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if !c.decided {
		c.begin(true)
		if err := c.writeHeld(); err != nil {
			return err
		}
	}
	if c.to != nil {
		if err := c.to.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (c *compressing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// endFor ends the answer, but not one that was cut off: nobody must take that for whole.
func (c *compressing) endFor(res *response) {
	if c.status != 0 && !c.decided && !res.cut {
		c.begin(false)
		// Who does not read the answer cannot be told.
		_ = c.writeHeld()
	}
	if c.to == nil {
		return
	}
	if !res.cut {
		_ = c.to.Close()
	}
	c.to.Reset(nil)
	compressors.Put(c.to)
	c.to = nil
}
