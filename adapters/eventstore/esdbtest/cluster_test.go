package esdbtest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func gossips(t testing.TB, n *Node) []*gossip.MemberInfo {
	t.Helper()
	conn, err := grpc.NewClient(n.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	info, err := gossip.NewGossipClient(conn).Read(patient(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	return info.GetMembers()
}

func TestGossipTellsRoles(t *testing.T) {
	s := New(t, Options{Nodes: 3})
	s.ChangeLeader(1)
	s.Node(2).Refuse()
	for i, m := range gossips(t, s.Node(0)) {
		role := gossip.MemberInfo_Follower
		if i == 1 {
			role = gossip.MemberInfo_Leader
		}
		address := m.GetHttpEndPoint().GetAddress() + ":" + strconv.Itoa(int(m.GetHttpEndPoint().GetPort()))
		if m.GetState() != role || m.GetIsAlive() != (i != 2) || address != s.Node(i).Address() {
			t.Errorf("node %d: %v", i, m)
		}
	}
	s.LoseLeader()
	if m := gossips(t, s.Node(0))[1]; m.GetState() != gossip.MemberInfo_Unknown || s.Leader() != -1 {
		t.Errorf("during the election: %v", m)
	}
}

// The client finds the leader by gossip, through all addresses and through one.
func TestClientFindsTheLeader(t *testing.T) {
	s := New(t, Options{Nodes: 3})
	s.ChangeLeader(2)
	s.LagFollowers(1)
	for i, connection := range []string{s.ConnectionString(), s.DiscoverString()} {
		c := client(t, connection)
		stream := "s" + strconv.Itoa(i)
		mustAppend(t, c, stream, esdb.NoStream{}, i)
		if seen, err := readStream(t, c, stream, esdb.ReadStreamOptions{}, 10); err != nil || len(seen) != 1 {
			t.Errorf("%s: it reads %v, %v", connection, seen, err)
		}
		version, err := c.GetServerVersion()
		if err != nil || version.Major != 23 || version.Minor != 10 {
			t.Errorf("%s: version %+v, %v", connection, version, err)
		}
	}
}

// Followers take appends for the leader and show what they have.
func TestFollowersLag(t *testing.T) {
	s := New(t, Options{Nodes: 2})
	follower := client(t, s.Node(1).ConnectionString())
	mustAppend(t, follower, "a", esdb.NoStream{}, 1, 2)
	sub, err := follower.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	w := watching(t, sub, err)
	w.expect(t, "a@0", "a@1", "caught up")
	s.LagFollowers(2)
	mustAppend(t, follower, "a", esdb.Revision(1), 3, 4, 5)
	w.expect(t, "a@2")
	seen, err := readStream(t, follower, "a", esdb.ReadStreamOptions{}, 10)
	if err != nil || !slices.Equal(seen, numbered("a", 0, 3)) {
		t.Errorf("the follower shows %v, %v", seen, err)
	}
	seen, err = readAll(t, follower, esdb.ReadAllOptions{From: esdb.End{}, Direction: esdb.Backwards}, 1)
	if err != nil || !slices.Equal(seen, []string{"a@2"}) {
		t.Errorf("the follower shows %v last, %v", seen, err)
	}
	leader := client(t, s.Node(0).ConnectionString())
	if seen, err := readStream(t, leader, "a", esdb.ReadStreamOptions{}, 10); err != nil || len(seen) != 5 {
		t.Errorf("the leader shows %v, %v", seen, err)
	}
	s.LagFollowers(0)
	w.expect(t, "a@3", "a@4")
}

// What requires the leader is refused elsewhere, with its address.
func TestRequiringTheLeader(t *testing.T) {
	s := New(t, Options{Nodes: 2})
	leaderOnly := metadata.AppendToOutgoingContext(patient(t), "requires-leader", "true")
	trailer, err := rawAppend(t, raw(t, s.Node(1)), leaderOnly, "a", 1)
	host, port, _ := strings.Cut(s.Node(0).Address(), ":")
	if status.Code(err) != codes.NotFound || !slices.Equal(trailer.Get("exception"), []string{"not-leader"}) ||
		!slices.Equal(trailer.Get("leader-endpoint-host"), []string{host}) ||
		!slices.Equal(trailer.Get("leader-endpoint-port"), []string{port}) {
		t.Errorf("append: %v, %v", err, trailer)
	}
	if _, err := rawAppend(t, raw(t, s.Node(0)), leaderOnly, "a", 1); err != nil {
		t.Errorf("append to the leader: %v", err)
	}
	c := client(t, s.Node(1).ConnectionString())
	r, err := c.ReadStream(leaderOnly, "a", esdb.ReadStreamOptions{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Recv(); code(err) != esdb.ErrorCodeNotLeader {
		t.Errorf("read: %v", err)
	}
	// The client goes where it was told.
	eventually(t, "the client reads from the leader", func() bool {
		r, err := c.ReadStream(leaderOnly, "a", esdb.ReadStreamOptions{}, 1)
		if err != nil {
			return false
		}
		defer r.Close()
		_, err = r.Recv()
		return err == nil
	})
}

// The leader changes while a batch is open: what comes after is refused, and ends the batch.
func TestLeaderChangesInABatch(t *testing.T) {
	s := New(t, Options{Nodes: 2})
	c := raw(t, s.Node(0))
	call, err := c.BatchAppend(metadata.AppendToOutgoingContext(patient(t), "requires-leader", "true"))
	if err != nil {
		t.Fatal(err)
	}
	b := &batchCall{t, call}
	s.ChangeLeaderAfter(2, 1)
	for i := range 3 {
		b.send(batchRequest(i, "s"+strconv.Itoa(i), i))
	}
	answers := 0
	for {
		answer, err := call.Recv()
		if err != nil {
			exception := call.Trailer().Get("exception")
			if status.Code(err) != codes.NotFound || !slices.Equal(exception, []string{"not-leader"}) {
				t.Errorf("%v, %v", err, call.Trailer())
			}
			break
		}
		if answers++; answer.GetSuccess() == nil {
			t.Errorf("%v", answer)
		}
	}
	if answers != 2 || s.Length() != 2 || s.Leader() != 1 {
		t.Errorf("%d answers, %d events, leader %d", answers, s.Length(), s.Leader())
	}
}

func TestElectionRefusesAppends(t *testing.T) {
	s := New(t, Options{Nodes: 2})
	s.LoseLeader()
	c := raw(t, s.Node(0))
	if _, err := rawAppend(t, c, patient(t), "a", 1); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	b := newBatch(t, c)
	b.send(batchRequest(1, "a", 1))
	if got := b.answer().GetError(); got.GetCode() != 0 || got.GetMessage() != "Server Is Not Ready" {
		t.Errorf("in a batch: %v", got)
	}
	s.ChangeLeader(1)
	if _, err := rawAppend(t, c, patient(t), "a", 1); err != nil {
		t.Error(err)
	}
}

func TestTLSAndCredentials(t *testing.T) {
	s := New(t, Options{Nodes: 2, TLS: true, Username: "admin", Password: "chang:eit/"})
	for _, row := range []struct {
		what, from, to string
		want           esdb.ErrorCode
	}{
		{"right ones", "", "", -1},
		{"a wrong password", "eit%2F@", "else@", esdb.ErrorCodeUnauthenticated},
		{"none", "admin:chang%3Aeit%2F@", "", esdb.ErrorCodeAccessDenied},
	} {
		connection := strings.Replace(s.ConnectionString(), row.from, row.to, 1)
		if row.from != "" && connection == s.ConnectionString() {
			t.Fatalf("%s: the connection string is %s", row.what, connection)
		}
		// An append that ends while the client still sends is an error without a code.
		if _, err := readAll(t, client(t, connection), esdb.ReadAllOptions{}, 1); code(err) != row.want {
			t.Errorf("%s: %v", row.what, err)
		}
	}
	if s.CAFile() == "" || New(t, Options{}).CAFile() != "" {
		t.Error("the file of the authority is told wrongly")
	}
}

func TestCertificateOfAnotherHost(t *testing.T) {
	s := New(t, Options{TLS: true, WrongName: true})
	connection := s.ConnectionString() + "&maxDiscoverAttempts=1"
	_, err := appendTo(t, client(t, connection), "a", esdb.NoStream{}, 1)
	if err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("%v", err)
	}
	if _, err := appendTo(t, client(t, connection+"&tlsVerifyCert=false"), "a", esdb.NoStream{}, 1); err != nil {
		t.Error(err)
	}
}
