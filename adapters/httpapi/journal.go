package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

var (
	paramAccount = param{name: "account"}
	paramLine    = param{name: "line"}
)

// journalParams are the parameters that every journal takes.
var journalParams = []param{paramMinPosition, paramLine, paramFrom, paramTo, paramOrder, paramLimit, paramCursor}

// getPostEntries serves GET /v1/posts/{post}/entries: the journal of a post, or of an account under it.
func (a *API) getPostEntries(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := postScope(r, journalParams)
	if err != nil {
		return err
	}
	return a.readEntries(w, r, values, scope)
}

// getAccountEntries serves GET /v1/accounts/{account}/entries.
func (a *API) getAccountEntries(w http.ResponseWriter, r *http.Request) error {
	values, scope, err := accountScope(r, journalParams)
	if err != nil {
		return err
	}
	return a.readEntries(w, r, values, scope)
}

// postScope returns the query of a route under a post, which takes an account too, and the scope that it names.
func postScope(r *http.Request, params []param) (url.Values, domain.Scope, error) {
	post, err := pathID(r, "post")
	if err != nil {
		return nil, domain.Scope{}, err
	}
	values, err := query(r, append(slices.Clip(params), paramAccount)...)
	if err != nil {
		return nil, domain.Scope{}, err
	}
	account, err := queryID(values, paramAccount.name)
	return values, domain.Scope{PostID: post, AccountID: account}, err
}

// accountScope returns the query of a route under an account, and the scope that its path names.
func accountScope(r *http.Request, params []param) (url.Values, domain.Scope, error) {
	account, err := pathID(r, "account")
	if err != nil {
		return nil, domain.Scope{}, err
	}
	values, err := query(r, params...)
	return values, domain.Scope{AccountID: account}, err
}

func journalQuery(values url.Values, scope domain.Scope) (q projections.JournalQuery, err error) {
	q.Scope = scope
	if values.Has(paramLine.name) {
		key := values.Get(paramLine.name)
		var known bool
		if q.Line, known = domain.ParseLine(key); !known {
			return q, problemf(codeBadRequest, paramLine.name, "%.60q is no line of a statement", key)
		}
	}
	if q.From, q.To, err = queryPeriod(values); err != nil {
		return q, err
	}
	order, err := queryChoice(values, paramOrder.name, ascending, descending)
	if err != nil {
		return q, err
	}
	q.Newest = order == descending
	q.Page, err = queryPage(values)
	return q, err
}

// readEntries answers with a page of a scope's journal, as JSON or CSV. The entries of an event stay on one page.
func (a *API) readEntries(w http.ResponseWriter, r *http.Request, values url.Values, scope domain.Scope) error {
	q, err := journalQuery(values, scope)
	if err != nil {
		return err
	}
	media, err := negotiate(w, r, mediaJSON, mediaCSV)
	if err != nil {
		return err
	}
	answer := typeJSON
	if media == mediaCSV {
		answer = typeCSV
	}
	return a.readAs(w, r, values, answer, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		places, next, err := s.Journal(q)
		if err != nil {
			return nil, err
		}
		entries, err := a.explainer(r.Context(), s).Entries(places, q)
		if err != nil {
			return nil, err
		}
		if media == mediaCSV {
			linkNext(w, values, next)
			return appendCSV(dst, entryRecords(entries))
		}
		dst, err = appendList(append(dst, `{"entries":`...), entries, appendEntry)
		return appendNext(w, values, dst, next), err
	})
}

func appendEntry(dst []byte, e *projections.Entry) ([]byte, error) {
	dst = strconv.AppendUint(append(dst, `{"index":`...), e.Place.Index, 10)
	dst = appendText(append(dst, `,"event_id":`...), e.Event.ID.String())
	dst = appendText(append(dst, `,"type":`...), e.Event.Type.String())
	dst = domain.AppendTime(append(dst, `,"occurred_at":"`...), e.Event.OccurredAt)
	dst = domain.AppendTime(append(dst, `","recorded_at":"`...), e.Event.RecordedAt)
	dst = appendText(append(dst, `","post_id":`...), e.Event.PostID)
	if e.Event.CommentID != "" {
		dst = appendText(append(dst, `,"comment_id":`...), e.Event.CommentID)
	}
	if e.Account != "" {
		dst = appendText(append(dst, `,"account_id":`...), e.Account)
	}
	if e.Posting != nil {
		dst = appendText(append(dst, `,"party":`...), e.Party.String())
		dst = appendText(append(dst, `,"line":`...), e.Line.String())
		dst = appendText(append(dst, `,"change":`...), e.Change.String())
		dst = e.Posting.Posting.AppendJSON(append(dst, `,"posting":`...))
	}
	dst = strconv.AppendUint(append(dst, `,"tariff":{"version":`...), e.Event.Tariff, 10)
	if e.Posting != nil {
		dst = strconv.AppendInt(append(dst, `,"row":`...), int64(e.Posting.Row), 10)
	}
	dst = append(dst, '}')
	if e.Event.Reason != "" {
		dst = appendText(append(dst, `,"reason":`...), string(e.Event.Reason))
	}
	return append(appendLinks(dst, e.Explained), '}'), nil
}

// entryHeader are the columns of the journal as CSV, in their order.
var entryHeader = []string{
	"index", "event_id", "type", "occurred_at", "recorded_at", "post_id", "comment_id", "account_id",
	"party", "line", "change", "debit_account", "debit_line", "credit_account", "credit_line", "amount", "reversal",
	"tariff_version", "tariff_row", "reason", "taken_back_by", "made_good_by", "takes_back", "origin",
}

// entryRecords returns entries as records of CSV. What an entry does not have is empty.
func entryRecords(entries []projections.Entry) [][]string {
	records := make([][]string, 0, 1+len(entries))
	records = append(records, entryHeader)
	for i := range entries {
		records = append(records, entryRecord(&entries[i]))
	}
	return records
}

func entryRecord(e *projections.Entry) []string {
	record := []string{
		strconv.FormatUint(e.Place.Index, 10), e.Event.ID.String(), e.Event.Type.String(),
		domain.FormatTime(e.Event.OccurredAt), domain.FormatTime(e.Event.RecordedAt),
		e.Event.PostID, e.Event.CommentID, e.Account,
	}
	if p := e.Posting; p != nil {
		record = append(record, e.Party.String(), e.Line.String(), e.Change.String(),
			p.Debit.Account, p.Debit.Line.String(), p.Credit.Account, p.Credit.Line.String(), p.Amount.String(),
			strconv.FormatBool(p.Reversal), strconv.FormatUint(e.Event.Tariff, 10), strconv.Itoa(p.Row))
	} else {
		record = append(record, "", "", "", "", "", "", "", "", "", strconv.FormatUint(e.Event.Tariff, 10), "")
	}
	record = append(record, string(e.Event.Reason))
	for _, link := range linked(e.Explained) {
		id := ""
		if link.id != (domain.EventID{}) {
			id = link.id.String()
		}
		record = append(record, id)
	}
	return record
}
