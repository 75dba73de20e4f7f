package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

var (
	paramAt   = param{name: "at"}
	paramSize = param{name: "size"}
)

// asOfParams are the parameters of every route that gives one scope's statement.
var asOfParams = []param{paramMinPosition, paramAt, paramSize}

// queryAsOf returns which events the query's at and size count.
func queryAsOf(values url.Values) (asOf projections.AsOf, err error) {
	if asOf.Size, asOf.Sized, err = queryInteger(values, paramSize.name); err != nil {
		return asOf, err
	}
	asOf.At, err = queryTime(values, paramAt.name)
	return asOf, err
}

// readAsOf answers with what appends to as of what the query says. As of a size and a time that may take a fold of a
// whole journal, so it has to find a place among the expensive requests.
func (a *API) readAsOf(
	w http.ResponseWriter, r *http.Request, values url.Values,
	appends func(s *projections.Snapshot, dst []byte, asOf projections.AsOf) ([]byte, error),
) error {
	asOf, err := queryAsOf(values)
	if err != nil {
		return err
	}
	if asOf.Sized && !asOf.At.IsZero() {
		w.(*response).expensive = true
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		if err := withinSize(s, asOf); err != nil {
			return nil, err
		}
		return appends(s, dst, asOf)
	})
}

// withinSize refuses a size that the views have not got to.
func withinSize(s *projections.Snapshot, asOf projections.AsOf) error {
	if asOf.Sized && asOf.Size > s.Size() {
		return problemf(codeBadRequest, paramSize.name, "%d is beyond the Ledger-Size, %d", asOf.Size, s.Size())
	}
	return nil
}

func appendStatement(
	ctx context.Context, s *projections.Snapshot, dst []byte, scope domain.Scope, asOf projections.AsOf,
) ([]byte, error) {
	statement, err := s.Statement(ctx, scope, asOf)
	if err != nil {
		return nil, err
	}
	return statement.AppendJSON(dst)
}
