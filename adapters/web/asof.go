package web

import (
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// formTime is how a form's field gives a time, which is in UTC.
const formTime = "2006-01-02T15:04"

// asOfView is what a page says where it is not of now.
type asOfView struct {
	At    time.Time
	Size  uint64
	Sized bool
	// Now is the address of the page of now.
	Now string
}

// Events says which events the size counts.
func (v *asOfView) Events() string {
	switch v.Size {
	case 0:
		return "no event"
	case 1:
		return "the first event"
	}
	return "the first " + strconv.FormatUint(v.Size, 10) + " events"
}

// Time is the time in its canonical form, "" for none.
func (v *asOfView) Time() string {
	if v.At.IsZero() {
		return ""
	}
	return domain.FormatTime(v.At)
}

// ofNow returns the address of the same page as of now.
func (r *request) ofNow() string {
	values := r.URL.Query()
	for _, name := range []string{"at", "size", "cursor"} {
		values.Del(name)
	}
	if len(values) == 0 {
		return r.URL.EscapedPath()
	}
	return r.URL.EscapedPath() + "?" + values.Encode()
}

// asOf returns which events the query's at and size count, and what the page says of it, nil where it is of now.
func (r *request) asOf() (asOf projections.AsOf, view *asOfView, err error) {
	if r.query.Get("size") != "" {
		asOf.Sized = true
		if asOf.Size, err = strconv.ParseUint(r.query.Get("size"), 10, 64); err != nil {
			return asOf, nil, badRequest("size", "must be a number of events")
		}
		if size := r.views.Size(); asOf.Size > size {
			return asOf, nil, badRequest("size", "is beyond the "+plural(size, "event", "events")+" that there are")
		}
	}
	if at := r.query.Get("at"); at != "" {
		asOf.At, err = domain.ParseTime(at)
		if err != nil {
			asOf.At, err = time.Parse(formTime, at)
		}
		if err != nil || asOf.At.IsZero() {
			return asOf, nil, badRequest("at", "must be a time such as 2026-01-29T12:00:00Z")
		}
	}
	if asOf == (projections.AsOf{}) {
		return asOf, nil, nil
	}
	return asOf, &asOfView{At: asOf.At, Size: asOf.Size, Sized: asOf.Sized, Now: r.ofNow()}, nil
}
