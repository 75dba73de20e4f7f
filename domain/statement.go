package domain

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrNegativeLine: a line of a statement would fall below zero.
var ErrNegativeLine = errors.New("a line is never negative")

// Unit is the unit of every amount in a statement.
const Unit = "Twei"

// Scope is what a statement is of: a post (PostID), an account (AccountID), an account under a post (both) or the
// platform (neither).
type Scope struct {
	PostID    string
	AccountID string
}

// Sums holds the sum of each line, at index Line-1.
type Sums [LineCount]Twei

// Of returns the sum of a line.
func (s *Sums) Of(l Line) Twei { return s[l-1] }

// Add adds an entry's change to its line. A line that would fall below zero is an error that wraps ErrNegativeLine.
func (s *Sums) Add(l Line, change Twei) error {
	sum, err := s[l-1].Add(change)
	if err != nil {
		return fmt.Errorf("line %s: %w", l, err)
	}
	if sum.Sign() < 0 {
		return fmt.Errorf("line %s falls to %s: %w", l, sum, ErrNegativeLine)
	}
	s[l-1] = sum
	return nil
}

// Subtotals returns the sum of the six profit lines, of the six loss lines, and their difference.
func (s *Sums) Subtotals() (profit, loss, total Twei, err error) {
	for l := EarnedForPluses; l.Valid() && err == nil; l++ {
		switch l.Side() {
		case ProfitSide:
			profit, err = profit.Add(s.Of(l))
		case LossSide:
			loss, err = loss.Add(s.Of(l))
		}
	}
	if err == nil {
		total, err = profit.Sub(loss)
	}
	return profit, loss, total, err
}

// Counts are the numbers beside a statement's money: all recorded reads, standing reactions, comments not removed,
// reports. An account's are of its own acts.
type Counts = CountsOf[uint64]

// CountsOf are Counts, or steps of them, which may be negative.
type CountsOf[N uint64 | int64] struct {
	Reads, Likes, Dislikes, Comments, CommentLikes, CommentDislikes, Reports N
}

// CountNames are the names of counts, in the order of CountsOf and of a statement.
var CountNames = [...]string{"reads", "likes", "dislikes", "comments", "comment_likes", "comment_dislikes", "reports"}

// all returns the counts in the order of their names.
func (c *CountsOf[N]) all() [len(CountNames)]*N {
	return [...]*N{
		&c.Reads, &c.Likes, &c.Dislikes, &c.Comments, &c.CommentLikes, &c.CommentDislikes, &c.Reports,
	}
}

// AppendJSON appends the counts as an object, as a statement has them.
func (c *CountsOf[N]) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, n := range c.all() {
		dst = strconv.AppendInt(appendKey(dst, CountNames[i]), int64(*n), 10)
	}
	return append(dst, '}')
}

// Reading is the read-to-earn box of an account under a post.
type Reading struct {
	// TimeToReadSeconds is the post's, 0 before its publication.
	TimeToReadSeconds uint64
	Earned            Twei
	// Date is when the rewarded read occurred, zero where none stands.
	Date time.Time
}

// Statement is what a scope earned and lost, of the events 0 … Size-1 (DESIGN section 6).
type Statement struct {
	Scope Scope
	Size  uint64
	// RecordedThrough is when the last event counted was recorded, zero where none was.
	RecordedThrough time.Time
	// AsOf is the time of occurrence asked for, zero where none was.
	AsOf          time.Time
	Sums          Sums
	RewardedReads uint64
	Counts        Counts
	// Reading is there for an account under a post, and nowhere else.
	Reading *Reading
}

// Balance returns the total and what reading earned, together: for an account what it has, for the platform the
// opposite of the treasury.
func (s *Statement) Balance() (Twei, error) {
	_, _, total, err := s.Sums.Subtotals()
	if err != nil {
		return Twei{}, err
	}
	return total.Add(s.Sums.Of(ReadToEarn))
}

// AppendJSON appends the statement as the routes give it (DESIGN section 6). It fails only where a sum overflows.
func (s *Statement) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"scope":{`...)
	dst = appendMember(dst, "post_id", s.Scope.PostID)
	dst = appendMember(dst, "account_id", s.Scope.AccountID)
	dst = append(dst, `},"size":`...)
	dst = strconv.AppendUint(dst, s.Size, 10)
	if !s.RecordedThrough.IsZero() {
		dst = appendMember(dst, "recorded_through", FormatTime(s.RecordedThrough))
	}
	if !s.AsOf.IsZero() {
		dst = appendMember(dst, "as_of", FormatTime(s.AsOf))
	}
	dst, err := s.Sums.AppendMembers(append(dst, `,"unit":"`+Unit+`"`...))
	if err != nil {
		return nil, fmt.Errorf("statement of %+v: %w", s.Scope, err)
	}
	dst = append(dst, `,"read_to_earn":{`...)
	dst = appendAmount(dst, "earned", s.Sums.Of(ReadToEarn))
	dst = appendUint(dst, "rewarded_reads", s.RewardedReads)
	dst = s.Counts.AppendJSON(append(dst, `},"counts":`...))
	if dst, err = s.appendScopeMembers(dst); err != nil {
		return nil, fmt.Errorf("statement of %+v: %w", s.Scope, err)
	}
	return append(dst, '}'), nil
}

// AppendMembers appends profit, loss and total, as a statement has them, to an object that is open at the end of dst.
func (s *Sums) AppendMembers(dst []byte) ([]byte, error) {
	profit, loss, total, err := s.Subtotals()
	if err != nil {
		return nil, err
	}
	dst = s.appendSide(appendKey(dst, "profit"), ProfitSide, profit)
	dst = s.appendSide(appendKey(dst, "loss"), LossSide, loss)
	return appendAmount(dst, "total", total), nil
}

func (s *Sums) appendSide(dst []byte, side LineSide, subtotal Twei) []byte {
	dst = append(dst, '{')
	for l := EarnedForPluses; l.Valid(); l++ {
		if l.Side() == side {
			dst = appendAmount(dst, l.String(), s.Of(l))
		}
	}
	dst = appendAmount(dst, "subtotal", subtotal)
	return append(dst, '}')
}

// appendScopeMembers appends what only the statements of some scopes have.
func (s *Statement) appendScopeMembers(dst []byte) ([]byte, error) {
	switch {
	case s.Reading != nil:
		dst = append(dst, `,"reading":{`...)
		if s.Reading.TimeToReadSeconds > 0 {
			dst = appendUint(dst, "time_to_read_seconds", s.Reading.TimeToReadSeconds)
		}
		dst = appendAmount(dst, "earned", s.Reading.Earned)
		if !s.Reading.Date.IsZero() {
			dst = appendMember(dst, "date", FormatTime(s.Reading.Date))
		}
		return append(dst, '}'), nil
	case s.Scope.PostID != "":
		return dst, nil
	}
	balance, err := s.Balance()
	if err != nil {
		return nil, err
	}
	if s.Scope.AccountID != "" {
		return appendAmount(dst, "balance", balance), nil
	}
	treasury, err := Twei{}.Sub(balance)
	return appendAmount(dst, "treasury", treasury), err
}

// MarshalJSON returns what AppendJSON appends.
func (s *Statement) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil) }

// AppendCanonical appends the statement as a report's event holds it: the same members, canonical by RFC 8785.
func (s *Statement) AppendCanonical(dst []byte) ([]byte, error) {
	text, err := s.AppendJSON(nil)
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("statement of %+v: %w", s.Scope, err)
	}
	return append(dst, v...), nil
}

// UnmarshalJSON reads a statement and checks that it is one: every line and count, subtotals and total that add up,
// and the members that its scope has.
func (s *Statement) UnmarshalJSON(text []byte) error {
	var w struct {
		Scope struct {
			PostID    string `json:"post_id,omitzero"`
			AccountID string `json:"account_id,omitzero"`
		} `json:"scope"`
		Size            uint64          `json:"size"`
		RecordedThrough string          `json:"recorded_through,omitzero"`
		AsOf            string          `json:"as_of,omitzero"`
		Unit            string          `json:"unit"`
		Profit          map[string]Twei `json:"profit"`
		Loss            map[string]Twei `json:"loss"`
		Total           Twei            `json:"total"`
		ReadToEarn      struct {
			Earned        Twei   `json:"earned"`
			RewardedReads uint64 `json:"rewarded_reads"`
		} `json:"read_to_earn"`
		Counts   map[string]uint64 `json:"counts"`
		Balance  *Twei             `json:"balance,omitzero"`
		Treasury *Twei             `json:"treasury,omitzero"`
		Reading  *struct {
			TimeToReadSeconds uint64 `json:"time_to_read_seconds,omitzero"`
			Earned            Twei   `json:"earned"`
			Date              string `json:"date,omitzero"`
		} `json:"reading,omitzero"`
	}
	if err := json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	*s = Statement{Scope: Scope(w.Scope), Size: w.Size, RewardedReads: w.ReadToEarn.RewardedReads}
	for i, n := range s.Counts.all() {
		*n = w.Counts[CountNames[i]]
	}
	for l := EarnedForPluses; l.Valid(); l++ {
		switch l.Side() {
		case ProfitSide:
			s.Sums[l-1] = w.Profit[l.String()]
		case LossSide:
			s.Sums[l-1] = w.Loss[l.String()]
		case ReadingSide:
			s.Sums[l-1] = w.ReadToEarn.Earned
		}
	}
	var errs [3]error
	s.RecordedThrough, errs[0] = parseOptionalTime(w.RecordedThrough)
	s.AsOf, errs[1] = parseOptionalTime(w.AsOf)
	if w.Reading != nil {
		s.Reading = &Reading{TimeToReadSeconds: w.Reading.TimeToReadSeconds, Earned: w.Reading.Earned}
		s.Reading.Date, errs[2] = parseOptionalTime(w.Reading.Date)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	return s.equalsText(text)
}

// equalsText fails unless s, written again, says what text says: so nothing that can be derived may differ.
func (s *Statement) equalsText(text []byte) error {
	again, err := s.AppendCanonical(nil)
	if err != nil {
		return err
	}
	given := jsontext.Value(append([]byte(nil), text...))
	if err := given.Canonicalize(); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	if string(given) != string(again) {
		return fmt.Errorf("statement of %+v: its members contradict each other: %s is not %s", s.Scope, given, again)
	}
	return nil
}

func parseOptionalTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return ParseTime(s)
}
