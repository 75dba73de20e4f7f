package domain

import (
	"fmt"
	"time"
)

// reportCheck works out the statements that reports hold. It folds only the posts, and the accounts under them, that a
// report is of, and keeps their statements of the sizes that reports name.
type reportCheck struct {
	folds map[string][]*reportFold
	// due names what is wanted of each size; worked holds what was worked out.
	due    map[uint64][]*reportFold
	worked map[reportStatement]*Statement
}

type reportStatement struct {
	scope Scope
	size  uint64
}

// expect prepares for a report that the log holds further on.
func (c *reportCheck) expect(e *Event) {
	for _, account := range []string{"", e.AccountID} {
		f := c.foldOf(Scope{PostID: e.PostID, AccountID: account})
		c.due[e.Size] = append(c.due[e.Size], f)
	}
}

func (c *reportCheck) foldOf(scope Scope) *reportFold {
	for _, f := range c.folds[scope.PostID] {
		if f.scope == scope {
			return f
		}
	}
	f := &reportFold{scope: scope}
	c.folds[scope.PostID] = append(c.folds[scope.PostID], f)
	return f
}

// reached works out the statements that are wanted of a size: of the events before it.
func (c *reportCheck) reached(size uint64) {
	for _, f := range c.due[size] {
		c.worked[reportStatement{f.scope, size}] = f.statement(size)
	}
	delete(c.due, size)
}

// follow folds an event. before is the state of its stream without it.
func (c *reportCheck) follow(e *Event, before state) error {
	for _, f := range c.folds[e.PostID] {
		if err := f.add(e, before); err != nil {
			return fmt.Errorf("post %s, account %q: %w", f.scope.PostID, f.scope.AccountID, err)
		}
	}
	return nil
}

// reportFold is a running statement of a post, or of an account under one (DESIGN section 6, "A statement").
type reportFold struct {
	scope      Scope
	sums       Sums
	counts     Counts
	rewarded   uint64
	recorded   time.Time
	timeToRead uint64
	readAt     time.Time
}

func (f *reportFold) add(e *Event, before state) error {
	reader := rewardReader(e)
	own := f.scope.AccountID == "" || f.scope.AccountID == e.AccountID || f.scope.AccountID == reader ||
		e.Type == CommentRemoved && f.scope.AccountID == e.Commenter
	touched := own
	for _, p := range e.Postings {
		entries, n := p.Entries()
		for _, entry := range entries[:n] {
			if f.scope.AccountID != "" && f.scope.AccountID != entry.Account {
				continue
			}
			touched = true
			if err := f.sums.Add(entry.Line, entry.Change); err != nil {
				return err
			}
		}
	}
	if (e.Type == PostPublished || e.Type == PostChanged) && e.TimeToReadSeconds > 0 {
		f.timeToRead, touched = e.TimeToReadSeconds, true
	}
	if own {
		f.count(e, before, reader != "")
	}
	if touched {
		f.recorded = e.RecordedAt
	}
	return nil
}

// rewardReader returns whose read's reward an event gives, takes back or makes again; "" where it is about none.
func rewardReader(e *Event) string {
	kind, _, account, _ := e.Stream.Parse()
	if kind != KindReading || len(e.Postings) == 0 {
		return ""
	}
	return account
}

// count takes an event into the counts; the rules that say which events there are were checked before.
func (f *reportFold) count(e *Event, before state, reward bool) {
	switch e.Type {
	case ReactionWithdrawn:
		*f.reactions(before.(*reactionState).standing.Type)--
	case PostRead:
		f.counts.Reads++
		if reward {
			f.rewarded++
			f.readAt = e.OccurredAt
		}
	case CommentAdded:
		f.counts.Comments++
	case CommentRemoved:
		f.counts.Comments--
	case PnLReportIssued:
		f.counts.Reports++
	case EventReversed:
		if reward {
			f.rewarded--
		}
	case EventReinstated:
		if reward {
			f.rewarded++
		}
	default:
		if e.Type.IsReaction() {
			*f.reactions(e.Type)++
		}
	}
}

func (f *reportFold) reactions(t EventType) *uint64 {
	switch t {
	case PostLiked:
		return &f.counts.Likes
	case PostDisliked:
		return &f.counts.Dislikes
	case CommentLiked:
		return &f.counts.CommentLikes
	}
	return &f.counts.CommentDislikes
}

func (f *reportFold) statement(size uint64) *Statement {
	s := &Statement{
		Scope: f.scope, Size: size, RecordedThrough: f.recorded, Sums: f.sums, RewardedReads: f.rewarded, Counts: f.counts,
	}
	if f.scope.AccountID != "" {
		s.Reading = &Reading{TimeToReadSeconds: f.timeToRead, Earned: f.sums.Of(ReadToEarn)}
		if f.rewarded > 0 {
			s.Reading.Date = f.readAt
		}
	}
	return s
}
