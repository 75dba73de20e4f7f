package domain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// The objects of DESIGN section 6, member by member.
func TestOutcomeJSON(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	like := named("e-17", liked("p1", "u1"))
	recorded := f.one(like)
	const event = `"type":"PostLiked","stream":"reaction-post/p1/u1","revision":0,"position":"%s",` +
		`"postings":[{"debit":{"account":"treasury"},"credit":{"account":"u1","line":"earned_for_pluses"},"amount":"0.5"}]`
	liked := fmt.Sprintf(`"source":"/web","id":"e-17","event_id":"%s",`+event, recorded.Recorded.ID, recorded.Recorded.Position)
	change := f.one(named("e-18", disliked("p1", "u1")))
	own := f.one(named("e-19", read("p1", "ann", 60)))
	for _, c := range []struct {
		name    string
		outcome domain.Outcome
		place   string
		n       int
		want    string
	}{
		{"recorded", recorded, "", 0, `{"outcome":"recorded",` + liked + `}`},
		{"duplicate", f.one(like), "index", 0, `{"outcome":"duplicate",` + liked + `,"index":0}`},
		{"recorded with a reason", own, "line", 3, fmt.Sprintf(`{"outcome":"recorded","source":"/web","id":"e-19","event_id":"%s","type":"PostRead",`+
			`"stream":"reading-p1/ann","revision":0,"position":"%s","postings":[],"reason":"own_post","line":3}`, own.Recorded.ID, own.Recorded.Position)},
		{"switch", change, "", 0, fmt.Sprintf(`{"outcome":"recorded","source":"/web","id":"e-18","event_id":"%s","type":"PostDisliked","stream":"reaction-post/p1/u1",`+
			`"revision":2,"position":"%s","postings":[{"debit":{"account":"u1","line":"spent_for_minuses"},"credit":{"account":"treasury"},"amount":"0.5"}],`+
			`"also":{"event_id":"%s","type":"ReactionWithdrawn","stream":"reaction-post/p1/u1","revision":1,"position":"%s",`+
			`"postings":[{"debit":{"account":"u1","line":"earned_for_pluses"},"credit":{"account":"treasury"},"amount":"0.5","reversal":true}]}}`,
			change.Recorded.ID, change.Recorded.Position, change.Also.ID, change.Also.Position)},
		{"rejected", domain.Outcome{Result: domain.Rejected, Message: domain.Message{Source: "/web", ID: "e-18"},
			Rejection: &domain.Rejection{Code: domain.CodeInvalid, Field: "data.seconds_read", Detail: `"x" is none`}}, "line", 18,
			`{"outcome":"rejected","source":"/web","id":"e-18","code":"invalid","field":"data.seconds_read","detail":"\"x\" is none","line":18}`},
		{"rejected unread", domain.Outcome{Result: domain.Rejected, Rejection: &domain.Rejection{Code: domain.CodeInvalid, Detail: "no JSON\n"}}, "index", 1,
			`{"outcome":"rejected","code":"invalid","detail":"no JSON\n","index":1}`},
		{"rejected with every escape", domain.Outcome{Result: domain.Rejected, Rejection: &domain.Rejection{Code: domain.CodeInvalid, Field: "data.\x00\x1f\"\\", Detail: "\b\t\n\f\r\x7fü"}}, "", 0,
			`{"outcome":"rejected","code":"invalid","field":"data.\u0000\u001f\"\\","detail":"\b\t\n\f\r` + "\x7f" + `ü"}`},
		{"failed", domain.Outcome{Result: domain.Failed, Message: domain.Message{Source: "/web", ID: "e-1"}, Detail: "away"}, "", 0,
			`{"outcome":"failed","source":"/web","id":"e-1","detail":"away"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(c.outcome.AppendJSON([]byte("> "), c.place, c.n))
			if got != "> "+c.want {
				t.Errorf("it is\n%s, not\n%s", got, c.want)
			}
			if !jsontext.Value(strings.TrimPrefix(got, "> ")).IsValid() {
				t.Error("it is no JSON")
			}
		})
	}
	report := domain.Outcome{Result: domain.Recorded, Recorded: domain.RecordedEvent{Event: reportOf(t)}}
	if got := string(report.AppendJSON(nil, "", 0)); !strings.Contains(got, `"report_id":"cfe82f22-d445-5efe-a4fa-9d29b55c2d06"`) {
		t.Errorf("a purchase's outcome is %s", got)
	}
}

// reportOf returns the golden report.
func reportOf(t *testing.T) *domain.Event {
	e, err := domain.DecodeEvent(goldenLines(t)[25])
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Streams are named as DESIGN section 4 says, and a name is read in one way only (I3).
func TestStreams(t *testing.T) {
	const odd = "a.b_~:@-c"
	for _, row := range []struct {
		stream           domain.Stream
		want             string
		kind             domain.StreamKind
		subject, account string
	}{
		{domain.TariffStream, "tariff", domain.KindTariff, "", ""},
		{domain.PostStream(odd), "post-" + odd, domain.KindPost, odd, ""},
		{domain.CommentStream(odd), "comment-" + odd, domain.KindComment, odd, ""},
		{domain.ReadingStream(odd, "u-1"), "reading-" + odd + "/u-1", domain.KindReading, odd, "u-1"},
		{domain.PostReactionStream(odd, "u-1"), "reaction-post/" + odd + "/u-1", domain.KindPostReaction, odd, "u-1"},
		{domain.CommentReactionStream(odd, "u-1"), "reaction-comment/" + odd + "/u-1", domain.KindCommentReaction, odd, "u-1"},
		{domain.ReportStream(odd), "report-" + odd, domain.KindReport, odd, ""},
	} {
		kind, subject, account, ok := row.stream.Parse()
		if string(row.stream) != row.want || !ok || kind != row.kind || subject != row.subject || account != row.account {
			t.Errorf("%s reads as %d %q %q %t", row.stream, kind, subject, account, ok)
		}
	}
	for _, name := range []domain.Stream{"", "tariff-1", "tariffs", "post-", "post", "post-a/b", "post-..", "post-treasury", "reading-a", "reading-a/", "reading-/a", "reading-a/b/c",
		"reaction-post/a", "reaction-post//b", "reaction-post/a/treasury", "reaction-comment/a/b/c", "reaction-a/b", "report-", "Post-a", " post-a", "post-ä"} {
		if kind, subject, account, ok := name.Parse(); ok {
			t.Errorf("%q reads as %d %q %q", name, kind, subject, account)
		}
	}
}

// Positions are compared as numbers, and their text is read in one way only.
func TestPositions(t *testing.T) {
	ordered := []domain.Position{{}, domain.NewPosition(0, 0), domain.NewPosition(1, 1), domain.NewPosition(2, 0), domain.NewPosition(2, 2),
		domain.NewPosition(10, 3), domain.NewPosition(1<<64-1, 1<<64-1)}
	for i, p := range ordered {
		for j, q := range ordered {
			if got, want := p.Compare(q), max(-1, min(1, i-j)); got != want {
				t.Errorf("%q to %q is %d", p, q, got)
			}
		}
		if p.IsStart() != (i == 0) {
			t.Errorf("%q is the start: %t", p, p.IsStart())
		}
		if again, err := domain.ParsePosition(p.String()); i > 0 && (err != nil || again != p) {
			t.Errorf("%q reads as %q: %v", p, again, err)
		}
	}
	for _, text := range []string{"", "-1", "+1", "01", "1/1", "1/", "/1", "1/2/3", " 1", "1.0", "18446744073709551616", "1/02", "x"} {
		if p, err := domain.ParsePosition(text); err == nil {
			t.Errorf("%q reads as %q", text, p)
		}
	}
}
