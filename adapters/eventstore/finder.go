package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	"github.com/tweiledger/tweiledger/domain"
)

// Waits between tries to connect, each up to half longer or shorter.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 5 * time.Second
	// steady is how long a connection has to stand for the waits to begin anew.
	steady = 5 * time.Second
)

// finder keeps a connection to the leader.
type finder struct {
	log *Log
	// ctx ends with the log.
	ctx   context.Context
	end   context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex // guards what is below
	found   *node      // nil while there is none
	away    error      // why the last try failed, nil while the first one is under way
	changed chan struct{}
}

func newFinder(l *Log) *finder {
	f := &finder{log: l, ended: make(chan struct{}), changed: make(chan struct{})}
	f.ctx, f.end = context.WithCancel(context.Background())
	go f.run()
	return f
}

func (f *finder) close() {
	f.end()
	<-f.ended
}

// node returns the leader's connection. It waits for the first try of one; after that has failed it fails at once.
func (f *finder) node(ctx context.Context) (*node, error) {
	for {
		f.mu.Lock()
		found, away, changed := f.found, f.away, f.changed
		f.mu.Unlock()
		switch {
		case f.ctx.Err() != nil:
			return nil, domain.ErrClosed
		case found != nil && found.ctx.Err() == nil:
			return found, nil
		case found == nil && away != nil:
			return nil, f.unavailable(away)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// state returns nil while there is a connection, else why not.
func (f *finder) state() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.found != nil:
		return nil
	case f.away == nil:
		return f.unavailable(errors.New("connecting"))
	}
	return f.unavailable(f.away)
}

func (f *finder) unavailable(err error) error {
	return fmt.Errorf("the store at %s: %w: %w", f.log.address, domain.ErrUnavailable, err)
}

func (f *finder) set(n *node, away error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found, f.away = n, away
	close(f.changed)
	f.changed = make(chan struct{})
}

// run connects, and connects again whenever the connection is lost, until the log is closed.
func (f *finder) run() {
	defer close(f.ended)
	// In the end nobody waits for another try.
	defer f.set(nil, domain.ErrClosed)
	wait, said, leader := firstWait, "", ""
	for f.ctx.Err() == nil {
		n, err := f.connect(leader)
		if err == nil {
			f.set(n, nil)
			f.log.logger.Info("store_connected", "node", n.endpoint)
			began := time.Now()
			<-n.ctx.Done()
			n.close()
			leader = n.leader()
			if err, said = n.lost(), ""; f.ctx.Err() != nil {
				return
			}
			f.log.logger.Warn("store_lost", "node", n.endpoint, "error", err)
			if time.Since(began) > steady {
				wait = firstWait
				f.set(nil, nil)
				continue
			}
		}
		leader = ""
		f.set(nil, err)
		// What goes on being wrong is said once.
		if text := err.Error(); text != said && f.ctx.Err() == nil {
			said = text
			f.log.logger.Warn("store_away", "store", f.log.address.String(), "error", err)
		}
		f.sleep(jitter(wait))
		wait = min(2*wait, lastWait)
	}
}

func (f *finder) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.ctx.Done():
	}
}

// connect connects to the leader: where it is said to be, else where the address or the gossip of a node of it says.
func (f *finder) connect(leader string) (*node, error) {
	var failures []error
	if leader != "" {
		n, err := f.follow(leader)
		if err == nil {
			return n, nil
		}
		failures = append(failures, err)
	}
	seeds := f.log.address.seeds()
	rand.Shuffle(len(seeds), func(i, j int) { seeds[i], seeds[j] = seeds[j], seeds[i] })
	for _, seed := range seeds {
		endpoint, err := seed, error(nil)
		if f.log.address.isCluster() {
			endpoint, err = f.askForLeader(seed)
		}
		var n *node
		if err == nil {
			n, err = f.follow(endpoint)
		}
		if err == nil {
			return n, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// follow opens a node, or the leader that this one names.
func (f *finder) follow(endpoint string) (*node, error) {
	for range 3 {
		n, err := f.open(endpoint)
		var elsewhere *notLeaderError
		if !errors.As(err, &elsewhere) || elsewhere.leader == "" || elsewhere.leader == endpoint {
			return n, err
		}
		endpoint = elsewhere.leader
	}
	return nil, errors.New("the nodes do not agree on who is the leader")
}

// askForLeader reads the gossip of a node.
func (f *finder) askForLeader(endpoint string) (leader string, err error) {
	conn, err := f.log.dial(endpoint)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(f.ctx, f.log.patience())
	defer cancel()
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return "", fmt.Errorf("asking %s for the leader: %w", endpoint, err)
	}
	for _, m := range info.GetMembers() {
		if m.GetState() == gossip.MemberInfo_Leader && m.GetIsAlive() {
			return fmt.Sprintf("%s:%d", m.GetHttpEndPoint().GetAddress(), m.GetHttpEndPoint().GetPort()), nil
		}
	}
	return "", fmt.Errorf("%s knows of no leader", endpoint)
}

// jitter returns a wait up to half longer or shorter.
func jitter(wait time.Duration) time.Duration { return wait/2 + rand.N(wait) }
