package domain

import (
	"fmt"
	"slices"
	"time"
)

// A state is what decisions need to know of one stream, folded from its events. A state is not changed: a step makes a
// new one.
type state interface {
	// step returns the state after one more event of the stream. An event that cannot stand there is an error that
	// wraps ErrCorrupt.
	step(e *Event) (state, error)
	// seen returns the ids of the stream's events.
	seen() *spine
}

// spine holds the ids of a stream's events, by revision: so it knows the next revision, and which messages are there.
type spine struct{ ids []EventID }

func (s *spine) seen() *spine { return s }

// add takes the next event. The ids grow in place, so a state that several may step from must be shared first.
func (s *spine) add(e *Event) error {
	if int(e.Revision) != len(s.ids) {
		return fmt.Errorf("stream %s: event %s has revision %d where %d is next: %w", e.Stream, e.ID, e.Revision, len(s.ids),
			ErrCorrupt)
	}
	s.ids = append(s.ids, e.ID)
	return nil
}

// share makes every later step copy the ids once, so that several may step from one state.
func (s *spine) share() { s.ids = slices.Clip(s.ids) }

// last returns the stream's last revision, NoStream if it has no event.
func (s *spine) last() Revision { return Revision(len(s.ids)) - 1 }

// find returns the revision of an event; the newest are looked at first.
func (s *spine) find(id EventID) (Revision, bool) {
	for i := len(s.ids) - 1; i >= 0; i-- {
		if s.ids[i] == id {
			return Revision(i), true
		}
	}
	return 0, false
}

func errMisplaced(e *Event) error {
	return fmt.Errorf("stream %s: event %s of type %s cannot stand at revision %d: %w", e.Stream, e.ID, e.Type, e.Revision,
		ErrCorrupt)
}

// newState returns the state of a stream without events.
func newState(kind StreamKind) state {
	switch kind {
	case KindPost:
		return new(postState)
	case KindComment:
		return new(commentState)
	case KindReading:
		return new(readingState)
	case KindPostReaction, KindCommentReaction:
		return new(reactionState)
	}
	return new(reportState)
}

// postState is a post's: who wrote it and how long it takes to read.
type postState struct {
	spine
	author     string
	timeToRead uint64
	reversal
}

func (s *postState) exists() bool { return s.author != "" }

func (s *postState) step(e *Event) (_ state, err error) {
	n := *s
	if err := n.add(e); err != nil {
		return nil, err
	}
	switch {
	case e.Type == PostPublished && !s.exists():
		n.author, n.timeToRead = e.Author, e.TimeToReadSeconds
	case e.Type == PostChanged && s.exists():
		if e.TimeToReadSeconds > 0 {
			n.timeToRead = e.TimeToReadSeconds
		}
	case s.exists():
		err = n.follow(e)
	default:
		err = errMisplaced(e)
	}
	return &n, err
}

// reversal tells whether an operator's reversal stands on a stream, and of which event.
type reversal struct {
	// of is the reversed event, the zero id where no reversal stands.
	of EventID
	// reinstatedAt is when the last reinstatement occurred: nothing older is taken after it.
	reinstatedAt time.Time
}

func (r reversal) stands() bool { return r.of != EventID{} }

// follow takes a reversal or a reinstatement.
func (r *reversal) follow(e *Event) error {
	switch {
	case e.Type == EventReversed && !r.stands():
		r.of = e.Reverses
	case e.Type == EventReinstated && r.stands():
		*r = reversal{reinstatedAt: e.OccurredAt}
	default:
		return errMisplaced(e)
	}
	return nil
}

// commentState is a comment's.
type commentState struct {
	spine
	// added is the CommentAdded, nil where there is no comment.
	added   *Event
	removed bool
	reversal
}

func (s *commentState) step(e *Event) (_ state, err error) {
	n := *s
	if err := n.add(e); err != nil {
		return nil, err
	}
	switch {
	case e.Type == CommentAdded && s.added == nil:
		n.added = e
	case e.Type == CommentRemoved && s.added != nil && !s.removed:
		n.removed = true
	case s.added != nil:
		err = n.follow(e)
	default:
		err = errMisplaced(e)
	}
	return &n, err
}

// maxIdleReads is how many reads that move nothing one account may leave under one post.
const maxIdleReads = 1_000

// readingState is that of an account's reads of a post.
type readingState struct {
	spine
	rewarded bool
	// idle counts the reads that moved nothing.
	idle int
	reversal
}

func (s *readingState) step(e *Event) (_ state, err error) {
	n := *s
	if err := n.add(e); err != nil {
		return nil, err
	}
	switch {
	case e.Type == PostRead && len(e.Postings) > 0:
		n.rewarded = true
	case e.Type == PostRead:
		n.idle++
	default:
		err = n.follow(e)
	}
	return &n, err
}

// reactionState is that of an account's reactions to a post or a comment.
type reactionState struct {
	spine
	// standing is the reaction that stands, nil where none does.
	standing *Event
	// lastEngagement is when the last like, dislike or withdrawal occurred.
	lastEngagement time.Time
	reversal
}

func (s *reactionState) step(e *Event) (_ state, err error) {
	n := *s
	if err := n.add(e); err != nil {
		return nil, err
	}
	switch {
	case e.Type.IsReaction() && s.standing == nil:
		n.standing, n.lastEngagement = e, e.OccurredAt
	case e.Type == ReactionWithdrawn && s.standing != nil && s.standing.ID == e.Withdraws:
		n.standing, n.lastEngagement = nil, e.OccurredAt
	default:
		err = n.follow(e)
	}
	return &n, err
}

// reportState is a report's. No engagement is decided on it.
type reportState struct {
	spine
	reversal
}

func (s *reportState) step(e *Event) (_ state, err error) {
	n := *s
	if err := n.add(e); err != nil {
		return nil, err
	}
	switch {
	case e.Type == PnLReportIssued && e.Revision == 0:
	case e.Revision > 0:
		err = n.follow(e)
	default:
		err = errMisplaced(e)
	}
	return &n, err
}

// tariffState is the log's tariffs. Unlike the other states it is kept in the Ledger.
type tariffState struct {
	spine
	tariffs Tariffs
}

func (s tariffState) step(e *Event) (tariffState, error) {
	s.share()
	if err := s.add(e); err != nil {
		return s, err
	}
	if e.Type != TariffPublished || e.Published.Version != uint64(len(s.tariffs)+1) {
		return s, errMisplaced(e)
	}
	s.tariffs = append(slices.Clip(s.tariffs), *e.Published)
	return s, nil
}
