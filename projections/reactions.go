package projections

import (
	"encoding/binary"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// reactionRow is the state of one reaction's stream. A withdrawal does not say whether it ends a like or a dislike, and
// a fold looks no event up: so the views keep what stands.
type reactionRow struct {
	// events is the number of events on the stream.
	events uint64
	// standing is the type of the reaction that stands, 0 for none.
	standing domain.EventType
}

var commentReactionTable = &table[pairKey, reactionRow]{'c', appendSubjectKey, encodeReaction, decodeReaction}

func encodeReaction(dst []byte, r *reactionRow) []byte {
	return append(binary.AppendUvarint(dst, r.events), byte(r.standing))
}

func decodeReaction(d *decoder, r *reactionRow) {
	r.events = d.uvarint()
	r.standing = domain.EventType(d.byte())
}

var reactionCounters = map[domain.EventType]counter{
	domain.PostLiked: likes, domain.PostDisliked: dislikes,
	domain.CommentLiked: commentLikes, domain.CommentDisliked: commentDislikes,
}

// fold folds an event on the stream.
func (r *reactionRow) fold(e *event) error {
	if err := nextRevision(&r.events, e); err != nil {
		return err
	}
	switch {
	case e.Type.IsReaction():
		if r.standing != 0 {
			return fmt.Errorf("a reaction where one stands: %w", domain.ErrCorrupt)
		}
		r.standing = e.Type
		e.effect.counts[0] = step{reactionCounters[e.Type], 1}
	case e.Type == domain.ReactionWithdrawn:
		if r.standing == 0 {
			return fmt.Errorf("a withdrawal where no reaction stands: %w", domain.ErrCorrupt)
		}
		e.effect.counts[0] = step{reactionCounters[r.standing], -1}
		r.standing = 0
	}
	return nil
}

// nextRevision checks that an event is the next one on a stream of n events, and counts it.
func nextRevision(n *uint64, e *event) error {
	if uint64(e.Revision) != *n {
		return fmt.Errorf("stream %s goes on at revision %d, not %d: %w", e.Stream, *n, e.Revision, domain.ErrCorrupt)
	}
	*n++
	return nil
}

// settle works the event's effect out, and folds it into the state of its stream where that has one.
func (s *statements) settle(e *event) error {
	e.effect = effect{actor: e.AccountID}
	switch e.Type {
	case domain.PostRead:
		return s.settleReading(e, pairKey{e.PostID, e.AccountID})
	case domain.PostLiked, domain.PostDisliked:
		return s.settlePostReaction(e, pairKey{e.PostID, e.AccountID})
	case domain.CommentLiked, domain.CommentDisliked:
		return s.settleCommentReaction(e, pairKey{e.CommentID, e.AccountID})
	case domain.ReactionWithdrawn:
		if e.CommentID != "" {
			return s.settleCommentReaction(e, pairKey{e.CommentID, e.AccountID})
		}
		return s.settlePostReaction(e, pairKey{e.PostID, e.AccountID})
	case domain.CommentAdded:
		e.effect.counts[0] = step{comments, 1}
	case domain.CommentRemoved:
		e.effect.actor = e.Commenter
		e.effect.counts[0] = step{comments, -1}
	case domain.PnLReportIssued:
		e.effect.counts[0] = step{reports, 1}
	case domain.EventReversed, domain.EventReinstated:
		return s.settleReversal(e)
	}
	return nil
}

// settleReversal folds a reversal or reinstatement into the stream that it is on. It is nobody's own act, but the
// reward of a read counts as its reader's.
func (s *statements) settleReversal(e *event) error {
	on := pairKey{e.about.subject, e.about.account}
	switch e.about.kind {
	case domain.KindReading:
		if len(e.Postings) > 0 {
			e.effect.actor = on.account
		}
		return s.settleReading(e, on)
	case domain.KindPostReaction:
		return s.settlePostReaction(e, on)
	case domain.KindCommentReaction:
		return s.settleCommentReaction(e, on)
	}
	return nil
}

func (s *statements) settleReading(e *event, k pairKey) error {
	row, err := s.pairs.row(k)
	if err != nil {
		return err
	}
	return row.reading(e)
}

func (s *statements) settlePostReaction(e *event, k pairKey) error {
	row, err := s.pairs.row(k)
	if err != nil {
		return err
	}
	return row.reaction.fold(e)
}

func (s *statements) settleCommentReaction(e *event, k pairKey) error {
	row, err := s.commentReactions.row(k)
	if err != nil {
		return err
	}
	return row.fold(e)
}
