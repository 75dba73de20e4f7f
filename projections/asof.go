package projections

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// AsOf says which events a statement counts. The zero AsOf is now: all that were folded.
type AsOf struct {
	// Size, where Sized is set, counts the events 0 … Size-1 only.
	Size  uint64
	Sized bool
	// At, where it is not zero, counts only events that occurred then or before.
	At time.Time
}

// isNow reports whether all events count.
func (a AsOf) isNow() bool { return !a.Sized && a.At.IsZero() }

// counts reports whether an event of an index, which occurred at an instant, counts.
func (a AsOf) counts(index uint64, occurred instant) bool {
	return (!a.Sized || index < a.Size) && (a.At.IsZero() || occurred.compare(instantOf(a.At)) <= 0)
}

// scoped is what is read of a scope.
type scoped struct {
	scopeRow
	key string
	// pair is the whole row of an account under a post.
	pair pairRow
	// post is the post, of accounts under one, and of posts as of a size.
	post dated
}

// scope reads the row of a scope, a zero one where nothing touched it. It wraps ErrUnknownPost for a post that nobody
// published, by the size asked for.
func (s *Snapshot) scope(scope domain.Scope, asOf AsOf) (r scoped, err error) {
	switch {
	case s.err != nil:
		return r, s.err
	case asOf.Sized && asOf.Size > s.Size():
		return r, fmt.Errorf("size %d: %w", asOf.Size, ErrNotFolded)
	}
	r.key = scopeKey(scope)
	if scope.PostID != "" && (scope.AccountID != "" || asOf.Sized) {
		r.post.id = scope.PostID
		found, err := postTable.read(s.rows, scope.PostID, &r.post.postRow)
		if err != nil {
			return r, err
		}
		if !found || asOf.Sized && r.post.index >= asOf.Size {
			return r, fmt.Errorf("%s: %w", scope.PostID, ErrUnknownPost)
		}
	}
	switch {
	case scope.PostID != "" && scope.AccountID != "":
		_, err = pairTable.read(s.rows, pairKey{scope.PostID, scope.AccountID}, &r.pair)
		r.scopeRow = r.pair.scopeRow
	case scope.PostID != "":
		if r.scopeRow, err = s.rankedRow(postStatementTable, scope.PostID); err == nil && r.size == 0 {
			err = fmt.Errorf("%s: %w", scope.PostID, ErrUnknownPost)
		}
	case scope.AccountID != "":
		r.scopeRow, err = s.rankedRow(accountTable, scope.AccountID)
	default:
		_, err = platformTable.read(s.rows, struct{}{}, &r.scopeRow)
	}
	return r, err
}

func (s *Snapshot) rankedRow(t *table[string, rankedRow], id string) (scopeRow, error) {
	var row rankedRow
	_, err := t.read(s.rows, id, &row)
	return row.scopeRow, err
}

// Statement returns the statement of a scope (DESIGN section 6). It wraps ErrUnknownPost for a scope with a post that
// nobody published, by the size asked for, and ErrNotFolded for a size beyond Size. The caller may change what it gets.
//
// As of a size or of a time it reads a few rows, however much happened in the scope, and for an account under a post
// what the post's own stream set; as of both it reads the scope's journal up to the size, and ends with ctx's error
// where ctx ends before.
func (s *Snapshot) Statement(ctx context.Context, scope domain.Scope, asOf AsOf) (*domain.Statement, error) {
	row, err := s.scope(scope, asOf)
	if err != nil {
		return nil, err
	}
	statement, err := s.statementAsOf(ctx, &row, asOf)
	if err != nil {
		return nil, fmt.Errorf("statement of %+v: %w", scope, err)
	}
	return s.complete(scope, &row, statement, asOf)
}

// now returns the statement of a scope as it is now.
func (s *Snapshot) now(scope domain.Scope) (*domain.Statement, error) {
	return s.Statement(context.Background(), scope, AsOf{})
}

// statementAsOf returns the scope's own statement.
func (s *Snapshot) statementAsOf(ctx context.Context, row *scoped, asOf AsOf) (statementRow, error) {
	switch {
	case asOf.isNow():
		return row.statementRow, nil
	case asOf.At.IsZero():
		return s.at(&row.scopeRow, row.key, asOf.Size)
	}
	var all sum
	at := instantOf(asOf.At)
	var err error
	if asOf.Sized {
		err = s.fold(ctx, row, asOf, &all)
	} else if err = s.upTo(row.key, at, &all); err == nil {
		err = row.recent.upTo(at, &all)
	}
	if err != nil {
		return statementRow{}, err
	}
	return all.statement()
}

// fold adds up the touches of a scope that count, one by one.
func (s *Snapshot) fold(ctx context.Context, row *scoped, asOf AsOf, to *sum) error {
	for t, err := range s.touches(&row.scopeRow, row.key, 0) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if asOf.Sized && t.index >= asOf.Size {
			return nil
		}
		if asOf.counts(t.index, t.occurred) {
			if err := to.add(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete makes a statement of a row, with what only statements of some scopes have.
func (s *Snapshot) complete(scope domain.Scope, row *scoped, r statementRow, asOf AsOf) (*domain.Statement, error) {
	var reading *domain.Reading
	if scope.PostID != "" && scope.AccountID != "" {
		post, err := row.post.asOf(s.rows, asOf)
		if err != nil {
			return nil, err
		}
		if post.timed > r.size {
			r.size, r.recorded = post.timed, post.timedRecorded
		}
		reading = &domain.Reading{TimeToReadSeconds: post.timeToRead, Earned: r.sums.Of(domain.ReadToEarn)}
		if r.counts[rewardedReads] > 0 {
			reading.Date = row.pair.rewarded.time()
		}
	}
	statement := r.statement(scope)
	if !asOf.isNow() {
		if err := s.setRecorded(statement); err != nil {
			return nil, err
		}
	}
	statement.Reading = reading
	if asOf.Sized {
		statement.Size = asOf.Size
	}
	if !asOf.At.IsZero() {
		statement.AsOf = asOf.At.UTC()
	}
	return statement, nil
}

// setRecorded completes a statement as of then with when its last event was recorded.
func (s *Snapshot) setRecorded(statement *domain.Statement) error {
	if statement.Size == 0 {
		return nil
	}
	recorded, err := s.recordedAt(statement.Size - 1)
	statement.RecordedThrough = recorded.time()
	return err
}
