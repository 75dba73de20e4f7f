package projections

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Report is a report that an account bought.
type Report struct {
	ReportID, PostID string
	// Size is the size of the log as of which it was read, Index the place of its own event.
	Size, Index uint64
	// Price is what it cost when it was bought.
	Price    domain.Twei
	IssuedAt time.Time
}

// reportTable has how many events are on a report's stream.
var reportTable = &table[string, uint64]{'n', appendStringKey,
	func(dst []byte, events *uint64) []byte { return binary.AppendUvarint(dst, *events) },
	func(d *decoder, events *uint64) { *events = d.uvarint() }}

// reportsPrefix stands before the reports of accounts: the key is the account and, so that the newest comes first, what
// is left of all indexes behind that of the report's event.
const reportsPrefix = 'w'

func appendReportKey(dst []byte, account string, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append(dst, account...), 0), ^index)
}

func encodeReport(dst []byte, r *Report) []byte {
	dst = appendText(appendText(dst, r.ReportID), r.PostID)
	return appendInstant(appendAmount(binary.AppendUvarint(dst, r.Size), r.Price), instantOf(r.IssuedAt))
}

func decodeReport(d *decoder, r *Report) {
	r.ReportID, r.PostID, r.Size, r.Price, r.IssuedAt = d.text(), d.text(), d.uvarint(), d.amount(), d.instant().time()
}

// reportModel is the read model of reports.
type reportModel struct {
	events    *cache[string, uint64]
	byAccount *list
}

func newReports(f *fold) model {
	return &reportModel{newCache(f, reportTable, 1<<10), newList(f, reportsPrefix)}
}

// report returns the report that an event is about, "" for none.
func (e *event) report() string {
	if e.about.kind == domain.KindReport {
		return e.about.subject
	}
	return e.ReportID
}

func (m *reportModel) want(e *event) {
	if id := e.report(); id != "" {
		m.events.want(id)
	}
}

func (m *reportModel) fold(e *event) error {
	id := e.report()
	if id == "" {
		return nil
	}
	events, err := m.events.row(id)
	if err != nil {
		return err
	}
	if issued := *events > 0; issued == (e.Type == domain.PnLReportIssued) {
		return fmt.Errorf("report %s is issued by the first event on its stream, and by no other: %w", id, domain.ErrCorrupt)
	}
	if err := nextRevision(events, e); err != nil {
		return err
	}
	if e.Type != domain.PnLReportIssued {
		return nil
	}
	price, err := e.ReportPrice()
	if err != nil {
		return err
	}
	row := Report{ReportID: id, PostID: e.PostID, Size: e.Size, Price: price, IssuedAt: e.OccurredAt}
	m.byAccount.add(func(dst []byte) []byte { return appendReportKey(dst, e.AccountID, e.index) },
		func(dst []byte) []byte { return encodeReport(dst, &row) })
	return nil
}

// Reports returns the reports that an account bought, the newest first, and the cursor of the next page, "" at the end.
// Its cursors neither skip nor repeat while events are folded. It wraps ErrNotFolded where the views are of an older
// format, which did not know them.
func (s *Snapshot) Reports(account string, p Page) (reports []Report, next string, err error) {
	switch {
	case s.err != nil:
		return nil, "", s.err
	case s.checkpoint.size > 0 && s.checkpoint.format < reportsSince:
		return nil, "", fmt.Errorf("reports: the views have format %d: %w", s.checkpoint.format, ErrNotFolded)
	}
	list := scopedList(string(reportsPrefix), domain.Scope{AccountID: account})
	from := appendReportKey([]byte{reportsPrefix}, account, 1<<64-1)
	end := appendReportKey([]byte{reportsPrefix}, account, 0)
	prefix := len(from) - 8
	if p.Cursor != "" {
		d, err := decodeCursor(p.Cursor, list)
		if err != nil || len(d.rest) != len(from)-prefix {
			return nil, "", ErrBadCursor
		}
		from = append(append(from[:prefix], d.rest...), 0)
	}
	return page(s.rows.Scan(from, end), list, prefix, p.Limit, takeReport)
}

func takeReport(row Row) (r Report, err error) {
	at := len(row.Key) - 8
	if at < 1 || row.Key[at-1] != 0 {
		return r, fmt.Errorf("row %q: %w", row.Key, ErrDamaged)
	}
	d := decoder{rest: row.Value}
	decodeReport(&d, &r)
	r.Index = ^binary.BigEndian.Uint64(row.Key[at:])
	return r, rowError(row.Key, &d)
}

// ReportStatements implements domain.StatementReader: as of one snapshot.
func (v *Views) ReportStatements(
	ctx context.Context, post, account string,
) (size uint64, whole, own *domain.Statement, err error) {
	s := v.Snapshot()
	defer s.Close()
	asOf := AsOf{Size: s.Size(), Sized: true}
	whole, err = s.Statement(ctx, domain.Scope{PostID: post}, asOf)
	if err == nil {
		own, err = s.Statement(ctx, domain.Scope{PostID: post, AccountID: account}, asOf)
	}
	if errors.Is(err, ErrUnknownPost) {
		return asOf.Size, nil, nil, nil
	}
	return asOf.Size, whole, own, err
}
