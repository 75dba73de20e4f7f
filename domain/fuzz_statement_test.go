package domain_test

import (
	"bytes"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// What is read as a statement is written to the same bytes again, in canonical form.
func FuzzStatement(f *testing.F) {
	whole, own := goldenReport()
	for _, s := range []domain.Statement{whole, own} {
		text, err := s.AppendCanonical(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second domain.Statement
		if first.UnmarshalJSON(text) != nil {
			return
		}
		again, err := first.AppendCanonical(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := second.UnmarshalJSON(again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if twice, _ := second.AppendCanonical(nil); !bytes.Equal(again, twice) {
			t.Errorf("%s is written as %s", again, twice)
		}
	})
}

// A position's text is read by one value only, and a stream's name says the parts that it is made of.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"1042", "1042/1040", "post-p1", "reading-p-1/a", "reaction-comment/c/a", "tariff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := domain.ParsePosition(text); err == nil && p.String() != text {
			t.Errorf("position %q is written as %q", text, p)
		}
		kind, subject, account, ok := domain.Stream(text).Parse()
		if !ok {
			return
		}
		made := map[domain.StreamKind]domain.Stream{
			domain.KindTariff: domain.TariffStream, domain.KindPost: domain.PostStream(subject),
			domain.KindComment: domain.CommentStream(subject), domain.KindReport: domain.ReportStream(subject),
			domain.KindReading:         domain.ReadingStream(subject, account),
			domain.KindPostReaction:    domain.PostReactionStream(subject, account),
			domain.KindCommentReaction: domain.CommentReactionStream(subject, account),
		}[kind]
		if string(made) != text {
			t.Errorf("stream %q is made again as %q", text, made)
		}
	})
}
