package domain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// without returns version 1 of the default tariff changed.
func without(change func(*domain.Tariff)) []domain.Tariff {
	t := domain.DefaultTariff()
	change(&t)
	return []domain.Tariff{t}
}

func noRows(t *domain.Tariff)            { t.Rows = nil }
func noOwnComments(t *domain.Tariff)     { t.OwnPostCommentPays = false }
func noAuthorReactions(t *domain.Tariff) { t.AuthorReactionPays = false }

// reversedThen reverses the first engagement's event and sends the others.
func reversedThen(first domain.Engagement, then ...domain.Engagement) func(*fixture) domain.Outcome {
	return func(f *fixture) domain.Outcome {
		article(f)
		f.recorded(f.reverse(f.must(first), "a note"))
		f.must(then[:len(then)-1]...)
		return f.one(then[len(then)-1])
	}
}

// reasons has a row for each reason why an event moved nothing, and for each way to it.
var reasons = []struct {
	name    string
	reason  domain.Reason
	tariffs []domain.Tariff
	do      func(*fixture) domain.Outcome
}{
	{name: "read by the author", reason: "own_post", do: sending(read("p1", "ann", 60))},
	{name: "author's comment", reason: "own_post", tariffs: without(noOwnComments), do: sending(commented("p1", "c2", "ann"))},
	{name: "author's reaction to the post", reason: "own_post", tariffs: without(noAuthorReactions), do: sending(liked("p1", "ann"))},
	{name: "author's reaction to a comment", reason: "own_post", tariffs: without(noAuthorReactions), do: sending(commentDisliked("c1", "ann"))},
	{name: "removal of the author's comment", reason: "own_post", tariffs: without(noOwnComments), do: sending(removed("c2"), commented("p1", "c2", "ann"))},
	{name: "withdrawal of the author's reaction", reason: "own_post", tariffs: without(noAuthorReactions), do: sending(withdrawn("p1", "ann"), liked("p1", "ann"))},

	{name: "own post liked", reason: "self_reaction", do: sending(liked("p1", "ann"))},
	{name: "own post disliked", reason: "self_reaction", do: sending(disliked("p1", "ann"))},
	{name: "own comment liked", reason: "self_reaction", do: sending(commentLiked("c1", "cid"))},
	{name: "own comment disliked", reason: "self_reaction", do: sending(commentDisliked("c1", "cid"))},
	{name: "withdrawal of a self reaction", reason: "self_reaction", do: sending(commentWithdrawn("c1", "cid"), commentLiked("c1", "cid"))},

	{name: "read after a reversal", reason: "reversed", do: reversedThen(read("p1", "bob", 60), named("m", read("p1", "bob", 60)))},
	{name: "switch after a reversal", reason: "reversed", do: reversedThen(liked("p1", "bob"), disliked("p1", "bob"))},
	{name: "two more messages after a reversal", reason: "reversed", do: reversedThen(liked("p1", "bob"), withdrawn("p1", "bob"), named("m", liked("p1", "bob")))},
	{name: "comment's reaction after a reversal", reason: "reversed", do: reversedThen(commentLiked("c1", "bob"), commentDisliked("c1", "bob"))},
	{name: "withdrawal of a reaction after a reversal", reason: "reversed",
		do: reversedThen(liked("p1", "bob"), disliked("p1", "bob"), withdrawn("p1", "bob"))},

	{name: "rewarded before", reason: "already_rewarded", do: sending(named("m", read("p1", "bob", 60)), read("p1", "bob", 60))},
	{name: "the first to arrive is paid", reason: "already_rewarded", do: sending(named("m", at(-time.Hour, read("p1", "bob", 60))), read("p1", "bob", 60))},
	{name: "rewarded, reversed, reinstated", reason: "already_rewarded", do: func(f *fixture) domain.Outcome {
		reinstatedAtNoon(f, read("p1", "bob", 60))
		return f.one(named("m", read("p1", "bob", 60)))
	}},
	{name: "a second too short", reason: "too_short", do: sending(read("p1", "bob", 59))},
	{name: "too short after a change", reason: "too_short", do: sending(read("p1", "bob", 60), changed("p1", 61))},
	{name: "a fraction too short", reason: "too_short",
		tariffs: without(func(t *domain.Tariff) { t.ReadMinFraction = domain.WholeFraction/2 + 1 }), do: sending(read("p1", "bob", 30))},

	{name: "withdrawal of a reversed like", reason: "already_reversed", do: reversedThen(liked("p1", "bob"), withdrawn("p1", "bob"))},
	{name: "removal of a reversed comment", reason: "already_reversed", do: reversedThen(commented("p1", "c2", "bob"), removed("c2"))},
	{name: "reinstatement after a withdrawal", reason: "already_reversed", do: func(f *fixture) domain.Outcome {
		article(f)
		reversal := f.recorded(f.reverse(f.must(liked("p1", "bob")), "a note"))
		f.must(withdrawn("p1", "bob"))
		return f.reinstate(reversal, "a note")
	}},
	{name: "reinstatement after a removal", reason: "already_reversed", do: func(f *fixture) domain.Outcome {
		article(f)
		reversal := f.recorded(f.reverse(f.must(commented("p1", "c2", "bob")), "a note"))
		f.must(removed("c2"))
		return f.reinstate(reversal, "a note")
	}},

	{name: "publication without a row", reason: "no_row", tariffs: without(noRows), do: sending(published("p2", "ann"))},
	{name: "read without a row", reason: "no_row", tariffs: without(noRows), do: sending(read("p1", "bob", 60))},
	{name: "second read without a row", reason: "no_row", tariffs: without(noRows), do: sending(named("m", read("p1", "bob", 60)), read("p1", "bob", 60))},
	{name: "reaction without a row", reason: "no_row", tariffs: without(noRows), do: sending(commentDisliked("c1", "bob"))},
	{name: "comment without a row", reason: "no_row", tariffs: without(noRows), do: sending(commented("p1", "c2", "bob"))},
	{name: "removal without a row", reason: "no_row", tariffs: without(noRows), do: sending(removed("c1"))},

	// Where several hold, the first of the set is given.
	{name: "before self_reaction", reason: "own_post", tariffs: without(noAuthorReactions), do: sending(disliked("p1", "ann"))},
	{name: "before self_reaction, own comment", reason: "own_post", tariffs: without(noAuthorReactions), do: sending(commentLiked("c2", "ann"), commented("p1", "c2", "ann"))},
	{name: "before too_short", reason: "own_post", do: sending(read("p1", "ann", 1))},
	{name: "before no_row", reason: "own_post", tariffs: without(func(t *domain.Tariff) { noOwnComments(t); noRows(t) }), do: sending(commented("p1", "c2", "ann"))},
	{name: "before no_row", reason: "self_reaction", tariffs: without(noRows), do: sending(liked("p1", "ann"))},
	{name: "before already_rewarded", reason: "reversed", do: reversedThen(read("p1", "bob", 60), named("m", read("p1", "bob", 1)))},
	{name: "before too_short", reason: "already_rewarded", do: sending(named("m", read("p1", "bob", 1)), read("p1", "bob", 60))},
	{name: "before no_row", reason: "too_short", tariffs: without(noRows), do: sending(read("p1", "bob", 1))},
}

// An event without postings has its reason (I12).
func TestReasons(t *testing.T) {
	for _, row := range reasons {
		t.Run(string(row.reason)+"/"+row.name, func(t *testing.T) {
			f := newFixture(t, logtest.MemoryOptions{}, row.tariffs...)
			if e := f.recorded(row.do(f)); e.Reason != row.reason || len(e.Postings) > 0 {
				t.Errorf("the reason is %q and the postings %v, not %q", e.Reason, postings(e.Postings), row.reason)
			}
		})
	}
}

// What moves money, and how much: each row of the default tariff, and each way in which postings are taken back and
// made again (I4, I5, I8).
func TestPostings(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(*fixture) domain.Outcome
		want []string
	}{
		{"post published", sending(published("p2", "dan")), []string{"dan:post_publish_tribute > treasury 10"}},
		{"post read", sending(read("p1", "bob", 60)), []string{"treasury > bob:read_to_earn 1"}},
		{"post liked", sending(liked("p1", "bob")), []string{"treasury > bob:earned_for_pluses 0.5"}},
		{"post disliked", sending(disliked("p1", "bob")), []string{"bob:spent_for_minuses > treasury 0.5"}},
		{"comment added", sending(commented("p1", "c2", "bob")),
			[]string{"treasury > bob:comment_rewards 2", "bob:comment_tributes > treasury 1"}},
		{"author's comment", sending(commented("p1", "c2", "ann")),
			[]string{"treasury > ann:comment_rewards 2", "ann:comment_tributes > treasury 1"}},
		{"comment liked", sending(commentLiked("c1", "bob")),
			[]string{"treasury > bob:likes_own 0.1", "treasury > cid:likes_commenter 0.5", "treasury > ann:likes_author 0.2"}},
		{"comment disliked", sending(commentDisliked("c1", "bob")),
			[]string{"bob:dislikes_own > ann:dislikes_author 0.1", "cid:dislikes_commenter > treasury 0.5"}},
		{"comment disliked by the author", sending(commentDisliked("c1", "ann")),
			[]string{"ann:dislikes_own > ann:dislikes_author 0.1", "cid:dislikes_commenter > treasury 0.5"}},
		{"change", sending(changed("p1", 5)), nil},
		{"read longer than a changed time", sending(read("p1", "bob", 5), changed("p1", 5)), []string{"treasury > bob:read_to_earn 1"}},
		{"read after idle ones", sending(named("m", read("p1", "bob", 60)), read("p1", "bob", 1)), []string{"treasury > bob:read_to_earn 1"}},
		{"read after a thousand idle ones", idleReads(named("m", read("p1", "bob", 60))), []string{"treasury > bob:read_to_earn 1"}},
		{"withdrawal", sending(commentWithdrawn("c1", "bob"), commentDisliked("c1", "bob")),
			[]string{"back ann:dislikes_author > bob:dislikes_own 0.1", "back treasury > cid:dislikes_commenter 0.5"}},
		{"withdrawal from a removed comment", sending(commentWithdrawn("c1", "bob"), commentLiked("c1", "bob"), removed("c1")),
			[]string{"back bob:likes_own > treasury 0.1", "back cid:likes_commenter > treasury 0.5", "back ann:likes_author > treasury 0.2"}},
		{"removal", sending(removed("c1")), []string{"back cid:comment_rewards > treasury 2", "back treasury > cid:comment_tributes 1"}},
		{"reversal", reversing(liked("p1", "bob")), []string{"back bob:earned_for_pluses > treasury 0.5"}},
		{"reversal of a publication", func(f *fixture) domain.Outcome { return f.reverse(f.must(published("p1", "ann")), "a note") },
			[]string{"back treasury > ann:post_publish_tribute 10"}},
		{"reinstatement", func(f *fixture) domain.Outcome {
			article(f)
			return f.reinstate(f.recorded(f.reverse(f.must(liked("p1", "bob")), "a note")), "a note")
		}, []string{"treasury > bob:earned_for_pluses 0.5"}},
		{"reversed again after a reinstatement", func(f *fixture) domain.Outcome {
			reinstatedAtNoon(f, liked("p1", "bob"))
			return f.reverse(f.events()[2], "another note")
		}, []string{"back bob:earned_for_pluses > treasury 0.5"}},
		{"withdrawn after a reinstatement", func(f *fixture) domain.Outcome {
			reinstatedAtNoon(f, liked("p1", "bob"))
			return f.one(at(time.Minute, withdrawn("p1", "bob")))
		}, []string{"back bob:earned_for_pluses > treasury 0.5"}},
		{"liked again after a reinstatement", func(f *fixture) domain.Outcome {
			reinstatedAtNoon(f, liked("p1", "bob"))
			f.must(at(time.Minute, withdrawn("p1", "bob")))
			return f.one(named("m", at(time.Minute, liked("p1", "bob"))))
		}, []string{"treasury > bob:earned_for_pluses 0.5"}},
		{"open again after the reinstatement of what was withdrawn", func(f *fixture) domain.Outcome {
			article(f)
			reversal := f.recorded(f.reverse(f.must(liked("p1", "bob")), "a note"))
			f.must(withdrawn("p1", "bob"))
			f.recorded(f.reinstate(reversal, "a note"))
			return f.one(named("m", liked("p1", "bob")))
		}, []string{"treasury > bob:earned_for_pluses 0.5"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, logtest.MemoryOptions{})
			e := f.recorded(row.do(f))
			if got := postings(e.Postings); !slices.Equal(got, row.want) {
				t.Errorf("the postings are %q, not %q", got, row.want)
			}
			if e.Reason != "" {
				t.Errorf("the reason is %q", e.Reason)
			}
		})
	}
}

// A switch appends the withdrawal and the new reaction together, and its answer has both, also when it is repeated. A
// withdrawal takes back the amounts of its reaction's time (I6, I8).
func TestSwitch(t *testing.T) {
	later := tariffFrom(2, lead, func(t *domain.Tariff) {
		for i := range t.Rows {
			t.Rows[i].Amount = twei("7")
		}
	})
	f := newFixture(t, logtest.MemoryOptions{})
	article(f)
	f.must(liked("p1", "bob"))
	f.recorded(f.publish(later))
	f.clock.advance(lead)
	change := at(lead, disliked("p1", "bob"))
	first := f.one(change)
	reaction, also := f.recorded(first), first.Also.Event
	if also == nil {
		t.Fatal("no withdrawal beside the switch")
	}
	if also.ID != domain.WithdrawnID(reaction.ID) || also.Revision != 1 || reaction.Revision != 2 ||
		also.Message() != change.Message || !also.OccurredAt.Equal(change.OccurredAt) || also.Tariff != 1 || reaction.Tariff != 2 {
		t.Errorf("the switch is %+v and %+v", also, reaction)
	}
	want := []string{"back bob:earned_for_pluses > treasury 0.5", "bob:spent_for_minuses > treasury 7"}
	if got := append(postings(also.Postings), postings(reaction.Postings)...); !slices.Equal(got, want) {
		t.Errorf("the postings are %q, not %q", got, want)
	}
	for _, ledger := range []*domain.Ledger{f.Ledger, f.second(nil)} {
		again := ledger.Record(t.Context(), received(change))[0]
		if again.Result != domain.Duplicate || again.Recorded.ID != reaction.ID || again.Recorded.Position != first.Recorded.Position ||
			again.Also.Event == nil || again.Also.ID != also.ID || again.Also.Position != first.Also.Position {
			t.Errorf("sent again, it is %s", again.AppendJSON(nil, "", 0))
		}
	}
}

// The same request of an operator again is a duplicate, whatever came after it.
func TestOperatorRepeats(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	article(f)
	like := f.must(liked("p1", "bob"))
	duplicate := func(o domain.Outcome, of *domain.Event) {
		t.Helper()
		if o.Result != domain.Duplicate || o.Recorded.ID != of.ID {
			t.Errorf("%s is no duplicate of %s", o.AppendJSON(nil, "", 0), of.ID)
		}
	}
	first := f.recorded(f.reverse(like, "one"))
	duplicate(f.reverse(like, "one"), first)
	good := f.recorded(f.reinstate(first, "good"))
	duplicate(f.reinstate(first, "good"), good)
	duplicate(f.reverse(like, "one"), first)
	second := f.recorded(f.reverse(like, "two"))
	if first.ID != domain.ReversedID(like.ID) || good.ID != domain.ReinstatedID(first.ID) || second.ID != domain.ReversedID(good.ID) {
		t.Errorf("the ids are %s %s %s", first.ID, good.ID, second.ID)
	}
	f.must(withdrawn("p1", "bob"))
	duplicate(f.reverse(like, "one"), first)
	duplicate(f.reverse(like, "two"), second)
	duplicate(f.reinstate(first, "good"), good)
	duplicate(f.publish(domain.DefaultTariff()), f.events()[0])
}

// A reversal and a reinstatement occur at the later of now and the time of the event that their id is namespaced by.
func TestOperatorTimes(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	ahead := noon.Add(third)
	like := f.must(at(third, liked("p1", "bob")))
	reversal := f.recorded(f.reverse(like, "a note"))
	f.clock.advance(-time.Minute)
	good := f.recorded(f.reinstate(reversal, "a note"))
	for _, e := range []*domain.Event{reversal, good} {
		if !e.OccurredAt.Equal(ahead) || e.RecordedAt.After(noon) {
			t.Errorf("%s occurred at %s, recorded at %s", e.Type, e.OccurredAt, e.RecordedAt)
		}
	}
	f.clock.advance(time.Hour)
	if again := f.recorded(f.reverse(like, "another note")); !again.OccurredAt.Equal(f.clock.Now()) {
		t.Errorf("the later reversal occurred at %s", again.OccurredAt)
	}
}

// A report's charge is taken back like any other.
func TestReportReversed(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"), read("p1", "bob", 60))
	whole := statement(map[domain.Line]string{domain.PostPublishTribute: "10", domain.ReadToEarn: "1"}, domain.Counts{Reads: 1})
	own := statement(map[domain.Line]string{domain.ReadToEarn: "1"}, domain.Counts{Reads: 1})
	own.Reading = &domain.Reading{TimeToReadSeconds: 60, Earned: twei("1"), Date: noon}
	appendReport(f, "bob", "p1", "a key", whole, own)
	events := f.events()
	report := events[len(events)-1]
	reversal := f.recorded(f.reverse(report, "bought by mistake"))
	if got, want := postings(reversal.Postings), "back treasury > bob:pnl_reports 1"; len(got) != 1 || got[0] != want || reversal.Stream != report.Stream {
		t.Errorf("the reversal on %s is %q", reversal.Stream, got)
	}
	good := f.recorded(f.reinstate(reversal, "no mistake"))
	if got, want := postings(good.Postings), "bob:pnl_reports > treasury 1"; len(got) != 1 || got[0] != want {
		t.Errorf("the reinstatement is %q", got)
	}
}
