package httpapi

import (
	"net/url"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

var (
	paramAt   = param{name: "at"}
	paramSize = param{name: "size"}
)

// queryAsOf returns which events the query's at and size count.
func queryAsOf(values url.Values) (asOf projections.AsOf, err error) {
	if asOf.Size, asOf.Sized, err = queryInteger(values, paramSize.name); err != nil {
		return asOf, err
	}
	asOf.At, err = queryTime(values, paramAt.name)
	return asOf, err
}

// withinSize refuses a size that the views have not got to.
func withinSize(s *projections.Snapshot, asOf projections.AsOf) error {
	if asOf.Sized && asOf.Size > s.Size() {
		return problemf(codeBadRequest, paramSize.name, "%d is beyond the Ledger-Size, %d", asOf.Size, s.Size())
	}
	return nil
}

func appendStatement(s *projections.Snapshot, dst []byte, scope domain.Scope, asOf projections.AsOf) ([]byte, error) {
	statement, err := s.Statement(scope, asOf)
	if err != nil {
		return nil, err
	}
	return statement.AppendJSON(dst)
}
