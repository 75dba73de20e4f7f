package eventstore

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// follower follows a log beside a test, and begins again where it was when the store was away.
type follower struct {
	events chan domain.LogEvent
	err    error // why it ended, once events is closed
}

func following(t testing.TB, l *Log) *follower {
	f := &follower{events: make(chan domain.LogEvent)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(f.events)
		after := domain.Position{}
		for f.err == nil || errors.Is(f.err, domain.ErrUnavailable) {
			for events, err := range l.Follow(ctx, after) {
				f.err = err
				for _, e := range events {
					select {
					case f.events <- e:
					case <-ctx.Done():
						return
					}
					after = e.Position
				}
			}
			if l.Ready(ctx) != nil {
				l.finder.sleep(time.Millisecond)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range f.events {
		}
	})
	return f
}

// sees checks that the next events are those of appends, in order.
func (f *follower) sees(t testing.TB, appends []domain.Append) {
	t.Helper()
	late := time.After(patience)
	for i, a := range appends {
		for _, want := range a.Events {
			select {
			case e, ok := <-f.events:
				if !ok {
					t.Fatalf("the follow ended: %v", f.err)
				}
				if string(e.Canonical) != string(want.Canonical) {
					t.Fatalf("append %d: followed to %.80q, want %.80q", i, e.Canonical, want.Canonical)
				}
			case <-late:
				t.Fatalf("append %d does not come", i)
			}
		}
	}
}

// Whatever becomes of a subscription, what is followed neither leaves out nor repeats an event.
func TestFollowGoesOn(t *testing.T) {
	for _, test := range []struct {
		name  string
		play  func(*esdbtest.Server)
		again bool // the subscription has to be made again
	}{
		{"cut", (*esdbtest.Server).CutSubscriptions, true},
		{"silent", (*esdbtest.Server).SilenceSubscriptions, true},
		{"silent from the start", func(s *esdbtest.Server) {
			s.SilenceNextSubscriptions(2)
			s.CutSubscriptions()
		}, true},
		{"spoiled", (*esdbtest.Server).SpoilSubscriptions, false},
		{"bogus checkpoint", (*esdbtest.Server).SendBogusCheckpoint, false},
		{"connections dropped", func(s *esdbtest.Server) { s.Node(0).DropConnections() }, true},
		{"node away", func(s *esdbtest.Server) {
			s.Node(0).Refuse()
			s.Node(0).Accept()
		}, true},
		{"another leader, and the old one lags", func(s *esdbtest.Server) {
			s.LagFollowers(1000)
			s.ChangeLeader(1)
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := double(t, esdbtest.Options{Nodes: 2, SplitPositions: true})
			said := &journal{}
			l := openLog(t, server.ConnectionString(),
				Options{Prefix: "ledger.", Silence: 100 * time.Millisecond, Logger: said.logger()})
			f := following(t, l)
			appends := newAppends(0, 300)
			fill(server, "ledger.", appends[:100])
			f.sees(t, appends[:50])
			fill(server, "others.", appends)
			test.play(server)
			f.sees(t, appends[50:100])
			fill(server, "ledger.", appends[100:200])
			f.sees(t, appends[100:200])
			if test.again {
				eventually(t, "it is said that the subscription was made again", func() bool {
					return said.count("subscription_made_again") > 0
				})
			}
			test.play(server)
			fill(server, "ledger.", appends[200:])
			f.sees(t, appends[200:])
		})
	}
}

// A store where nothing happens looks like one that hangs: the subscription is made again from time to time.
func TestFollowAnIdleStore(t *testing.T) {
	said := &journal{}
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(),
		Options{Prefix: "ledger.", Silence: 10 * time.Millisecond, Logger: said.logger()})
	f := following(t, l)
	appends := newAppends(0, 2)
	fill(server, "ledger.", appends[:1])
	f.sees(t, appends[:1])
	eventually(t, "several subscriptions were made", func() bool { return said.count("subscription_made_again") > 3 })
	fill(server, "ledger.", appends[1:])
	f.sees(t, appends[1:])
	if said.count("store_lost") > 0 || said.count("store_away") > 0 {
		t.Errorf("the store was given up:\n%s", said)
	}
	if n := server.Subscriptions(); n > 2 {
		t.Errorf("%d subscriptions are open", n)
	}
}

// bigAppends returns appends of long lines.
func bigAppends(count int) []domain.Append {
	appends := newAppends(0, count)
	for i := range appends {
		line := appends[i].Events[0].Canonical
		appends[i].Events[0].Canonical = append(line, make([]byte, domain.MaxEventBytes-len(line))...)
	}
	return appends
}

// Who was too slow for the store, and was dropped, goes on where he was.
func TestSlowConsumerIsDropped(t *testing.T) {
	server := double(t, esdbtest.Options{})
	server.DropSlowConsumers(10)
	said := &journal{}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
	f := following(t, l)
	appends := bigAppends(600)
	fill(server, "ledger.", appends[:1])
	f.sees(t, appends[:1])
	// More than the connection and the log hold, while nobody takes anything.
	fill(server, "ledger.", appends[1:])
	f.sees(t, appends[1:])
	if text := said.String(); said.count("subscription_made_again") == 0 || !strings.Contains(text, "too slow") ||
		said.count("store_lost") > 0 {
		t.Errorf("it is not said that only the subscription was dropped:\n%.2000s", text)
	}
}

// What is received ahead of who takes it is bounded by number and by bytes.
func TestInboxIsBounded(t *testing.T) {
	for size, want := range map[int]int{0: inboxEvents, 1 << 16: inboxBytes >> 16} {
		l := &Log{prefix: "ledger."}
		line := make([]byte, size)
		most, least := uuidHalves(domain.StoreID(line))
		event := &recorded{
			Id: structured(most, least), Data: line,
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("ledger.post-p")},
		}
		received := make(chan struct{}, 10*inboxEvents)
		ctx, cancel := context.WithCancel(context.Background())
		b := l.receive(ctx, func() (*recorded, error) {
			received <- struct{}{}
			return event, nil
		})
		// One more is received than there is room for, and waits.
		eventually(t, "the inbox is full", func() bool { return len(received) == want+1 })
		for range 100 {
			runtime.Gosched()
		}
		events, err := b.take(ctx, patience)
		if len(events) != want || err != nil {
			t.Errorf("of %d bytes each %d events were received ahead, want %d: %v", size, len(events), want, err)
		}
		eventually(t, "the inbox is full again", func() bool { return len(received) == 2*want+1 })
		cancel()
		eventually(t, "the receiver has ended", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.end != nil
		})
	}
}

// heap returns what is in use after a collection.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A log that is much longer than memory may be followed by who is slow.
func TestFollowerHoldsBackTheStore(t *testing.T) {
	const count, line, room = 300_000, 200, 40 << 20
	server := double(t, esdbtest.Options{})
	for i := range count {
		data := append(strconv.AppendInt(nil, int64(i), 10), make([]byte, line)...)
		server.Insert(esdbtest.RawEvent{
			Stream: "ledger.post-" + strconv.Itoa(i%1000), Type: "PostLiked", JSON: true,
			ID: domain.StoreID(data), Data: data,
		})
	}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	ready(t, l)
	before, seen := heap(), 0
	for events, err := range l.Follow(t.Context(), domain.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen == 0 {
			holdsBack(t, before+room)
		}
		for _, e := range events {
			if number, _, _ := strings.Cut(string(e.Canonical), "\x00"); number != strconv.Itoa(seen) {
				t.Fatalf("event %d is %.20q", seen, e.Canonical)
			}
			seen++
		}
		if seen == count {
			break
		}
	}
}

// holdsBack checks that the heap comes to rest below a bound.
func holdsBack(t *testing.T, bound int64) {
	t.Helper()
	last, same := int64(0), 0
	for same < 5 {
		now := heap()
		if now > bound {
			t.Fatalf("the heap has %d bytes, the bound is %d", now, bound)
		}
		if same++; now-last > 1<<16 || last-now > 1<<16 {
			same = 0
		}
		last = now
		time.Sleep(time.Millisecond) // the store goes on as far as it may
	}
}

// A read that breaks off is begun again where it was.
func TestReadsBreakOff(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	a := appendOf("post-p", domain.NoStream, 500)
	must(t, l, a)
	server.CutReads(2)
	if lines := linesOf(t, l, "post-p"); len(lines) != 500 {
		t.Errorf("%d lines of 500", len(lines))
	}
	seen := 0
	for events, err := range l.Read(patient(t), domain.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if string(e.Canonical) != string(a.Events[seen].Canonical) {
				t.Fatalf("event %d is %q", seen, e.Canonical)
			}
			seen++
		}
		server.CutSubscriptions()
	}
	if seen != 500 {
		t.Errorf("%d events of 500", seen)
	}
}

// A message that nobody knows is an error of the read, and no more: least of all is the log empty then.
func TestUnknownMessage(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	head, err := l.Head(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	server.SpoilReads(1000)
	if err := lastOf(l.ReadStream(patient(t), "post-p", 0)); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("the stream's read: %v", err)
	}
	if _, err := l.Head(patient(t)); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("the head: %v", err)
	}
	server.SpoilReads(0)
	ready(t, l)
	if lines := linesOf(t, l, "post-p"); len(lines) != 1 {
		t.Errorf("the stream reads as %q", lines)
	}
	server.SpoilReads(1)
	if again, err := l.Head(patient(t)); err == nil && again != head {
		t.Errorf("the head is at %q, not %q", again, head)
	}
}

// Followers lag behind what was appended, so nothing is read from them.
func TestReadsAreTheLeaders(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	server.LagFollowers(1_000_000)
	prefix := "lag-" + uuid.NewString() + "."
	logs := []*Log{
		openLog(t, server.ConnectionString(), Options{Prefix: prefix}),
		openLog(t, server.Node(1).ConnectionString(), Options{Prefix: prefix}),
		openLog(t, server.Node(2).ConnectionString(), Options{Prefix: prefix}),
	}
	for i := range domain.Revision(30) {
		server.ChangeLeader(int(i) % 3)
		a := appendOf("post-p", i-1, 1)
		answer := settled(t, logs[i%3], a)
		if answer.Err != nil {
			t.Fatal(answer.Err)
		}
		for _, l := range logs {
			var head domain.Position
			var lines int
			eventually(t, "the leader is read", func() (ok bool) {
				var err error
				if head, err = l.Head(context.Background()); err != nil {
					return false
				}
				lines = 0
				for _, err := range l.ReadStream(context.Background(), "post-p", 0) {
					if err != nil {
						return false
					}
					lines++
				}
				return true
			})
			if lines != int(i)+1 || head != answer.Positions[0] {
				t.Fatalf("%d events up to %s are read, want %d up to %s", lines, head, i+1, answer.Positions[0])
			}
		}
	}
}

// Who follows has a connection of its own, so that many of them keep nobody waiting: one connection carries 100 calls.
func TestManyFollow(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	const many = esdbtest.MaxConcurrentStreams + 10
	followers := make([]*follower, many)
	for i := range followers {
		followers[i] = following(t, l)
	}
	appends := newAppends(0, 2)
	for _, a := range appends {
		must(t, l, a)
		for _, f := range followers {
			f.sees(t, []domain.Append{a})
		}
	}
	following(t, l).sees(t, appends)
}

// A connection that has no room for another call keeps a read waiting no longer than a call may take, and is kept.
func TestManyReadsHang(t *testing.T) {
	server := double(t, esdbtest.Options{})
	said := &journal{}
	l := openLog(t, server.ConnectionString()+"&defaultDeadline=200", Options{Prefix: "ledger.", Logger: said.logger()})
	ready(t, l)
	n, err := l.finder.node(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range esdbtest.MaxConcurrentStreams {
		if _, err := l.call(ctx, n.reads, l.subscriptionRequest(domain.Position{})); err != nil {
			t.Fatal(err)
		}
	}
	err = lastOf(l.ReadStream(context.Background(), "post-p", 0))
	if !errors.Is(err, domain.ErrUnavailable) || said.count("store_lost") > 0 {
		t.Errorf("the read that has no room: %v\n%s", err, said)
	}
	cancel()
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	if lines := linesOf(t, l, "post-p"); len(lines) != 1 {
		t.Errorf("the stream reads as %q", lines)
	}
}

// The store may have to look for the last event through very many of others. That takes too long then, and no more.
func TestHeadIsSlow(t *testing.T) {
	server := double(t, esdbtest.Options{})
	said := &journal{}
	l := openLog(t, server.ConnectionString()+"&defaultDeadline=300", Options{Prefix: "ledger.", Logger: said.logger()})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	server.SlowScans(true)
	if _, err := l.Head(context.Background()); !errors.Is(err, domain.ErrUnavailable) || !errors.Is(err, errSlow) {
		t.Errorf("the head: %v", err)
	}
	must(t, l, appendOf("post-p", 0, 1))
	if said.count("store_connected") != 1 || said.count("store_lost") > 0 {
		t.Errorf("the node was given up:\n%s", said)
	}
}

// A store that was restored from a backup in the middle of a read may never have what was its end.
func TestReadOfWhatIsGone(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Silence: 50 * time.Millisecond})
	fill(server, "ledger.", bigAppends(600))
	seen, last := 0, error(nil)
	for events, err := range l.Read(patient(t), domain.Position{}) {
		if seen == 0 {
			server.SilenceSubscriptions()
			server.Restore(1)
		}
		seen, last = seen+len(events), err
	}
	if !errors.Is(last, domain.ErrCorrupt) || !strings.Contains(last.Error(), "went back") {
		t.Errorf("after %d events: %v", seen, last)
	}
}
