package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/domain"
)

// param is a query parameter that a route takes.
type param struct {
	name string
	// repeated: it may stand more than once.
	repeated bool
}

var paramMinPosition = param{name: "min_position"}

// query returns the query's parameters. One that the route does not take, one that stands twice and must not, and a
// query that is not one are problems.
func query(r *http.Request, params ...param) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problemf(codeBadRequest, "", "the query cannot be read: %v", err)
	}
	for name, given := range values {
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		switch {
		case i < 0:
			return nil, problemf(codeBadRequest, clip(name), "the route has no such parameter")
		case len(given) > 1 && !params[i].repeated:
			return nil, problemf(codeBadRequest, name, "stands %d times, once is allowed", len(given))
		}
	}
	return values, nil
}

// clip shortens a text of the client's so that an answer does not carry all of it back.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if s == "" {
		return `""`
	}
	return s
}

// pathText returns a variable of the path, decoded.
func pathText(r *http.Request, name string) (string, error) {
	text := mux.Vars(r)[name]
	if strings.IndexByte(text, '%') < 0 {
		return text, nil
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		return "", problemf(codeBadRequest, name, "cannot be read: %v", err)
	}
	return text, nil
}

// pathID returns an identifier in the path.
func pathID(r *http.Request, name string) (string, error) {
	id, err := pathText(r, name)
	if err != nil {
		return "", err
	}
	return validID(name, id)
}

// queryID returns an identifier in the query, "" where it is absent.
func queryID(values url.Values, name string) (string, error) {
	if !values.Has(name) {
		return "", nil
	}
	return validID(name, values.Get(name))
}

func validID(field, id string) (string, error) {
	if !domain.ValidID(id) {
		return "", problemf(codeBadRequest, field, "%.140q is not an identifier: 1 to %d characters of A–Z a–z 0–9 . _ ~ : @ -, and not %q, %q or %q",
			id, domain.MaxIDBytes, ".", "..", domain.Treasury)
	}
	return id, nil
}
