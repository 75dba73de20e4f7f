package projections

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrUnknownPost: nobody published the post.
var ErrUnknownPost = errors.New("unknown post")

// counter is one of the numbers beside a statement's money.
type counter uint8

// The counters. Their order is that of their bits in a row.
const (
	reads counter = iota
	likes
	dislikes
	comments
	commentLikes
	commentDislikes
	reports
	rewardedReads
	counterCount
)

var counterNames = [counterCount]string{"reads", "likes", "dislikes", "comments", "comment_likes", "comment_dislikes",
	"reports", "rewarded_reads"}

// statementRow is the running statement of one scope.
type statementRow struct {
	// size is 1 + the index of the last event that touched the scope, recorded when that was recorded.
	size     uint64
	recorded instant
	sums     domain.Sums
	counts   [counterCount]uint64
}

func (r *statementRow) touch(e *event) {
	r.size = e.index + 1
	r.recorded = instantOf(e.RecordedAt)
}

// count takes the steps of an effect.
func (r *statementRow) count(f *effect) error {
	for _, s := range f.counts {
		if s.by < 0 && r.counts[s.counter] == 0 {
			return fmt.Errorf("the count of %s falls below 0: %w", counterNames[s.counter], domain.ErrCorrupt)
		}
		r.counts[s.counter] += uint64(int64(s.by))
	}
	return nil
}

// move adds the entries of one account, or all where account is "".
func (r *statementRow) move(entries []domain.Entry, account string) error {
	for i := range entries {
		if account != "" && entries[i].Account != account {
			continue
		}
		if err := r.sums.Add(entries[i].Line, entries[i].Change); err != nil {
			return err
		}
	}
	return nil
}

// encodeStatement writes size, recorded, a mask of the lines that are not 0 and these, a mask of such counts and these.
func encodeStatement(dst []byte, r *statementRow) []byte {
	dst = appendInstant(binary.AppendUvarint(dst, r.size), r.recorded)
	at := len(dst)
	dst = append(dst, 0, 0)
	var mask uint16
	for i, sum := range r.sums {
		if !sum.IsZero() {
			mask |= 1 << i
			dst = appendAmount(dst, sum)
		}
	}
	binary.BigEndian.PutUint16(dst[at:], mask)
	at = len(dst)
	dst = append(dst, 0)
	for i, n := range r.counts {
		if n > 0 {
			dst[at] |= 1 << i
			dst = binary.AppendUvarint(dst, n)
		}
	}
	return dst
}

func decodeStatement(d *decoder, r *statementRow) {
	r.size = d.uvarint()
	r.recorded = d.instant()
	mask := uint16(d.byte())<<8 | uint16(d.byte())
	for i := range r.sums {
		if mask&(1<<i) != 0 {
			r.sums[i] = d.amount()
		}
	}
	counts := d.byte()
	for i := range r.counts {
		if counts&(1<<i) != 0 {
			r.counts[i] = d.uvarint()
		}
	}
}

// statement returns the row as the statement of a scope.
func (r *statementRow) statement(scope domain.Scope) *domain.Statement {
	s := &domain.Statement{Scope: scope, Size: r.size, Sums: r.sums, RewardedReads: r.counts[rewardedReads]}
	if r.size > 0 {
		s.RecordedThrough = r.recorded.time()
	}
	s.Counts = domain.Counts{
		Reads: r.counts[reads], Likes: r.counts[likes], Dislikes: r.counts[dislikes], Comments: r.counts[comments],
		CommentLikes: r.counts[commentLikes], CommentDislikes: r.counts[commentDislikes], Reports: r.counts[reports],
	}
	return s
}

// pairKey names an account under a post; for reactions to comments, an account and a comment.
type pairKey struct{ subject, account string }

// appendPairKey separates the two by a byte that no identifier has, so that all of a subject stand together.
func appendPairKey(dst []byte, k pairKey) []byte {
	return append(append(append(dst, k.subject...), 0), k.account...)
}

func appendStringKey(dst []byte, k string) []byte { return append(dst, k...) }

var (
	platformTable = &table[struct{}, statementRow]{
		'1', func(dst []byte, _ struct{}) []byte { return dst }, encodeStatement, decodeStatement}
	postStatementTable = &table[string, statementRow]{'p', appendStringKey, encodeStatement, decodeStatement}
	accountTable       = &table[string, statementRow]{'a', appendStringKey, encodeStatement, decodeStatement}
	pairTable          = &table[pairKey, pairRow]{'r', appendPairKey, encodePair, decodePair}
)

// statements is the read model of the current statements of the four scopes.
type statements struct {
	platform         *cache[struct{}, statementRow]
	posts, accounts  *cache[string, statementRow]
	pairs            *cache[pairKey, pairRow]
	commentReactions *cache[pairKey, reactionRow]
}

func newStatements(f *fold) model {
	return &statements{
		platform:         newCache(f, platformTable),
		posts:            newCache(f, postStatementTable),
		accounts:         newCache(f, accountTable),
		pairs:            newCache(f, pairTable),
		commentReactions: newCache(f, commentReactionTable),
	}
}

func (s *statements) want(e *event) {
	if e.AccountID != "" {
		s.wantAccount(e, e.AccountID)
	}
	for i := range e.entries {
		s.wantAccount(e, e.entries[i].Account)
	}
	if e.CommentID != "" && (e.Type.IsReaction() || e.Type == domain.ReactionWithdrawn) {
		s.commentReactions.want(pairKey{e.CommentID, e.AccountID})
	}
}

func (s *statements) wantAccount(e *event, account string) {
	s.accounts.want(account)
	s.pairs.want(pairKey{e.PostID, account})
}

func (s *statements) fold(e *event) error {
	if err := s.settle(e); err != nil {
		return err
	}
	platform, err := s.platform.row(struct{}{})
	if err != nil {
		return err
	}
	if err := platform.apply(e, ""); err != nil {
		return fmt.Errorf("platform: %w", err)
	}
	if e.PostID == "" {
		return nil
	}
	post, err := s.posts.row(e.PostID)
	if err != nil {
		return err
	}
	if post.size == 0 && e.Type != domain.PostPublished {
		return fmt.Errorf("post %s was not published: %w", e.PostID, domain.ErrCorrupt)
	}
	if err := post.apply(e, ""); err != nil {
		return fmt.Errorf("post %s: %w", e.PostID, err)
	}
	return s.foldAccounts(e)
}

// foldAccounts folds an event into the statements of each account that it touches, once: who acted, and who stands in a
// posting.
func (s *statements) foldAccounts(e *event) error {
	if e.effect.actor != "" {
		if err := s.foldAccount(e, e.effect.actor); err != nil {
			return err
		}
	}
next:
	for i := range e.entries {
		account := e.entries[i].Account
		if account == e.effect.actor {
			continue
		}
		for j := range i {
			if e.entries[j].Account == account {
				continue next
			}
		}
		if err := s.foldAccount(e, account); err != nil {
			return err
		}
	}
	return nil
}

func (s *statements) foldAccount(e *event, account string) error {
	row, err := s.accounts.row(account)
	if err != nil {
		return err
	}
	if err := row.apply(e, account); err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	pair, err := s.pairs.row(pairKey{e.PostID, account})
	if err != nil {
		return err
	}
	if err := pair.apply(e, account); err != nil {
		return fmt.Errorf("account %s under post %s: %w", account, e.PostID, err)
	}
	return nil
}

// apply folds an event into one scope: an account's, or one of all accounts where account is "".
func (r *statementRow) apply(e *event, account string) error {
	r.touch(e)
	if account == "" || account == e.effect.actor {
		if err := r.count(&e.effect); err != nil {
			return err
		}
	}
	return r.move(e.entries, account)
}

// Statement returns the current statement of a scope (DESIGN section 6). It wraps ErrUnknownPost for a scope with a post
// that nobody published. The caller may change what it gets.
func (s *Snapshot) Statement(scope domain.Scope) (*domain.Statement, error) {
	if s.err != nil {
		return nil, s.err
	}
	var row statementRow
	var err error
	switch {
	case scope.PostID != "":
		return s.postStatement(scope)
	case scope.AccountID != "":
		_, err = accountTable.read(s.rows, scope.AccountID, &row)
	default:
		_, err = platformTable.read(s.rows, struct{}{}, &row)
	}
	if err != nil {
		return nil, err
	}
	return row.statement(scope), nil
}

func (s *Snapshot) postStatement(scope domain.Scope) (*domain.Statement, error) {
	if scope.AccountID != "" {
		return s.pairStatement(scope)
	}
	var row statementRow
	found, err := postStatementTable.read(s.rows, scope.PostID, &row)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%s: %w", scope.PostID, ErrUnknownPost)
	}
	return row.statement(scope), nil
}
