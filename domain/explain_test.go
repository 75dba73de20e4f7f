package domain_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// explainIn explains the event at a place of a log, with its origin and its tariff found there.
func explainIn(log []*domain.Event, place int) (domain.Explanation, error) {
	e := log[place]
	return domain.Explain(e, originIn(log, e), tariffIn(log, e.Tariff))
}

// originIn returns the engagement's event that e leads back to, nil where it leads to none.
func originIn(log []*domain.Event, e *domain.Event) (origin *domain.Event) {
	for id, about := e.IsAbout(); about; id, about = origin.IsAbout() {
		origin = log[slices.IndexFunc(log, func(e *domain.Event) bool { return e.ID == id })]
	}
	return origin
}

func tariffIn(log []*domain.Event, version uint64) *domain.Tariff {
	for _, e := range log {
		if e.Published != nil && e.Published.Version == version {
			return e.Published
		}
	}
	return nil
}

func decodeLines(t *testing.T, lines [][]byte) (events []*domain.Event) {
	t.Helper()
	for _, line := range lines {
		e, err := domain.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// explained says what the golden log's explanations are, by line.
var explained = []string{
	0:  `{"postings":[]}`,
	1:  `{"tariff":1,"postings":[{"row":0,"engagement":"post_published","debit":{"party":"author","account":"ann","line":"post_publish_tribute"},"credit":{"party":"treasury","account":"treasury"},"amount":"10"}]}`,
	2:  `{"postings":[]}`,
	3:  `{"tariff":1,"postings":[{"row":1,"engagement":"post_read","debit":{"party":"treasury","account":"treasury"},"credit":{"party":"reader","account":"bob","line":"read_to_earn"},"amount":"1"}]}`,
	4:  `{"tariff":1,"postings":[],"reason":{"code":"already_rewarded","because":"one read is rewarded for each account and post, and one on the stream reading-minerals/bob was before","facts":{"stream":"reading-minerals/bob"}}}`,
	5:  `{"tariff":1,"postings":[],"reason":{"code":"too_short","because":"seconds_read 179 < time_to_read_seconds 180 × read_min_fraction \"1\"","facts":{"seconds_read":179,"time_to_read_seconds":180,"read_min_fraction":"1"}}}`,
	6:  `{"tariff":1,"postings":[],"reason":{"code":"own_post","because":"ann wrote the post, and nobody is rewarded for reading the own one","facts":{"account_id":"ann","author":"ann"}}}`,
	7:  `{"tariff":1,"postings":[{"row":4,"engagement":"comment_added","debit":{"party":"treasury","account":"treasury"},"credit":{"party":"commenter","account":"Raphael","line":"comment_rewards"},"amount":"2"},{"row":5,"engagement":"comment_added","debit":{"party":"commenter","account":"Raphael","line":"comment_tributes"},"credit":{"party":"treasury","account":"treasury"},"amount":"1"}]}`,
	9:  `{"tariff":1,"postings":[{"row":9,"engagement":"comment_disliked","debit":{"party":"actor","account":"ann","line":"dislikes_own"},"credit":{"party":"author","account":"ann","line":"dislikes_author"},"amount":"0.1"},{"row":10,"engagement":"comment_disliked","debit":{"party":"commenter","account":"Raphael","line":"dislikes_commenter"},"credit":{"party":"treasury","account":"treasury"},"amount":"0.5"}]}`,
	10: `{"tariff":1,"postings":[],"reason":{"code":"self_reaction","because":"Raphael wrote the comment, and a reaction to the own one moves nothing","facts":{"account_id":"Raphael","commenter":"Raphael"}}}`,
	12: `{"tariff":1,"postings":[{"row":2,"engagement":"post_liked","debit":{"party":"actor","account":"bob","line":"earned_for_pluses"},"credit":{"party":"treasury","account":"treasury"},"amount":"0.5","reversal":true}]}`,
	15: `{"tariff":1,"postings":[{"row":1,"engagement":"post_read","debit":{"party":"reader","account":"bob","line":"read_to_earn"},"credit":{"party":"treasury","account":"treasury"},"amount":"1","reversal":true}]}`,
	16: `{"tariff":1,"postings":[],"reason":{"code":"reversed","because":"an operator's reversal stood on the stream reading-minerals/bob","facts":{"stream":"reading-minerals/bob"}}}`,
	17: `{"tariff":1,"postings":[{"row":1,"engagement":"post_read","debit":{"party":"treasury","account":"treasury"},"credit":{"party":"reader","account":"bob","line":"read_to_earn"},"amount":"1"}]}`,
	20: `{"tariff":1,"postings":[],"reason":{"code":"already_reversed","because":"the postings of event f7ed30be-b575-55b2-87af-e79846be8868 had been taken back before","facts":{"event_id":"f7ed30be-b575-55b2-87af-e79846be8868"}}}`,
	21: `{"tariff":1,"postings":[],"reason":{"code":"already_reversed","because":"event f7ed30be-b575-55b2-87af-e79846be8868 had been withdrawn or removed meanwhile","facts":{"event_id":"f7ed30be-b575-55b2-87af-e79846be8868"}}}`,
	25: `{"tariff":1,"postings":[{"row":11,"engagement":"report_issued","debit":{"party":"buyer","account":"bob","line":"pnl_reports"},"credit":{"party":"treasury","account":"treasury"},"amount":"1"}]}`,
	26: `{"postings":[]}`,
	27: `{"tariff":2,"postings":[],"reason":{"code":"own_post","because":"ann wrote the post, and author_reaction_pays is false","facts":{"account_id":"ann","author":"ann","author_reaction_pays":false}}}`,
	28: `{"tariff":2,"postings":[],"reason":{"code":"no_row","because":"tariff 2 has no row for post_disliked","facts":{"engagement":"post_disliked"}}}`,
	29: `{"tariff":2,"postings":[],"reason":{"code":"no_row","because":"it ends event 97ee40fc-0cf2-54f7-b82c-d08524510ce2, which moved nothing: tariff 2 has no row for post_disliked","facts":{"engagement":"post_disliked"}}}`,
}

// Every golden event is explained: each posting by a row of its tariff, with its accounts and amount, and each reason.
func TestExplainGolden(t *testing.T) {
	log := decodeLines(t, goldenLines(t))
	for i, e := range log {
		x, err := explainIn(log, i)
		if err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		text := append(x.AppendMembers([]byte{'{'}), '}')
		if !json.Valid(text) {
			t.Errorf("line %d: %s is no JSON", i, text)
		}
		if i < len(explained) && explained[i] != "" && string(text) != explained[i] {
			t.Errorf("line %d is explained by\n%s, not\n%s", i, text, explained[i])
		}
		if len(x.Postings) != len(e.Postings) || x.Reason != e.Reason || (x.Because == "") != (e.Reason == "") || (len(x.Facts) == 0) != (e.Reason == "") {
			t.Errorf("line %d, %s, is explained by %s", i, e.Type, text)
		}
		for j, p := range x.Postings {
			row := tariffIn(log, e.Tariff).Rows[p.Row]
			if p.Posting != e.Postings[j] || row.Amount != p.Amount || row.Engagement != p.Engagement {
				t.Errorf("line %d: posting %d is explained by row %d: %s", i, j, p.Row, text)
			}
		}
	}
}

// Every way to every reason is explained, and so is everything recorded on the way.
func TestExplainReasons(t *testing.T) {
	for _, row := range reasons {
		t.Run(string(row.reason)+"/"+row.name, func(t *testing.T) {
			f := newFixture(t, logtest.MemoryOptions{}, row.tariffs...)
			last := f.recorded(row.do(f))
			log := f.events()
			for i, e := range log {
				x, err := explainIn(log, i)
				if err != nil {
					t.Fatal(err)
				}
				if e.ID == last.ID && (x.Reason != row.reason || x.Because == "" || len(x.Facts) == 0) {
					t.Errorf("it is explained by %+v", x)
				}
			}
		})
	}
}

// An event that does not follow from its tariff and its origin is not explained away.
func TestExplainContradictions(t *testing.T) {
	golden := decodeLines(t, goldenLines(t))
	for _, row := range []struct {
		name   string
		line   int
		change func(e *domain.Event)
	}{
		{"another amount", 3, func(e *domain.Event) { e.Postings[0].Amount = twei("2") }},
		{"another account", 11, func(e *domain.Event) { e.Postings[0].Credit.Account = "mallory" }},
		{"another line", 11, func(e *domain.Event) { e.Postings[0].Credit.Line = domain.LikesOwn }},
		{"a posting more", 11, func(e *domain.Event) { e.Postings = append(e.Postings, e.Postings[0]) }},
		{"a posting less", 7, func(e *domain.Event) { e.Postings = e.Postings[:1] }},
		{"postings in another order", 7, func(e *domain.Event) { slices.Reverse(e.Postings) }},
		{"a reason instead", 11, func(e *domain.Event) { e.Postings, e.Reason = nil, domain.ReasonNoRow }},
		{"another reason", 5, func(e *domain.Event) { e.Reason = domain.ReasonOwnPost }},
		{"long enough", 5, func(e *domain.Event) { e.SecondsRead = 180 }},
		{"a reward for a short read", 3, func(e *domain.Event) { e.SecondsRead = 179 }},
		{"another author", 6, func(e *domain.Event) { e.Author = "bob" }},
		{"a withdrawal that is no reversal", 12, func(e *domain.Event) { e.Postings[0].Reversal = false }},
		{"a reinstatement of another amount", 17, func(e *domain.Event) { e.Postings[0].Amount = twei("3") }},
		{"a reversal of nothing", 15, func(e *domain.Event) { e.Postings = nil }},
		{"a removal's other reason", 20, func(e *domain.Event) { e.Reason = domain.ReasonNoRow }},
		{"another version", 28, func(e *domain.Event) { e.Tariff = 1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			log := decodeLines(t, goldenLines(t))
			row.change(log[row.line])
			if x, err := explainIn(log, row.line); !errors.Is(err, domain.ErrCorrupt) {
				t.Errorf("it is explained by %+v, %v", x, err)
			}
			// What it leads back to must hold too.
			for i, e := range golden {
				if origin := originIn(golden, e); origin != nil && origin.ID == log[row.line].ID && row.line != i {
					if _, err := domain.Explain(e, log[row.line], tariffIn(golden, e.Tariff)); !errors.Is(err, domain.ErrCorrupt) {
						t.Errorf("line %d is explained by a false origin: %v", i, err)
					}
				}
			}
		})
	}
	withdrawal := golden[12]
	if _, err := domain.Explain(withdrawal, nil, tariffIn(golden, 1)); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("a withdrawal without its origin: %v", err)
	}
	if _, err := domain.Explain(golden[3], golden[4], tariffIn(golden, 1)); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("a read with an origin: %v", err)
	}
	if _, err := domain.Explain(golden[3], nil, nil); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("a read without a tariff: %v", err)
	}
}
