package domain_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// article is what most rows start from: a post by ann and a comment by cid under it.
func article(f *fixture) { f.must(published("p1", "ann"), commented("p1", "c1", "cid")) }

// sending returns the step that sends one engagement after others that must be recorded.
func sending(last domain.Engagement, before ...domain.Engagement) func(*fixture) domain.Outcome {
	return func(f *fixture) domain.Outcome {
		article(f)
		f.must(before...)
		return f.one(last)
	}
}

// publishing returns the step that publishes a tariff after others that must be recorded.
func publishing(last domain.Tariff, before ...domain.Tariff) func(*fixture) domain.Outcome {
	return func(f *fixture) domain.Outcome {
		for _, t := range before {
			f.recorded(f.publish(t))
		}
		return f.publish(last)
	}
}

// reversing returns the step that reverses one event after another step.
func reversing(e domain.Engagement, then ...domain.Engagement) func(*fixture) domain.Outcome {
	return func(f *fixture) domain.Outcome {
		article(f)
		event := f.must(e)
		f.must(then...)
		return f.reverse(event, "a note")
	}
}

// idleReads leaves 1,000 reads that moved nothing by the reader of e, then sends e.
func idleReads(e domain.Engagement) func(*fixture) domain.Outcome {
	return func(f *fixture) domain.Outcome {
		article(f)
		var reads []domain.Engagement
		for i := range 1000 {
			r := read("p1", e.AccountID, 1)
			reads = append(reads, named(time.Duration(i).String(), r))
		}
		for _, o := range f.record(reads...) {
			f.recorded(o)
		}
		return f.one(e)
	}
}

// fromNoon is a log whose tariff begins a minute before noon, so that there are times without one.
var fromNoon = []domain.Tariff{tariffFrom(1, -time.Minute, nil)}

const beforeTariffs = -time.Hour

// rejections has a row for each code, and for each way to a code (I6, I7, I8, I11, I13).
var rejections = []struct {
	name    string
	code    domain.Code
	field   string
	tariffs []domain.Tariff
	do      func(*fixture) domain.Outcome
}{
	{name: "unreadable", code: "invalid", field: "data.post_id", do: sending(liked("p 1", "bob"))},
	{name: "version left out", code: "invalid", field: "version", do: publishing(tariffFrom(3, time.Hour, nil))},
	{name: "tariff by itself", code: "invalid", field: "rows[0].amount",
		do: publishing(tariffFrom(2, time.Hour, func(t *domain.Tariff) { t.Rows[0].Amount = domain.Wei(0) }))},
	{name: "note missing", code: "invalid", field: "note", do: func(f *fixture) domain.Outcome {
		return f.Reverse(context.Background(), f.must(published("p1", "ann")).ID, "", "ops")
	}},
	{name: "note with a line feed", code: "invalid", field: "note", do: func(f *fixture) domain.Outcome {
		return f.Reinstate(context.Background(), f.must(published("p1", "ann")).ID, "a\nb", "ops")
	}},
	{name: "note too long", code: "invalid", field: "note", do: func(f *fixture) domain.Outcome {
		return f.Reverse(context.Background(), f.must(published("p1", "ann")).ID, string(make([]byte, 1025)), "ops")
	}},

	{name: "other time", code: "conflicting_duplicate", do: sending(at(time.Second, liked("p1", "bob")), liked("p1", "bob"))},
	{name: "other type, same stream", code: "conflicting_duplicate",
		do: sending(named("m", disliked("p1", "bob")), named("m", liked("p1", "bob")))},
	{name: "other type, other stream", code: "conflicting_duplicate",
		do: sending(named("m", read("p1", "bob", 60)), named("m", liked("p1", "bob")))},
	{name: "other account", code: "conflicting_duplicate",
		do: sending(named("m", liked("p1", "dan")), named("m", liked("p1", "bob")))},
	{name: "other seconds", code: "conflicting_duplicate", do: sending(read("p1", "bob", 61), read("p1", "bob", 60))},
	{name: "other title", code: "conflicting_duplicate", do: func(f *fixture) domain.Outcome {
		f.must(published("p1", "ann"))
		e := published("p1", "ann")
		e.Title = "Another"
		return f.one(e)
	}},
	{name: "url added", code: "conflicting_duplicate", do: func(f *fixture) domain.Outcome {
		f.must(published("p1", "ann"))
		e := published("p1", "ann")
		e.URL = "https://example.org/"
		return f.one(e)
	}},
	{name: "other time to read", code: "conflicting_duplicate", do: sending(changed("p1", 30), changed("p1", 90))},
	{name: "other author", code: "conflicting_duplicate", do: sending(named("m", published("p2", "bob")), named("m", published("p2", "ann")))},
	{name: "other level", code: "conflicting_duplicate", do: sending(withLevel(14, commented("p1", "c1", "cid")))},
	{name: "comment under another post", code: "conflicting_duplicate", do: sending(named("m", commented("p2", "c2", "cid")),
		published("p2", "ann"), named("m", commented("p1", "c2", "cid")))},
	{name: "withdrawal of a switch's message", code: "conflicting_duplicate", do: sending(named("m", withdrawn("p1", "bob")),
		liked("p1", "bob"), named("m", disliked("p1", "bob")))},

	{name: "a third and more ahead", code: "in_future", field: "time", do: sending(at(third+1, liked("p1", "bob")))},

	{name: "change of no post", code: "unknown_post", field: "data.post_id", do: sending(changed("p2", 5))},
	{name: "read of no post", code: "unknown_post", field: "data.post_id", do: sending(read("p2", "bob", 5))},
	{name: "like of no post", code: "unknown_post", field: "data.post_id", do: sending(liked("p2", "bob"))},
	{name: "withdrawal under no post", code: "unknown_post", field: "data.post_id", do: sending(withdrawn("p2", "bob"))},
	{name: "comment under no post", code: "unknown_post", field: "data.post_id", do: sending(commented("p2", "c2", "bob"))},

	{name: "removal of no comment", code: "unknown_comment", field: "data.comment_id", do: sending(removed("c2"))},
	{name: "like of no comment", code: "unknown_comment", field: "data.comment_id", do: sending(commentLiked("c2", "bob"))},
	{name: "dislike of no comment", code: "unknown_comment", field: "data.comment_id", do: sending(commentDisliked("c2", "bob"))},
	{name: "withdrawal from no comment", code: "unknown_comment", field: "data.comment_id", do: sending(commentWithdrawn("c2", "bob"))},

	{name: "reversal of no event", code: "unknown_event", field: "event_id", do: func(f *fixture) domain.Outcome {
		return f.Reverse(context.Background(), uuid.NameSpaceDNS, "a note", "ops")
	}},
	{name: "reinstatement of no event", code: "unknown_event", field: "event_id", do: func(f *fixture) domain.Outcome {
		return f.Reinstate(context.Background(), uuid.NameSpaceDNS, "a note", "ops")
	}},

	{name: "published again", code: "post_exists", field: "data.post_id", do: sending(named("m", published("p1", "bob")))},
	{name: "added again", code: "comment_exists", field: "data.comment_id", do: sending(named("m", commented("p1", "c1", "bob")))},
	{name: "added again under another post", code: "comment_exists", field: "data.comment_id",
		do: sending(named("m", commented("p2", "c1", "bob")), published("p2", "ann"))},
	{name: "added again after its removal", code: "comment_exists", field: "data.comment_id",
		do: sending(named("m", commented("p1", "c1", "cid")), removed("c1"))},
	{name: "removed again", code: "comment_removed", field: "data.comment_id", do: sending(named("m", removed("c1")), removed("c1"))},
	{name: "reaction to a removed comment", code: "comment_removed", field: "data.comment_id", do: sending(commentLiked("c1", "bob"), removed("c1"))},
	{name: "switch on a removed comment", code: "comment_removed", field: "data.comment_id",
		do: sending(commentDisliked("c1", "bob"), commentLiked("c1", "bob"), removed("c1"))},
	{name: "level", code: "level_too_low", field: "data.level", do: sending(withLevel(12, commented("p1", "c2", "bob")))},

	{name: "liked again", code: "already_reacted", do: sending(named("m", liked("p1", "bob")), liked("p1", "bob"))},
	{name: "disliked again", code: "already_reacted", do: sending(named("m", commentDisliked("c1", "bob")), commentDisliked("c1", "bob"))},
	{name: "liked again after a reversal", code: "already_reacted", do: func(f *fixture) domain.Outcome {
		f.must(published("p1", "ann"))
		f.recorded(f.reverse(f.must(liked("p1", "bob")), "a note"))
		return f.one(named("m", liked("p1", "bob")))
	}},
	{name: "nothing to withdraw", code: "no_reaction", do: sending(withdrawn("p1", "bob"))},
	{name: "withdrawn again", code: "no_reaction", do: sending(named("m", withdrawn("p1", "bob")), liked("p1", "bob"), withdrawn("p1", "bob"))},

	{name: "withdrawal older than the like", code: "out_of_order", field: "time", do: sending(at(-1, withdrawn("p1", "bob")), liked("p1", "bob"))},
	{name: "switch older than the like", code: "out_of_order", field: "time", do: sending(at(-1, disliked("p1", "bob")), liked("p1", "bob"))},
	{name: "like older than the withdrawal", code: "out_of_order", field: "time",
		do: sending(named("m", at(-1, liked("p1", "bob"))), at(-2, liked("p1", "bob")), withdrawn("p1", "bob"))},
	{name: "removal older than the comment", code: "out_of_order", field: "time", do: sending(at(-1, removed("c1")))},
	{name: "withdrawal older than a reinstatement", code: "out_of_order", field: "time", do: func(f *fixture) domain.Outcome {
		reinstatedAtNoon(f, liked("p1", "bob"))
		return f.one(at(time.Minute-1, withdrawn("p1", "bob")))
	}},
	{name: "switch older than a reinstatement", code: "out_of_order", field: "time", do: func(f *fixture) domain.Outcome {
		reinstatedAtNoon(f, liked("p1", "bob"))
		return f.one(at(time.Minute-1, disliked("p1", "bob")))
	}},
	{name: "removal older than a reinstatement", code: "out_of_order", field: "time", do: func(f *fixture) domain.Outcome {
		reinstatedAtNoon(f, commented("p1", "c2", "bob"))
		return f.one(at(time.Minute-1, removed("c2")))
	}},

	{name: "the 1,001st idle read", code: "too_many", do: idleReads(named("m", read("p1", "bob", 2)))},

	{name: "reversed again", code: "already_reversed", field: "event_id", do: func(f *fixture) domain.Outcome {
		article(f)
		like := f.must(liked("p1", "bob"))
		f.recorded(f.reverse(like, "one"))
		return f.reverse(like, "two")
	}},
	{name: "reversed after its withdrawal", code: "already_reversed", field: "event_id", do: reversing(liked("p1", "bob"), withdrawn("p1", "bob"))},
	{name: "reversed after its switch", code: "already_reversed", field: "event_id", do: reversing(liked("p1", "bob"), disliked("p1", "bob"))},
	{name: "reversed after its removal", code: "already_reversed", field: "event_id", do: reversing(commented("p1", "c2", "bob"), removed("c2"))},

	{name: "reversal of a change", code: "not_reversible", field: "event_id", do: reversing(changed("p1", 30))},
	{name: "reversal of a withdrawal", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		article(f)
		return f.reverse(f.must(liked("p1", "bob"), withdrawn("p1", "bob")), "a note")
	}},
	{name: "reversal of a removal", code: "not_reversible", field: "event_id", do: reversing(removed("c1"))},
	{name: "reversal of what moved nothing", code: "not_reversible", field: "event_id", do: reversing(liked("p1", "ann"))},
	{name: "reversal of a tariff", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		return f.reverse(f.events()[0], "a note")
	}},
	{name: "reversal of a reversal", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		article(f)
		return f.reverse(f.recorded(f.reverse(f.must(liked("p1", "bob")), "a note")), "a note")
	}},
	{name: "reversal of a reinstatement", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		reinstatedAtNoon(f, liked("p1", "bob"))
		events := f.events()
		return f.reverse(events[len(events)-1], "another note")
	}},
	{name: "reinstatement of what is no reversal", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		article(f)
		return f.reinstate(f.must(liked("p1", "bob")), "a note")
	}},
	{name: "reinstatement of what was made good", code: "not_reversible", field: "event_id", do: func(f *fixture) domain.Outcome {
		return f.reinstate(reinstatedAtNoon(f, liked("p1", "bob")), "another note")
	}},

	{name: "version taken", code: "version_taken", field: "version", do: publishing(tariffFrom(1, time.Hour, nil))},
	{name: "second version taken", code: "version_taken", field: "version",
		do: publishing(tariffFrom(2, 2*time.Hour, nil), tariffFrom(2, time.Hour, nil))},
	{name: "within the lead", code: "tariff_too_early", field: "effective_from", do: publishing(tariffFrom(2, lead-1, nil))},
	{name: "in the past", code: "tariff_too_early", field: "effective_from", do: publishing(tariffFrom(2, -time.Hour, nil))},
	{name: "with the version before", code: "tariff_too_early", field: "effective_from",
		do: publishing(tariffFrom(3, time.Hour, nil), tariffFrom(2, time.Hour, nil))},

	{name: "post before any tariff", code: "no_tariff", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, published("p2", "ann")))},
	{name: "read before any tariff", code: "no_tariff", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, read("p1", "bob", 60)))},
	{name: "like before any tariff", code: "no_tariff", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, liked("p1", "bob")))},
	{name: "comment before any tariff", code: "no_tariff", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, commented("p1", "c2", "bob")))},
	{name: "comment's dislike before any tariff", code: "no_tariff", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, commentDisliked("c1", "bob")))},

	// Where several codes hold, the first of the set is given.
	{name: "invalid before conflicting_duplicate", code: "invalid", field: "data.account_id", do: func(f *fixture) domain.Outcome {
		f.must(published("p1", "ann"), named("m", liked("p1", "bob")))
		return f.one(named("m", liked("p1", "")))
	}},
	{name: "conflicting_duplicate before in_future", code: "conflicting_duplicate", do: sending(at(time.Hour, liked("p1", "bob")), liked("p1", "bob"))},
	{name: "conflicting_duplicate before in_future, other stream", code: "conflicting_duplicate",
		do: sending(at(time.Hour, named("m", liked("p2", "bob"))), named("m", liked("p1", "bob")))},
	{name: "conflicting_duplicate before unknown_post", code: "conflicting_duplicate", do: sending(named("m", liked("p2", "bob")), named("m", liked("p1", "bob")))},
	{name: "conflicting_duplicate before already_reacted", code: "conflicting_duplicate",
		do: sending(named("m", liked("p1", "bob")), liked("p1", "bob"), named("m", liked("p1", "dan")))},
	{name: "in_future before unknown_post", code: "in_future", field: "time", do: sending(at(time.Hour, liked("p2", "bob")))},
	{name: "unknown_post before comment_exists", code: "unknown_post", field: "data.post_id", do: sending(named("m", commented("p2", "c1", "cid")))},
	{name: "unknown_post before no_tariff", code: "unknown_post", field: "data.post_id", tariffs: fromNoon, do: sending(at(beforeTariffs, read("p2", "bob", 5)))},
	{name: "unknown_comment before no_reaction", code: "unknown_comment", field: "data.comment_id", do: sending(commentWithdrawn("c2", "bob"))},
	{name: "unknown_comment before no_tariff", code: "unknown_comment", field: "data.comment_id", tariffs: fromNoon,
		do: sending(at(beforeTariffs, commentLiked("c2", "bob")))},
	{name: "post_exists before no_tariff", code: "post_exists", field: "data.post_id", tariffs: fromNoon, do: sending(named("m", at(beforeTariffs, published("p1", "ann"))))},
	{name: "comment_exists before level_too_low", code: "comment_exists", field: "data.comment_id", do: sending(named("m", withLevel(1, commented("p1", "c1", "cid"))))},
	{name: "comment_exists before no_tariff", code: "comment_exists", field: "data.comment_id", tariffs: fromNoon,
		do: sending(named("m", at(beforeTariffs, commented("p1", "c1", "cid"))))},
	{name: "comment_removed before already_reacted", code: "comment_removed", field: "data.comment_id",
		do: sending(named("m", commentLiked("c1", "bob")), commentLiked("c1", "bob"), removed("c1"))},
	{name: "comment_removed before out_of_order", code: "comment_removed", field: "data.comment_id", do: sending(named("m", at(-1, removed("c1"))), removed("c1"))},
	{name: "already_reacted before out_of_order", code: "already_reacted", do: sending(named("m", at(-1, liked("p1", "bob"))), liked("p1", "bob"))},
	{name: "already_reacted before no_tariff", code: "already_reacted", tariffs: fromNoon, do: sending(named("m", at(beforeTariffs, liked("p1", "bob"))), liked("p1", "bob"))},
	{name: "no_reaction before out_of_order", code: "no_reaction", do: sending(named("m", at(-1, withdrawn("p1", "bob"))), liked("p1", "bob"), withdrawn("p1", "bob"))},
	{name: "out_of_order before no_tariff", code: "out_of_order", field: "time", tariffs: fromNoon, do: sending(at(beforeTariffs, disliked("p1", "bob")), liked("p1", "bob"))},
	{name: "too_many before no_tariff", code: "too_many", tariffs: fromNoon, do: idleReads(named("m", at(beforeTariffs, read("p1", "ann", 2))))},
	{name: "already_reversed before not_reversible", code: "already_reversed", field: "event_id", do: reversing(liked("p1", "ann"), withdrawn("p1", "ann"))},
	{name: "version_taken before tariff_too_early", code: "version_taken", field: "version", do: publishing(tariffFrom(1, -time.Hour, nil))},
}

// reinstatedAtNoon publishes p1, sends an engagement, reverses its event and reinstates it at a minute past noon, and
// returns the reversal.
func reinstatedAtNoon(f *fixture, e domain.Engagement) (reversal *domain.Event) {
	f.must(published("p1", "ann"))
	event := f.must(e)
	f.clock.advance(time.Minute)
	reversal = f.recorded(f.reverse(event, "wrong"))
	f.recorded(f.reinstate(reversal, "right after all"))
	return reversal
}

func TestRejections(t *testing.T) {
	for _, row := range rejections {
		t.Run(string(row.code)+"/"+row.name, func(t *testing.T) {
			f := newFixture(t, logtest.MemoryOptions{}, row.tariffs...)
			outcome := row.do(f)
			if outcome.Result != domain.Rejected || outcome.Rejection.Code != row.code || outcome.Rejection.Field != row.field {
				t.Fatalf("the outcome is %s, not the rejection %s of field %q", outcome.AppendJSON(nil, "", 0), row.code, row.field)
			}
			if outcome.Rejection.Detail == "" || outcome.Recorded.Event != nil || outcome.Also.Event != nil {
				t.Errorf("the outcome is %+v", outcome)
			}
		})
	}
}
