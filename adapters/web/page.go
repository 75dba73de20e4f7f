package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

//go:embed templates/*.html
var templateFiles embed.FS

// contentSecurityPolicy lets a page have nothing that is not the ledger's own, and no script or style within it.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what the layout shows around a template, and what the template shows.
type page struct {
	// Title and Description are those of the document; Nav is the path of the entry of the navigation that it is under.
	Title, Description, Nav string
	// Picture is the address of the picture for those who share the page, "" for none.
	Picture string
	// Live is the query of GET /v1/stream that changes the page. Frozen pages, as of a time or a size, have none.
	Live   string
	IsLive bool
	// Size is the number of events that it was read from.
	Size uint64
	// MayRead: the reader may follow links to what needs the role read.
	MayRead bool
	Open    bool
	// Content is for the template.
	Content any
}

// request is what a page is asked for. Everything is read from one snapshot.
type request struct {
	*http.Request
	ctx   context.Context
	views *projections.Snapshot
	query url.Values
	// mayRead reports whether the reader may read everything.
	mayRead bool
}

// path returns a variable of the path, decoded; what cannot be decoded is no identifier.
func (r *request) path(name string) string {
	text, err := url.PathUnescape(mux.Vars(r.Request)[name])
	if err != nil {
		return ""
	}
	return text
}

// parse parses a page's template with the layout and the parts that pages share. Those are of the program: what is wrong
// with one is found by any test.
func parse(name string) *template.Template {
	return template.Must(template.New("layout.html").Funcs(functions).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name))
}

// functions are those of templates beside the built-in ones.
var functions = template.FuncMap{
	"amount": amount, "signed": signedAmount, "time": timeOf, "date": dateOf, "duration": duration,
	"asset": assetPath, "path": pathOf, "share": shareBar, "plural": plural,
	"initial": initial, "reactions": reactions,
}

// showing returns the handler of a page.
func (p *Pages) showing(name string, show func(*Pages, *request) (*page, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := p.Views.Snapshot()
		defer s.Close()
		asked := &request{Request: r, ctx: r.Context(), views: s, query: r.URL.Query(), mayRead: p.MayRead(r)}
		shown, err := show(p, asked)
		if err != nil {
			p.Fail(w, r, err)
			return
		}
		shown.Size, shown.MayRead, shown.Open = s.Size(), asked.mayRead, p.Open
		var body bytes.Buffer
		if err := p.templates[name].Execute(&body, shown); err != nil {
			p.Fail(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Ledger-Size", strconv.FormatUint(s.Size(), 10))
		h.Set("Ledger-Position", s.Position().String())
		writePage(w, r, http.StatusOK, body.Bytes())
	}
}

// writePage writes a page, or 304 where the reader has it.
func writePage(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	if status == http.StatusOK {
		h.Set("Cache-Control", "no-cache")
	}
	writeTagged(w, r, status, body)
}

// writeTagged writes an answer with a validator of its bytes, or 304 where the reader has it.
func writeTagged(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if status == http.StatusOK {
		sum := sha256.Sum256(body)
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		w.Header().Set("ETag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// Who does not read the answer cannot be told.
		_, _ = w.Write(body)
	}
}

// tariffInForce returns the version in force at a time, nil where there is none.
func (p *Pages) tariffInForce(ctx context.Context, at time.Time) (*domain.Tariff, error) {
	tariffs, err := p.Tariffs(ctx)
	if err != nil {
		return nil, err
	}
	return tariffs.InForce(at), nil
}

// pathOf returns a path of segments, each escaped, such as /posts/p1/entries.
func pathOf(segments ...string) string {
	var path strings.Builder
	for _, segment := range segments {
		path.WriteString("/" + url.PathEscape(segment))
	}
	return path.String()
}
