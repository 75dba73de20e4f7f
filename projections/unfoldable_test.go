package projections_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// TestUnfoldable: what cannot be folded stops the run before it and is named, and reads go on.
func TestUnfoldable(t *testing.T) {
	most, err := domain.ParseTwei("170141183460469231731687303.715884105727")
	if err != nil {
		t.Fatal(err)
	}
	// Each makes the event that the log goes on with from a good one, by one or two strokes.
	for name, tc := range map[string]struct {
		from   domain.EventType // the event that is copied
		change func(e *domain.Event)
		want   error
		text   string
	}{
		"negative line": {domain.PostRead, func(e *domain.Event) {
			e.Stream, e.Revision = domain.ReadingStream(e.PostID, "x"), 0
			e.AccountID = "x"
			e.Postings = []domain.Posting{e.Postings[0].Reversed()}
			e.Postings[0].Debit.Account = "x"
		}, domain.ErrNegativeLine, "account x"},
		"overflow": {domain.PostRead, func(e *domain.Event) {
			e.Stream, e.Revision = domain.ReadingStream(e.PostID, "x"), 0
			e.AccountID = "x"
			e.Postings[0].Amount = most
		}, domain.ErrOverflow, "read_to_earn"},
		"a second reward":     {domain.PostRead, func(e *domain.Event) { e.Revision++ }, domain.ErrCorrupt, "reward"},
		"a gap in a stream":   {domain.PostRead, func(e *domain.Event) { e.Revision += 2 }, domain.ErrCorrupt, "revision 1"},
		"a second like":       {domain.PostLiked, func(e *domain.Event) { e.Revision++ }, domain.ErrCorrupt, "a reaction where one stands"},
		"a gap in a post":     {domain.PostPublished, func(e *domain.Event) { e.Revision += 2 }, domain.ErrCorrupt, "revision 1"},
		"a gap in a reaction": {domain.CommentLiked, func(e *domain.Event) { e.Revision += 2 }, domain.ErrCorrupt, "revision 1"},
		"a gap in a comment": {domain.CommentAdded, func(e *domain.Event) {
			e.Revision += 2
			e.Type, e.Reverses, e.Postings = domain.CommentRemoved, e.ID, nil
			e.Reason = domain.ReasonAlreadyReversed
		}, domain.ErrCorrupt, "revision 1"},
		"a comment added again": {domain.CommentAdded, func(*domain.Event) {}, domain.ErrCorrupt, "revision 1"},
		"a gap in the tariff":   {domain.TariffPublished, func(e *domain.Event) { e.Revision += 2 }, domain.ErrCorrupt, "revision 1"},
		"an unknown reaction": {domain.PostLiked, func(e *domain.Event) {
			e.Stream, e.Revision, e.AccountID = domain.PostReactionStream(e.PostID, "x"), 0, "x"
			e.Type, e.Withdraws, e.Postings = domain.ReactionWithdrawn, e.ID, nil
		}, domain.ErrCorrupt, "no reaction stands"},
		"an unknown comment's removal": {domain.CommentAdded, func(e *domain.Event) {
			e.Revision++
			e.Type, e.Reverses, e.Commenter, e.Postings = domain.CommentRemoved, e.ID, "x", nil
		}, domain.ErrCorrupt, "comments falls below 0"},
		"a post that nobody published": {domain.PostLiked, func(e *domain.Event) {
			e.PostID = "nowhere"
			e.Stream = domain.PostReactionStream(e.PostID, e.AccountID)
		}, domain.ErrCorrupt, "not published"},
		"a reversal of an unknown reward": {domain.PostRead, func(e *domain.Event) {
			e.Stream, e.Revision = domain.ReadingStream(e.PostID, "x"), 0
			*e = domain.Event{ID: e.ID, Type: domain.EventReversed, Stream: e.Stream, Source: e.Source, SourceID: e.SourceID,
				OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt, Postings: []domain.Posting{e.Postings[0].Reversed()}, Tariff: 1,
				PostID: e.PostID, Author: e.Author, Reverses: e.ID, By: "me", Note: "n"}
		}, domain.ErrCorrupt, "reward"},
		"a stream without a name": {domain.PostRead, func(e *domain.Event) {
			*e = domain.Event{ID: e.ID, Type: domain.EventReversed, Stream: "nothing", Source: e.Source, SourceID: e.SourceID,
				OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt, Postings: []domain.Posting{e.Postings[0].Reversed()}, Tariff: 1,
				PostID: e.PostID, Author: e.Author, Reverses: e.ID, By: "me", Note: "n"}
		}, domain.ErrCorrupt, "not a stream"},
		"a report issued again": {domain.PnLReportIssued, func(e *domain.Event) { e.Revision++ }, domain.ErrCorrupt, "by no other"},
		"a report issued late":  {domain.PnLReportIssued, func(e *domain.Event) { e.ReportID, e.Revision = "x", 1 }, domain.ErrCorrupt, "revision 0"},
		"a gap in a report":     {domain.PnLReportIssued, func(e *domain.Event) { *e = reversalOf(e, 2) }, domain.ErrCorrupt, "revision 1"},
		"a reversal of no report": {domain.PnLReportIssued, func(e *domain.Event) {
			*e = reversalOf(e, 0)
			e.Stream = domain.ReportStream("x")
		}, domain.ErrCorrupt, "by the first event"},
	} {
		t.Run(name, func(t *testing.T) {
			w := unfoldableWorld(t)
			e := copyOf(t, w, tc.from)
			tc.change(e)
			line, err := e.AppendCanonical(nil)
			if err != nil {
				t.Fatal(err)
			}
			checkUnfoldable(t, w, e, line, tc.want, tc.text)
		})
	}
}

// TestUnreadable: a line that is not an event stops the run like one that cannot be folded.
func TestUnreadable(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(line string) string
		want   error
		text   string
	}{
		"an event of the future": {func(line string) string {
			return strings.Replace(line, `"PostRead"`, `"PostShared"`, 1)
		}, domain.ErrUnsupported, "PostShared"},
		"another form": {func(line string) string { return strings.Replace(line, `,"`, `, "`, 1) }, domain.ErrNotCanonical, "byte"},
	} {
		t.Run(name, func(t *testing.T) {
			w := unfoldableWorld(t)
			e := copyOf(t, w, domain.PostRead)
			line, err := e.AppendCanonical(nil)
			if err != nil {
				t.Fatal(err)
			}
			e.Revision++ // where the log takes it
			checkUnfoldable(t, w, e, []byte(tc.change(string(line))), tc.want, tc.text)
		})
	}
}

func unfoldableWorld(t *testing.T) *world {
	w := smallWorld(t, logtest.MemoryOptions{BatchEvents: 100})
	w.record(domain.Engagement{Type: domain.CommentAdded, PostID: postID(0), CommentID: "c", AccountID: accountID(0), Level: 13})
	w.record(domain.Engagement{Type: domain.CommentLiked, CommentID: "c", AccountID: accountID(1)})
	w.report(postID(0), accountID(1))
	return w
}

// reversalOf returns a reversal of an event at a revision of its stream.
func reversalOf(e *domain.Event, revision domain.Revision) domain.Event {
	return domain.Event{ID: e.ID, Type: domain.EventReversed, Stream: e.Stream, Revision: revision, Source: e.Source,
		SourceID: e.SourceID, OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt, Tariff: 1, PostID: e.PostID, Author: e.Author,
		Postings: []domain.Posting{e.Postings[0].Reversed()}, Reverses: e.ID, By: "me", Note: "n"}
}

// copyOf returns a copy of the log's first event of a type, which may be changed.
func copyOf(t *testing.T, w *world, of domain.EventType) *domain.Event {
	t.Helper()
	for _, e := range decodeAll(t, w.log) {
		if e.Type == of {
			e.Source = "/bad"
			return e
		}
	}
	t.Fatalf("no %s", of)
	return nil
}

// checkUnfoldable puts a line behind the log of w and good events behind that, and runs.
func checkUnfoldable(t *testing.T, w *world, e *domain.Event, line []byte, want error, text string) {
	t.Helper()
	good := freshDump(t, w.log)
	index := uint64(w.log.Len())
	forced := readAll(t, w.log)
	head := forced.head()
	commit, _ := head.Numbers()
	bad := domain.LogEvent{Position: domain.NewPosition(commit+1, commit+1), Canonical: line}
	behind := domain.LogEvent{Position: domain.NewPosition(commit+2, commit+2), Canonical: forced.events[1].Canonical}
	forced.events = append(forced.events, bad, behind)

	store := projections.NewMemoryStore(t)
	views := open(t, store, forced)
	err := views.Run(t.Context())
	var fold *projections.FoldError
	if !errors.As(err, &fold) {
		t.Fatalf("run: %v", err)
	}
	if fold.Index != index || fold.Position != bad.Position || fold.EventID != e.ID || !strings.Contains(err.Error(), text) {
		t.Errorf("event %d at %s with id %s is to blame: %v", index, bad.Position, e.ID, err)
	}
	if !errors.Is(err, want) {
		t.Errorf("%v is not %v", err, want)
	}
	if got := views.Status(); got.Err != err || got.Size != index || got.Position != head || !got.CaughtUp && got.Head == head {
		t.Errorf("status %+v", got)
	}
	if got := projections.Dump(t, store); got != good {
		t.Errorf("views before the event:\n%s\nfolded without it:\n%s", got, good)
	}
	if err := views.Wait(t.Context(), bad.Position); !errors.Is(err, fold) {
		t.Errorf("waiting for it: %v", err)
	}
	s := views.Snapshot()
	defer s.Close()
	if got, err := s.Statement(context.Background(), domain.Scope{PostID: postID(0)}, projections.AsOf{}); err != nil || got.Counts.Likes != 1 {
		t.Errorf("reads go on: %+v, %v", got, err)
	}
	if err := views.Run(t.Context()); !errors.As(err, &fold) || fold.Index != index {
		t.Errorf("a second run: %v", err)
	}
}
