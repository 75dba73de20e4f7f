package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// block is a statement as a page shows it (DESIGN section 1).
type block struct {
	// Statement gives the twelve lines.
	Statement *domain.Statement
	// AsOfSize: the statement is as of its size, rather than of now.
	AsOfSize bool
	// Post is the post that the statement is of, nil where it is of none.
	Post *projections.Post
	// Reader is whose read-to-earn box it is, "" for that of all readers; Reading is the box of one reader.
	Reader  string
	Reading *domain.Reading
	// Tariff is the one in force, nil where there is none.
	Tariff *domain.Tariff
}

// blockWidth is the width of a line with its amount.
const blockWidth = 48

// write writes the block as text.
func (b *block) write(out io.Writer) error {
	profit, loss, total, err := b.Statement.Sums.Subtotals()
	if err != nil {
		return err
	}
	var text strings.Builder
	b.writeTitle(&text)
	b.writeReading(&text)
	name := b.scopeName()
	b.writeSide(&text, domain.ProfitSide, name+" Profit", "Profit Subtotal, Twei", profit)
	b.writeSide(&text, domain.LossSide, name+" Loss", "Loss Subtotal, Twei", loss)
	row(&text, "Total Twei Earned", total.String())
	if err := b.writeScopeMembers(&text); err != nil {
		return err
	}
	b.writePrices(&text)
	_, err = io.WriteString(out, text.String())
	return err
}

// scopeName says what the statement is of.
func (b *block) scopeName() string {
	switch scope := b.Statement.Scope; {
	case scope.PostID != "":
		return "Post"
	case scope.AccountID != "":
		return "Account"
	}
	return "Platform"
}

func (b *block) writeTitle(text *strings.Builder) {
	account := b.Statement.Scope.AccountID
	switch {
	case b.Post == nil:
		fmt.Fprintf(text, "Statement of %s\n", cmp.Or(account, "the platform"))
	case b.Post.Author == "":
		fmt.Fprintf(text, "%s\nnot published yet\n", b.Post.PostID)
	default:
		fmt.Fprintf(text, "%s\nby %s, %s\n", b.Post.Title, b.Post.Author, date(b.Post.PublishedAt))
	}
	if b.Post != nil && account != "" {
		fmt.Fprintf(text, "What %s earned here\n", account)
	}
	b.writeAsOf(text)
	text.WriteByte('\n')
}

// writeAsOf says as of what the statement is, where that is not now.
func (b *block) writeAsOf(text *strings.Builder) {
	if at := b.Statement.AsOf; !at.IsZero() {
		fmt.Fprintf(text, "As of what had occurred by %s\n", domain.FormatTime(at))
	}
	if b.AsOfSize {
		fmt.Fprintf(text, "As of size %d\n", b.Statement.Size)
	}
}

// writeReading writes the read-to-earn box, which stands outside both subtotals.
func (b *block) writeReading(text *strings.Builder) {
	if b.Reading == nil {
		text.WriteString("Read-to-Earn\n")
		if b.Post != nil {
			row(text, "  Time to Read", duration(b.Post.TimeToReadSeconds))
		}
		row(text, "  Earned by reading, Twei", b.Statement.Sums.Of(domain.ReadToEarn).String())
		row(text, "  Rewarded reads", fmt.Sprint(b.Statement.RewardedReads))
		text.WriteByte('\n')
		return
	}
	text.WriteString("Read-to-Earn, as " + b.Reader + " sees it\n")
	row(text, "  Time to Read", duration(b.Reading.TimeToReadSeconds))
	row(text, "  You earned", b.Reading.Earned.String()+" "+domain.Unit)
	row(text, "  Date", date(b.Reading.Date))
	text.WriteByte('\n')
}

func (b *block) writeSide(
	text *strings.Builder, side domain.LineSide, name, subtotalName string, subtotal domain.Twei,
) {
	text.WriteString(name + "\n")
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if l.Side() == side {
			row(text, "  "+l.Label(), b.Statement.Sums.Of(l).String())
		}
	}
	row(text, subtotalName, subtotal.String())
	text.WriteByte('\n')
}

// writeScopeMembers writes what only the statements of some scopes have.
func (b *block) writeScopeMembers(text *strings.Builder) error {
	balance, err := b.Statement.Balance()
	switch scope := b.Statement.Scope; {
	case err != nil || scope.PostID != "":
		return err
	case scope.AccountID != "":
		row(text, "Balance, Twei", balance.String())
	default:
		treasury, err := domain.Twei{}.Sub(balance)
		row(text, "Treasury, Twei", treasury.String())
		return err
	}
	return nil
}

// writePrices writes what the tariff says of buying reports and of commenting.
func (b *block) writePrices(text *strings.Builder) {
	if b.Tariff == nil {
		return
	}
	text.WriteByte('\n')
	fmt.Fprintf(text, "Price for report instance: %s %s\n", b.Tariff.ReportPrice(), domain.Unit)
	fmt.Fprintf(text, "Comment-to-Earn: Available from LVL %d\n", b.Tariff.CommentMinLevel)
}

// row writes a label, and a value at the right.
func row(text *strings.Builder, label, value string) {
	fmt.Fprintf(text, "%s %*s\n", label, max(blockWidth-len(label)-1, len(value)), value)
}

// date writes a day as a page does, in UTC; "-" where there is none.
func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2 January 2006")
}

// duration writes seconds as a page does; "-" where there are none.
func duration(seconds uint64) string {
	switch minutes := seconds / 60; {
	case seconds == 0:
		return "-"
	case minutes == 0:
		return fmt.Sprintf("%d s", seconds)
	case seconds%60 == 0:
		return fmt.Sprintf("%d min", minutes)
	default:
		return fmt.Sprintf("%d min %d s", minutes, seconds%60)
	}
}
