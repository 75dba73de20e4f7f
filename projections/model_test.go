package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

const (
	modelPosts    = 3
	modelAccounts = 5
	modelComments = 6
)

// play records a random course of events in a log.
func play(t *rapid.T, w *world) {
	ids := []domain.EventID{}
	record := func(e domain.Engagement) {
		for _, o := range w.send(e) {
			if o.Result == domain.Recorded {
				ids = append(ids, o.Recorded.ID)
			}
		}
	}
	post := func() string { return postID(rapid.IntRange(0, modelPosts-1).Draw(t, "post")) }
	account := func() string { return accountID(rapid.IntRange(0, modelAccounts-1).Draw(t, "account")) }
	comment := func() string { return commentID(rapid.IntRange(0, modelComments-1).Draw(t, "comment")) }
	event := func() domain.EventID { return ids[rapid.IntRange(0, len(ids)-1).Draw(t, "event")] }
	operate := func(do func(context.Context, domain.EventID, string, string) domain.Outcome) {
		o := do(context.Background(), event(), fmt.Sprint("note ", w.sent), domain.OperatorName)
		if o.Result == domain.Recorded {
			ids = append(ids, o.Recorded.ID)
		}
	}
	publish := func(t *rapid.T) {
		record(domain.Engagement{Type: domain.PostPublished, PostID: post(), AccountID: account(), Title: "A post", TimeToReadSeconds: 60, URL: "https://example.org/a"})
	}
	publish(t)
	record(domain.Engagement{Type: domain.CommentAdded, PostID: postID(0), CommentID: commentID(0), AccountID: account(), Level: 13})
	if len(ids) == 0 {
		publish(t)
		return
	}
	t.Repeat(map[string]func(*rapid.T){
		"publish": publish,
		"change": func(t *rapid.T) {
			e := domain.Engagement{Type: domain.PostChanged, PostID: post(), Title: "Another title"}
			if rapid.Bool().Draw(t, "time") {
				e.TimeToReadSeconds = 30
			}
			record(e)
		},
		"read": func(t *rapid.T) {
			record(domain.Engagement{Type: domain.PostRead, PostID: post(), AccountID: account(), SecondsRead: rapid.Uint64Range(29, 61).Draw(t, "seconds")})
		},
		"react": func(t *rapid.T) {
			kind := rapid.SampledFrom([]domain.EventType{domain.PostLiked, domain.PostDisliked, domain.ReactionWithdrawn}).Draw(t, "kind")
			record(domain.Engagement{Type: kind, PostID: post(), AccountID: account()})
		},
		"react to a comment": func(t *rapid.T) {
			kind := rapid.SampledFrom([]domain.EventType{domain.CommentLiked, domain.CommentDisliked, domain.ReactionWithdrawn}).Draw(t, "kind")
			record(domain.Engagement{Type: kind, CommentID: comment(), AccountID: account()})
		},
		"comment": func(t *rapid.T) {
			record(domain.Engagement{Type: domain.CommentAdded, PostID: post(), CommentID: comment(), AccountID: account(), Level: 13})
		},
		"remove": func(t *rapid.T) { record(domain.Engagement{Type: domain.CommentRemoved, CommentID: comment()}) },
		"report": func(t *rapid.T) { w.report(post(), account()) },
		"reverse": func(t *rapid.T) {
			operate(w.ledger.Reverse)
		},
		"reinstate": func(t *rapid.T) { operate(w.ledger.Reinstate) },
	})
}

// TestModel holds the statements of every scope against the naive ones, and folding with restarts against folding at
// once.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := logtest.NewMemory(logtest.MemoryOptions{BatchEvents: rapid.IntRange(1, 20).Draw(rt, "batch")})
		w := newWorld(t, log, rapid.SampledFrom([]domain.Tariffs{nil, {otherTariff()}}).Draw(rt, "tariff")...)
		play(rt, w)
		events := decodeAll(t, log)
		if _, err := domain.Check(lines(log), nil); err != nil {
			t.Fatalf("the log breaks the rules: %v", err)
		}
		store := projections.NewMemoryStore(t)
		views := folded(t, store, log)
		s := views.Snapshot()
		defer s.Close()
		checkStatements(t, s, events)
		checkPlaces(t, s, log, events)
		checkRestarts(rt, t, log, projections.Dump(t, store))
	})
}

// otherTariff rewards a read at its post's author, and lets several parties of one comment move one line.
func otherTariff() domain.Tariff {
	treasury := domain.TariffSide{Party: domain.PartyTreasury}
	t := domain.DefaultTariff()
	t.AuthorReactionPays = false
	t.Rows[1].Credit.Party = domain.PartyAuthor
	for _, p := range []domain.Party{domain.PartyActor, domain.PartyCommenter, domain.PartyAuthor} {
		t.Rows = append(t.Rows, domain.TariffRow{Engagement: domain.CommentLiked, Debit: treasury,
			Credit: domain.TariffSide{Party: p, Line: domain.LikesOwn}, Amount: domain.Wei(1)})
	}
	return t
}

func checkStatements(t *testing.T, s *projections.Snapshot, events naive) {
	t.Helper()
	posts, accounts := []string{"", "unknown"}, []string{"", "unknown"}
	for i := range modelPosts {
		posts = append(posts, postID(i))
	}
	for i := range modelAccounts {
		accounts = append(accounts, accountID(i))
	}
	var byPost, byAccount, byPair, platform domain.Sums
	for _, post := range posts {
		for _, account := range accounts {
			got := checkStatement(t, s, events, domain.Scope{PostID: post, AccountID: account})
			switch {
			case got == nil:
			case post != "" && account != "":
				addSums(t, &byPair, got)
			case post != "":
				addSums(t, &byPost, got)
			case account != "":
				addSums(t, &byAccount, got)
			default:
				addSums(t, &platform, got)
			}
		}
	}
	if byPost != platform || byAccount != platform || byPair != platform {
		t.Errorf("sums over posts %v, over accounts %v, over pairs %v, of the platform %v", byPost, byAccount, byPair, platform)
	}
}

func addSums(t *testing.T, to *domain.Sums, s *domain.Statement) {
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if err := to.Add(l, s.Sums.Of(l)); err != nil {
			t.Fatal(err)
		}
	}
}

// checkStatement returns the statement, nil for that of an unknown post.
func checkStatement(t *testing.T, s *projections.Snapshot, events naive, scope domain.Scope) *domain.Statement {
	t.Helper()
	want := events.statement(scope)
	got, err := s.Statement(context.Background(), scope, projections.AsOf{})
	if want == nil {
		if !errors.Is(err, projections.ErrUnknownPost) {
			t.Errorf("%+v: %v, %v where the post is unknown", scope, got, err)
		}
		return nil
	}
	if err != nil {
		t.Fatalf("%+v: %v", scope, err)
	}
	gotText, err1 := got.AppendJSON(nil)
	wantText, err2 := want.AppendJSON(nil)
	if err1 != nil || err2 != nil || string(gotText) != string(wantText) {
		t.Errorf("%+v:\n got %s %v\nwant %s %v", scope, gotText, err1, wantText, err2)
	}
	return got
}

func checkPlaces(t *testing.T, s *projections.Snapshot, log domain.EventLog, events naive) {
	t.Helper()
	byMessage := map[domain.Message][]projections.Place{}
	for i, in := range readAll(t, log).events {
		e := events[i]
		want := projections.Place{Index: uint64(i), Position: in.Position, Stream: e.Stream, Revision: e.Revision}
		byMessage[e.Message()] = append(byMessage[e.Message()], want)
		if got, err := s.Place(uint64(i)); err != nil || got != want {
			t.Errorf("place %d is %+v, %v, not %+v", i, got, err, want)
		}
		if got, found, err := s.Event(e.ID); err != nil || !found || got != want {
			t.Errorf("event %s is at %+v, %v, %v, not %+v", e.ID, got, found, err, want)
		}
	}
	for m, want := range byMessage {
		if got, err := s.Places(m); err != nil || !slices.Equal(got, want) {
			t.Errorf("message %v is at %v, %v, not %v", m, got, err, want)
		}
	}
	if _, err := s.Place(uint64(len(events))); !errors.Is(err, projections.ErrNotFolded) {
		t.Errorf("the place behind the last is %v", err)
	}
	if s.Size() != uint64(len(events)) {
		t.Errorf("size %d, not %d", s.Size(), len(events))
	}
}

// checkRestarts folds the log again, stopping and starting at random places, and wants the same bytes.
func checkRestarts(rt *rapid.T, t *testing.T, log domain.EventLog, want string) {
	t.Helper()
	store := projections.NewMemoryStore(t)
	all := readAll(t, log)
	for _, stop := range rapid.SliceOfN(rapid.IntRange(1, len(all.events)), 0, 5).Draw(rt, "stops") {
		part := &shortLog{all, stop}
		views, err := projections.Open(t.Context(), store, part)
		if err != nil {
			t.Fatal(err)
		}
		if why := views.Status().Rebuilt; why != "" {
			continue // a stop before the one before: begun anew
		}
		catchUp(t, views, part)
	}
	views := folded(t, store, log)
	if got := projections.Dump(t, store); got != want {
		t.Errorf("folded with restarts (%s):\n%s\nfolded at once:\n%s", views.Status().Rebuilt, got, want)
	}
}

// lines yields the lines of a log, for domain.Check.
func lines(log domain.EventLog) func() iter.Seq2[[]byte, error] {
	return func() iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for events, err := range log.Read(context.Background(), domain.Position{}) {
				if err != nil {
					yield(nil, err)
					return
				}
				for _, e := range events {
					if !yield(e.Canonical, nil) {
						return
					}
				}
			}
		}
	}
}

func decodeAll(t testing.TB, log domain.EventLog) naive {
	t.Helper()
	var events naive
	for _, in := range readAll(t, log).events {
		e, err := domain.DecodeEvent(in.Canonical)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
