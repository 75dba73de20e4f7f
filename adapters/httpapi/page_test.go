package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// TestBadLists has a row for each way in which a list, or a statement as of something, can be asked wrongly.
func TestBadLists(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	for _, test := range []struct {
		path, field string
		status      int
	}{
		{"/v1/posts?sort=balance", "sort", 400},
		{"/v1/posts?sort=", "sort", 400},
		{"/v1/posts?order=down", "order", 400},
		{"/v1/posts?limit=0", "limit", 400},
		{"/v1/posts?limit=1001", "limit", 400},
		{"/v1/posts?limit=01", "limit", 400},
		{"/v1/posts?limit=-1", "limit", 400},
		{"/v1/posts?cursor=", "cursor", 400},
		{"/v1/posts?cursor=x", "cursor", 400},
		{"/v1/posts?cursor=%00", "cursor", 400},
		{"/v1/posts?line=likes_own", "line", 400},
		{"/v1/posts/p1/entries?line=likes", "line", 400},
		{"/v1/posts/p1/entries?line=", "line", 400},
		{"/v1/posts/p1/entries?from=2020-01-01", "from", 400},
		{"/v1/posts/p1/entries?to=2020-01-01T00:00:00", "to", 400},
		{"/v1/posts/p1/entries?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", "to", 400},
		{"/v1/posts/p1/entries?from=2020-01-02T00:00:00Z&to=2020-01-02T01:00:00%2B01:00", "to", 400},
		{"/v1/posts/p1/entries?to=0001-01-01T00:00:00Z", "to", 400},
		{"/v1/posts/p1/entries?order=", "order", 400},
		{"/v1/posts/p1/entries?cursor=bogus", "cursor", 400},
		{"/v1/posts/p1/entries?account=treasury", "account", 400},
		{"/v1/posts/p1/entries?size=2", "size", 400},
		{"/v1/posts/p9/entries", "post", 404},
		{"/v1/posts/p9/entries?account=u1", "post", 404},
		{"/v1/posts/p1/comments?cursor=bogus", "cursor", 400},
		{"/v1/posts/p1/comments?order=asc", "order", 400},
		{"/v1/posts/p9/comments", "post", 404},
		{"/v1/posts/p1/history?interval=week", "interval", 400},
		{"/v1/posts/p1/history?cursor=bogus", "cursor", 400},
		{"/v1/posts/p1/history?from=now", "from", 400},
		{"/v1/posts/p9/history", "post", 404},
		{"/v1/accounts/a%20b/entries", "account", 400},
		{"/v1/accounts/treasury/posts", "account", 400},
		{"/v1/accounts/u1/posts?cursor=bogus", "cursor", 400},
		{"/v1/accounts/u1/history?account=u1", "account", 400},
		{"/v1/accounts?sort=loss", "sort", 400},
		{"/v1/accounts?cursor=bogus", "cursor", 400},
		{"/v1/accounts?size=1", "size", 400},
		{"/v1/pnl?size=", "size", 400},
		{"/v1/pnl?size=3", "size", 400},
		{"/v1/pnl?size=-1", "size", 400},
		{"/v1/pnl?size=1e0", "size", 400},
		{"/v1/pnl?at=", "at", 400},
		{"/v1/pnl?at=2020-01-01t00:00:00z", "at", 400},
		{"/v1/pnl?at=0001-01-01T00:00:00Z", "at", 400},
		{"/v1/accounts/u1/pnl?size=3", "size", 400},
		{"/v1/posts/p1/pnl?at=1&size=3", "at", 400},
		{"/v1/posts/p1/pnl?size=1", "post", 404},
		{"/v1/posts/p1/pnl?size=1&account=u1", "post", 404},
		{"/v1/statements?post=p1&size=2", "size", 400},
		{"/v1/statements?post=p1&at=2020-01-01T00:00:00Z", "at", 400},
	} {
		t.Run(test.path, func(t *testing.T) {
			a := w.get(test.path, malformed).want(t, test.status, fmt.Sprintf(`"field":%q`, test.field))
			if a.header.Get("ETag") != "" || a.header.Get("Link") != "" {
				t.Errorf("a problem has the headers %v", a.header)
			}
		})
	}
	for _, query := range []string{"sort=balance", "order=asc", "limit=1", "cursor=x"} {
		name, _, _ := strings.Cut(query, "=")
		w.get("/v1/accounts?"+query, header("Accept", mediaLines), malformed).want(t, 400, fmt.Sprintf(`"field":%q`, name))
	}
	w.get("/v1/accounts?size=3", header("Accept", mediaLines), malformed).want(t, 400, `"field":"size"`)
	if w.logged.String() != "" {
		t.Errorf("logged as the service's fault: %s", w.logged)
	}
}

// TestCursorsOfOtherLists: a cursor that another list gave is none of this one.
func TestCursorsOfOtherLists(t *testing.T) {
	l := openLively(t, 5, 200)
	cursor := func(path string) string { return url.QueryEscape(l.get(path).want(t, 200).members(t)["next"].(string)) }
	for _, test := range []struct{ path, other string }{
		{"/v1/posts?sort=published&", "/v1/posts?sort=total&limit=1"},
		{"/v1/posts?sort=total&order=asc&", "/v1/posts?sort=total&limit=1"},
		{"/v1/accounts?", "/v1/posts?limit=1"},
		{"/v1/posts/p1/comments?", "/v1/posts/p2/comments?limit=1"},
		{"/v1/accounts/ann/posts?", "/v1/accounts/bob/posts?limit=1"},
		{"/v1/posts/p1/entries?", "/v1/posts/p1/entries?order=desc&limit=1"},
		{"/v1/posts/p1/entries?", "/v1/posts/p2/entries?limit=1"},
		{"/v1/posts/p1/entries?order=desc&", "/v1/posts/p2/entries?order=desc&limit=1"},
		{"/v1/posts/p1/entries?account=bob&", "/v1/posts/p1/entries?limit=1"},
		{"/v1/accounts/bob/entries?", "/v1/accounts/ann/entries?limit=1"},
		{"/v1/history?", "/v1/posts/p1/entries?limit=1"},
		{"/v1/history?", "/v1/history?interval=hour&limit=1"},
		{"/v1/history?interval=hour&", "/v1/history?limit=1"},
		{"/v1/history?", "/v1/posts/p1/history?limit=1"},
		{"/v1/posts/p1/history?", "/v1/posts/p2/history?limit=1"},
		{"/v1/posts/p1/history?account=bob&", "/v1/posts/p1/history?limit=1"},
		{"/v1/accounts/bob/history?interval=hour&", "/v1/accounts/ann/history?interval=hour&limit=1"},
	} {
		l.get(test.path+"cursor="+cursor(test.other)).want(t, 400, `"field":"cursor"`)
	}
}

// TestNextPage: the cursor stands in the body and in Link, whose query is the request's own; the last page has neither.
func TestNextPage(t *testing.T) {
	l := openLively(t, 6, 100)
	a := l.get("/v1/posts/p1/entries?from=2020-01-01T00:00:00%2B01:00&account=%40dan&limit=1").want(t, 200)
	next, _ := a.members(t)["next"].(string)
	want := "<?account=%40dan&cursor=" + url.QueryEscape(next) + `&from=2020-01-01T00%3A00%3A00%2B01%3A00&limit=1>; rel="next"`
	if got := a.header.Get("Link"); next == "" || got != want {
		t.Errorf("Link is %q, not %q", got, want)
	}
	last := l.get("/v1/posts/p1/entries?limit=1000").want(t, 200)
	if strings.Contains(string(last.body), `"next"`) || last.header.Get("Link") != "" {
		t.Errorf("the last page has a next one: %v", last.header)
	}
}

// walk reads a list page by page while things happen between the pages, and returns the keys of its elements.
func (l *lively) walk(path, name string, key func(element map[string]any) string) (keys []string) {
	l.t.Helper()
	l.follow(path, func(a *answer) {
		for _, element := range decodePage[map[string]any](l.t, a, name) {
			keys = append(keys, key(element))
		}
		if len(keys) < 200 {
			l.happen(4)
		}
	})
	return keys
}

// whole reads a list at once.
func (l *lively) whole(path, name string, key func(element map[string]any) string) (keys []string) {
	l.t.Helper()
	for _, element := range decodePage[map[string]any](l.t, l.get(path+"&limit=1000").want(l.t, 200), name) {
		keys = append(keys, key(element))
	}
	return keys
}

func text(path ...string) func(map[string]any) string {
	return func(element map[string]any) string {
		for _, name := range path[:len(path)-1] {
			element = element[name].(map[string]any)
		}
		return fmt.Sprint(element[path[len(path)-1]])
	}
}

// TestPagesWhileEventsArrive: what was there when the first page was read comes once, and what comes later at most
// once, in the order of the list.
func TestPagesWhileEventsArrive(t *testing.T) {
	for name, test := range map[string]struct {
		path, list string
		key        func(map[string]any) string
	}{
		"entries":             {"/v1/posts/p1/entries?order=asc", "entries", func(e map[string]any) string { return fmt.Sprint(e["index"], e["account_id"], e["line"]) }},
		"entries, newest":     {"/v1/posts/p1/entries?order=desc", "entries", func(e map[string]any) string { return fmt.Sprint(e["index"], e["account_id"], e["line"]) }},
		"entries of one":      {"/v1/accounts/bob/entries?order=asc", "entries", func(e map[string]any) string { return fmt.Sprint(e["index"], e["line"]) }},
		"comments":            {"/v1/posts/p2/comments?", "comments", text("comment_id")},
		"hours":               {"/v1/posts/p1/history?interval=hour", "intervals", text("start")},
		"days of all":         {"/v1/history?interval=day", "intervals", text("start")},
		"posts, newest first": {"/v1/posts?sort=published", "posts", text("post", "post_id")},
		"posts, oldest first": {"/v1/posts?sort=published&order=asc", "posts", text("post", "post_id")},
		"posts of one":        {"/v1/accounts/ann/posts?", "posts", text("post", "post_id")},
	} {
		t.Run(name, func(t *testing.T) {
			l := openLively(t, 7, 250)
			for i := range 20 {
				l.publishLively(i)
			}
			l.settle()
			before := l.whole(test.path, test.list, test.key)
			got := l.walk(test.path+"&limit=3", test.list, test.key)
			after := l.whole(test.path, test.list, test.key)
			if len(before) < 4 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
				t.Errorf("%d keys before, these came: %q", len(before), got)
			}
			if missed := slices.DeleteFunc(slices.Clone(before), func(key string) bool { return slices.Contains(got, key) }); len(missed) > 0 {
				t.Errorf("%q were skipped", missed)
			}
			ordered := slices.DeleteFunc(slices.Clone(after), func(key string) bool { return !slices.Contains(got, key) })
			if !slices.Equal(ordered, got) {
				t.Errorf("the order is %q, not %q", got, ordered)
			}
		})
	}
}

// publishLively publishes one more post.
func (l *lively) publishLively(n int) {
	l.t.Helper()
	l.send("post.published", livelyStart.Add(time.Duration(n*7%20)*time.Hour),
		fmt.Sprintf(`{"post_id":"more-%d","account_id":"ann","title":"T","time_to_read_seconds":60}`, n))
}

// TestLists: each order of posts and of accounts is that of the statements, which are those of their own routes.
func TestLists(t *testing.T) {
	l := openLively(t, 8, 400)
	for i := range 5 {
		l.publishLively(i)
	}
	l.settle()
	log := l.events()
	amounts := map[string]func(s *domain.Statement) domain.Twei{
		"profit":  func(s *domain.Statement) domain.Twei { profit, _, _, _ := s.Sums.Subtotals(); return profit },
		"loss":    func(s *domain.Statement) domain.Twei { _, loss, _, _ := s.Sums.Subtotals(); return loss },
		"total":   func(s *domain.Statement) domain.Twei { _, _, total, _ := s.Sums.Subtotals(); return total },
		"balance": func(s *domain.Statement) domain.Twei { balance, _ := s.Balance(); return balance },
	}
	for _, test := range []struct{ path, list, sort string }{
		{"/v1/posts", "posts", "total"}, {"/v1/posts", "posts", "profit"}, {"/v1/posts", "posts", "loss"},
		{"/v1/accounts", "accounts", "balance"}, {"/v1/accounts", "accounts", "total"}, {"/v1/accounts", "accounts", "profit"},
	} {
		for _, order := range []string{"desc", "asc"} {
			statements := l.statements(fmt.Sprintf("%s?sort=%s&order=%s&limit=3", test.path, test.sort, order), test.list)
			seen := map[domain.Scope]bool{}
			for i, s := range statements {
				seen[s.Scope] = true
				if want := log.statement(s.Scope, 0, false, time.Time{}); want.Sums != s.Sums || want.Counts != s.Counts || want.Size != s.Size {
					t.Errorf("%+v is %+v, not %+v", s.Scope, s, want)
				}
				amount := amounts[test.sort]
				if c := 0; i > 0 {
					if c = amount(statements[i-1]).Cmp(amount(s)); c < 0 && order == "desc" || c > 0 && order == "asc" {
						t.Errorf("%s by %s %s: %+v stands behind %+v", test.list, test.sort, order, s.Scope, statements[i-1].Scope)
					}
				}
			}
			want := len(livelyPosts) + 5
			if test.list == "accounts" {
				want = len(livelyAccounts)
			}
			if len(seen) != want || len(statements) != want {
				t.Errorf("%s by %s has %d of %d", test.list, test.sort, len(statements), want)
			}
		}
	}
	for _, account := range append(livelyAccounts, "nobody") {
		touched := map[string]bool{}
		for _, e := range log {
			if e.PostID != "" && touches(e, domain.Scope{AccountID: account}) {
				touched[e.PostID] = true
			}
		}
		var posts []string
		for _, s := range l.statements("/v1/accounts/"+account+"/posts?limit=2", "posts") {
			posts = append(posts, s.Scope.PostID)
			if want := log.statement(s.Scope, 0, false, time.Time{}); want.Sums != s.Sums || *want.Reading != *s.Reading {
				t.Errorf("%+v is %+v, not %+v", s.Scope, s, want)
			}
		}
		if want := slices.Sorted(maps.Keys(touched)); !slices.Equal(posts, want) {
			t.Errorf("the posts of %s are %q, not %q", account, posts, want)
		}
	}
}

// statements reads a whole list of statements, alone or beside posts.
func (l *lively) statements(path, list string) (statements []*domain.Statement) {
	l.t.Helper()
	l.follow(path, func(a *answer) {
		if list == "accounts" {
			statements = append(statements, decodePage[*domain.Statement](l.t, a, list)...)
			return
		}
		for _, p := range decodePage[struct{ Statement *domain.Statement }](l.t, a, list) {
			statements = append(statements, p.Statement)
		}
	})
	return statements
}

// TestHistory: the hours and days are those in which something occurred, each statement is the log's as of their end,
// and the changes lead from one to the next.
func TestHistory(t *testing.T) {
	l := openLively(t, 9, 500)
	log := l.events()
	for _, scope := range []domain.Scope{{}, {PostID: "p1"}, {AccountID: "bob"}, {PostID: "p2", AccountID: "eve"}} {
		for interval, length := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour} {
			path := strings.Replace(statementPath(scope, url.Values{"interval": {interval}, "limit": {"10"}}), "/pnl", "/history", 1)
			var starts []string
			var sums domain.Sums
			l.follow(path, func(a *answer) {
				for _, i := range decodePage[intervalJSON](t, a, "intervals") {
					starts = append(starts, i.Start)
					end := moment(t, i.Start).Add(length - 1)
					want, err := log.statement(scope, 0, false, end).AppendJSON(nil)
					if got, err2 := i.Statement.AppendJSON(nil); err != nil || err2 != nil || string(got) != string(want) {
						t.Fatalf("%+v by %s at %s is\n%s, not\n%s", scope, i.Start, end, got, want)
					}
					i.addTo(t, &sums)
					if sums != i.Statement.Sums {
						t.Fatalf("%+v by %s: the changes lead to %v, not %v", scope, i.Start, sums, i.Statement.Sums)
					}
				}
			})
			want := map[string]bool{}
			for _, e := range log {
				if touches(e, scope) && (scope.AccountID == "" || scope.PostID == "" || e.AccountID == scope.AccountID || len(entriesIn(e, scope)) > 0) {
					want[domain.FormatTime(e.OccurredAt.Truncate(length))] = true
				}
			}
			for _, start := range starts {
				delete(want, start)
			}
			if len(want) > 0 || !slices.IsSorted(starts) {
				t.Errorf("%+v by %s lacks %v: %v", scope, interval, want, starts)
			}
		}
	}
	// from and to choose intervals by where they begin.
	hours := l.whole("/v1/history?interval=hour", "intervals", text("start"))
	some := l.whole(fmt.Sprintf("/v1/history?interval=hour&from=%s&to=%s", hours[3], hours[9]), "intervals", text("start"))
	if !slices.Equal(some, hours[3:9]) {
		t.Errorf("from %s to %s are %v", hours[3], hours[9], some)
	}
	after := domain.FormatTime(moment(t, hours[3]).Add(time.Nanosecond))
	if some := l.whole("/v1/history?interval=hour&from="+after, "intervals", text("start")); !slices.Equal(some, hours[4:]) {
		t.Errorf("from %s are %v", after, some)
	}
}

// intervalJSON is an interval of a history.
type intervalJSON struct {
	Start  string
	Change struct {
		Profit, Loss map[string]domain.Twei
		ReadToEarn   struct{ Earned domain.Twei } `json:"read_to_earn"`
	}
	Statement *domain.Statement
}

// addTo adds the interval's change.
func (i *intervalJSON) addTo(t *testing.T, sums *domain.Sums) {
	t.Helper()
	for line := domain.EarnedForPluses; line.Valid(); line++ {
		change := i.Change.ReadToEarn.Earned
		switch line.Side() {
		case domain.ProfitSide:
			change = i.Change.Profit[line.String()]
		case domain.LossSide:
			change = i.Change.Loss[line.String()]
		}
		if err := sums.Add(line, change); err != nil {
			t.Fatal(err)
		}
	}
}

// TestComments: what comments moved is what the events about them moved, and what each earned is its commenter's.
func TestComments(t *testing.T) {
	l := openLively(t, 10, 500)
	log := l.events()
	for _, post := range livelyPosts {
		var ids []string
		l.follow("/v1/posts/"+post+"/comments?limit=4", func(a *answer) {
			for _, c := range decodePage[commentJSON](t, a, "comments") {
				ids = append(ids, c.CommentID)
				if want := log.comment(c.CommentID); c != want {
					t.Errorf("the comment is %+v, not %+v", c, want)
				}
			}
		})
		var want []string
		for _, e := range log {
			if e.Type == domain.CommentAdded && e.PostID == post {
				want = append(want, e.CommentID)
			}
		}
		if !slices.Equal(ids, want) || len(ids) == 0 {
			t.Errorf("the comments of %s are %q, not %q", post, ids, want)
		}
	}
}

// commentJSON is a comment without its lines.
type commentJSON struct {
	CommentID  string `json:"comment_id"`
	Commenter  string
	Level      uint64
	OccurredAt string `json:"occurred_at"`
	RecordedAt string `json:"recorded_at"`
	RemovedAt  string `json:"removed_at"`
	Total      domain.Twei
	ReadToEarn domain.Twei `json:"read_to_earn"`
	Earned     domain.Twei
	Likes      uint64
	Dislikes   uint64
}

// comment works a comment out.
func (n naive) comment(id string) (c commentJSON) {
	var all, own domain.Sums
	standing := map[domain.EventID]domain.EventType{}
	for _, e := range n {
		kind, subject, _, _ := e.Stream.Parse()
		if subject != id || kind != domain.KindComment && kind != domain.KindCommentReaction {
			continue
		}
		switch e.Type {
		case domain.CommentAdded:
			c = commentJSON{CommentID: id, Commenter: e.AccountID, Level: e.Level,
				OccurredAt: domain.FormatTime(e.OccurredAt), RecordedAt: domain.FormatTime(e.RecordedAt)}
		case domain.CommentRemoved:
			c.RemovedAt = domain.FormatTime(e.OccurredAt)
		case domain.CommentLiked, domain.CommentDisliked:
			standing[e.ID] = e.Type
		case domain.ReactionWithdrawn:
			delete(standing, e.Withdraws)
		}
		for _, entry := range entriesIn(e, domain.Scope{}) {
			_ = all.Add(entry.Line, entry.Change)
			if entry.Account == c.Commenter {
				_ = own.Add(entry.Line, entry.Change)
			}
		}
	}
	for _, t := range standing {
		if t == domain.CommentLiked {
			c.Likes++
		} else {
			c.Dislikes++
		}
	}
	_, _, c.Total, _ = all.Subtotals()
	c.ReadToEarn = all.Of(domain.ReadToEarn)
	_, _, c.Earned, _ = own.Subtotals()
	return c
}
