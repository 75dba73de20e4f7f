package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// reportBlock is a report as a page shows it: the buyer's own part beside what all parties earned.
type reportBlock struct {
	ReportID     string           `json:"report_id"`
	AccountID    string           `json:"account_id"`
	PostID       string           `json:"post_id"`
	Author       string           `json:"author"`
	Size         uint64           `json:"size"`
	IssuedAt     time.Time        `json:"issued_at"`
	Price        domain.Twei      `json:"price"`
	Statement    domain.Statement `json:"statement"`
	OwnStatement domain.Statement `json:"own_statement"`
	// Post is the post as it was at that size, nil where who asks may not read it.
	Post *projections.Post `json:"-"`
}

// readReportBlock reads what the page of a report shows.
func readReportBlock(ctx context.Context, from statementReader, id string) (*reportBlock, error) {
	text, err := from.report(ctx, id, jsonType)
	if err != nil {
		return nil, err
	}
	b := new(reportBlock)
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("reading report %s: %w", id, err)
	}
	b.Post, err = from.post(ctx, b.PostID, projections.AsOf{Size: b.Size, Sized: true})
	if isForbidden(err) {
		// A token may be of the buyer alone.
		b.Post, err = nil, nil
	}
	return b, err
}

// The columns of a report: a label, and an amount of all parties and of the buyer. Together they are as wide as a
// block.
const (
	reportLabelWidth  = 24
	reportAmountWidth = (blockWidth - reportLabelWidth) / 2
)

// write writes the report as text.
func (b *reportBlock) write(out io.Writer) error {
	var text strings.Builder
	b.writeTitle(&text)
	reading := block{Statement: &b.OwnStatement, Reader: b.AccountID, Reading: b.OwnStatement.Reading}
	reading.writeReading(&text)
	if err := b.writeLines(&text); err != nil {
		return err
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (b *reportBlock) writeTitle(text *strings.Builder) {
	fmt.Fprintf(text, "Report %s\n", b.ReportID)
	if b.Post != nil {
		fmt.Fprintf(text, "%s\nby %s, %s\n", b.Post.Title, b.Author, date(b.Post.PublishedAt))
	} else {
		fmt.Fprintf(text, "%s\nby %s\n", b.PostID, b.Author)
	}
	fmt.Fprintf(text, "Bought by %s on %s for %s %s\nAs of size %d\n\n", b.AccountID, date(b.IssuedAt), b.Price,
		domain.Unit, b.Size)
}

// writeLines writes the two statements beside each other.
func (b *reportBlock) writeLines(text *strings.Builder) error {
	all, own := &b.Statement.Sums, &b.OwnStatement.Sums
	profit, loss, total, err := all.Subtotals()
	if err != nil {
		return err
	}
	ownProfit, ownLoss, ownTotal, err := own.Subtotals()
	if err != nil {
		return err
	}
	side := func(side domain.LineSide, name, subtotalName string, subtotal, ownSubtotal domain.Twei) {
		columns(text, name, "All parties", "Own part")
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if l.Side() == side {
				columns(text, "  "+l.Label(), all.Of(l).String(), own.Of(l).String())
			}
		}
		columns(text, subtotalName, subtotal.String(), ownSubtotal.String())
		text.WriteByte('\n')
	}
	side(domain.ProfitSide, "Post Profit", "Profit Subtotal, Twei", profit, ownProfit)
	side(domain.LossSide, "Post Loss", "Loss Subtotal, Twei", loss, ownLoss)
	columns(text, "Total Twei Earned", total.String(), ownTotal.String())
	columns(text, "Earned by reading, Twei", all.Of(domain.ReadToEarn).String(), own.Of(domain.ReadToEarn).String())
	return nil
}

// columns writes a label and two amounts. One that is wider than its column takes the room that it needs.
func columns(text *strings.Builder, label, all, own string) {
	fmt.Fprintf(text, "%-*s %*s %*s\n", reportLabelWidth-1, label, reportAmountWidth, all, reportAmountWidth-1, own)
}
