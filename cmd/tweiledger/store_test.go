package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// storeWorld is several services on one log in a store, each with views of its own.
type storeWorld struct {
	t        *testing.T
	server   *esdbtest.Server
	services []*service
}

func newStoreWorld(t *testing.T, n int, o esdbtest.Options) *storeWorld {
	w := &storeWorld{t: t, server: esdbtest.New(t, o), services: make([]*service, n)}
	var starting sync.WaitGroup
	for i := range w.services {
		s, err := openService(t.Context(), w.home(i), 0)
		if err != nil {
			t.Fatal(err)
		}
		w.services[i] = s
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		// Which of them begins the log is up to them.
		starting.Go(func() {
			if err := s.begin(t.Context(), console{io.Discard, io.Discard}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	return w
}

func (w *storeWorld) home(i int) home {
	return home{filepath.Join(w.t.TempDir(), fmt.Sprint("views", i)), storeFlags{Log: w.server.ConnectionString()}}
}

// record sends engagements to a service until none fails, and returns the last outcome of each.
func (w *storeWorld) record(service int, lines [][]byte) []domain.Outcome {
	outcomes := make([]domain.Outcome, len(lines))
	left := make([]int, len(lines))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 && w.t.Context().Err() == nil {
		batch := make([][]byte, len(left))
		for k, i := range left {
			batch[k] = lines[i]
		}
		var failed []int
		for k, o := range w.services[service].ledger.Record(w.t.Context(), domain.ParseEngagements(batch)) {
			outcomes[left[k]] = o
			if o.Result == domain.Failed {
				failed = append(failed, left[k])
			}
		}
		left = failed
	}
	return outcomes
}

// verify works the whole log out again.
func (w *storeWorld) verify() string {
	w.t.Helper()
	out, err := tweiledger(w.t, "verify", "--log", w.server.ConnectionString())
	if err != nil {
		w.t.Errorf("verify: %v\n%s", err, out)
	}
	return out
}

// events returns the log's events by their message, and sees that none is there twice.
func (w *storeWorld) events() map[domain.Message]*domain.Event {
	w.t.Helper()
	ids := map[domain.EventID]bool{}
	events := map[domain.Message]*domain.Event{}
	for batch, err := range w.services[0].log.Read(w.t.Context(), domain.Position{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range batch {
			e, err := domain.DecodeEvent(batch[i].Canonical)
			if err != nil {
				w.t.Fatal(err)
			}
			if ids[e.ID] {
				w.t.Errorf("event %s is in the log twice", e.ID)
			}
			ids[e.ID] = true
			events[e.Message()] = e
		}
	}
	return events
}

// sameViews sees that all services answer the same, and have the same checkpoint, once they have followed the log.
func (w *storeWorld) sameViews() {
	w.t.Helper()
	head, err := w.services[0].log.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var first string
	for i, s := range w.services {
		if err := s.views.Wait(w.t.Context(), head); err != nil {
			w.t.Fatalf("process %d: %v", i, err)
		}
		if answers := w.answers(s); i == 0 {
			first = answers
		} else if answers != first {
			w.t.Errorf("process %d answers otherwise than process 0:\n%s\n%s", i, answers, first)
		}
	}
}

// answers returns what a service answers of the platform, every account and every post, with their journals.
func (w *storeWorld) answers(s *service) string {
	w.t.Helper()
	views := s.views.Snapshot()
	defer views.Close()
	var all strings.Builder
	fmt.Fprintln(&all, views.Size(), views.Position(), viewsCheckpoint(w.t, s))
	scopes := []domain.Scope{{}}
	for statement, err := range views.Balances(projections.AsOf{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		scopes = append(scopes, statement.Scope)
	}
	posts, _, err := views.Posts(projections.ByTotal, false, projections.Page{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range posts {
		scopes = append(scopes, domain.Scope{PostID: p.Post.PostID})
	}
	for _, scope := range scopes {
		statement, err := views.Statement(w.t.Context(), scope, projections.AsOf{})
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := statement.AppendJSON(nil)
		if err != nil {
			w.t.Fatal(err)
		}
		journal, _, err := views.Journal(projections.JournalQuery{Scope: scope, Page: projections.Page{Limit: 10_000}})
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %v\n", text, journal)
	}
	return all.String()
}

// viewsCheckpoint returns the row of the views' checkpoint, which is the first one. Beside size and position it has the
// hashes of the first and of the last event folded.
func viewsCheckpoint(t *testing.T, s *service) []byte {
	t.Helper()
	for row, err := range s.generations.Stores()[0].Scan(nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(row.Value)
	}
	t.Fatal("the views have no checkpoint")
	return nil
}

// TestStoreManyProcesses: three processes write through random faults of a cluster, each batch sent to two of them at the
// same time. What was answered is in the log once, what was rejected is not, verify agrees, and all of them answer the
// same.
func TestStoreManyProcesses(t *testing.T) {
	for name, old := range map[string]bool{"22.6": false, "before 22.6": true} {
		t.Run(name, func(t *testing.T) {
			manyProcesses(t, esdbtest.Options{Nodes: 3, WriteTimeout: 200 * time.Millisecond, NoStreamPositions: old})
		})
	}
}

func manyProcesses(t *testing.T, o esdbtest.Options) {
	engagements := 1500
	if long() {
		engagements = 20_000
	}
	random := seeded(t)
	w := newStoreWorld(t, 3, o)
	lines := campaignLoad(random, engagements)
	const posts, batch = 20, 50
	w.record(0, lines[:posts])
	w.server.PlayAtRandom(random.Uint64(), esdbtest.Rates{
		RefuseAppend: 0.002, DropAppend: 0.002, AbortAppend: 0.004, LateAppend: 0.01, ChangeLeader: 0.0005,
		CutRead: 0.001, CutSubscription: 0.001, BogusCheckpoint: 0.01,
	})
	answered := w.campaign(random, lines[posts:], batch)
	w.server.PlayAtRandom(0, esdbtest.Rates{})

	events := w.events()
	for message, result := range answered {
		if e := events[message]; (e != nil) == (result == domain.Rejected) {
			t.Errorf("message %v was answered %s; in the log is %v", message, result, e)
		}
	}
	for message := range events {
		if _, known := answered[message]; !known && message.Source != domain.LedgerSource && !isOf(lines[:posts], message) {
			t.Errorf("message %v is in the log, and nobody was told", message)
		}
	}
	w.verify()
	w.sameViews()
}

func isOf(lines [][]byte, m domain.Message) bool {
	for _, line := range lines {
		if domain.ParseEngagement(line).Message == m {
			return true
		}
	}
	return false
}

// campaign sends batches from several senders, each to two processes, and returns the best result of each message.
func (w *storeWorld) campaign(random *rand.Rand, lines [][]byte, batch int) map[domain.Message]domain.Result {
	batches := make(chan [][]byte)
	go func() {
		defer close(batches)
		for len(lines) > 0 {
			n := min(batch, len(lines))
			batches <- lines[:n]
			lines = lines[n:]
		}
	}()
	var mu sync.Mutex
	answered := map[domain.Message]domain.Result{}
	var senders sync.WaitGroup
	for range 3 {
		seed := random.Uint64()
		senders.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for lines := range batches {
				first := random.IntN(len(w.services))
				var both sync.WaitGroup
				for _, service := range []int{first, (first + 1) % len(w.services)} {
					both.Go(func() {
						outcomes := w.record(service, lines)
						mu.Lock()
						defer mu.Unlock()
						for _, o := range outcomes {
							// One may have been too early for what it builds on, and the other not.
							if answered[o.Message] == "" || o.Result != domain.Rejected {
								answered[o.Message] = o.Result
							}
						}
					})
				}
				both.Wait()
			}
		})
	}
	senders.Wait()
	return answered
}

// storePublish is a message with which ann publishes a post.
func storePublish(id, post string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"/web","id":"%s",`+
		`"time":"2026-01-29T09:00:00Z","data":{"post_id":"%s","account_id":"ann","title":"T","time_to_read_seconds":60}}`,
		id, post)
}

// storeLike is a message with which an account likes the post p.
func storeLike(id, account string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","type":"tweiledger.post.liked.v1","source":"/web","id":"%s",`+
		`"time":"2026-01-29T09:01:00Z","data":{"post_id":"p","account_id":"%s"}}`, id, account)
}

// TestStoreReactionRace: of two messages with the same reaction, sent to two processes at the same time, one is paid.
func TestStoreReactionRace(t *testing.T) {
	const accounts = 100
	w := newStoreWorld(t, 2, esdbtest.Options{})
	w.record(0, [][]byte{storePublish("1", "p")})
	outcomes := make([][]domain.Outcome, len(w.services))
	var both sync.WaitGroup
	for service := range w.services {
		lines := make([][]byte, accounts)
		for i := range lines {
			lines[i] = storeLike(fmt.Sprintf("%d of %d", i, service), fmt.Sprint("a", i))
		}
		both.Go(func() { outcomes[service] = w.record(service, lines) })
	}
	both.Wait()
	for i := range accounts {
		paid := 0
		for service := range w.services {
			switch o := outcomes[service][i]; {
			case o.Result == domain.Recorded && o.Recorded.Reason == "":
				paid++
			case o.Result != domain.Rejected || o.Rejection.Code != domain.CodeAlreadyReacted:
				t.Errorf("account %d at service %d: %s %s %v", i, service, o.Result, o.Recorded.Reason, o.Rejection)
			}
		}
		if paid != 1 {
			t.Errorf("account %d is paid %d times", i, paid)
		}
	}
	w.verify()
	w.sameViews()
}

// TestStoreMessageTwice: a message that two processes took with different contents, since the views of one had not seen
// it, is named by verify; once they have, it is a conflicting duplicate.
func TestStoreMessageTwice(t *testing.T) {
	w := newStoreWorld(t, 2, esdbtest.Options{})
	like := func(account string) [][]byte { return [][]byte{storeLike("2", account)} }
	w.record(0, [][]byte{storePublish("1", "p")})
	w.services[1].stopFolding()
	w.services[1].folding.Wait()
	for service, account := range []string{"bob", "cem"} {
		if o := w.record(service, like(account))[0]; o.Result != domain.Recorded {
			t.Fatalf("%s: %s %v", account, o.Result, o.Rejection)
		}
	}
	if out := w.verify(); !strings.Contains(out, `Recorded twice, to be reversed once: source "/web" id "2", events 2 and 3.`) {
		t.Errorf("verify says:\n%s", out)
	}
	w.services[1].fold()
	w.sameViews()
	if o := w.record(1, like("dee"))[0]; o.Result != domain.Rejected || o.Rejection.Code != domain.CodeConflictingDuplicate {
		t.Errorf("the message with another content: %s %v", o.Result, o.Rejection)
	}
}

// TestStoreStoppedFold: once a foreign event stops the fold, a process can no longer tell whether a message was recorded,
// and takes nothing.
func TestStoreStoppedFold(t *testing.T) {
	w := newStoreWorld(t, 1, esdbtest.Options{})
	s := w.services[0]
	publish := func(id string) []domain.Received {
		return domain.ParseEngagements([][]byte{storePublish(id, "p"+id)})
	}
	if o := s.ledger.Record(t.Context(), publish("1"))[0]; o.Result != domain.Recorded {
		t.Fatal(o.Detail, o.Rejection)
	}
	w.server.Insert(esdbtest.RawEvent{Stream: "tweiledger.post-p9", Type: "PostPublished", Data: []byte(`{"not":"ours"}`)})
	s.folding.Wait()
	if err := s.views.Status().Err; !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), "tweiledger.post-p9") {
		t.Fatalf("the fold stopped with %v", err)
	}
	if o := s.ledger.Record(t.Context(), publish("2"))[0]; o.Result != domain.Failed ||
		!strings.Contains(o.Detail, "the views follow the log no more") {
		t.Errorf("with views that stand: %s %s", o.Result, o.Detail)
	}
}

// TestStoreMissingRevision: the fold stops at an event that does not follow on its stream's last one, and names it.
func TestStoreMissingRevision(t *testing.T) {
	for missing, why := range []string{"post p: it was not published", "stream post-p goes on at revision 1, not 2"} {
		w := newStoreWorld(t, 1, esdbtest.Options{})
		w.record(0, [][]byte{
			[]byte(`{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"/web","id":"1",` +
				`"time":"2026-01-29T09:00:00Z","data":{"post_id":"p","account_id":"ann","title":"T","time_to_read_seconds":60}}`),
			[]byte(`{"specversion":"1.0","type":"tweiledger.post.changed.v1","source":"/web","id":"2",` +
				`"time":"2026-01-29T09:01:00Z","data":{"post_id":"p","title":"U"}}`),
			[]byte(`{"specversion":"1.0","type":"tweiledger.post.changed.v1","source":"/web","id":"3",` +
				`"time":"2026-01-29T09:02:00Z","data":{"post_id":"p","title":"V"}}`),
		})
		if !w.server.RemoveRevision("tweiledger.post-p", uint64(missing)) {
			t.Fatal("nothing was removed")
		}
		s, err := openService(t.Context(), w.home(1), 0)
		if err != nil {
			t.Fatal(err)
		}
		s.folding.Wait()
		err = s.views.Status().Err
		where := fmt.Sprintf("event %d at position ", missing+1)
		if !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), why) {
			t.Errorf("without revision %d the fold stopped with %v", missing, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestStoreForeignStream: a log under whose prefix somebody put events of another kind cannot be verified, but copied
// without them, and the copy is whole.
func TestStoreForeignStream(t *testing.T) {
	w := newStoreWorld(t, 1, esdbtest.Options{})
	w.record(0, campaignLoad(rand.New(rand.NewPCG(1, 1)), 30))
	w.server.Insert(esdbtest.RawEvent{Stream: "tweiledger.test", Type: "Tested", Data: []byte(`{}`)})
	address := w.server.ConnectionString()
	call := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(t.Context(), args, &out, io.Discard)
		return out.String(), err
	}
	folder := filepath.Join(t.TempDir(), "copy")
	if _, err := call("copy", "--from", address, "--to", folder); !errors.Is(err, domain.ErrCorrupt) ||
		!strings.Contains(err.Error(), `"tweiledger.test"`) || !strings.Contains(err.Error(), "--skip-foreign") {
		t.Errorf("the copy with it: %v", err)
	}
	if out, err := call("copy", "--skip-foreign", "--from", address, "--to", address, "--to-prefix", "second."); err != nil {
		t.Fatalf("the copy without it: %s %v", out, err)
	}
	if out, err := call("verify", "--log", address, "--log-prefix", "second."); err != nil {
		t.Errorf("verify says of the copy: %s %v", out, err)
	}
}

// aheadClock is a clock that is set forward.
type aheadClock struct {
	start time.Time
	ahead atomic.Int64
}

func (c *aheadClock) now() time.Time { return c.start.Add(time.Duration(c.ahead.Load())) }

// ledgerOn returns a started ledger on a store.
func ledgerOn(t *testing.T, server *esdbtest.Server, clock *aheadClock) *domain.Ledger {
	t.Helper()
	log, err := openStore("--log", server.ConnectionString(), eventstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	ledger := domain.NewLedger(domain.Config{Log: log, Clock: clock.now, Messages: noMessages{}, ManyWriters: true})
	if err := ledger.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return ledger
}

// recordNow records an engagement of a reader, or a post where there is none, as of a clock.
func recordNow(t *testing.T, ledger *domain.Ledger, clock *aheadClock, reader string) domain.Outcome {
	t.Helper()
	text := `"type":"tweiledger.post.liked.v1","data":{"post_id":"p","account_id":"` + reader + `"}`
	if reader == "" {
		text = `"type":"tweiledger.post.published.v1",` +
			`"data":{"post_id":"p","account_id":"ann","title":"T","time_to_read_seconds":60}`
	}
	line := fmt.Appendf(nil, `{"specversion":"1.0","source":"/web","id":"1%s","time":"%s",%s}`, reader,
		domain.FormatTime(clock.now()), text)
	return ledger.Record(t.Context(), domain.ParseEngagements([][]byte{line}))[0]
}

// TestStoreTariffOfAnotherProcess: a tariff that one process publishes gives the price in another from the moment on
// that it takes effect, and one that cannot read the tariffs any more prices nothing.
func TestStoreTariffOfAnotherProcess(t *testing.T) {
	server := esdbtest.New(t, esdbtest.Options{})
	clock := &aheadClock{start: time.Now()}
	one, other := ledgerOn(t, server, clock), ledgerOn(t, server, clock)
	if o := recordNow(t, one, clock, ""); o.Result != domain.Recorded {
		t.Fatal(o.Detail, o.Rejection)
	}
	const lead = 15 * time.Minute
	second := domain.DefaultTariff()
	second.Version, second.EffectiveFrom = 2, clock.now().Add(lead+time.Second).UTC().Round(0)
	if o := one.PublishTariff(t.Context(), second, "ops"); o.Result != domain.Recorded {
		t.Fatal(o.Detail, o.Rejection)
	}
	for step := range 40 {
		o := recordNow(t, other, clock, fmt.Sprint("reader", step))
		if o.Result != domain.Recorded {
			t.Fatalf("step %d: %s %s %v", step, o.Result, o.Detail, o.Rejection)
		}
		want := uint64(1)
		if e := o.Recorded.Event; !e.OccurredAt.Before(second.EffectiveFrom) {
			want = 2
		}
		if got := o.Recorded.Event.Tariff; got != want {
			t.Fatalf("at %s the price is of tariff %d, not %d", o.Recorded.Event.OccurredAt, got, want)
		}
		clock.ahead.Add(int64(time.Minute))
	}
	server.Node(0).Refuse()
	clock.ahead.Add(int64(lead / 3))
	if o := recordNow(t, other, clock, "late"); o.Result != domain.Failed {
		t.Errorf("with tariffs that are too old: %s", o.Result)
	}
}

// noMessages finds no message.
type noMessages struct{}

func (noMessages) FindMessage(context.Context, domain.Message) (e domain.LogEvent, found bool, err error) {
	return e, false, nil
}
