package httpapi

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// The lengths of a history's intervals.
const (
	intervalDay  = "day"
	intervalHour = "hour"
)

var paramInterval = param{name: "interval"}

// historyParams are the parameters that every history takes.
var historyParams = []param{paramMinPosition, paramInterval, paramFrom, paramTo, paramLimit, paramCursor}

// getPostHistory serves GET /v1/posts/{post}/history: that of a post, or of an account under it.
func (a *API) getPostHistory(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := postScope(r, historyParams)
	if err != nil {
		return err
	}
	return a.readHistory(w, r, values, scope)
}

// getAccountHistory serves GET /v1/accounts/{account}/history.
func (a *API) getAccountHistory(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := accountScope(r, historyParams)
	if err != nil {
		return err
	}
	return a.readHistory(w, r, values, scope)
}

// getPlatformHistory serves GET /v1/history.
func (a *API) getPlatformHistory(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, historyParams...)
	if err != nil {
		return err
	}
	return a.readHistory(w, r, values, domain.Scope{})
}

// readHistory answers with a page of a scope's history: the hours or days in which something happened, oldest first.
func (a *API) readHistory(w http.ResponseWriter, r *http.Request, values url.Values, scope domain.Scope) error {
	interval, err := queryChoice(values, paramInterval.name, intervalDay, intervalHour)
	if err != nil {
		return err
	}
	q := projections.HistoryQuery{Scope: scope, Days: interval == intervalDay}
	if q.From, q.To, err = queryPeriod(values); err != nil {
		return err
	}
	if q.Page, err = queryPage(values); err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		intervals, next, err := s.History(q)
		if err != nil {
			return nil, err
		}
		dst, err = appendList(append(dst, `{"intervals":`...), intervals, appendInterval)
		return appendNext(w, values, dst, next), err
	})
}

func appendInterval(dst []byte, i *projections.Interval) ([]byte, error) {
	dst = domain.AppendTime(append(dst, `{"start":"`...), i.Start)
	dst, err := appendChange(append(dst, `","change":`...), &i.Change)
	if err != nil {
		return nil, err
	}
	dst, err = i.Statement.AppendJSON(append(dst, `,"statement":`...))
	return append(dst, '}'), err
}

// appendChange appends a change with the members that a statement has.
func appendChange(dst []byte, c *projections.Change) ([]byte, error) {
	dst, err := c.Sums.AppendMembers(append(dst, '{'))
	if err != nil {
		return nil, err
	}
	dst = appendText(append(dst, `,"read_to_earn":{"earned":`...), c.Sums.Of(domain.ReadToEarn).String())
	dst = strconv.AppendInt(append(dst, `,"rewarded_reads":`...), c.RewardedReads, 10)
	return append(c.Counts.AppendJSON(append(dst, `},"counts":`...)), '}'), nil
}
