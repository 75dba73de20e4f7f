package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// balanceChunk is how many bytes of a listing of balances are written at once.
const balanceChunk = 64 << 10

// accountOrders are what a list of accounts may be sorted by.
var accountOrders = []order{
	{"balance", projections.ByBalance}, {"total", projections.ByTotal}, {"profit", projections.ByProfit},
}

// getAccounts serves GET /v1/accounts: as JSON pages of accounts in an order, as they are now; as NDJSON every balance
// as of one size.
func (a *API) getAccounts(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition, paramSort, paramOrder, paramLimit, paramCursor, paramSize)
	if err != nil {
		return err
	}
	media, err := negotiate(w, r, mediaJSON, mediaLines)
	if err != nil {
		return err
	}
	others := []param{paramSize}
	if media == mediaLines {
		others = []param{paramSort, paramOrder, paramLimit, paramCursor}
	}
	for _, p := range others {
		if values.Has(p.name) {
			return problemf(codeBadRequest, p.name, "is not taken where the answer is %s", media)
		}
	}
	if media == mediaLines {
		return a.readBalances(w, r, values)
	}
	return a.readAccounts(w, r, values)
}

func (a *API) readAccounts(w http.ResponseWriter, r *http.Request, values url.Values) error {
	w.(*response).expensive = true
	by, fromLeast, page, err := querySorted(values, accountOrders)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		statements, next, err := s.Accounts(by, fromLeast, page)
		if err != nil {
			return nil, err
		}
		one := func(dst []byte, s **domain.Statement) ([]byte, error) { return (*s).AppendJSON(dst) }
		dst, err = appendList(append(dst, `{"accounts":`...), statements, one)
		return appendNext(w, values, dst, next), err
	})
}

// readBalances answers with the balance of every account as of one size, by account id, one a line, and a line at the
// end that adds them up. It holds one snapshot and a chunk of lines, however many accounts there are.
func (a *API) readBalances(w http.ResponseWriter, r *http.Request, values url.Values) error {
	asOf, err := queryAsOf(values)
	if err != nil {
		return err
	}
	s, err := a.snapshot(w, r, values)
	if err != nil {
		return err
	}
	defer s.Close()
	if !asOf.Sized {
		asOf = projections.AsOf{Size: s.Size(), Sized: true}
	}
	if err := withinSize(s, asOf); err != nil {
		return err
	}
	w.Header()["Content-Type"] = typeNDJSON
	if r.Method == http.MethodHead {
		return nil
	}
	stream, err := a.openStream(w, r, drainTimeout)
	if err != nil {
		return err
	}
	defer stream.close()
	list := &balanceList{to: stream, size: asOf.Size}
	return list.write(r.Context(), s, asOf)
}

// balanceList is a listing of balances on its way to a client.
type balanceList struct {
	to   *stream
	size uint64
	// lines are those that were not written yet.
	lines []byte
	// accounts is how many were listed, sum what they have together.
	accounts uint64
	sum      domain.Twei
}

func (l *balanceList) write(ctx context.Context, s *projections.Snapshot, asOf projections.AsOf) error {
	for statement, err := range s.Balances(asOf) {
		if err == nil {
			err = l.add(statement)
		}
		if err != nil {
			return err
		}
		if len(l.lines) < balanceChunk {
			continue
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
	if err := l.end(ctx, s, asOf); err != nil {
		return err
	}
	return l.flush()
}

// add adds the line of an account.
func (l *balanceList) add(s *domain.Statement) error {
	_, _, total, err := s.Sums.Subtotals()
	if err != nil {
		return err
	}
	balance, err := s.Balance()
	if err != nil {
		return err
	}
	if l.sum, err = l.sum.Add(balance); err != nil {
		return err
	}
	l.accounts++
	dst := appendText(append(l.lines, `{"account_id":`...), s.Scope.AccountID)
	dst = appendText(append(dst, `,"balance":`...), balance.String())
	dst = appendText(append(dst, `,"total":`...), total.String())
	dst = appendText(append(dst, `,"read_to_earn":`...), s.Sums.Of(domain.ReadToEarn).String())
	dst = strconv.AppendUint(append(dst, `,"size":`...), l.size, 10)
	l.lines = append(dst, "}\n"...)
	return nil
}

// end adds the last line, unless what was listed is not what the platform has at that size.
func (l *balanceList) end(ctx context.Context, s *projections.Snapshot, asOf projections.AsOf) error {
	platform, err := s.Statement(ctx, domain.Scope{}, asOf)
	if err != nil {
		return err
	}
	balance, err := platform.Balance()
	if err != nil {
		return err
	}
	if balance != l.sum {
		return fmt.Errorf("the balances of %d accounts at size %d are %s together, the platform's is %s: %w",
			l.accounts, l.size, l.sum, balance, domain.ErrCorrupt)
	}
	treasury, err := domain.Twei{}.Sub(l.sum)
	if err != nil {
		return err
	}
	dst := strconv.AppendUint(append(l.lines, `{"accounts":`...), l.accounts, 10)
	dst = appendText(append(dst, `,"treasury":`...), treasury.String())
	dst = strconv.AppendUint(append(dst, `,"size":`...), l.size, 10)
	l.lines = append(dst, "}\n"...)
	return nil
}

// flush writes the lines.
func (l *balanceList) flush() error {
	// What has begun is cut off: it is not the whole list.
	if err := l.to.why(); err != nil {
		return err
	}
	err := l.to.write(l.lines)
	l.lines = l.lines[:0]
	return err
}
