package projections

import (
	"encoding/binary"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// pairRow is the running statement of an account under a post, and what its reading and its reaction to the post need.
type pairRow struct {
	scopeRow
	// reaction is the state of the stream of its reactions to the post.
	reaction reactionRow
	// read is the number of events on the stream of its reads.
	read uint64
	// reward tells whether a read was rewarded, rewarded when that one occurred. At most one ever is.
	reward   reward
	rewarded instant
}

// reward is the state of the reward of an account's reads of a post.
type reward uint8

const (
	noReward reward = iota
	rewardStands
	rewardReversed
)

func encodePair(dst []byte, r *pairRow) []byte {
	dst = encodeStatement(dst, &r.statementRow)
	dst = encodeReaction(dst, &r.reaction)
	dst = binary.AppendUvarint(dst, r.read)
	dst = append(dst, byte(r.reward))
	if r.reward != noReward {
		dst = appendInstant(dst, r.rewarded)
	}
	return appendRun(dst, &r.recent)
}

func decodePair(d *decoder, r *pairRow) {
	decodeStatement(d, &r.statementRow)
	decodeReaction(d, &r.reaction)
	r.read = d.uvarint()
	r.reward = reward(d.byte())
	if r.reward != noReward {
		r.rewarded = d.instant()
	}
	r.recent = d.run()
}

// reading folds an event on the stream of reads of the pair: a read, or what happens to its reward.
func (r *pairRow) reading(e *event) error {
	if err := nextRevision(&r.read, e); err != nil {
		return err
	}
	if e.Type == domain.PostRead {
		e.effect.counts[0] = step{reads, 1}
	}
	if len(e.Postings) == 0 {
		return nil
	}
	was, is := noReward, rewardStands
	switch e.Type {
	case domain.PostRead:
		r.rewarded = e.occurred
	case domain.EventReversed:
		was, is = rewardStands, rewardReversed
	case domain.EventReinstated:
		was = rewardReversed
	}
	if r.reward != was {
		return fmt.Errorf("%s where the reward is in state %d: %w", e.Type, r.reward, domain.ErrCorrupt)
	}
	r.reward = is
	e.effect.counts[1] = step{rewardedReads, 1}
	if is == rewardReversed {
		e.effect.counts[1].by = -1
	}
	return nil
}
