package httpapi

import (
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// naive is a log from which statements are worked out anew each time, by the words of DESIGN section 6.
type naive []*domain.Event

// counted returns the events that count as of a size, where sized, and of a time, where that is not zero. Their places
// in the log are the keys of an order that only grows.
func (n naive) counted(size uint64, sized bool, at time.Time) (events naive, indexes []uint64) {
	for i, e := range n {
		if sized && uint64(i) >= size || !at.IsZero() && e.OccurredAt.After(at) {
			continue
		}
		events, indexes = append(events, e), append(indexes, uint64(i))
	}
	return events, indexes
}

// published reports whether a post was published among the first events.
func (n naive) published(post string) bool {
	return slices.ContainsFunc(n, func(e *domain.Event) bool { return e.Type == domain.PostPublished && e.PostID == post })
}

// statement returns the statement of a scope, nil for a post that nobody published by that size.
func (n naive) statement(scope domain.Scope, size uint64, sized bool, at time.Time) *domain.Statement {
	if bySize, _ := n.counted(size, sized, time.Time{}); scope.PostID != "" && !bySize.published(scope.PostID) {
		return nil
	}
	counted, indexes := n.counted(size, sized, at)
	s := &domain.Statement{Scope: scope, AsOf: at.UTC()}
	for i, e := range counted {
		if touches(e, scope) {
			s.Size, s.RecordedThrough = indexes[i]+1, e.RecordedAt
		}
		if scope.PostID != "" && e.PostID != scope.PostID {
			continue
		}
		for _, entry := range entriesIn(e, scope) {
			if err := s.Sums.Add(entry.Line, entry.Change); err != nil {
				panic(err)
			}
		}
	}
	counted.count(s)
	if sized {
		s.Size = size
	}
	return s
}

// entriesIn returns what an event moved in a scope.
func entriesIn(e *domain.Event, scope domain.Scope) (entries []domain.Entry) {
	for _, p := range e.Postings {
		sides, k := p.Entries()
		for _, entry := range sides[:k] {
			if scope.AccountID == "" || entry.Account == scope.AccountID {
				entries = append(entries, entry)
			}
		}
	}
	return entries
}

func touches(e *domain.Event, scope domain.Scope) bool {
	if scope.PostID != "" && e.PostID != scope.PostID {
		return false
	}
	if scope.AccountID == "" || e.AccountID == scope.AccountID || len(entriesIn(e, scope)) > 0 {
		return true
	}
	changed := e.Type == domain.PostPublished || e.Type == domain.PostChanged
	return changed && scope.PostID != "" && e.TimeToReadSeconds > 0 || e.Type == domain.CommentRemoved && e.Commenter == scope.AccountID
}

// count counts what stands at the end: reactions, comments and rewards that were not taken back.
func (n naive) count(s *domain.Statement) {
	ended := map[domain.EventID]bool{}
	reversed := map[domain.EventID]domain.EventID{}
	for _, e := range n {
		switch e.Type {
		case domain.ReactionWithdrawn:
			ended[e.Withdraws] = true
		case domain.CommentRemoved:
			ended[e.Reverses] = true
		case domain.EventReversed:
			reversed[e.ID] = e.Reverses
		case domain.EventReinstated:
			delete(reversed, e.Reinstates)
		}
	}
	for _, of := range reversed {
		// A reversal moves money only: of the counts it changes the rewards.
		if i := slices.IndexFunc(n, func(e *domain.Event) bool { return e.ID == of }); n[i].Type == domain.PostRead {
			ended[of] = true
		}
	}
	n.countReading(s)
	for _, e := range n {
		if s.Scope.PostID != "" && e.PostID != s.Scope.PostID || s.Scope.AccountID != "" && e.AccountID != s.Scope.AccountID {
			continue
		}
		countOne(s, e, !ended[e.ID])
	}
}

func (n naive) countReading(s *domain.Statement) {
	if s.Scope.PostID == "" || s.Scope.AccountID == "" {
		return
	}
	s.Reading = &domain.Reading{Earned: s.Sums.Of(domain.ReadToEarn)}
	for _, e := range n {
		changed := e.Type == domain.PostPublished || e.Type == domain.PostChanged
		if changed && e.PostID == s.Scope.PostID && e.TimeToReadSeconds > 0 {
			s.Reading.TimeToReadSeconds = e.TimeToReadSeconds
		}
	}
}

func countOne(s *domain.Statement, e *domain.Event, stands bool) {
	counts := map[domain.EventType]*uint64{
		domain.PostLiked: &s.Counts.Likes, domain.PostDisliked: &s.Counts.Dislikes, domain.CommentAdded: &s.Counts.Comments,
		domain.CommentLiked: &s.Counts.CommentLikes, domain.CommentDisliked: &s.Counts.CommentDislikes,
	}
	if count := counts[e.Type]; count != nil && stands {
		*count++
	}
	if e.Type != domain.PostRead {
		return
	}
	s.Counts.Reads++
	if len(e.Postings) > 0 && stands {
		s.RewardedReads++
		if s.Reading != nil {
			s.Reading.Date = e.OccurredAt
		}
	}
}
