package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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

// queryInteger returns a number in the query, and whether it is there.
func queryInteger(values url.Values, name string) (n uint64, given bool, err error) {
	if !values.Has(name) {
		return 0, false, nil
	}
	text := values.Get(name)
	n, err = strconv.ParseUint(text, 10, 64)
	if err != nil || n > domain.MaxInteger || strconv.FormatUint(n, 10) != text {
		return 0, true, problemf(codeBadRequest, name, "%.60q is not a number from 0 to 2^53-1", text)
	}
	return n, true, nil
}

// queryTime returns a time in the query, the zero time where it is absent: so that one itself is refused.
func queryTime(values url.Values, name string) (time.Time, error) {
	if !values.Has(name) {
		return time.Time{}, nil
	}
	t, err := domain.ParseTime(values.Get(name))
	if err != nil {
		return t, problemf(codeBadRequest, name, "%v", err)
	}
	if t.IsZero() {
		return t, problemf(codeBadRequest, name, "must be later than %s", domain.FormatTime(t))
	}
	return t, nil
}

// queryChoice returns which one of a few words the query says, the first where it says none.
func queryChoice(values url.Values, name string, choices ...string) (string, error) {
	if !values.Has(name) {
		return choices[0], nil
	}
	if given := values.Get(name); slices.Contains(choices, given) {
		return given, nil
	}
	last := len(choices) - 1
	return "", problemf(codeBadRequest, name, "must be %s or %s", strings.Join(choices[:last], ", "), choices[last])
}

func validID(field, id string) (string, error) {
	if !domain.ValidID(id) {
		return "", problemf(codeBadRequest, field,
			"%.140q is not an identifier: 1 to %d characters of A–Z a–z 0–9 . _ ~ : @ -, and not %q, %q or %q",
			id, domain.MaxIDBytes, ".", "..", domain.Treasury)
	}
	return id, nil
}
