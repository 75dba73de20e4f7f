package domain

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"time"
)

// Limits of a tariff (DESIGN section 3).
const (
	MaxTariffRows              = 200
	MaxTariffRowsPerEngagement = 16
)

// maxRowAmount is the largest amount of a row: 1,000,000 Twei.
var maxRowAmount = Wei(1_000_000 * 1_000_000_000_000)

// Party is who stands on one side of a tariff's row.
type Party uint8

// The parties.
const (
	PartyTreasury Party = iota + 1
	PartyAuthor
	PartyReader
	PartyActor
	PartyCommenter
	PartyBuyer
)

var partyNames = [...]string{
	PartyTreasury: Treasury, PartyAuthor: "author", PartyReader: "reader", PartyActor: "actor",
	PartyCommenter: "commenter", PartyBuyer: "buyer",
}

// String returns the party's name in a tariff.
func (p Party) String() string { return partyNames[p] }

// ParseParty returns the party with that name.
func ParseParty(name string) (Party, bool) {
	i := slices.Index(partyNames[1:], name)
	return Party(i + 1), i >= 0
}

// partiesOf lists who takes part in an engagement that a tariff prices, beside the treasury.
var partiesOf = map[EventType][]Party{
	PostPublished:   {PartyAuthor},
	PostRead:        {PartyReader, PartyAuthor},
	PostLiked:       {PartyActor, PartyAuthor},
	PostDisliked:    {PartyActor, PartyAuthor},
	CommentAdded:    {PartyCommenter, PartyAuthor},
	CommentLiked:    {PartyActor, PartyCommenter, PartyAuthor},
	CommentDisliked: {PartyActor, PartyCommenter, PartyAuthor},
	PnLReportIssued: {PartyBuyer, PartyAuthor},
}

// Parties returns who takes part in an engagement of type t beside the treasury, nothing where no tariff prices t.
func (t EventType) Parties() []Party { return partiesOf[t] }

// TariffSide is one side of a row: a party and the line that moves, none for the treasury.
type TariffSide struct {
	Party Party
	Line  Line
}

// TariffRow says that an engagement moves Amount from Debit to Credit.
type TariffRow struct {
	Engagement    EventType
	Debit, Credit TariffSide
	Amount        Twei
}

// Fraction is a share from 0 to 1 in steps of 10^-12.
type Fraction uint64

// WholeFraction is the fraction 1.
const WholeFraction Fraction = 1_000_000_000_000

// ParseFraction reads a share from "0" to "1" in plain notation, with at most 12 decimals.
func ParseFraction(s string) (Fraction, error) {
	t, err := ParseTwei(s)
	if err != nil || t.Sign() < 0 || t.Cmp(Wei(int64(WholeFraction))) > 0 {
		return 0, fmt.Errorf("%.50q is not a fraction from \"0\" to \"1\"", s)
	}
	return Fraction(t.lo), nil
}

// String returns the share in plain notation.
func (f Fraction) String() string { return Wei(int64(f)).String() }

// atMost reports whether the fraction f of whole is at most part, exactly.
func (f Fraction) atMost(whole, part uint64) bool {
	wholeHi, wholeLo := bits.Mul64(whole, uint64(f))
	partHi, partLo := bits.Mul64(part, uint64(WholeFraction))
	return wholeHi < partHi || wholeHi == partHi && wholeLo <= partLo
}

// Tariff is one version of the rules that turn engagements into postings (DESIGN section 3). A Tariff is not changed
// once it is in use, so it may be shared.
type Tariff struct {
	// Version counts from 1.
	Version uint64
	// EffectiveFrom is when it comes into force; zero in version 1 for the beginning of time.
	EffectiveFrom time.Time
	// CommentMinLevel is the level from which comments are taken.
	CommentMinLevel uint64
	// ReadMinFraction is the share of a post's time to read that a rewarded read takes.
	ReadMinFraction Fraction
	// OwnPostCommentPays: an author's comments under the own post move money.
	OwnPostCommentPays bool
	// AuthorReactionPays: an author's reactions to the own post and to comments under it move money.
	AuthorReactionPays bool
	Rows               []TariffRow
}

// DefaultTariff returns version 1 as DESIGN section 3 gives it, effective from the beginning of time.
func DefaultTariff() Tariff {
	treasury := TariffSide{Party: PartyTreasury}
	row := func(t EventType, debit, credit TariffSide, amount string) TariffRow {
		a, err := ParseTwei(amount)
		if err != nil {
			panic(err)
		}
		return TariffRow{t, debit, credit, a}
	}
	return Tariff{
		Version: 1, CommentMinLevel: 13, ReadMinFraction: WholeFraction, OwnPostCommentPays: true, AuthorReactionPays: true,
		Rows: []TariffRow{
			row(PostPublished, TariffSide{PartyAuthor, PostPublishTribute}, treasury, "10"),
			row(PostRead, treasury, TariffSide{PartyReader, ReadToEarn}, "1"),
			row(PostLiked, treasury, TariffSide{PartyActor, EarnedForPluses}, "0.5"),
			row(PostDisliked, TariffSide{PartyActor, SpentForMinuses}, treasury, "0.5"),
			row(CommentAdded, treasury, TariffSide{PartyCommenter, CommentRewards}, "2"),
			row(CommentAdded, TariffSide{PartyCommenter, CommentTributes}, treasury, "1"),
			row(CommentLiked, treasury, TariffSide{PartyActor, LikesOwn}, "0.1"),
			row(CommentLiked, treasury, TariffSide{PartyCommenter, LikesCommenter}, "0.5"),
			row(CommentLiked, treasury, TariffSide{PartyAuthor, LikesAuthor}, "0.2"),
			row(CommentDisliked, TariffSide{PartyActor, DislikesOwn}, TariffSide{PartyAuthor, DislikesAuthor}, "0.1"),
			row(CommentDisliked, TariffSide{PartyCommenter, DislikesCommenter}, treasury, "0.5"),
			row(PnLReportIssued, TariffSide{PartyBuyer, PnLReports}, treasury, "1"),
		},
	}
}

// FieldError says which member of a document is wrong, as a path such as "rows[3].amount".
type FieldError struct{ Field, Detail string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

func fieldErrorf(field, format string, args ...any) *FieldError {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// Validate returns what DESIGN section 3 refuses in t by itself, as a *FieldError, or nil. Whether t may follow the
// versions before it is not looked at.
func (t *Tariff) Validate() error {
	if t.Version == 0 || t.Version > MaxInteger {
		return fieldErrorf("version", "must be 1, 2, 3 …")
	}
	if t.EffectiveFrom.IsZero() && t.Version > 1 {
		return fieldErrorf("effective_from", "only version 1 may hold from the beginning of time")
	}
	if t.CommentMinLevel > MaxInteger {
		return fieldErrorf("comment_min_level", "must be at most 2^53-1")
	}
	if t.ReadMinFraction > WholeFraction {
		return fieldErrorf("read_min_fraction", "must be from \"0\" to \"1\"")
	}
	if len(t.Rows) > MaxTariffRows {
		return fieldErrorf("rows", "%d rows, at most %d are allowed", len(t.Rows), MaxTariffRows)
	}
	perEngagement := map[EventType]int{}
	for i, r := range t.Rows {
		if err := r.validate(fmt.Sprintf("rows[%d]", i)); err != nil {
			return err
		}
		if perEngagement[r.Engagement]++; perEngagement[r.Engagement] > MaxTariffRowsPerEngagement {
			return fieldErrorf(fmt.Sprintf("rows[%d].engagement", i), "more than %d rows for %s", MaxTariffRowsPerEngagement,
				r.Engagement.TariffName())
		}
	}
	return nil
}

func (r TariffRow) validate(place string) error {
	parties := r.Engagement.Parties()
	if parties == nil {
		return fieldErrorf(place+".engagement", "no tariff prices it")
	}
	for _, side := range []struct {
		TariffSide
		name  string
		debit bool
	}{{r.Debit, ".debit", true}, {r.Credit, ".credit", false}} {
		if side.Party == PartyTreasury {
			if side.Line != 0 {
				return fieldErrorf(place+side.name+".line", "the treasury has no line")
			}
			continue
		}
		switch {
		case !slices.Contains(parties, side.Party):
			return fieldErrorf(place+side.name+".party", "%s has no %s", r.Engagement.TariffName(), side.Party)
		case !side.Line.Valid():
			return fieldErrorf(place+side.name+".line", "a party needs a line")
		case side.debit != (side.Line.Side() == LossSide):
			return fieldErrorf(place+side.name+".line", "%s is raised by the other side", side.Line)
		}
	}
	if r.Debit.Party == PartyTreasury && r.Credit.Party == PartyTreasury {
		return fieldErrorf(place, "the treasury stands on both sides")
	}
	if r.Amount.Sign() <= 0 || r.Amount.Cmp(maxRowAmount) > 0 {
		return fieldErrorf(place+".amount", "must be more than 0 and at most 1000000 Twei")
	}
	return nil
}

// Equal reports whether two tariffs say the same.
func (t *Tariff) Equal(u *Tariff) bool {
	return t.Version == u.Version && t.EffectiveFrom.Equal(u.EffectiveFrom) && t.CommentMinLevel == u.CommentMinLevel &&
		t.ReadMinFraction == u.ReadMinFraction && t.OwnPostCommentPays == u.OwnPostCommentPays &&
		t.AuthorReactionPays == u.AuthorReactionPays && slices.Equal(t.Rows, u.Rows)
}

// Parties names the accounts that stand behind the parties of one engagement.
type Parties struct {
	// Actor is who reads, reacts, comments or buys.
	Actor string
	// Commenter is who wrote the comment, "" where there is none.
	Commenter string
	// Author is who wrote the post.
	Author string
}

func (p Parties) account(party Party) string {
	switch party {
	case PartyTreasury:
		return Treasury
	case PartyAuthor:
		return p.Author
	case PartyCommenter:
		return p.Commenter
	}
	return p.Actor
}

// Postings returns what an engagement of type e moves, in the order of the rows; nil where no row is for it.
func (t *Tariff) Postings(e EventType, p Parties) []Posting {
	n := 0
	for range t.rowsOf(e) {
		n++
	}
	if n == 0 {
		return nil
	}
	postings := make([]Posting, 0, n)
	for _, r := range t.rowsOf(e) {
		postings = append(postings, Posting{
			Debit:  Side{p.account(r.Debit.Party), r.Debit.Line},
			Credit: Side{p.account(r.Credit.Party), r.Credit.Line},
			Amount: r.Amount,
		})
	}
	return postings
}

// rowsOf yields the rows that price an engagement of type e, in their order, each with its place among all rows.
func (t *Tariff) rowsOf(e EventType) iter.Seq2[int, *TariffRow] {
	return func(yield func(int, *TariffRow) bool) {
		for i := range t.Rows {
			if t.Rows[i].Engagement == e && !yield(i, &t.Rows[i]) {
				return
			}
		}
	}
}

// Tariffs are the versions of a log, version n at n-1, each effective later than the one before.
type Tariffs []Tariff

// ReportPrice returns what the tariff charges the buyer of a report. Sums of what a tariff may hold do not overflow.
func (t *Tariff) ReportPrice() (price Twei) {
	for i := range t.Rows {
		if r := &t.Rows[i]; r.Engagement == PnLReportIssued && r.Debit.Line == PnLReports {
			price, _ = price.Add(r.Amount)
		}
	}
	return price
}

// InForce returns the tariff in force at a time, nil if there is none yet.
func (ts Tariffs) InForce(at time.Time) *Tariff {
	for i := len(ts) - 1; i >= 0; i-- {
		if !ts[i].EffectiveFrom.After(at) {
			return &ts[i]
		}
	}
	return nil
}

// Validate checks every version by itself and that they follow one another. The error names the version.
func (ts Tariffs) Validate() error {
	for i := range ts {
		if err := ts[i].Validate(); err != nil {
			return fmt.Errorf("tariff %d: %w", i+1, err)
		}
		if ts[i].Version != uint64(i+1) {
			return fmt.Errorf("tariff %d: %w", i+1, fieldErrorf("version", "is %d, the versions are 1, 2, 3 …", ts[i].Version))
		}
		if i > 0 && !ts[i].EffectiveFrom.After(ts[i-1].EffectiveFrom) {
			return fmt.Errorf("tariff %d: %w", i+1, fieldErrorf("effective_from", "is not later than version %d's", i))
		}
	}
	return nil
}
