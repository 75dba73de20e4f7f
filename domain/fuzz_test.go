package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"github.com/tweiledger/tweiledger/domain"
)

// What is taken, written anew from what was understood, is the same engagement; what is refused is invalid and says so.
func FuzzParseEngagement(f *testing.F) {
	for _, text := range []string{postText, changeText, readText, withdrawText} {
		f.Add([]byte(text))
	}
	for _, c := range badInput {
		f.Add([]byte(strings.Replace(c.text, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := domain.ParseEngagement(text)
		if r.Rejection != nil {
			if r.Rejection.Code != domain.CodeInvalid || r.Rejection.Detail == "" {
				t.Fatalf("%q: %v", text, r.Rejection)
			}
			return
		}
		if !jsontext.Value(text).IsValid() {
			t.Fatalf("taken, and no JSON: %q", text)
		}
		if again := domain.ParseEngagement(cloudEvent(r.Engagement)); again != r {
			t.Fatalf("%q reads as\n%+v, and written again as\n%+v", text, r, again)
		}
		for _, id := range []string{r.PostID, r.CommentID, r.AccountID} {
			if id != "" && !domain.ValidID(id) {
				t.Fatalf("taken with the identifier %q", id)
			}
		}
		if r.TimeToReadSeconds > domain.MaxInteger || r.SecondsRead > domain.MaxInteger || r.Level > domain.MaxInteger {
			t.Fatalf("taken with numbers beyond 2^53-1: %+v", r)
		}
	})
}

// What is taken is canonical by jsontext's word too, and is written to the same bytes.
func FuzzDecodeEvent(f *testing.F) {
	lines := goldenLines(f)
	for _, line := range lines {
		f.Add(line)
	}
	for _, c := range refused {
		f.Add([]byte(strings.Replace(string(lines[1]), c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if !taken(t, line) {
			return
		}
		canonical := jsontext.Value(line).Clone()
		if err := canonical.Canonicalize(); err != nil || string(canonical) != string(line) {
			t.Fatalf("taken: %q, canonical is %q: %v", line, canonical, err)
		}
	})
}

// One amount has one text, which decimal reads as the same amount.
func FuzzParseTwei(f *testing.F) {
	for _, text := range []string{"0", "-0", "0.1", "-3.000000000001", "1e3", "01", "1.", "170141183460469231731687303.715884105727", "1.10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := domain.ParseTwei(text)
		if err != nil {
			return
		}
		if amount.String() != text {
			t.Fatalf("%q is written as %q", text, amount)
		}
		if d, err := decimal.NewFromString(text); err != nil || !d.Equal(amount.Decimal()) {
			t.Fatalf("%q is %s, decimal says %s: %v", text, amount, d, err)
		}
	})
}

// A time that is taken is time.Parse's, in UTC; its text is the shortest, and reads as the same.
func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026-01-29T12:00:00Z", "2026-01-29T12:00:00.120+02:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-00:01",
		"2026-01-29T12:00:00+24:00", "2016-12-31T23:59:60Z", "2026-01-29t12:00:00z", "2026-01-29T12:00:00,5Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := domain.ParseTime(text)
		if err != nil {
			return
		}
		want, err := time.Parse(time.RFC3339, text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC || got.Year() < 1 || got.Year() > 9999 {
			t.Fatalf("%q is %s, time.Parse says %s: %v", text, got, want, err)
		}
		kept := domain.FormatTime(got)
		if again, err := domain.ParseTime(kept); err != nil || again != got || !strings.HasSuffix(kept, "Z") || strings.HasSuffix(kept, "0Z") && strings.Contains(kept, ".") {
			t.Fatalf("%q is kept as %q: %v", text, kept, err)
		}
	})
}

// A tariff that is taken is valid, is written to what reads as the same, and makes an event's line that does.
func FuzzParseTariff(f *testing.F) {
	f.Add([]byte(document))
	tariff := domain.DefaultTariff()
	f.Add(tariff.AppendJSON(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, rej := domain.ParseTariff(text)
		if rej != nil {
			if rej.Code != domain.CodeInvalid || rej.Detail == "" {
				t.Fatalf("%q: %v", text, rej)
			}
			return
		}
		if err := parsed.Validate(); err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		again, rej := domain.ParseTariff(parsed.AppendJSON(nil))
		if rej != nil || !again.Equal(&parsed) {
			t.Fatalf("%q is written as %s: %v", text, parsed.AppendJSON(nil), rej)
		}
		line, err := (&domain.Event{ID: domain.NewEventID(domain.Message{Source: "tweiledger", ID: "tariff/1"}, "tariff"), Type: domain.TariffPublished, Stream: "tariff",
			Source: "tweiledger", SourceID: "tariff/1", OccurredAt: noon, RecordedAt: noon, Published: &parsed}).AppendCanonical(nil)
		if err != nil || !taken(t, line) {
			t.Fatalf("the event of %q is %s: %v", text, line, err)
		}
	})
}
