package eventstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// tries waits until a log without a connection has tried again to make one so many times.
func tries(t testing.TB, l *Log, count int) {
	t.Helper()
	for range count {
		l.finder.mu.Lock()
		changed := l.finder.changed
		l.finder.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("the log does not try any more")
		}
	}
}

// A process may start before its store: it waits, says so once, and is ready by itself.
func TestStoreAwayAtStart(t *testing.T) {
	for name, nodes := range map[string]int{"one node": 1, "a cluster": 3} {
		t.Run(name, func(t *testing.T) {
			server := double(t, esdbtest.Options{Nodes: nodes})
			for i := range nodes {
				server.Node(i).Refuse()
			}
			said := &journal{}
			l := openLog(t, server.ConnectionString(), Options{Logger: said.logger()})
			// None of these has a deadline: the first try ends them, and from then on nothing waits.
			if err := l.Ready(context.Background()); !errors.Is(err, domain.ErrUnavailable) ||
				!strings.Contains(err.Error(), "connection refused") {
				t.Errorf("ready: %v", err)
			}
			a := appendOf("post-p", domain.NoStream, 1)
			fails(t, l, a, domain.ErrUnavailable)
			if _, err := l.Head(context.Background()); !errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("head: %v", err)
			}
			if err := lastOf(l.ReadStream(context.Background(), "post-p", 0)); !errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("reading a stream: %v", err)
			}
			if err := lastOf(l.Follow(context.Background(), domain.Position{})); !errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("following: %v", err)
			}
			tries(t, l, 3)
			if err := l.Writable(); !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
				t.Errorf("writable: %v", err)
			}
			if n := said.count("store_away"); n != 1 {
				t.Errorf("it is said %d times that the store is away:\n%s", n, said)
			}
			for i := range nodes {
				server.Node(i).Accept()
			}
			ready(t, l)
			must(t, l, a)
			if err := l.Ready(context.Background()); err != nil || said.count("store_connected") != 1 {
				t.Errorf("ready: %v\n%s", err, said)
			}
		})
	}
}

// What keeps a log out is told to who asks for readiness, and once in the log, and never with the password.
func TestKeptOut(t *testing.T) {
	const password = "open-sesame"
	secured := esdbtest.Options{TLS: true, Username: "admin", Password: password}
	misnamed := secured
	misnamed.WrongName = true
	for _, test := range []struct {
		name    string
		options esdbtest.Options
		address func(*esdbtest.Server) string
		says    string
	}{
		{"a certificate of another host", misnamed, (*esdbtest.Server).ConnectionString, "failed to verify certificate"},
		{"another authority", secured, func(s *esdbtest.Server) string {
			return strings.Split(s.ConnectionString(), "?")[0]
		}, "unknown authority"},
		{"a wrong password", secured, func(s *esdbtest.Server) string {
			return strings.Replace(s.ConnectionString(), password, password+"-or-not", 1)
		}, "does not know the user"},
		{"no credentials", secured, func(s *esdbtest.Server) string {
			return strings.Replace(s.ConnectionString(), "admin:"+password+"@", "", 1)
		}, "does not let the user do this"},
		{"access denied", secured, func(s *esdbtest.Server) string {
			s.DenyAccess("")
			return s.ConnectionString()
		}, "does not let the user do this"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := &journal{}
			l := openLog(t, test.address(double(t, test.options)), Options{Logger: said.logger()})
			err := l.Ready(context.Background())
			if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("ready: %v", err)
			}
			failed := fails(t, l, appendOf("post-p", domain.NoStream, 1), domain.ErrUnavailable)
			tries(t, l, 3)
			if n := said.count("store_away"); n != 1 || !strings.Contains(said.String(), test.says) {
				t.Errorf("it is said %d times that the store is away:\n%s", n, said)
			}
			for _, text := range []string{err.Error(), failed.Error(), said.String()} {
				if strings.Contains(text, password) {
					t.Errorf("the password is told: %s", text)
				}
			}
		})
	}
}

// A user who may read and not append is told so by what is appended.
func TestDeniedAppend(t *testing.T) {
	server := double(t, esdbtest.Options{})
	server.DenyAccess("ledger.post-")
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	err := fails(t, l, appendOf("post-p", domain.NoStream, 1), domain.ErrUnavailable)
	if !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("the append: %v", err)
	}
	err = lastOf(l.ReadStream(patient(t), "post-p", 0))
	if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "does not let the user do this") {
		t.Errorf("the read: %v", err)
	}
}

// The leader is found through any node, also through one that only knows who it is.
func TestLeaderIsFound(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	server.ChangeLeader(2)
	for name, address := range map[string]string{
		"all nodes":      server.ConnectionString(),
		"a name":         server.DiscoverString(),
		"a follower":     server.Node(1).ConnectionString(),
		"the leader":     server.Node(2).ConnectionString(),
		"discover nodes": strings.Replace(server.ConnectionString(), "esdb://", "esdb+discover://", 1),
	} {
		t.Run(name, func(t *testing.T) {
			said := &journal{}
			l := openLog(t, address, Options{Logger: said.logger()})
			must(t, l, appendOf("post-p", domain.NoStream, 1))
			if text := said.String(); !strings.Contains(text, "msg=store_connected node="+server.Node(2).Address()) {
				t.Errorf("the log is not connected to the leader:\n%s", text)
			}
		})
	}
}

// During an election nothing is known of a leader; then there is one.
func TestElection(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	server.LoseLeader()
	l := openLog(t, server.ConnectionString(), Options{})
	if err := l.Ready(context.Background()); !errors.Is(err, domain.ErrUnavailable) ||
		!strings.Contains(err.Error(), "knows of no leader") {
		t.Errorf("ready: %v", err)
	}
	server.ChangeLeader(1)
	ready(t, l)
	must(t, l, appendOf("post-p", domain.NoStream, 1))
}

// deaf returns the address of a listener that takes connections and answers nothing.
func deaf(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// Nodes that answer nothing do not keep a log from one that does.
func TestDeafNodes(t *testing.T) {
	server := double(t, esdbtest.Options{Nodes: 3})
	address := "esdb://" + strings.Join([]string{deaf(t), server.Node(2).Address(), deaf(t), deaf(t)}, ",")
	l := openLog(t, address+"?tls=false&gossipTimeout=600&defaultDeadline=600000", Options{})
	if err := l.Ready(patient(t)); err != nil {
		t.Fatal(err)
	}
	must(t, l, appendOf("post-p", domain.NoStream, 1))
}

// Where a node answers nothing any more, calls soon wait no longer for another connection.
func TestNodeGoesDeaf(t *testing.T) {
	server := double(t, esdbtest.Options{})
	w := newWire(t, server.Node(0).Address())
	l := openLog(t, "esdb://"+w.Addr().String()+"?tls=false&gossipTimeout=600&defaultDeadline=600000", Options{})
	ready(t, l)
	n, err := l.finder.node(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.lose(errors.New("as the test says"))
	a := appendOf("post-p", domain.NoStream, 1)
	if err := fails(t, l, a, domain.ErrUnavailable); !strings.Contains(err.Error(), "connecting again: as the test says") {
		t.Errorf("the append: %v", err)
	}
	if err := l.Ready(context.Background()); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	_ = l.Close()
}

// A store that reads and takes no call of appends is not connected to without end and without a wait.
func TestAppendsEndAtOnce(t *testing.T) {
	server := double(t, esdbtest.Options{})
	server.EndBatches(true)
	said := &journal{}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
	fill(server, "ledger.", newAppends(0, 1))
	following(t, l)
	eventually(t, "there is a wait that is too long for calls", func() bool {
		err := fmt.Sprint(l.Writable())
		return strings.Contains(err, "connecting again") && strings.Contains(err, "ended the call of the appends")
	})
	if lost := said.count("store_lost"); lost > 20 {
		t.Errorf("it was connected %d times", lost)
	}
	server.EndBatches(false)
	if answer := settled(t, l, appendOf("post-p", domain.NoStream, 1)); answer.Err != nil {
		t.Error(answer.Err)
	}
}
