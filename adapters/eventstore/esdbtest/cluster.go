package esdbtest

import (
	"context"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
)

// Version is the version of the server that is stood in for.
const Version = "23.10.0"

// noLeader is Server.leader during an election.
const noLeader = -1

// gossipService keeps Gossip.Read apart from Streams.Read.
type gossipService struct{ *Node }

// Read tells who is in the cluster, and in what role.
func (g gossipService) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	s := g.server
	s.mu.Lock()
	leader := s.leader
	s.mu.Unlock()
	info := &gossip.ClusterInfo{}
	for _, n := range s.nodes {
		role := gossip.MemberInfo_Follower
		switch leader {
		case n.index:
			role = gossip.MemberInfo_Leader
		case noLeader:
			role = gossip.MemberInfo_Unknown
		}
		info.Members = append(info.Members, &gossip.MemberInfo{
			InstanceId: uuidOf(n.id), TimeStamp: time.Now().UnixNano() / 100, State: role, IsAlive: n.alive(),
			HttpEndPoint: &gossip.EndPoint{Address: n.endpoint.IP.String(), Port: uint32(n.endpoint.Port)},
		})
	}
	return info, nil
}

// GetSupportedMethods tells the server's version and what it can do.
func (n *Node) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const (
		streamsService = "event_store.client.streams.streams"
		gossipName     = "event_store.client.gossip.gossip"
	)
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: Version,
		Methods: []*serverfeatures.SupportedMethod{
			{ServiceName: streamsService, MethodName: "read", Features: []string{"position", "events"}},
			{ServiceName: streamsService, MethodName: "append"},
			{ServiceName: streamsService, MethodName: "batchappend", Features: []string{"deadline_duration"}},
			{ServiceName: streamsService, MethodName: "delete"},
			{ServiceName: streamsService, MethodName: "tombstone"},
			{ServiceName: gossipName, MethodName: "read"},
		},
	}, nil
}

// Leader is the index of the leader, -1 during an election.
func (s *Server) Leader() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}

// ChangeLeader makes another node the leader. Connections stay; what comes to the others and requires the leader is
// refused from now on, with open batches too.
func (s *Server) ChangeLeader(node int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLeader(node)
}

// ChangeLeaderAfter makes another node the leader as soon as n more appends were stored, so also in the middle of a
// batch.
func (s *Server) ChangeLeaderAfter(n, node int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders.leaderAfter, s.orders.nextLeader = n, node
}

// LoseLeader leaves the cluster without a leader, as during an election, until ChangeLeader: appends, and what requires
// the leader, are refused as "Server Is Not Ready".
func (s *Server) LoseLeader() { s.ChangeLeader(noLeader) }

// changeLeader is called with mu held.
func (s *Server) changeLeader(node int) {
	s.leader = node
	s.orders.leaderAfter = 0
	s.advance()
}

// HoldReplication has appends stored, but not replicated, until ReleaseReplication: they have no answer, or Aborted
// after Options.WriteTimeout, reads and subscriptions do not show them, and WrongExpectedVersion counts them.
func (s *Server) HoldReplication() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// ReleaseReplication replicates what was held, and everything from now on.
func (s *Server) ReleaseReplication() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.advance()
}

// LoseUnreplicated takes back what is not replicated, as when the leader fails before anybody else has it: the appends
// that wait for it are Aborted, and their revisions and positions are given again.
func (s *Server) LoseUnreplicated() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.truncate(s.replicated)
	s.epoch++
	s.replication.notify()
}

// LagFollowers keeps followers n events behind the leader from now on. They never go back.
func (s *Server) LagFollowers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = n
	s.advance()
}

// advance makes visible what may be seen. It is called with mu held.
func (s *Server) advance() {
	if !s.held && s.replicated != s.log.length {
		s.replicated = s.log.length
		s.replication.notify()
	}
	for _, n := range s.nodes {
		visible := s.replicated
		if n.index != s.leader {
			visible -= s.lag
		}
		if int64(visible) > n.visible.Load() {
			n.visible.Store(int64(visible))
			n.changed.notify()
		}
	}
}

// mayTake refuses a call that a node must leave to another one. It is called with mu held.
func (n *Node) mayTake(requiresLeader, writes bool) error {
	switch s := n.server; {
	case s.leader == noLeader && (writes || requiresLeader):
		return errNotReady
	case requiresLeader && s.leader != n.index:
		return notLeader(s.nodes[s.leader])
	default:
		return nil
	}
}

// settle waits until a decision may be told: its events, and those that it stands on, are replicated.
func (s *Server) settle(ctx context.Context, d decision, epoch int, limit time.Duration) error {
	if done, err := s.settled(d, epoch); done {
		return err
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		changed := s.replication.next()
		if done, err := s.settled(d, epoch); done {
			return err
		}
		if d.unready {
			changed = nil // the server has dropped it, and will not answer
		}
		select {
		case <-changed:
		case <-timeout.C:
			return timedOut("CommitTimeout")
		case <-ctx.Done():
			return ctx.Err()
		case <-s.shutter:
			return errClosing
		}
	}
}

// settled says whether a decision may be told now, or never.
func (s *Server) settled(d decision, epoch int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch && d.end > 0 {
		return true, timedOut("the append was lost")
	}
	return d.end <= s.replicated && !d.unready, nil
}
