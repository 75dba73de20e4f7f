package domain_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// The golden log is frozen, as the event line is: a line that differs is a bug in the code, never in the file.
const (
	goldenFile = "../docs/golden/events.ndjson"
	goldenDoc  = "../docs/events.md"
)

func goldenLines(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// recordGolden makes the golden log anew: engagements and requests that come to events of every type and every reason.
func recordGolden(t *testing.T) *fixture {
	f := newFixture(t, logtest.MemoryOptions{})
	minute := 0
	// Each engagement occurs a minute after the one before, and is recorded a second and a half later.
	send := func(e domain.Engagement) *domain.Event {
		minute++
		e = named(fmt.Sprintf("e-%d", minute), at(time.Duration(minute)*time.Minute, e))
		f.clock.advance(e.OccurredAt.Sub(f.clock.Now()) + 1500*time.Millisecond)
		return f.must(e)
	}
	post := published("minerals", "ann")
	post.Title, post.URL, post.TimeToReadSeconds = `Deeper "Mining" Ties — Türkiye \ Özbekistan 🪨`, "https://example.org/minerals?a=1&b=<2>", 240
	change := changed("minerals", 180)
	change.Title = "Turkey and Uzbekistan Forge Deeper Mining Ties"
	send(post)
	send(change)
	rewarded := send(read("minerals", "bob", 180))
	send(read("minerals", "bob", 400))
	send(read("minerals", "dan", 179))
	send(read("minerals", "ann", 180))
	send(commented("minerals", "c-1", "Raphael"))
	send(commentLiked("c-1", "bob"))
	send(commentDisliked("c-1", "ann"))
	send(commentLiked("c-1", "Raphael"))
	send(liked("minerals", "bob"))
	send(disliked("minerals", "bob"))
	send(commentWithdrawn("c-1", "ann"))
	reversal := f.recorded(f.reverse(rewarded, "a bot, says the platform"))
	send(read("minerals", "bob", 181))
	f.clock.advance(time.Second)
	f.recorded(f.reinstate(reversal, "no bot after all"))
	second := send(commented("minerals", "c-2", "Donatello"))
	reversal = f.recorded(f.reverse(second, "spam"))
	send(removed("c-2"))
	f.recorded(f.reinstate(reversal, "no spam"))
	send(removed("c-1"))
	send(liked("minerals", "dan"))
	send(read("minerals", "bob", 182))
	f.clock.advance(time.Second)
	whole, own := goldenReport()
	appendReport(f, "bob", "minerals", "0b9e4a0e-report-key", whole, own)
	f.recorded(f.publish(tariffFrom(2, 3*time.Hour, func(t *domain.Tariff) {
		t.AuthorReactionPays = false
		t.CommentMinLevel = 20
		t.ReadMinFraction = domain.WholeFraction * 4 / 5
		t.Rows = []domain.TariffRow{t.Rows[0], t.Rows[1], t.Rows[2]}
		t.Rows[2].Amount = twei("0.000000000001")
	})))
	minute = 180
	send(disliked("minerals", "ann"))
	send(disliked("minerals", "eve"))
	send(liked("minerals", "eve"))
	return f
}

// goldenReport returns the statements of the golden log's report, worked out by hand.
func goldenReport() (whole, own domain.Statement) {
	whole = statement(map[domain.Line]string{
		domain.EarnedForPluses: "0.5", domain.LikesOwn: "0.1", domain.LikesCommenter: "0.5", domain.LikesAuthor: "0.2",
		domain.SpentForMinuses: "0.5", domain.PostPublishTribute: "10", domain.ReadToEarn: "1",
	}, domain.Counts{Reads: 6, Likes: 1, Dislikes: 1, CommentLikes: 2})
	own = statement(map[domain.Line]string{domain.LikesOwn: "0.1", domain.SpentForMinuses: "0.5", domain.ReadToEarn: "1"},
		domain.Counts{Reads: 4, Dislikes: 1, CommentLikes: 1})
	own.Reading = &domain.Reading{TimeToReadSeconds: 180, Earned: twei("1"), Date: noon.Add(3 * time.Minute)}
	return whole, own
}

// statement returns a statement of one rewarded read, without what a report knows of its place.
func statement(lines map[domain.Line]string, counts domain.Counts) domain.Statement {
	s := domain.Statement{RewardedReads: 1, Counts: counts}
	for line, amount := range lines {
		s.Sums[line-1] = twei(amount)
	}
	return s
}

// appendReport appends a report with the statements given, whatever its purchase would read.
func appendReport(f *fixture, buyer, post, key string, whole, own domain.Statement) {
	events := f.events()
	size := uint64(len(events))
	last := events[len(events)-1]
	m := domain.Message{Source: domain.ReportSourcePrefix + buyer, ID: key}
	id := domain.NewReportID(m)
	whole.Scope, own.Scope = domain.Scope{PostID: post}, domain.Scope{PostID: post, AccountID: buyer}
	for _, s := range []*domain.Statement{&whole, &own} {
		s.Size, s.RecordedThrough = size, last.RecordedAt
	}
	e := &domain.Event{
		ID: domain.NewEventID(m, domain.ReportStream(id)), Type: domain.PnLReportIssued, Stream: domain.ReportStream(id),
		Source: m.Source, SourceID: m.ID, OccurredAt: f.clock.Now(), RecordedAt: f.clock.Now(), Tariff: 1,
		PostID: post, AccountID: buyer, Author: last.Author, ReportID: id, Size: size, Statement: &whole, OwnStatement: &own,
		Postings: []domain.Posting{{Debit: domain.Side{Account: buyer, Line: domain.PnLReports}, Credit: domain.Side{Account: domain.Treasury}, Amount: twei("1")}},
	}
	line, err := e.AppendCanonical(nil)
	if err != nil {
		f.Fatalf("%v", err)
	}
	answer := f.log.Append(context.Background(), []domain.Append{{Stream: e.Stream, Expected: domain.NoStream, Message: m,
		Events: []domain.EncodedEvent{{Type: e.Type, Canonical: line}}}})[0]
	if answer.Err != nil {
		f.Fatalf("%v", answer.Err)
	}
}

func TestGoldenLog(t *testing.T) {
	golden := goldenLines(t)
	got := recordGolden(t).lines()
	for i := range max(len(golden), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("line %d is not recorded any more: %s", i, golden[i])
		case i >= len(golden):
			t.Errorf("line %d is not golden: %s", i, got[i])
		case !bytes.Equal(golden[i], got[i]):
			t.Errorf("line %d differs:\n%s\n%s", i, got[i], golden[i])
		}
	}
	summary, err := domain.Check(source(golden), nil)
	if err != nil {
		t.Errorf("Check: %v", err)
	}
	for typ := domain.PostPublished; typ.Valid(); typ++ {
		if summary.ByType[typ] == 0 {
			t.Errorf("no golden line of type %s", typ)
		}
	}
}

// Every golden line reads and is written the same, is canonical by jsontext's word, and has the id that google/uuid
// gives (I1, I2). Every reason stands in one.
func TestGoldenLines(t *testing.T) {
	seen := map[domain.Reason]bool{}
	for i, line := range goldenLines(t) {
		e, err := domain.DecodeEvent(line)
		if err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		seen[e.Reason] = true
		if again, err := e.AppendCanonical(nil); err != nil || !bytes.Equal(again, line) {
			t.Errorf("line %d is written as %s: %v", i, again, err)
		}
		canonical := jsontext.Value(bytes.Clone(line))
		if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, line) {
			t.Errorf("line %d is canonical as %s: %v", i, canonical, err)
		}
		if id := derivedID(e); e.ID != id {
			t.Errorf("line %d has the id %s, not %s", i, e.ID, id)
		}
		if sum, id := sha256.Sum256(line), domain.StoreID(line); id.Version() != 8 || id.Variant() != uuid.RFC4122 ||
			!bytes.Equal(id[:6], sum[:6]) || id[7] != sum[7] || !bytes.Equal(id[9:], sum[9:16]) {
			t.Errorf("line %d has the store id %s", i, id)
		}
	}
	for _, reason := range domain.Reasons {
		if !seen[reason] {
			t.Errorf("no golden line has the reason %s", reason)
		}
	}
}

// derivedID works an event's id out by google/uuid, as DESIGN section 4 says.
func derivedID(e *domain.Event) uuid.UUID {
	name := func(stream string) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceURL, []byte(e.Source+"\n"+e.SourceID+"\n"+stream))
	}
	switch {
	case e.Type == domain.EventReversed:
		return uuid.NewSHA1(e.Reverses, []byte("reversed"))
	case e.Type == domain.EventReinstated:
		return uuid.NewSHA1(e.Reinstates, []byte("reinstated"))
	case e.Type == domain.ReactionWithdrawn && e.SourceID == "e-12", e.Type == domain.ReactionWithdrawn && e.SourceID == "e-183":
		// A switch's.
		return uuid.NewSHA1(name(string(e.Stream)), []byte("withdrawn"))
	}
	return name(string(e.Stream))
}

// docTable reads the rows "| `Type` | member member? … |" of docs/events.md: what each type holds beside the members
// that all have, with "?" behind what may be absent.
func docTable(t *testing.T, doc string) map[string][]string {
	t.Helper()
	table := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(common|[A-Z][A-Za-z]+)` \\| (`[^|]+) \\|").FindAllStringSubmatch(doc, -1) {
		table[m[1]] = strings.Fields(strings.ReplaceAll(m[2], "`", ""))
	}
	return table
}

// What docs/events.md says of members holds for every golden line.
func TestEventsDocMembers(t *testing.T) {
	doc, err := os.ReadFile(goldenDoc)
	if err != nil {
		t.Fatal(err)
	}
	table := docTable(t, string(doc))
	common := table["common"]
	if len(table) != 15 || len(common) != 9 {
		t.Fatalf("the table has %d rows, and %d members for all", len(table), len(common))
	}
	for i, line := range goldenLines(t) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		var typ string
		if err := json.Unmarshal(members["type"], &typ); err != nil {
			t.Fatal(err)
		}
		allowed := slices.Concat(common, table[typ])
		for _, name := range allowed {
			if _, ok := members[name]; !ok && !strings.HasSuffix(name, "?") {
				t.Errorf("line %d, a %s, lacks %s", i, typ, name)
			}
		}
		for name := range members {
			if !slices.Contains(allowed, name) && !slices.Contains(allowed, name+"?") {
				t.Errorf("line %d, a %s, has %s", i, typ, name)
			}
		}
	}
}

// The worked examples of docs/events.md are the golden log's: each code block that begins with a line number and a
// member gives its value there, and each derived id is what google/uuid makes of the words beside it.
func TestEventsDocExamples(t *testing.T) {
	text, err := os.ReadFile(goldenDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	golden := goldenLines(t)
	quoted := regexp.MustCompile("(?m)^line ([0-9]+): (.*)$").FindAllStringSubmatch(doc, -1)
	for _, m := range quoted {
		var n int
		fmt.Sscan(m[1], &n)
		if n >= len(golden) || !bytes.Contains(golden[n], []byte(m[2])) {
			t.Errorf("line %s of the golden log does not hold %s", m[1], m[2])
		}
	}
	derived := regexp.MustCompile(`(?m)^uuid5\(([0-9a-f-]{36}|URL), "([^"]*)"\) = ([0-9a-f-]{36})$`).FindAllStringSubmatch(doc, -1)
	for _, m := range derived {
		space := uuid.NameSpaceURL
		if m[1] != "URL" {
			space = uuid.MustParse(m[1])
		}
		if id := uuid.NewSHA1(space, []byte(strings.ReplaceAll(m[2], `\n`, "\n"))); id.String() != m[3] {
			t.Errorf("%s is %s", m[0], id)
		}
		if !bytes.Contains(bytes.Join(golden, nil), []byte(`"`+m[3]+`"`)) {
			t.Errorf("the golden log does not hold %s", m[3])
		}
	}
	if len(quoted) < 8 || len(derived) < 5 {
		t.Errorf("only %d quotations and %d ids are worked out", len(quoted), len(derived))
	}
}
