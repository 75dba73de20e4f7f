package projections

import (
	"fmt"
	"iter"
	"slices"

	"github.com/tweiledger/tweiledger/domain"
)

// Accounts returns the statements of accounts in an order, ByBalance, ByTotal or ByProfit, the greatest first unless
// ascending, and the cursor of the next page, "" at the end. Pages are of now: what changes its place between two of
// them may come twice or not at all; Balances gives all accounts as of one size.
func (s *Snapshot) Accounts(by Sort, ascending bool, p Page) (statements []*domain.Statement, next string, err error) {
	ids, next, err := s.ranked(accountAmounts, accountNumbers, by, ascending, p)
	for i := 0; i < len(ids) && err == nil; i++ {
		var statement *domain.Statement
		statement, err = s.now(domain.Scope{AccountID: ids[i]})
		statements = append(statements, statement)
	}
	return statements, next, err
}

// AccountPosts returns the posts under which an account was touched, by their ids, with its statements there, and the
// cursor of the next page, "" at the end.
func (s *Snapshot) AccountPosts(account string, p Page) (posts []PostStatement, next string, err error) {
	if s.err != nil {
		return nil, "", s.err
	}
	list := scopedList(string(pairTable.prefix), domain.Scope{AccountID: account})
	prefix := pairTable.appendKey(nil, pairKey{"", account})
	from := prefix
	if p.Cursor != "" {
		d, err := decodeCursor(p.Cursor, list)
		if err != nil || len(d.rest) == 0 {
			return nil, "", ErrBadCursor
		}
		from = append(slices.Concat(prefix, d.rest), 0)
	}
	end := append(prefix[:len(prefix)-1:len(prefix)-1], 1)
	return page(s.rows.Scan(from, end), list, len(prefix), p.Limit, func(row Row) (PostStatement, error) {
		return s.postStatement(domain.Scope{PostID: string(row.Key[len(prefix):]), AccountID: account})
	})
}

// Balances yields the statement of every account that was touched, as of now or of a size (At must be zero), by account
// id, without when its last event was recorded. Its memory does not grow with the number of accounts. The snapshot must
// stay open. It wraps ErrNotFolded for a size beyond Size.
func (s *Snapshot) Balances(asOf AsOf) iter.Seq2[*domain.Statement, error] {
	return func(yield func(*domain.Statement, error) bool) {
		size := s.Size()
		if asOf.Sized {
			size = asOf.Size
		}
		err := s.err
		if err == nil && size > s.Size() {
			err = fmt.Errorf("size %d: %w", size, ErrNotFolded)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for row, err := range s.rows.Scan([]byte{accountTable.prefix}, []byte{accountTable.prefix + 1}) {
			if err != nil {
				yield(nil, err)
				return
			}
			statement, err := s.balance(row, size)
			if err != nil {
				yield(nil, err)
				return
			}
			if statement != nil && !yield(statement, nil) {
				return
			}
		}
	}
}

// balance returns the statement of the account whose row is given, nil where nothing touched it by then.
func (s *Snapshot) balance(row Row, size uint64) (*domain.Statement, error) {
	var account rankedRow
	if err := accountTable.decodeRow(row.Key, row.Value, &account); err != nil {
		return nil, err
	}
	scope := domain.Scope{AccountID: string(row.Key[1:])}
	then, err := s.at(&account.scopeRow, scopeKey(scope), size)
	if err != nil {
		return nil, fmt.Errorf("statement of %+v: %w", scope, err)
	}
	if then.size == 0 {
		return nil, nil
	}
	statement := then.statement(scope)
	statement.Size = size
	return statement, nil
}
