package eventstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// calls are calls that go on beside a test.
type calls struct {
	ended chan error
	count int
}

func (c *calls) begin(f func() error) {
	c.count++
	go func() { c.ended <- f() }()
}

// endWith checks that all calls end with an error.
func (c *calls) endWith(t testing.TB, want error) {
	t.Helper()
	for range c.count {
		select {
		case err := <-c.ended:
			if !errors.Is(err, want) {
				t.Errorf("a call ended with %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a call does not end")
		}
	}
}

// appendSentAndQueued appends what is sent and what has to wait for that.
func appendSentAndQueued(t testing.TB, l *Log) error {
	answers := l.Append(context.Background(), []domain.Append{
		appendOf("post-sent", domain.NoStream, 1), appendOf("post-queued", domain.NoStream, 1),
	})
	if !errors.Is(answers[0].Err, domain.ErrOutcomeUnknown) || errors.Is(answers[1].Err, domain.ErrOutcomeUnknown) {
		t.Errorf("what was sent: %v, what was not: %v", answers[0].Err, answers[1].Err)
	}
	return errors.Join(answers[0].Err, answers[1].Err)
}

// followSlowly follows a log, and from its first events on takes nothing until a channel is closed.
func followSlowly(l *Log, began chan<- struct{}, until <-chan struct{}) (last error) {
	var once sync.Once
	for _, last = range l.Follow(context.Background(), domain.Position{}) {
		once.Do(func() {
			close(began)
			<-until
		})
	}
	return last
}

// Close ends every call, whatever it hangs on, and leaves nothing behind.
func TestCloseWhileAllHangs(t *testing.T) {
	server := double(t, esdbtest.Options{})
	fill(server, "ledger.", bigAppends(100))
	server.Insert(esdbtest.RawEvent{Stream: "others", Type: "Happened"})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", InFlight: 1})
	ready(t, l)
	stored := server.Length() + 1
	server.HoldAnswers()
	ctx, start := context.Background(), domain.Position{}
	open := &calls{ended: make(chan error)}
	open.begin(func() error { return appendSentAndQueued(t, l) })
	open.begin(func() error {
		_, err := l.Head(ctx)
		return err
	})
	open.begin(func() error { return lastOf(l.ReadStream(ctx, "post-0", 0)) })
	open.begin(func() error { return lastOf(l.Read(ctx, start)) })
	open.begin(func() error { return lastOf(l.Follow(ctx, start)) }) // comes to the end and waits
	began, closed := make(chan struct{}), make(chan struct{})
	open.begin(func() error { return followSlowly(l, began, closed) })
	<-began
	server.SilenceNextSubscriptions(1)
	open.begin(func() error { return lastOf(l.Follow(ctx, start)) })
	eventually(t, "an append is stored and three subscriptions are open", func() bool {
		return server.Length() == stored && server.Subscriptions() == 3
	})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	close(closed)
	open.endWith(t, domain.ErrClosed)
	for _, err := range []error{l.Close(), l.Ready(ctx), l.Writable()} {
		if err != nil && !errors.Is(err, domain.ErrClosed) {
			t.Errorf("the closed log says %v", err)
		}
	}
	fails(t, l, appendOf("post-q", domain.NoStream, 1), domain.ErrClosed)
	server.Close()
}

// Close ends a log that never had a connection, and one whose node is tried.
func TestCloseWithoutAStore(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	for i := range 3 {
		server.Node(i).Refuse()
	}
	away := openLog(t, server.ConnectionString(), Options{})
	tries(t, away, 2)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tried := openLog(t, "esdb://"+listener.Addr().String()+"?tls=false", Options{})
	waiting := make(chan error, 1)
	go func() { waiting <- tried.Ready(context.Background()) }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = tried.Close()
	if err := <-waiting; !errors.Is(err, domain.ErrClosed) {
		t.Errorf("who waits for the first try is told %v", err)
	}
	_ = away.Close()
	if err := away.Ready(context.Background()); !errors.Is(err, domain.ErrClosed) {
		t.Errorf("the closed log says %v", err)
	}
}

// A node that hangs is given up after the deadline, and another connection is made.
func TestHungNode(t *testing.T) {
	for name, hang := range map[string]func(*Log) error{
		"append": func(l *Log) error {
			return l.Append(context.Background(), []domain.Append{appendOf("post-p", domain.NoStream, 1)})[0].Err
		},
		"head": func(l *Log) error {
			_, err := l.Head(context.Background())
			return err
		},
		"stream": func(l *Log) (last error) {
			for _, err := range l.ReadStream(context.Background(), "post-q", 0) {
				last = err
			}
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := double(t, esdbtest.Options{})
			said := &journal{}
			l := openLog(t, server.ConnectionString()+"&defaultDeadline=50&gossipTimeout=1",
				Options{Prefix: "ledger.", Silence: 50 * time.Millisecond, Logger: said.logger()})
			must(t, l, appendOf("post-q", domain.NoStream, 1))
			f := following(t, l)
			f.sees(t, []domain.Append{appendOf("post-q", domain.NoStream, 1)})
			server.HoldAnswers()
			server.SilenceSubscriptions()
			if err := hang(l); !errors.Is(err, domain.ErrOutcomeUnknown) && !errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("what hangs ends with %v", err)
			}
			eventually(t, "the node is given up", func() bool { return said.count("store_lost") == 1 })
			if !strings.Contains(said.String(), errSilent.Error()) {
				t.Errorf("it is not said why:\n%s", said)
			}
			server.ReleaseAnswers()
			ready(t, l)
			if answer := settled(t, l, appendOf("post-p", domain.NoStream, 1)); answer.Err != nil {
				t.Error(answer.Err)
			}
			f.sees(t, []domain.Append{appendOf("post-p", domain.NoStream, 1)})
		})
	}
}

// A node that does not even confirm a subscription is given up, also by who does nothing but follow.
func TestSubscriptionIsNotConfirmed(t *testing.T) {
	server := double(t, esdbtest.Options{})
	server.SilenceNextSubscriptions(2)
	said := &journal{}
	l := openLog(t, server.ConnectionString(),
		Options{Prefix: "ledger.", Silence: 20 * time.Millisecond, Logger: said.logger()})
	appends := newAppends(0, 1)
	fill(server, "ledger.", appends)
	following(t, l).sees(t, appends)
	if said.count("store_lost") != 2 || !strings.Contains(said.String(), errSilent.Error()) {
		t.Errorf("the node was not given up:\n%s", said)
	}
}

// wire forwards connections to a node, and holds back everything while mu is locked, as a node does whose process is
// stopped: its connections stay.
type wire struct {
	net.Listener
	mu         sync.RWMutex
	forwarding sync.WaitGroup
}

func newWire(t testing.TB, node string) *wire {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: listener}
	w.forwarding.Go(func() {
		for {
			from, err := w.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", node)
			if err != nil {
				_ = from.Close()
				continue
			}
			w.forwarding.Go(func() { w.forward(to, from) })
			w.forwarding.Go(func() { w.forward(from, to) })
		}
	})
	t.Cleanup(func() {
		_ = w.Close()
		w.forwarding.Wait()
	})
	return w
}

func (w *wire) forward(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		w.mu.RLock()
		if err == nil {
			_, err = to.Write(buffer[:n])
		}
		w.mu.RUnlock()
		if err != nil {
			return
		}
	}
}

// A node that reads no more fills what lies between: who sends does not wait for it longer than he wants, and is told
// which appends were not sent.
func TestNodeStopsReading(t *testing.T) {
	server := double(t, esdbtest.Options{})
	w := newWire(t, server.Node(0).Address())
	said := &journal{}
	l := openLog(t, "esdb://"+w.Addr().String()+"?tls=false&defaultDeadline=3000&gossipTimeout=1",
		Options{Prefix: "ledger.", Logger: said.logger()})
	ready(t, l)
	w.mu.Lock()
	n, err := l.finder.node(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		defer cancel()
		for n.ctx.Err() == nil {
			n.appends.mu.Lock()
			sent := len(n.appends.flights)
			n.appends.mu.Unlock()
			if sent > 0 {
				return
			}
		}
	})
	appends := bigAppends(100)
	for _, c := range []struct {
		ctx context.Context
		why error
	}{{ctx, context.Canceled}, {context.Background(), errSilent}} {
		var sent, unsent int
		for _, answer := range l.Append(c.ctx, appends) {
			switch {
			case !errors.Is(answer.Err, c.why):
				t.Errorf("an append is answered %v, want %v", answer.Err, c.why)
			case errors.Is(answer.Err, domain.ErrOutcomeUnknown):
				sent++
			case errors.Is(answer.Err, domain.ErrUnavailable):
				unsent++
			}
		}
		if sent == 0 && c.why != errSilent || unsent == 0 {
			t.Errorf("%d appends were sent and %d not, until %v", sent, unsent, c.why)
		}
	}
	eventually(t, "the node is given up", func() bool { return said.count("store_lost") == 1 })
	w.mu.Unlock()
	ready(t, l)
	for i := range appends {
		if answer := settled(t, l, appends[i]); answer.Err != nil {
			t.Fatal(answer.Err)
		}
	}
	holds(t, server, "ledger.", appends...)
}
