package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// document is DESIGN section 3's, with one row.
const document = `{"version":2,"effective_from":"2026-01-29T12:00:00Z","comment_min_level":13,"read_min_fraction":"1",` +
	`"own_post_comment_pays":true,"author_reaction_pays":false,"rows":[{"engagement":"post_liked","debit":{"party":"treasury"},` +
	`"credit":{"party":"actor","line":"earned_for_pluses"},"amount":"0.5"}]}`

// rows returns n rows of the engagements named in turn.
func rows(n int, engagements ...string) string {
	text := make([]string, n)
	for i := range text {
		text[i] = fmt.Sprintf(`{"engagement":%q,"debit":{"party":"treasury"},"credit":{"party":"author","line":"likes_author"},"amount":"1"}`,
			engagements[i%len(engagements)])
	}
	return strings.Join(text, ",")
}

// Each refusal of DESIGN section 3, and of the document's form, with the place.
func TestTariffRefusals(t *testing.T) {
	const row = `{"engagement":"post_liked","debit":{"party":"treasury"},"credit":{"party":"actor","line":"earned_for_pluses"},"amount":"0.5"}`
	many := strings.Split("post_published post_read post_liked post_disliked comment_added comment_liked comment_disliked report_issued", " ")
	for _, c := range []struct{ name, old, new, field string }{
		{"a party that the engagement does not have", `"actor"`, `"buyer"`, "rows[0].credit.party"},
		{"reader of a like", `"actor"`, `"reader"`, "rows[0].credit.party"},
		{"commenter of a post's like", `"actor"`, `"commenter"`, "rows[0].credit.party"},
		{"a party that nobody has", `"actor"`, `"publisher"`, "rows[0].credit.party"},
		{"an unknown line", `"earned_for_pluses"`, `"earned"`, "rows[0].credit.line"},
		{"a loss line credited", `"earned_for_pluses"`, `"pnl_reports"`, "rows[0].credit.line"},
		{"a profit line debited", `"debit":{"party":"treasury"}`, `"debit":{"party":"actor","line":"likes_own"}`, "rows[0].debit.line"},
		{"read_to_earn debited", `"debit":{"party":"treasury"}`, `"debit":{"party":"actor","line":"read_to_earn"}`, "rows[0].debit.line"},
		{"a party without a line", `,"line":"earned_for_pluses"`, ``, "rows[0].credit.line"},
		{"an empty line", `"earned_for_pluses"`, `""`, "rows[0].credit.line"},
		{"treasury with a line", `{"party":"treasury"}`, `{"party":"treasury","line":"likes_own"}`, "rows[0].debit.line"},
		{"treasury with an empty line", `{"party":"treasury"}`, `{"party":"treasury","line":""}`, "rows[0].debit.line"},
		{"treasury on both sides", `"credit":{"party":"actor","line":"earned_for_pluses"}`, `"credit":{"party":"treasury"}`, "rows[0]"},
		{"no amount", `"0.5"`, `"0"`, "rows[0].amount"},
		{"a negative amount", `"0.5"`, `"-0.5"`, "rows[0].amount"},
		{"a plus", `"0.5"`, `"+0.5"`, "rows[0].amount"},
		{"an exponent", `"0.5"`, `"5e-1"`, "rows[0].amount"},
		{"13 decimals", `"0.5"`, `"0.0000000000001"`, "rows[0].amount"},
		{"more than a million", `"0.5"`, `"1000000.000000000001"`, "rows[0].amount"},
		{"a huge amount", `"0.5"`, `"999999999999999999999999999999999999999999"`, "rows[0].amount"},
		{"a comma", `"0.5"`, `"0,5"`, "rows[0].amount"},
		{"an amount as a number", `"0.5"`, `0.5`, "rows[0].amount"},
		{"no amount at all", `,"amount":"0.5"`, ``, "rows[0].amount"},
		{"an engagement that no tariff prices", `"post_liked"`, `"post_changed"`, "rows[0].engagement"},
		{"an event's name", `"post_liked"`, `"PostLiked"`, "rows[0].engagement"},
		{"no engagement", `"engagement":"post_liked",`, ``, "rows[0].engagement"},
		{"no debit", `"debit":{"party":"treasury"},`, ``, "rows[0].debit"},
		{"no party", `{"party":"treasury"}`, `{}`, "rows[0].debit.party"},
		{"the second row", `"rows":[`, `"rows":[` + row + `,{"engagement":"x"},`, "rows[1].engagement"},
		{"17 rows for one engagement", row, rows(17, "post_liked"), "rows[16].engagement"},
		{"201 rows", row, rows(201, many...), "rows"},
		{"version 0", `"version":2`, `"version":0`, "version"},
		{"a fraction of a version", `"version":2`, `"version":2.0`, "version"},
		{"a version as a string", `"version":2`, `"version":"2"`, "version"},
		{"no version", `"version":2,`, ``, "version"},
		{"version 2 from the beginning of time", `"effective_from":"2026-01-29T12:00:00Z",`, ``, "effective_from"},
		{"a time without a zone", `12:00:00Z`, `12:00:00`, "effective_from"},
		{"an empty time", `"2026-01-29T12:00:00Z"`, `""`, "effective_from"},
		{"a level beyond 2^53-1", `"comment_min_level":13`, `"comment_min_level":9007199254740992`, "comment_min_level"},
		{"a negative level", `"comment_min_level":13`, `"comment_min_level":-1`, "comment_min_level"},
		{"no level", `"comment_min_level":13,`, ``, "comment_min_level"},
		{"a fraction above 1", `"read_min_fraction":"1"`, `"read_min_fraction":"1.1"`, "read_min_fraction"},
		{"a fraction with 13 decimals", `"read_min_fraction":"1"`, `"read_min_fraction":"0.0000000000001"`, "read_min_fraction"},
		{"a negative fraction", `"read_min_fraction":"1"`, `"read_min_fraction":"-0.5"`, "read_min_fraction"},
		{"a fraction as a number", `"read_min_fraction":"1"`, `"read_min_fraction":1`, "read_min_fraction"},
		{"a rule as a string", `"author_reaction_pays":false`, `"author_reaction_pays":"false"`, "author_reaction_pays"},
		{"a rule missing", `"own_post_comment_pays":true,`, ``, "own_post_comment_pays"},
		{"another rule missing", `"author_reaction_pays":false,`, ``, "author_reaction_pays"},
		{"no rows", `"rows":[`, `"lines":[`, "lines"},
		{"null", `true`, `null`, "own_post_comment_pays"},
		{"a null in a row", `"0.5"`, `null`, "rows[0].amount"},
		{"a null line of the treasury", `{"party":"treasury"}`, `{"party":"treasury","line":null}`, "rows[0].debit.line"},
		{"an unknown member", `"version":2`, `"versions":2`, "versions"},
		{"an unknown member of a row", `"amount":"0.5"`, `"amount":"0.5","note":""`, "rows[0].note"},
		{"another case", `"version":2`, `"Version":2`, "Version"},
		{"a member twice", `"version":2`, `"version":2,"version":2`, "version"},
		{"an array", document, `[]`, ""},
		{"more behind it", document, document + `{}`, ""},
		{"nothing", document, ``, ""},
		{"the end missing", document, document[:len(document)-1], ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(document, c.old, c.new, 1)
			if text == document {
				t.Fatal("the row changes nothing")
			}
			parsed, rej := domain.ParseTariff([]byte(text))
			if rej == nil {
				t.Fatalf("%s was taken as %+v", text, parsed)
			}
			if rej.Code != domain.CodeInvalid || rej.Field != c.field || rej.Detail == "" {
				t.Errorf("%s: %v, not in field %q", text, rej, c.field)
			}
		})
	}
}

// What is just allowed, and that a document's text comes back.
func TestTariffDocuments(t *testing.T) {
	for _, c := range []struct{ name, old, new string }{
		{"as it is", `}]}`, `}]}`},
		{"16 rows for one engagement", `"rows":[`, `"rows":[` + rows(15, "post_liked") + `,`},
		{"200 rows", `"rows":[`, `"rows":[` + rows(112, "post_published", "post_read", "comment_added", "comment_liked", "comment_disliked", "report_issued", "post_disliked") + `,`},
		{"a million", `"0.5"`, `"1000000"`},
		{"a wei", `"0.5"`, `"0.000000000001"`},
		{"fraction 0", `"read_min_fraction":"1"`, `"read_min_fraction":"0"`},
		{"fraction of 12 decimals", `"read_min_fraction":"1"`, `"read_min_fraction":"0.333333333333"`},
		{"both sides a party", `"debit":{"party":"treasury"}`, `"debit":{"party":"author","line":"pnl_reports"}`},
		{"one party on both sides", `"debit":{"party":"treasury"}`, `"debit":{"party":"actor","line":"pnl_reports"}`},
		{"read_to_earn credited", `"earned_for_pluses"`, `"read_to_earn"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(document, c.old, c.new, 1)
			parsed, rej := domain.ParseTariff([]byte(text))
			if rej != nil {
				t.Fatal(rej)
			}
			again, rej := domain.ParseTariff(parsed.AppendJSON(nil))
			if rej != nil || !again.Equal(&parsed) {
				t.Errorf("%s reads as %+v: %v", parsed.AppendJSON(nil), again, rej)
			}
		})
	}
	first := strings.Replace(strings.Replace(document, `"effective_from":"2026-01-29T12:00:00Z",`, ``, 1), `"version":2`, `"version":1`, 1)
	if parsed, rej := domain.ParseTariff([]byte(first)); rej != nil || !parsed.EffectiveFrom.IsZero() {
		t.Errorf("version 1 from the beginning of time: %+v %v", parsed, rej)
	}
}

// The default tariff is DESIGN section 3's, row by row; TestPostings shows what it gives.
func TestDefaultTariff(t *testing.T) {
	const want = `{"version":1,"comment_min_level":13,"read_min_fraction":"1","own_post_comment_pays":true,"author_reaction_pays":true}`
	table := []string{
		"post_published author:post_publish_tribute treasury 10",
		"post_read treasury reader:read_to_earn 1",
		"post_liked treasury actor:earned_for_pluses 0.5",
		"post_disliked actor:spent_for_minuses treasury 0.5",
		"comment_added treasury commenter:comment_rewards 2",
		"comment_added commenter:comment_tributes treasury 1",
		"comment_liked treasury actor:likes_own 0.1",
		"comment_liked treasury commenter:likes_commenter 0.5",
		"comment_liked treasury author:likes_author 0.2",
		"comment_disliked actor:dislikes_own author:dislikes_author 0.1",
		"comment_disliked commenter:dislikes_commenter treasury 0.5",
		"report_issued buyer:pnl_reports treasury 1",
	}
	tariff := domain.DefaultTariff()
	side := func(s domain.TariffSide) string {
		if s.Line == 0 {
			return s.Party.String()
		}
		return s.Party.String() + ":" + s.Line.String()
	}
	var got []string
	for _, r := range tariff.Rows {
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Engagement.TariffName(), side(r.Debit), side(r.Credit), r.Amount))
	}
	if strings.Join(got, "\n") != strings.Join(table, "\n") {
		t.Errorf("the rows are\n%s", strings.Join(got, "\n"))
	}
	if err := tariff.Validate(); err != nil {
		t.Error(err)
	}
	tariff.Rows = nil
	if text := strings.Replace(string(tariff.AppendJSON(nil)), `,"rows":[]`, ``, 1); text != want {
		t.Errorf("the rules are %s", text)
	}
}

// The parties of each engagement, by every row that could name another one.
func TestParties(t *testing.T) {
	has := map[string]string{
		"post_published": "author", "post_read": "reader author", "post_liked": "actor author", "post_disliked": "actor author",
		"comment_added": "commenter author", "comment_liked": "actor commenter author",
		"comment_disliked": "actor commenter author", "report_issued": "buyer author",
	}
	for engagement, parties := range has {
		for _, party := range []string{"author", "reader", "actor", "commenter", "buyer"} {
			text := strings.NewReplacer("post_liked", engagement, "actor", party).Replace(document)
			text = strings.Replace(text, party+"_reaction_pays", "author_reaction_pays", 1)
			_, rej := domain.ParseTariff([]byte(text))
			if want := strings.Contains(" "+parties+" ", " "+party+" "); want != (rej == nil) {
				t.Errorf("%s with the party %s: %v", engagement, party, rej)
			}
		}
	}
}

func TestInForce(t *testing.T) {
	versions := domain.Tariffs{tariffFrom(1, 0, nil), tariffFrom(2, time.Hour, nil), tariffFrom(3, 2*time.Hour, nil)}
	for _, row := range []struct {
		offset time.Duration
		want   uint64
	}{{-1, 0}, {0, 1}, {time.Hour - 1, 1}, {time.Hour, 2}, {2 * time.Hour, 3}, {99 * time.Hour, 3}} {
		var got uint64
		if tariff := versions.InForce(noon.Add(row.offset)); tariff != nil {
			got = tariff.Version
		}
		if got != row.want {
			t.Errorf("at noon+%s tariff %d is in force, not %d", row.offset, got, row.want)
		}
	}
}

// The share of the time to read is exact, also where it is no whole second.
func TestReadMinFraction(t *testing.T) {
	for _, row := range []struct {
		fraction        string
		whole, rewarded uint64
	}{
		{"1", 60, 60}, {"0", 60, 0}, {"0.5", 61, 31}, {"0.333333333333", 3, 1}, {"0.333333333334", 3, 2},
		{"1", 1<<53 - 1, 1<<53 - 1}, {"0.999999999999", 1<<53 - 1, 9007199254731984},
	} {
		fraction, err := domain.ParseFraction(row.fraction)
		if err != nil {
			t.Fatal(err)
		}
		tariffs := without(func(t *domain.Tariff) { t.ReadMinFraction = fraction })
		f := newFixture(t, logtest.MemoryOptions{}, tariffs...)
		post := published("p1", "ann")
		post.TimeToReadSeconds = row.whole
		f.must(post)
		if row.rewarded > 0 {
			if e := f.must(read("p1", "bob", row.rewarded-1)); e.Reason != domain.ReasonTooShort {
				t.Errorf("%s of %d: %d seconds are rewarded", row.fraction, row.whole, row.rewarded-1)
			}
		}
		if e := f.must(named("m", read("p1", "bob", row.rewarded))); len(e.Postings) != 1 {
			t.Errorf("%s of %d: %d seconds are not rewarded", row.fraction, row.whole, row.rewarded)
		}
	}
}
