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

// String returns the name of a counter. Those of domain.Counts come first.
func (c counter) String() string {
	if int(c) < len(domain.CountNames) {
		return domain.CountNames[c]
	}
	return "rewarded_reads"
}

// statementRow is a statement of one scope.
type statementRow struct {
	// size is 1 + the index of the last event that touched the scope.
	size uint64
	// recorded is when that was recorded; for a statement as of then see Snapshot.setRecorded.
	recorded instant
	sums     domain.Sums
	counts   [counterCount]uint64
}

// apply folds a touch.
func (r *statementRow) apply(t *touch) error {
	r.size, r.recorded = t.index+1, t.recorded
	for _, s := range t.steps {
		if s.by < 0 && r.counts[s.counter] == 0 {
			return fmt.Errorf("the count of %s falls below 0: %w", s.counter, domain.ErrCorrupt)
		}
		r.counts[s.counter] += uint64(int64(s.by))
	}
	for i := range t.changes {
		if err := r.sums.Add(t.changes[i].line, t.changes[i].by); err != nil {
			return err
		}
	}
	return nil
}

// takeBack makes r what it was before a touch, but for its size and when that was recorded. What r was then is known to
// be a statement.
func (r *statementRow) takeBack(t *touch) (err error) {
	for _, s := range t.steps {
		r.counts[s.counter] -= uint64(int64(s.by))
	}
	for i := range t.changes {
		sum := &r.sums[t.changes[i].line-1]
		if *sum, err = sum.Sub(t.changes[i].by); err != nil {
			return err
		}
	}
	return nil
}

// encodeStatement writes size, when that was recorded, a mask of the lines that are not 0 and these, a mask of such counts
// and these.
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
	r.size, r.recorded = d.uvarint(), d.instant()
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

// appendSubjectKey separates the two by a byte that no identifier has, so that all of a subject stand together;
// appendAccountKey has all of an account together.
func appendSubjectKey(dst []byte, k pairKey) []byte {
	return append(append(append(dst, k.subject...), 0), k.account...)
}

func appendAccountKey(dst []byte, k pairKey) []byte {
	return append(append(append(dst, k.account...), 0), k.subject...)
}

func appendStringKey(dst []byte, k string) []byte { return append(dst, k...) }

var (
	platformTable = &table[struct{}, scopeRow]{
		'1', func(dst []byte, _ struct{}) []byte { return dst }, encodeScope, decodeScope}
	postStatementTable = &table[string, rankedRow]{'p', appendStringKey, encodeRanked, decodeRanked}
	accountTable       = &table[string, rankedRow]{'a', appendStringKey, encodeRanked, decodeRanked}
	pairTable          = &table[pairKey, pairRow]{'r', appendAccountKey, encodePair, decodePair}
)

// statements is the read model of the statements of the four scopes: of each a row, its journal and its time tree.
type statements struct {
	platform         *cache[struct{}, scopeRow]
	posts, accounts  *cache[string, rankedRow]
	pairs            *cache[pairKey, pairRow]
	commentReactions *cache[pairKey, reactionRow]
	journals         *journals
	// postRanks and accountRanks are the amounts by which lists are sorted.
	postRanks, accountRanks *ranking
	// touch is room for one.
	touch touch
}

func newStatements(f *fold) model {
	numbers := newCache(f, numberTable, 2)
	return &statements{
		platform:         newCache(f, platformTable, 1),
		posts:            newCache(f, postStatementTable, 4<<10),
		accounts:         newCache(f, accountTable, 64<<10),
		pairs:            newCache(f, pairTable, 48<<10),
		commentReactions: newCache(f, commentReactionTable, 4<<10),
		journals:         newJournals(f),
		postRanks:        newRanking(f, numbers, postAmounts, postNumbers),
		accountRanks:     newRanking(f, numbers, accountAmounts, accountNumbers),
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
	s.touch.of(e, "")
	platform, err := s.platform.row(struct{}{})
	if err != nil {
		return err
	}
	if err := s.journals.fold(platform, &s.touch, domain.Scope{}); err != nil {
		return fmt.Errorf("platform: %w", err)
	}
	if e.PostID == "" {
		return nil
	}
	if err := s.foldPost(e); err != nil {
		return fmt.Errorf("post %s: %w", e.PostID, err)
	}
	return s.foldAccounts(e)
}

func (s *statements) foldPost(e *event) error {
	post, err := s.posts.row(e.PostID)
	if err != nil {
		return err
	}
	if post.size == 0 && e.Type != domain.PostPublished {
		return fmt.Errorf("it was not published: %w", domain.ErrCorrupt)
	}
	if err := s.journals.fold(&post.scopeRow, &s.touch, domain.Scope{PostID: e.PostID}); err != nil {
		return err
	}
	return s.postRanks.fold(post, e.PostID, &s.touch)
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
	s.touch.of(e, account)
	row, err := s.accounts.row(account)
	if err != nil {
		return err
	}
	if err := s.journals.fold(&row.scopeRow, &s.touch, domain.Scope{AccountID: account}); err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	if err := s.accountRanks.fold(row, account, &s.touch); err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	pair, err := s.pairs.row(pairKey{e.PostID, account})
	if err != nil {
		return err
	}
	err = s.journals.fold(&pair.scopeRow, &s.touch, domain.Scope{PostID: e.PostID, AccountID: account})
	if err != nil {
		return fmt.Errorf("account %s under post %s: %w", account, e.PostID, err)
	}
	return nil
}
