package projections

import (
	"fmt"
	"slices"

	"github.com/tweiledger/tweiledger/domain"
)

// Links tell which events an event has to do with. Each is the zero id where there is none.
type Links struct {
	// TakenBackBy took back the postings that the event made: a withdrawal, a removal or a reversal.
	TakenBackBy domain.EventID
	// MadeGoodBy is, for a reversal, the reinstatement that made it good.
	MadeGoodBy domain.EventID
	// TakesBack is whose postings the event takes back: an engagement, or the reinstatement that had made them again.
	TakesBack domain.EventID
}

// takenBackTable has the withdrawal or removal that took an event's postings back, by that event's id. Reversals and
// reinstatements are found by their own ids, which are derived from those of what they are about.
var takenBackTable = &table[domain.EventID, domain.EventID]{'h',
	func(dst []byte, id domain.EventID) []byte { return append(dst, id[:]...) },
	func(dst []byte, by *domain.EventID) []byte { return append(dst, by[:]...) },
	func(d *decoder, by *domain.EventID) { copy(by[:], d.bytes(uint64(len(by)))) }}

// reversedTable has the event that a reversal took back, by the reversal's id.
var reversedTable = &table[domain.EventID, domain.EventID]{'s', takenBackTable.key, takenBackTable.encode,
	takenBackTable.decode}

// links is the read model of what withdrawals, removals and reversals took back.
type links struct{ takenBack, reversed *list }

func newLinks(f *fold) model {
	return &links{newList(f, takenBackTable.prefix), newList(f, reversedTable.prefix)}
}

func (l *links) want(*event) {}

func (l *links) fold(e *event) error {
	switch {
	case len(e.Postings) == 0:
	case e.Type == domain.ReactionWithdrawn:
		l.takenBack.addID(e.Withdraws, e.ID)
	case e.Type == domain.CommentRemoved:
		l.takenBack.addID(e.Reverses, e.ID)
	case e.Type == domain.EventReversed:
		l.reversed.addID(e.ID, e.Reverses)
	}
	return nil
}

// addID puts a row on the list whose key and value are ids.
func (l *list) addID(key, value domain.EventID) {
	l.add(func(dst []byte) []byte { return append(dst, key[:]...) },
		func(dst []byte) []byte { return append(dst, value[:]...) })
}

// Links returns the links of an event that was folded.
//
// An engagement's postings may be taken back by a reversal, made again by a reinstatement, taken back again, and so on,
// last by a withdrawal or a removal. So what takes back and what it takes back are always a pair: the engagement and
// the first reversal, the first reinstatement and what comes then.
func (s *Snapshot) Links(e *domain.Event) (l Links, err error) {
	if s.err != nil || len(e.Postings) == 0 {
		return l, s.err
	}
	chain, err := s.chain(e)
	if err != nil {
		return l, err
	}
	at := slices.Index(chain, e.ID)
	if at < 0 {
		return l, fmt.Errorf("event %s has no place among those about %s: %w", e.ID, chain[0], domain.ErrCorrupt)
	}
	var next domain.EventID
	if at+1 < len(chain) {
		next = chain[at+1]
	}
	if at%2 == 0 {
		l.TakenBackBy = next
	} else {
		l.TakesBack, l.MadeGoodBy = chain[at-1], next
	}
	return l, nil
}

// chain returns the ids of the events that made and took back, in turns, the postings of the engagement that an event
// is or is about: first that one.
func (s *Snapshot) chain(e *domain.Event) ([]domain.EventID, error) {
	origin, err := s.origin(e)
	if err != nil {
		return nil, err
	}
	chain := []domain.EventID{origin}
	for {
		reversal := domain.ReversedID(chain[len(chain)-1])
		if found, err := s.holds(reversal); err != nil || !found {
			if err != nil {
				return nil, err
			}
			break
		}
		chain = append(chain, reversal)
		reinstatement := domain.ReinstatedID(reversal)
		found, err := s.holds(reinstatement)
		if err != nil {
			return nil, err
		}
		if !found {
			return chain, nil
		}
		chain = append(chain, reinstatement)
	}
	var by domain.EventID
	found, err := takenBackTable.read(s.rows, origin, &by)
	if found {
		chain = append(chain, by)
	}
	return chain, err
}

func (s *Snapshot) holds(id domain.EventID) (bool, error) {
	var index uint64
	return eventTable.read(s.rows, id, &index)
}

// origin returns the id of the engagement whose postings an event makes, takes back or makes again.
func (s *Snapshot) origin(e *domain.Event) (domain.EventID, error) {
	switch e.Type {
	case domain.ReactionWithdrawn:
		return e.Withdraws, nil
	case domain.CommentRemoved, domain.EventReversed:
		return e.Reverses, nil
	case domain.EventReinstated:
		var reversed domain.EventID
		found, err := reversedTable.read(s.rows, e.Reinstates, &reversed)
		if err == nil && !found {
			err = fmt.Errorf("reversal %s, which %s makes good, is not there: %w", e.Reinstates, e.ID, domain.ErrCorrupt)
		}
		return reversed, err
	}
	return e.ID, nil
}
