package httpapi

import (
	"errors"
	"net/http"
	"strings"
)

// PageAccess is what a page asks of who looks at it, where there are tokens.
type PageAccess uint8

const (
	// PageOpen is for everybody.
	PageOpen = PageAccess(accessOpen)
	// PagePublic is for the role read, and for everybody where posts' statements are public.
	PagePublic = PageAccess(accessPublic)
	// PageRead is for the role read.
	PageRead = PageAccess(accessRead)
)

// Handle mounts a page, or what belongs to one, before the API serves. Its requests pass all that those of the API's
// own routes pass, GET is HEAD too, and an error is answered by Config.ErrorPage. A costly one takes a place among the
// expensive requests while it makes its answer, not while that is read. What stands in its query is its own affair.
func (a *API) Handle(method, path string, access PageAccess, costly bool, h http.Handler) {
	mounted := &route{method: method, path: path, access: pageAccess(access), cost: cheap}
	if costly {
		mounted.cost = expensive
		h = a.placed(h)
	}
	a.pages[mounted] = true
	a.mount(mounted, h.ServeHTTP)
}

// pageAccess returns what guards a page: the role read where it is none of the constants.
func pageAccess(p PageAccess) access {
	switch p {
	case PageOpen, PagePublic:
		return access(p)
	}
	return accessRead
}

// Admits reports whether who asks may see pages of an access, so that a page shows only links that lead somewhere.
func (a *API) Admits(r *http.Request, p PageAccess) bool {
	if a.Tokens == nil {
		return true
	}
	set := a.Tokens.current()
	return pageAccess(p).admits(set.find(r.Header["Authorization"]), set.public, r)
}

// Fail answers the error of a page as the API answers its own: those of the views, a log that is away, and what has a
// method Answer, which says a status, one of the API's codes, and what is wrong. Anything else is logged, and 500. Call
// it with the writer that the page was given, and before the answer begins.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	var answer interface {
		Answer() (status int, code, detail string)
	}
	if errors.As(err, &answer) {
		status, name, detail := answer.Answer()
		if p := problemf(code(name), "", "%s", detail); statuses[p.code] != 0 {
			p.absent = status == http.StatusNotFound
			switch p.code {
			case codeUnauthorized:
				p.challenge = "Bearer"
			case codeForbidden:
				p.challenge = `Bearer error="insufficient_scope"`
			}
			err = p
		}
	}
	a.fail(w, r, a.viewsProblem(r.Context(), err))
}

// placed serves within a place among the expensive requests. The answer leaves when the place is free again, for its
// reader sets the pace of that.
func (a *API) placed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := w.(*response)
		held := buffers.Get().(*[]byte)
		defer buffers.Put(held)
		*held = (*held)[:0]
		if err := a.serveHeld(res, r, h, held); err != nil {
			a.fail(w, r, err)
			return
		}
		if len(*held) > 0 {
			// Who does not read the answer cannot be told.
			_, _ = w.Write(*held)
		}
	})
}

// serveHeld lets a handler write to held, within a place.
func (a *API) serveHeld(res *response, r *http.Request, h http.Handler, held *[]byte) error {
	release, err := a.enter(r.Context())
	if err != nil {
		return err
	}
	defer release()
	// Also where it panics: that is answered at once.
	defer func() { res.held = nil }()
	res.held = held
	h.ServeHTTP(res, r)
	return nil
}

// showsPage reports whether a problem is to be shown as a page: where a page was asked for, and to a browser that asks
// for nothing that there is.
func (a *API) showsPage(w *response, r *http.Request) bool {
	if a.ErrorPage == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch {
	case w.route != nil:
		return a.pages[w.route]
	case a.starting && !strings.HasPrefix(r.URL.Path, "/v1/"):
		return true
	}
	addVary(w.Header(), "Accept")
	return prefersHTML(r)
}

// prefersHTML reports whether a request wants a page more than JSON. Who does not say wants JSON.
func prefersHTML(r *http.Request) bool {
	ranges := mediaRanges(strings.Join(r.Header["Accept"], ","))
	return quality(ranges, "text/html") > max(quality(ranges, mediaJSON), quality(ranges, mediaProblem))
}

// addVary adds a header's name to those that an answer depends on.
func addVary(h http.Header, name string) {
	if others := h.Get("Vary"); others != "" {
		name = others + ", " + name
	}
	h["Vary"] = []string{name}
}
