package httpapi

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// lively is a world in which something of every kind happens, in a random order of occurrence, on few posts and by few
// accounts, so that much is taken back, made again, refused and late.
type lively struct {
	*world
	rng *rand.Rand
	// sent counts the engagements.
	sent int
	// recorded are the events that an operator may be asked about.
	recorded []domain.EventID
}

// The cast of a lively world.
var (
	livelyPosts    = []string{"p1", "p2", "p:3"}
	livelyAccounts = []string{"ann", "bob", "-cid", "@dan", "eve", "fay"}
)

// livelyStart is when the first day of a lively world begins; everything but what operators do occurs in four days.
var livelyStart = time.Date(2020, 2, 27, 0, 0, 0, 0, time.UTC)

func openLively(t testing.TB, seed uint64, engagements int) *lively {
	t.Helper()
	l := &lively{world: openWorld(t), rng: rand.New(rand.NewPCG(seed, 1))}
	for i, post := range livelyPosts {
		l.send("post.published", livelyStart.Add(time.Duration(i)*time.Hour),
			fmt.Sprintf(`{"post_id":%q,"account_id":%q,"title":"Title 0","time_to_read_seconds":60}`, post, livelyAccounts[i]))
	}
	l.happen(engagements)
	return l
}

// happen sends engagements, and asks for some reversals and reinstatements, and waits until the views have all.
func (l *lively) happen(engagements int) {
	l.t.Helper()
	for range engagements {
		l.engage()
		if l.rng.IntN(25) == 0 {
			l.operate()
		}
	}
	l.settle()
}

// send records an engagement, which may be refused: then what it was about was not so.
func (l *lively) send(kind string, at time.Time, data string) {
	l.t.Helper()
	l.sent++
	text := fmt.Sprintf(`{"specversion":"1.0","type":"tweiledger.%s.v1","source":"/web","id":"l-%d","time":%q,"data":%s}`,
		kind, l.sent, domain.FormatTime(at), data)
	o := l.ledger.Record(l.t.Context(), []domain.Received{domain.ParseEngagement([]byte(text))})[0]
	switch {
	case o.Result == domain.Recorded:
		l.recorded = append(l.recorded, o.Recorded.ID)
	case o.Rejection == nil || o.Rejection.Code == domain.CodeInvalid:
		l.t.Fatalf("%s becomes %s", text, o.AppendJSON(nil, "", 0))
	}
}

// engage sends one engagement, later than most before it.
func (l *lively) engage() {
	at := livelyStart.Add(time.Duration(l.rng.Int64N(int64(96 * time.Hour))))
	if l.rng.IntN(4) > 0 {
		at = livelyStart.Add(time.Duration(min(l.sent, 5_700)) * time.Minute).Add(time.Duration(l.rng.Int64N(int64(time.Minute))))
	}
	post, account := pick(l.rng, livelyPosts), pick(l.rng, livelyAccounts)
	comment := fmt.Sprint("c-", l.rng.IntN(1+l.sent/10))
	onPost := fmt.Sprintf(`{"post_id":%q,"account_id":%q}`, post, account)
	onComment := fmt.Sprintf(`{"comment_id":%q,"account_id":%q}`, comment, account)
	switch n := l.rng.IntN(20); {
	case n < 4:
		l.send("post.read", at, fmt.Sprintf(`{"post_id":%q,"account_id":%q,"seconds_read":%d}`, post, account, 40+l.rng.IntN(60)))
	case n < 8:
		l.send(pick(l.rng, []string{"post.liked", "post.disliked", "reaction.withdrawn"}), at, onPost)
	case n < 13:
		l.send("comment.added", at, fmt.Sprintf(`{"post_id":%q,"comment_id":%q,"account_id":%q,"level":13}`, post, comment, account))
	case n < 18:
		l.send(pick(l.rng, []string{"comment.liked", "comment.disliked", "reaction.withdrawn"}), at, onComment)
	case n < 19:
		l.send("comment.removed", at, fmt.Sprintf(`{"comment_id":%q}`, comment))
	default:
		l.send("post.changed", at, fmt.Sprintf(`{"post_id":%q,"title":"Title %d","time_to_read_seconds":%d}`, post, l.sent, 50+l.rng.IntN(30)))
	}
}

// operate reverses an event, or makes a reversal good; either may be refused.
func (l *lively) operate() {
	l.t.Helper()
	l.settle()
	id := pick(l.rng, l.recorded)
	o := l.ledger.Reverse(l.t.Context(), id, fmt.Sprint("note ", l.sent), domain.OperatorName)
	if o.Result == domain.Recorded && l.rng.IntN(2) == 0 {
		l.settle()
		o = l.ledger.Reinstate(l.t.Context(), o.Recorded.ID, "a mistake", domain.OperatorName)
	}
	if o.Result == domain.Failed {
		l.t.Fatalf("%s", o.AppendJSON(nil, "", 0))
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// scopes are all that a lively world has, and an account that nobody saw.
func (l *lively) scopes() []domain.Scope {
	scopes := []domain.Scope{{}}
	accounts := append([]string{"nobody"}, livelyAccounts...)
	for _, account := range accounts {
		scopes = append(scopes, domain.Scope{AccountID: account})
	}
	for _, post := range livelyPosts {
		scopes = append(scopes, domain.Scope{PostID: post})
		for _, account := range accounts {
			scopes = append(scopes, domain.Scope{PostID: post, AccountID: account})
		}
	}
	return scopes
}

// events returns the log, decoded.
func (w *world) events() (events naive) {
	w.t.Helper()
	for batch, err := range w.log.Read(w.t.Context(), domain.Position{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, line := range batch {
			e, err := domain.DecodeEvent(line.Canonical)
			if err != nil {
				w.t.Fatal(err)
			}
			events = append(events, e)
		}
	}
	return events
}
