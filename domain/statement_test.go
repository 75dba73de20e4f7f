package domain_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

// exampleJSON is DESIGN section 6's statement, with the six lines of each side.
const exampleJSON = `{"scope":{"post_id":"p1"},"size":1042,"recorded_through":"2026-01-29T12:00:00Z","unit":"Twei",` +
	`"profit":{"earned_for_pluses":"1.5","comment_rewards":"10","likes_own":"0.4","likes_commenter":"2","likes_author":"0.8","dislikes_author":"0.1","subtotal":"14.8"},` +
	`"loss":{"spent_for_minuses":"0.5","comment_tributes":"5","dislikes_own":"0.1","dislikes_commenter":"0.5","post_publish_tribute":"10","pnl_reports":"1","subtotal":"17.1"},` +
	`"total":"-2.3","read_to_earn":{"earned":"7","rewarded_reads":7},` +
	`"counts":{"reads":9,"likes":3,"dislikes":1,"comments":5,"comment_likes":4,"comment_dislikes":1,"reports":1}}`

func example(change func(*domain.Statement)) *domain.Statement {
	s := &domain.Statement{
		Scope: domain.Scope{PostID: "p1"}, Size: 1042, RecordedThrough: noon, RewardedReads: 7,
		Counts: domain.Counts{Reads: 9, Likes: 3, Dislikes: 1, Comments: 5, CommentLikes: 4, CommentDislikes: 1, Reports: 1},
	}
	for i, amount := range []string{"1.5", "10", "0.4", "2", "0.8", "0.1", "0.5", "5", "0.1", "0.5", "10", "1", "7"} {
		s.Sums[i] = twei(amount)
	}
	change(s)
	return s
}

// The statements of the four scopes, as the routes give them; each is read back, and its canonical form is jsontext's.
func TestStatementJSON(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*domain.Statement)
		old, new string
	}{
		{"post", func(*domain.Statement) {}, "", ""},
		{"account", func(s *domain.Statement) { s.Scope = domain.Scope{AccountID: "u1"} }, `{"post_id":"p1"}…}}`, `{"account_id":"u1"}…},"balance":"4.7"}`},
		{"platform", func(s *domain.Statement) { s.Scope = domain.Scope{} }, `{"post_id":"p1"}…}}`, `{}…},"treasury":"-4.7"}`},
		{"post and account", func(s *domain.Statement) {
			s.Scope.AccountID = "u1"
			s.Reading = &domain.Reading{TimeToReadSeconds: 60, Earned: twei("1"), Date: noon}
		}, `{"post_id":"p1"}…}}`, `{"post_id":"p1","account_id":"u1"}…},"reading":{"time_to_read_seconds":60,"earned":"1","date":"2026-01-29T12:00:00Z"}}`},
		{"post and account, nothing read", func(s *domain.Statement) {
			s.Scope.AccountID = "u1"
			s.Reading = &domain.Reading{}
		}, `{"post_id":"p1"}…}}`, `{"post_id":"p1","account_id":"u1"}…},"reading":{"earned":"0"}}`},
		{"as of a time", func(s *domain.Statement) { s.AsOf = noon.Add(time.Millisecond) }, `00Z",…}}`, `00Z","as_of":"2026-01-29T12:00:00.001Z",…}}`},
		{"nothing", func(s *domain.Statement) { s.Size, s.RecordedThrough = 0, time.Time{} }, `1042,"recorded_through":"2026-01-29T12:00:00Z"…}}`, `0…}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := exampleJSON
			if c.old != "" {
				oldStart, oldEnd, _ := strings.Cut(c.old, "…")
				newStart, newEnd, _ := strings.Cut(c.new, "…")
				want = strings.TrimSuffix(strings.Replace(want, oldStart, newStart, 1), oldEnd) + newEnd
			}
			s := example(c.change)
			text, err := s.AppendJSON(nil)
			if err != nil || string(text) != want {
				t.Fatalf("it is\n%s, not\n%s: %v", text, want, err)
			}
			if marshalled, err := json.Marshal(s); err != nil || string(marshalled) != want {
				t.Errorf("marshalled it is %s: %v", marshalled, err)
			}
			canonical, err := s.AppendCanonical(nil)
			oracle := jsontext.Value(slices.Clone(text))
			if err != nil || oracle.Canonicalize() != nil || string(canonical) != string(oracle) {
				t.Errorf("its canonical form is %s, not %s: %v", canonical, oracle, err)
			}
			var again domain.Statement
			if err := again.UnmarshalJSON(canonical); err != nil {
				t.Fatal(err)
			}
			if back, _ := again.AppendJSON(nil); string(back) != want {
				t.Errorf("read back it is %s", back)
			}
		})
	}
}

// Texts that contradict themselves, lack a member or have another one are no statements.
func TestStatementRefusals(t *testing.T) {
	for _, c := range []struct{ name, old, new string }{
		{"another total", `"total":"-2.3"`, `"total":"-2.2"`},
		{"another subtotal", `"14.8"`, `"14.9"`},
		{"another line", `"1.5"`, `"1.6"`},
		{"a line missing", `"likes_own":"0.4",`, ``},
		{"a line more", `"likes_own":"0.4",`, `"likes_own":"0.4","likes":"0",`},
		{"a loss line among the profits", `"likes_own":"0.4",`, `"likes_own":"0.4","pnl_reports":"0",`},
		{"an amount with zeros", `"1.5"`, `"1.50"`},
		{"an amount as a number", `"1.5"`, `1.5`},
		{"no unit", `"unit":"Twei",`, ``},
		{"another unit", `"Twei"`, `"wei"`},
		{"a count missing", `"reads":9,`, ``},
		{"a count more", `"reads":9,`, `"reads":9,"shares":1,`},
		{"a count with a fraction", `"reads":9`, `"reads":9.5`},
		{"a negative count", `"reads":9`, `"reads":-9`},
		{"a balance", `"total"`, `"balance":"4.7","total"`},
		{"a treasury", `"total"`, `"treasury":"-4.7","total"`},
		{"a member more", `"total"`, `"totals":"1","total"`},
		{"a member twice", `"size":1042`, `"size":1042,"size":1042`},
		{"null", `"recorded_through":"2026-01-29T12:00:00Z"`, `"recorded_through":null`},
		{"an offset", `12:00:00Z`, `12:00:00+00:00`},
		{"a scope more", `{"post_id":"p1"}`, `{"post_id":"p1","comment_id":"c1"}`},
		{"an empty scope's member", `{"post_id":"p1"}`, `{"post_id":"p1","account_id":""}`},
		{"cut off", `1}}`, `1}`},
	} {
		text := strings.Replace(exampleJSON, c.old, c.new, 1)
		if text == exampleJSON {
			t.Fatalf("%s: the row changes nothing", c.name)
		}
		if err := new(domain.Statement).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s: taken: %s", c.name, text)
		}
	}
}

func TestStatementOverflow(t *testing.T) {
	for name, change := range map[string]func(*domain.Statement){
		"subtotal": func(s *domain.Statement) { s.Sums[0] = ofWei(most) },
		"balance": func(s *domain.Statement) {
			s.Scope = domain.Scope{}
			s.Sums = domain.Sums{}
			s.Sums[0], s.Sums[domain.ReadToEarn-1] = ofWei(most), domain.Wei(1)
		},
	} {
		if text, err := example(change).AppendJSON(nil); !errors.Is(err, domain.ErrOverflow) {
			t.Errorf("%s: %s: %v", name, text, err)
		}
	}
}
