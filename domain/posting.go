package domain

// Side is one side of a posting: an account and the line of its statement that moves. The platform's own side is the
// account Treasury, which has no line.
type Side struct {
	Account string
	Line    Line
}

// IsTreasury reports whether the side is the platform's own.
func (s Side) IsTreasury() bool { return s.Account == Treasury }

// Posting is one balanced movement: Amount goes from Debit to Credit. It is never edited; taking it back is another
// posting.
type Posting struct {
	Debit, Credit Side
	// Amount is positive.
	Amount Twei
	// Reversal marks a posting that takes another one back. Its sides are swapped: it lowers the lines that the first
	// one raised.
	Reversal bool
}

// Reversed returns the posting that takes p back. p must not be a reversal itself.
func (p Posting) Reversed() Posting {
	return Posting{Debit: p.Credit, Credit: p.Debit, Amount: p.Amount, Reversal: true}
}

// Entry is a posting seen from one of its sides that has a line.
type Entry struct {
	Side
	// Change is what the posting adds to the line: positive, or negative for a reversal.
	Change Twei
}

// Entries returns the entries of the posting, none, one or two: each side but the treasury's.
func (p Posting) Entries() (entries [2]Entry, n int) {
	change := p.Amount
	if p.Reversal {
		// An amount is positive: its negation cannot overflow.
		change, _ = Twei{}.Sub(p.Amount)
	}
	for _, side := range [2]Side{p.Debit, p.Credit} {
		if !side.IsTreasury() {
			entries[n] = Entry{side, change}
			n++
		}
	}
	return entries, n
}
