package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/projections"
)

// Bounds of what a page of a list holds.
const (
	defaultLimit = 100
	maxLimit     = 1_000
)

var (
	paramLimit  = param{name: "limit"}
	paramCursor = param{name: "cursor"}
	paramOrder  = param{name: "order"}
	paramSort   = param{name: "sort"}
	paramFrom   = param{name: "from"}
	paramTo     = param{name: "to"}
)

// The orders of a list.
const (
	ascending  = "asc"
	descending = "desc"
)

// queryPage returns which page of a list the query asks for.
func queryPage(values url.Values) (projections.Page, error) {
	limit, given, err := queryInteger(values, paramLimit.name)
	switch {
	case err != nil:
		return projections.Page{}, err
	case !given:
		limit = defaultLimit
	case limit < 1 || limit > maxLimit:
		return projections.Page{}, problemf(codeBadRequest, paramLimit.name, "must be from 1 to %d", maxLimit)
	}
	cursor := values.Get(paramCursor.name)
	if values.Has(paramCursor.name) && cursor == "" {
		return projections.Page{}, badCursor()
	}
	return projections.Page{Cursor: cursor, Limit: int(limit)}, nil
}

func badCursor() *problem {
	return problemf(codeBadRequest, paramCursor.name, "is not a cursor that a page of this list gave")
}

// pathPage returns the identifier in the path that a list is of, the query, and which page it asks for.
func pathPage(r *http.Request, name string) (id string, values url.Values, page projections.Page, err error) {
	if id, err = pathID(r, name); err != nil {
		return id, values, page, err
	}
	if values, err = query(r, paramMinPosition, paramLimit, paramCursor); err == nil {
		page, err = queryPage(values)
	}
	return id, values, page, err
}

// order is what a list may be sorted by, and its name.
type order struct {
	name string
	by   projections.Sort
}

// querySorted returns by which of some orders, the first where the query says none, from which end, and which page of a
// list the query asks for.
func querySorted(
	values url.Values, orders []order,
) (by projections.Sort, fromLeast bool, page projections.Page, err error) {
	names := make([]string, len(orders))
	for i := range orders {
		names[i] = orders[i].name
	}
	name, err := queryChoice(values, paramSort.name, names...)
	if err != nil {
		return by, fromLeast, page, err
	}
	from, err := queryChoice(values, paramOrder.name, descending, ascending)
	if err != nil {
		return by, fromLeast, page, err
	}
	page, err = queryPage(values)
	return orders[slices.Index(names, name)].by, from == ascending, page, err
}

// queryPeriod returns the times of occurrence that the query asks for, the first inclusive and the second exclusive;
// zero for no bound.
func queryPeriod(values url.Values) (from, to time.Time, err error) {
	if from, err = queryTime(values, paramFrom.name); err != nil {
		return from, to, err
	}
	if to, err = queryTime(values, paramTo.name); err != nil {
		return from, to, err
	}
	if values.Has(paramTo.name) && !to.After(from) {
		err = problemf(codeBadRequest, paramTo.name, "must be later than from")
	}
	return from, to, err
}

// appendNext ends the object of a page, with the cursor of the next one where there is one, which the header Link gets
// too.
func appendNext(w http.ResponseWriter, values url.Values, dst []byte, next string) []byte {
	if next != "" {
		linkNext(w, values, next)
		dst = appendText(append(dst, `,"next":`...), next)
	}
	return append(dst, '}')
}

// linkNext sets the header Link (RFC 8288) to the page behind a cursor: the same query relative to the request's own
// address, wherever that is reached.
func linkNext(w http.ResponseWriter, values url.Values, next string) {
	if next == "" {
		return
	}
	again := url.Values{paramCursor.name: {next}}
	for name, given := range values {
		if name != paramCursor.name {
			again[name] = given
		}
	}
	w.Header().Set("Link", "<?"+again.Encode()+`>; rel="next"`)
}

// appendList appends elements as a JSON array.
func appendList[E any](dst []byte, elements []E, appends func(dst []byte, e *E) ([]byte, error)) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appends(dst, &elements[i]); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}
