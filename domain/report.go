package domain

import (
	"context"
	"errors"
	"fmt"
)

// StatementReader reads the statements that a report holds.
type StatementReader interface {
	// ReportStatements returns the statements of a post and of an account under it, both as of the size that it tells:
	// at most the log's. Both are nil where nobody published the post by that size.
	ReportStatements(ctx context.Context, post, account string) (size uint64, whole, own *Statement, err error)
}

var (
	errNoStatements = errors.New("the ledger was given nothing to read statements from: it cannot issue reports")
	errPostUnread   = errors.New("the views have not got to the post yet, send it again")
)

// purchase is what an account asks for when it buys a report.
type purchase struct{ post, account, key string }

func (p purchase) message() Message { return Message{ReportSourcePrefix + p.account, p.key} }

func (p purchase) validate() *Rejection {
	if !ValidID(p.post) {
		return notAnID("post_id", p.post)
	}
	if !ValidID(p.account) {
		return notAnID("account_id", p.account)
	}
	if err := checkText(p.key, 1, MaxMessageIDBytes); err != nil {
		return reject(CodeInvalid, "Idempotency-Key", "%v", err)
	}
	return nil
}

func notAnID(field, value string) *Rejection {
	return reject(CodeInvalid, field,
		"%.140q is not an identifier: 1 to %d characters of A–Z a–z 0–9 . _ ~ : @ -, and not %q, %q or %q",
		value, MaxIDBytes, ".", "..", Treasury)
}

// IssueReport sells an account a report on a post, once for each of its keys: the statements as they are read now, for
// the price of the tariff in force. The same account, key and post get the same report again and pay nothing.
//
// A report has a stream of its own, named after the account and the key, and is its first event. So of several who buy
// at once with one key, in whatever processes, one is first, and the others find what was recorded.
func (l *Ledger) IssueReport(ctx context.Context, post, account, key string) Outcome {
	p := purchase{post, account, key}
	if rej := p.validate(); rej != nil {
		return Outcome{}.rejected(rej)
	}
	o := Outcome{Message: p.message()}
	for attempt := range maxAttempts {
		e, recorded, err := l.decideReport(ctx, p)
		var rej *Rejection
		switch {
		case errors.As(err, &rej):
			return o.rejected(rej)
		case err != nil:
			return o.failed(err)
		case recorded.Event != nil:
			o.Result, o.Recorded = Duplicate, recorded
			return o
		}
		o, again := l.appendOwn(ctx, o, e)
		if !again {
			return o
		}
		// The log may show who was first only a little later.
		if err := pause(ctx, attempt); err != nil {
			return o.failed(err)
		}
	}
	return o.failed(errLostRaces)
}

// decideReport returns the event of a report to append, or the one that the same purchase was recorded as before. The
// error of one that must not be recorded is a *Rejection.
func (l *Ledger) decideReport(ctx context.Context, p purchase) (fresh *Event, recorded RecordedEvent, err error) {
	m := p.message()
	id := NewReportID(m)
	recorded, err = l.firstOf(ctx, ReportStream(id))
	if err != nil {
		return nil, recorded, err
	}
	if e := recorded.Event; e != nil {
		return nil, recorded, p.sameAs(e)
	}
	state, _, err := l.load(ctx, PostStream(p.post), NoStream)
	if err != nil {
		return nil, recorded, err
	}
	post := state.(*postState)
	if !post.exists() {
		return nil, recorded, reject(CodeUnknownPost, "post_id", "no post %s was published", p.post)
	}
	e := &Event{
		ID: NewEventID(m, ReportStream(id)), Type: PnLReportIssued, Stream: ReportStream(id), Source: m.Source,
		SourceID: m.ID, PostID: p.post, AccountID: p.account, Author: post.author, ReportID: id,
	}
	if err := l.readReport(ctx, e); err != nil {
		return nil, recorded, err
	}
	return e, recorded, l.priceReport(ctx, e)
}

// firstOf returns the first event of a stream; its Event is nil where the stream has none.
func (l *Ledger) firstOf(ctx context.Context, stream Stream) (first RecordedEvent, err error) {
	for event, err := range l.Log.ReadStream(ctx, stream, 0) {
		if errors.Is(err, ErrStreamNotFound) {
			break
		}
		if err != nil {
			return first, fmt.Errorf("reading stream %s: %w", stream, err)
		}
		e, err := DecodeEvent(event.Canonical)
		if err != nil {
			return first, fmt.Errorf("position %s: %w", event.Position, err)
		}
		return RecordedEvent{e, event.Position}, nil
	}
	return first, nil
}

// sameAs returns an error unless a purchase was recorded as this event. It tells nothing of the report that the key
// stands for.
func (p purchase) sameAs(e *Event) error {
	switch {
	case e.Type != PnLReportIssued || e.Message() != p.message():
		return errMisplaced(e)
	case e.PostID != p.post:
		return reject(CodeConflictingDuplicate, "Idempotency-Key", "the account used the key for another post before")
	}
	return nil
}

// readReport gives the event its statements.
func (l *Ledger) readReport(ctx context.Context, e *Event) (err error) {
	if l.Statements == nil {
		return errNoStatements
	}
	e.Size, e.Statement, e.OwnStatement, err = l.Statements.ReportStatements(ctx, e.PostID, e.AccountID)
	if err == nil && (e.Statement == nil || e.OwnStatement == nil) {
		err = errPostUnread
	}
	if err != nil {
		return fmt.Errorf("reading the statements of the report: %w", err)
	}
	return nil
}

// priceReport prices the event as of now. The moment is read before the tariffs are found to be fresh, and behind the
// statements, which may have taken long.
func (l *Ledger) priceReport(ctx context.Context, e *Event) error {
	e.RecordedAt = l.now()
	e.OccurredAt = e.RecordedAt
	ts, err := l.Tariffs(ctx)
	if err == nil && len(ts) == 0 {
		err = errNotStarted
	}
	if err != nil {
		return err
	}
	t := ts.InForce(e.OccurredAt)
	if t == nil {
		return reject(CodeNoTariff, "", "no tariff is in force at %s", FormatTime(e.OccurredAt))
	}
	price(e, t, "")
	return nil
}
