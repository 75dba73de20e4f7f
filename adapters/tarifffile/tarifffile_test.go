package tarifffile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// head is a document up to its rows, 6 lines.
const head = `version: 1
comment_min_level: 13
read_min_fraction: "1"
own_post_comment_pays: true
author_reaction_pays: true
rows:
`

// good is a document with two rows, the second one from line 11 on.
const good = head + `  - engagement: post_published
    debit: {party: author, line: post_publish_tribute}
    credit: {party: treasury}
    amount: "10"
  - engagement: post_liked
    debit: {party: treasury}
    credit: {party: actor, line: earned_for_pluses}
    amount: "0.5"
`

// rows returns a document with that many equal rows for each of the engagements named.
func rows(n int, engagements ...string) string {
	text := head
	for _, e := range engagements {
		text += strings.Repeat("  - {engagement: "+e+", debit: {party: author, line: spent_for_minuses}, credit: {party: treasury}, amount: 1}\n", n)
	}
	return text
}

var priced = []string{"post_published", "post_read", "post_liked", "post_disliked", "comment_added", "comment_liked",
	"comment_disliked", "report_issued"}

func TestReadDefault(t *testing.T) {
	ts, err := Read("../../docs/tariff.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := domain.DefaultTariff()
	if len(ts) != 1 || !ts[0].Equal(&want) {
		t.Errorf("docs/tariff.yaml is not the default tariff:\n%s", Format(ts))
	}
}

func TestReadErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Read(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var at *Error
	if _, err := Read(bad); !errors.As(err, &at) || at.File != bad {
		t.Errorf("got %v, want an *Error that names the file", err)
	}
}

func TestFormatThenParse(t *testing.T) {
	second := domain.DefaultTariff()
	second.Version, second.EffectiveFrom = 2, time.Date(2026, 1, 29, 12, 0, 0, 1000, time.UTC)
	second.CommentMinLevel, second.ReadMinFraction = domain.MaxInteger, 1
	second.OwnPostCommentPays, second.AuthorReactionPays = false, false
	third := domain.Tariff{Version: 3, EffectiveFrom: second.EffectiveFrom.Add(1)}
	want := domain.Tariffs{domain.DefaultTariff(), second, third}
	sameAgain(t, want)
}

// sameAgain formats tariffs and parses them again.
func sameAgain(t *testing.T, want domain.Tariffs) {
	t.Helper()
	text := Format(want)
	got, err := Parse("formatted", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(got) != len(want) {
		t.Fatalf("%d versions, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].Equal(&want[i]) {
			t.Errorf("version %d differs:\n%s", i+1, text)
		}
	}
}

func TestLongestDocumentFits(t *testing.T) {
	ts, err := Parse("f", []byte(rows(16, priced...)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range ts[0].Rows {
		ts[0].Rows[i].Amount = domain.Wei(999_999_999_999_999_999)
	}
	sameAgain(t, ts)
	if size := len(Format(ts)); size > MaxDocumentBytes/2 {
		t.Errorf("the longest document has %d bytes: the limit is too near", size)
	}
}

// TestAccepted lists what is written otherwise than Format does, and is taken.
func TestAccepted(t *testing.T) {
	tests := map[string]struct {
		old, new string
		check    func(*domain.Tariff) bool
	}{
		"an amount without quotes":   {`"0.5"`, `0.000000000001`, amountIs("0.000000000001")},
		"a whole one":                {`"0.5"`, `1000000`, amountIs("1000000")},
		"one in single quotes":       {`"0.5"`, `'0.5'`, amountIs("0.5")},
		"one that no float can hold": {`"0.5"`, `999999.999999999999`, amountIs("999999.999999999999")},
		"a fraction without quotes":  {`read_min_fraction: "1"`, `read_min_fraction: 0.25`, func(t *domain.Tariff) bool { return t.ReadMinFraction.String() == "0.25" }},
		"a time without quotes":      {"version: 1\n", "version: 1\neffective_from: 2026-01-29T13:00:00+01:00\n", func(t *domain.Tariff) bool { return domain.FormatTime(t.EffectiveFrom) == "2026-01-29T12:00:00Z" }},
		"comments":                   {"version: 1\n", "# one\nversion: 1 # two\n# three\n", amountIs("0.5")},
		"a first --- and comments":   {"version: 1\n", "# one\n---  # two\n# three\nversion: 1\n", amountIs("0.5")},
		"a byte order mark":          {"version: 1\n", "\ufeffversion: 1\n", amountIs("0.5")},
		"a row in braces":            {"  - engagement: post_published\n    debit: {party: author, line: post_publish_tribute}\n    credit: {party: treasury}\n    amount: \"10\"\n", "  - {engagement: post_published, debit: {party: author, line: post_publish_tribute}, credit: {party: treasury}, amount: 10}\n", amountIs("0.5")},
		"quoted names":               {"version: 1\n", "\"version\": 1\n", amountIs("0.5")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, ending := range []string{"\n", "\r\n"} {
				text := replaced(t, good, test.old, test.new)
				ts, err := Parse("f", []byte(strings.ReplaceAll(text, "\n", ending)))
				if err != nil {
					t.Fatal(err)
				}
				if len(ts) != 1 || len(ts[0].Rows) != 2 || !test.check(&ts[0]) {
					t.Errorf("read as %+v", ts)
				}
			}
		})
	}
	t.Run("JSON", func(t *testing.T) {
		want := domain.DefaultTariff()
		ts, err := Parse("f", want.AppendJSON(nil))
		if err != nil || len(ts) != 1 || !ts[0].Equal(&want) {
			t.Errorf("the JSON of the routes, which is YAML: %v, %v", ts, err)
		}
	})
}

func amountIs(want string) func(*domain.Tariff) bool {
	return func(t *domain.Tariff) bool { return t.Rows[1].Amount.String() == want }
}

// replaced returns text with the only old replaced by new.
func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the text", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

// refusal is a change to the good document, with the place and the words of the error.
type refusal struct{ name, old, new, want string }

func (r refusal) check(t *testing.T) {
	t.Helper()
	ts, err := Parse("f.yaml", []byte(replaced(t, good, r.old, r.new)))
	var at *Error
	if !errors.As(err, &at) || ts != nil {
		t.Fatalf("got %v, %v, want an *Error", ts, err)
	}
	if !strings.HasPrefix(err.Error(), "f.yaml:"+r.want) {
		t.Errorf("got  %s\nwant f.yaml:%s …", err, r.want)
	}
}

// TestRefusedByTheRules has a row for each refusal of DESIGN section 3.
func TestRefusedByTheRules(t *testing.T) {
	const amount, line, debit = `amount: "0.5"`, "line: earned_for_pluses", "debit: {party: treasury}\n    credit: {party: actor, "
	tests := []refusal{
		{"a party that the engagement does not have", "party: actor", "party: commenter", `13:21: rows[1].credit.party: post_liked has no commenter`},
		{"no party", "party: actor", "party: nobody", `13:21: rows[1].credit.party: "nobody" is no party`},
		{"an unknown line", line, "line: gold", `13:34: rows[1].credit.line: "gold" is no line`},
		{"a profit line debited", "line: post_publish_tribute", "line: likes_author", `8:34: rows[0].debit.line: likes_author is raised by the other side`},
		{"read_to_earn debited", "line: post_publish_tribute", "line: read_to_earn", `8:34: rows[0].debit.line: read_to_earn is raised by the other side`},
		{"a loss line credited", line, "line: spent_for_minuses", `13:34: rows[1].credit.line: spent_for_minuses is raised by the other side`},
		{"a party without a line", ", " + line, "", `13:13: rows[1].credit.line: a party needs a line`},
		{"treasury with a line", debit, "debit: {party: treasury, line: pnl_reports}\n    credit: {party: actor, ", `12:36: rows[1].debit.line: the treasury has no line`},
		{"treasury on both sides", "{party: actor, " + line + "}", "{party: treasury}", `11:5: rows[1]: the treasury stands on both sides`},
		{"an amount with a sign", amount, "amount: +0.5", `14:13: rows[1].amount: "+0.5" is not an amount in plain notation`},
		{"with an exponent", amount, "amount: 5e-1", `14:13: rows[1].amount: "5e-1" is not an amount`},
		{"with a trailing zero", amount, "amount: 0.50", `14:13: rows[1].amount: "0.50" is not an amount`},
		{"without a leading zero", amount, "amount: .5", `14:13: rows[1].amount: ".5" is not an amount`},
		{"with underscores", amount, "amount: 1_000", `14:13: rows[1].amount: "1_000" is not an amount`},
		{"in hexadecimal", amount, "amount: 0x10", `14:13: rows[1].amount: "0x10" is not an amount`},
		{"infinite", amount, "amount: .inf", `14:13: rows[1].amount: ".inf" is not an amount`},
		{"in words", amount, "amount: half", `14:13: rows[1].amount: "half" is not an amount`},
		{"empty", amount, `amount: ""`, `14:13: rows[1].amount: "" is not an amount`},
		{"of nothing", amount, "amount: 0", `14:13: rows[1].amount: must be more than 0 and at most 1000000 Twei`},
		{"below nothing", amount, `amount: "-1"`, `14:13: rows[1].amount: must be more than 0`},
		{"with 13 decimals", amount, "amount: 0.0000000000001", `14:13: rows[1].amount: 0.0000000000001 Twei has more than 12 decimals`},
		{"above 1,000,000 Twei", amount, "amount: 1000000.000000000001", `14:13: rows[1].amount: must be more than 0 and at most`},
		{"an unknown engagement", "engagement: post_liked", "engagement: post_loved", `11:17: rows[1].engagement: "post_loved" is no engagement that a tariff prices`},
		{"one that no tariff prices", "engagement: post_liked", "engagement: post_changed", `11:17: rows[1].engagement: "post_changed" is no engagement`},
		{"version 0", "version: 1", "version: 0", `1:10: version: must be 1, 2, 3 …`},
		{"a first version of 2", "version: 1\n", "version: 2\neffective_from: 2026-01-01T00:00:00Z\n", `1:10: version: is 2, the versions are 1, 2, 3 …`},
		{"version 2 without a time", "version: 1\n", "version: 2\n", `1:1: effective_from: only version 1`},
		{"not a time", "version: 1\n", "version: 1\neffective_from: 2026-01-01\n", `2:17: effective_from: `},
		{"a fraction above 1", `fraction: "1"`, "fraction: 1.1", `3:20: read_min_fraction: "1.1" is not a fraction`},
		{"a negative fraction", `fraction: "1"`, "fraction: -1", `3:20: read_min_fraction: "-1" is not a fraction`},
	}
	for _, test := range tests {
		t.Run(test.name, test.check)
	}
}

// TestRefusedInShape has a row for each way in which a document is not one.
func TestRefusedInShape(t *testing.T) {
	tests := []refusal{
		{"an unknown member", "version: 1\n", "version: 1\ncolour: red\n", `2:9: colour: unknown field`},
		{"an unknown member of a row", `amount: "10"`, "amount: 10\n    note: x", `11:11: rows[0].note: unknown field`},
		{"an unknown member of a side", "{party: treasury}\n    amount", "{party: treasury, who: x}\n    amount", `9:36: rows[0].credit.who: unknown field`},
		{"no version", "version: 1\n", "", `1:1: version: is missing`},
		{"no level", "comment_min_level: 13\n", "", `1:1: comment_min_level: is missing`},
		{"no fraction", "read_min_fraction: \"1\"\n", "", `1:1: read_min_fraction: is missing`},
		{"no comment rule", "own_post_comment_pays: true\n", "", `1:1: own_post_comment_pays: is missing`},
		{"no author rule", "author_reaction_pays: true\n", "", `1:1: author_reaction_pays: is missing`},
		{"no rows", good[strings.Index(good, "rows:"):], "", `1:1: rows: is missing`},
		{"no engagement", "- engagement: post_liked\n    debit", "- debit", `11:5: rows[1].engagement: is missing`},
		{"no debit", "    debit: {party: author, line: post_publish_tribute}\n", "", `7:5: rows[0].debit: is missing`},
		{"no credit", "    credit: {party: actor, line: earned_for_pluses}\n", "", `11:5: rows[1].credit: is missing`},
		{"no amount", "    amount: \"0.5\"\n", "", `11:5: rows[1].amount: is missing`},
		{"no party", "party: actor, ", "", `13:13: rows[1].credit.party: is missing`},
		{"an empty value", `amount: "10"`, "amount:", `10:12: rows[0].amount: must not be null`},
		{"null", `amount: "10"`, "amount: ~", `10:13: rows[0].amount: must not be null`},
		{"an empty row", `amount: "0.5"` + "\n", "amount: 0.5\n  -\n", `15:5: rows[2]: must not be null`},
		{"a version in quotes", "version: 1\n", "version: \"1\"\n", `1:10: version: must be a number`},
		{"a version with a fraction", "version: 1\n", "version: 1.0\n", `1:10: version: must be an integer`},
		{"a version with an exponent", "version: 1\n", "version: 1e0\n", `1:10: version: must be an integer`},
		{"a huge version", "version: 1\n", "version: 99999999999999999999999\n", `1:10: version: must be an integer`},
		{"a hexadecimal level", "level: 13", "level: 0xd", `2:20: comment_min_level: must be in plain decimal notation`},
		{"an octal level", "level: 13", "level: 015", `2:20: comment_min_level: must be in plain decimal notation`},
		{"a negative level", "level: 13", "level: -13", `2:20: comment_min_level: must be an integer`},
		{"a boolean in quotes", "author_reaction_pays: true", `author_reaction_pays: "true"`, `5:23: author_reaction_pays: must not be a string`},
		{"a boolean of old", "author_reaction_pays: true", `author_reaction_pays: yes`, `5:23: author_reaction_pays: must not be a string`},
		{"a boolean as amount", `amount: "10"`, "amount: true", `10:13: rows[0].amount: must not be a`},
		{"a number as party", "party: actor", "party: 5", `13:21: rows[1].credit.party: must not be a number`},
		{"a list as side", "{party: actor, line: earned_for_pluses}", "[actor, earned_for_pluses]", `13:13: rows[1].credit: must not be a`},
		{"a text as row", `amount: "0.5"` + "\n", "amount: 0.5\n  - post_read\n", `15:5: rows[2]: must not be a string`},
		{"rows by name", good[strings.Index(good, "rows:"):], "rows: {a: 1}\n", `6:7: rows: must not be a`},
		{"a text as document", good, "tariff\n", `1:1: must not be a string`},
		{"a list as document", good, "- version: 1\n", `1:1: must not be a`},
	}
	for _, test := range tests {
		t.Run(test.name, test.check)
	}
}

// TestRefusedYAML has a row for each thing of YAML's own that is refused.
func TestRefusedYAML(t *testing.T) {
	tests := []refusal{
		{"nothing", good, "", `1:1: the file holds no tariff`},
		{"comments only", good, "# nothing\n\n", `1:1: the file holds no tariff`},
		{"a key twice", "version: 1\n", "version: 1\nversion: 1\n", `2:1: version: stands twice`},
		{"a key twice in a row", `amount: "10"`, "amount: 10\n    'amount': 10", `11:5: rows[0].amount: stands twice`},
		{"an anchor", "{party: treasury}\n    amount", "&t {party: treasury}\n    amount", `9:13: rows[0].credit: anchors, aliases and merge keys are not taken`},
		{"an alias", "{party: treasury}\n    amount", "*t\n    amount", `9:13: rows[0].credit: anchors, aliases and merge keys`},
		{"a merge key", "version: 1\n", "<<: {version: 1}\n", `1:1: anchors, aliases and merge keys`},
		{"a tag", `amount: "10"`, "amount: !!str 10", `10:13: rows[0].amount: tags are not taken`},
		{"a block scalar", `amount: "10"`, "amount: |\n      10", `10:13: rows[0].amount: block scalars are not taken`},
		{"a number as key", "version: 1\n", "1: 1\n", `1:1: must be a member's name`},
		{"a directive", "version: 1\n", "%YAML 1.2\n---\nversion: 1\n", `1:1: not valid YAML: `},
		{"an empty document", "version: 1\n", "---\n# nothing\n---\nversion: 1\n", `1:1: the document behind this line is empty`},
		{"an empty document at the end", `amount: "0.5"` + "\n", "amount: 0.5\n---\n", `15:1: the document behind this line is empty`},
		{"an end marker", `amount: "0.5"` + "\n", "amount: 0.5\n...\n", `15:1: only --- separates versions`},
		{"text behind ---", "version: 1\n", "--- version: 1\n", `1:5: --- must stand on a line of its own`},
		{"dashes that are no ---", "version: 1\n", "version: 1\n---x: 1\n", `2:7: ---x: unknown field`},
		{"documents between old line ends", "version: 1\n", "version: 1\r---\r", `1:1: not one YAML document`},
		{"an open bracket", "rows:\n", "rows: [\n", `6:7: not valid YAML: `},
		{"a tab", "comment_min_level", "\tcomment_min_level", `2:1: not valid YAML: `},
		{"an open quote", `amount: "10"`, `amount: "10`, `14:14: not valid YAML: `},
		{"invalid UTF-8", `amount: "10"`, "amount: é\xff", `10:14: not valid UTF-8`},
		{"deep brackets", good, strings.Repeat("[", MaxDocumentBytes), `1:9: brackets are nested too deep`},
		{"a long document", `amount: "0.5"` + "\n", "amount: 0.5\n---\n#" + strings.Repeat(" ", MaxDocumentBytes) + "\nversion: 2\n", `16:1: the document has more than 65536 bytes`},
		{"a long file", good, strings.Repeat("#\n", MaxFileBytes/2) + "#", `1:1: the file has more than 1048576 bytes`},
	}
	for _, test := range tests {
		t.Run(test.name, test.check)
	}
}

// TestRefusedRows has what takes many rows.
func TestRefusedRows(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"17 rows for one engagement", rows(17, "post_liked"), `f:23:18: rows[16].engagement: more than 16 rows for post_liked`},
		{"201 rows", rows(67, "post_liked", "post_disliked", "post_published"), `f:7:3: rows: 201 rows, at most 200 are allowed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse("f", []byte(test.text)); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	next := func(version int, from string) string {
		return fmt.Sprintf("---\n"+replaced(t, good, "version: 1\n", "version: %d\neffective_from: %s\n"), version, from)
	}
	tests := []struct{ name, text, want string }{
		{"two", good + next(2, "2026-01-29T12:00:00Z"), ""},
		{"a version left out", good + next(3, "2026-01-29T12:00:00Z"), `f:16:10: version: is 3, the versions are 1, 2, 3 …`},
		{"a version again", good + next(1, "2026-01-29T12:00:00Z"), `f:16:10: version: is 1, the versions are 1, 2, 3 …`},
		{"not later", good + next(2, "2026-01-29T12:00:00Z") + next(3, "2026-01-29T13:00:00+01:00"),
			`f:33:17: effective_from: is not later than version 2's`},
		{"a refusal in the second", good + strings.Replace(next(2, "2026-01-29T12:00:00Z"), `"0.5"`, "-1", 1),
			`f:30:13: rows[1].amount: must be more than 0 and at most 1000000 Twei`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ts, err := Parse("f", []byte(test.text))
			switch {
			case test.want == "" && (err != nil || len(ts) != 2):
				t.Errorf("got %d versions, %v", len(ts), err)
			case test.want != "" && (err == nil || err.Error() != test.want):
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// FuzzParse holds: whatever is read is valid, and is the same again when it was written; whatever is not is told with a
// place in the text.
func FuzzParse(f *testing.F) {
	second := domain.DefaultTariff()
	second.Version, second.EffectiveFrom = 2, time.Date(2026, 1, 29, 12, 0, 0, 0, time.UTC)
	f.Add(Format(domain.Tariffs{domain.DefaultTariff(), second}))
	f.Add(second.AppendJSON(nil))
	f.Add([]byte(good))
	f.Add([]byte("# one\n---\nversion: &a 1 # two\r\nrows: [{}, *a]\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ts, err := Parse("f", text)
		var at *Error
		switch {
		case err == nil:
			if err := ts.Validate(); err != nil {
				t.Errorf("what was read is not valid: %v", err)
			}
			sameAgain(t, ts)
		case !errors.As(err, &at):
			t.Errorf("%v is no *Error", err)
		case at.Line < 1 || at.Column < 1 || at.Line > bytes.Count(text, []byte("\n"))+bytes.Count(text, []byte("\r"))+2:
			t.Errorf("the place is not in the text: %v", err)
		case at.Detail == "":
			t.Error("an error without a word")
		}
	})
}
