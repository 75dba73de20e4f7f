package projections_test

import (
	"slices"

	"github.com/tweiledger/tweiledger/domain"
)

// naive works statements out from the whole log each time, by the words of DESIGN section 6. What does not count is nil.
type naive []*domain.Event

func (n naive) published(post string) bool {
	return slices.ContainsFunc(n, func(e *domain.Event) bool { return e != nil && e.Type == domain.PostPublished && e.PostID == post })
}

// statement returns nil for a post that nobody published.
func (n naive) statement(scope domain.Scope) *domain.Statement {
	if scope.PostID != "" && !n.published(scope.PostID) {
		return nil
	}
	return n.add(scope)
}

// add returns the statement of a post also where nobody published it.
func (n naive) add(scope domain.Scope) *domain.Statement {
	s := &domain.Statement{Scope: scope}
	for i, e := range n {
		if e == nil {
			continue
		}
		if touches(e, scope) {
			s.Size, s.RecordedThrough = uint64(i)+1, e.RecordedAt
		}
		if scope.PostID != "" && e.PostID != scope.PostID {
			continue
		}
		for _, p := range e.Postings {
			entries, k := p.Entries()
			for _, entry := range entries[:k] {
				if scope.AccountID != "" && entry.Account != scope.AccountID {
					continue
				}
				if err := s.Sums.Add(entry.Line, entry.Change); err != nil {
					panic(err)
				}
			}
		}
	}
	n.count(s)
	return s
}

func touches(e *domain.Event, scope domain.Scope) bool {
	if scope.PostID != "" && e.PostID != scope.PostID {
		return false
	}
	if scope.AccountID == "" {
		return true
	}
	if scope.PostID != "" && e.TimeToReadSeconds > 0 && (e.Type == domain.PostPublished || e.Type == domain.PostChanged) {
		return true
	}
	if e.AccountID == scope.AccountID || e.Type == domain.CommentRemoved && e.Commenter == scope.AccountID {
		return true
	}
	if kind, _, reader, _ := e.Stream.Parse(); kind == domain.KindReading && reader == scope.AccountID && len(e.Postings) > 0 {
		return true // its read's reward was taken back, or given again
	}
	return slices.ContainsFunc(e.Postings, func(p domain.Posting) bool {
		return p.Debit.Account == scope.AccountID || p.Credit.Account == scope.AccountID
	})
}

// count counts what stands at the end: reactions, comments and rewards that were not taken back.
func (n naive) count(s *domain.Statement) {
	ended := map[domain.EventID]bool{}
	reversals := map[domain.EventID]domain.EventID{}
	var timeToRead uint64
	n = slices.DeleteFunc(slices.Clone(n), func(e *domain.Event) bool { return e == nil })
	for _, e := range n {
		switch e.Type {
		case domain.ReactionWithdrawn:
			ended[e.Withdraws] = true
		case domain.CommentRemoved:
			ended[e.Reverses] = true
		case domain.EventReversed:
			reversals[e.ID] = e.Reverses
			if n.find(e.Reverses).Type == domain.PostRead {
				ended[e.Reverses] = true
			}
		case domain.EventReinstated:
			if of := reversals[e.Reinstates]; n.find(of).Type == domain.PostRead {
				delete(ended, of)
			}
		}
		if e.PostID == s.Scope.PostID && (e.Type == domain.PostPublished || e.Type == domain.PostChanged) && e.TimeToReadSeconds > 0 {
			timeToRead = e.TimeToReadSeconds
		}
	}
	if s.Scope.PostID != "" && s.Scope.AccountID != "" {
		s.Reading = &domain.Reading{TimeToReadSeconds: timeToRead, Earned: s.Sums.Of(domain.ReadToEarn)}
	}
	for _, e := range n {
		if s.Scope.PostID != "" && e.PostID != s.Scope.PostID || s.Scope.AccountID != "" && e.AccountID != s.Scope.AccountID {
			continue
		}
		n.countOne(s, e, !ended[e.ID])
	}
}

func (n naive) countOne(s *domain.Statement, e *domain.Event, stands bool) {
	switch e.Type {
	case domain.PostRead:
		s.Counts.Reads++
		if len(e.Postings) > 0 && stands {
			s.RewardedReads++
			if s.Reading != nil {
				s.Reading.Date = e.OccurredAt
			}
		}
	case domain.PnLReportIssued:
		s.Counts.Reports++
	}
	counts := map[domain.EventType]*uint64{
		domain.PostLiked: &s.Counts.Likes, domain.PostDisliked: &s.Counts.Dislikes, domain.CommentAdded: &s.Counts.Comments,
		domain.CommentLiked: &s.Counts.CommentLikes, domain.CommentDisliked: &s.Counts.CommentDislikes,
	}
	if count := counts[e.Type]; count != nil && stands {
		*count++
	}
}

func (n naive) find(id domain.EventID) *domain.Event {
	return n[slices.IndexFunc(n, func(e *domain.Event) bool { return e.ID == id })]
}
