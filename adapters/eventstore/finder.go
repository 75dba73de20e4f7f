package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
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
	// steady is how long a connection on which no append was answered has to stand for the waits to begin anew.
	steady = 5 * time.Second
	// lossPatience is how long calls wait for a connection in place of one that was lost.
	lossPatience = time.Second
)

// finder keeps a connection to the leader.
type finder struct {
	log *Log
	// ctx ends with the log.
	ctx    context.Context
	end    context.CancelCauseFunc
	ended  chan struct{}
	trying sync.WaitGroup
	// replaced is closed once the store was seen to have another log: then no more is tried.
	replaced chan struct{}

	mu      sync.Mutex // guards what is below
	found   *node      // nil while there is none
	away    error      // why the last try failed, nil while the first one is under way
	changed chan struct{}
}

func newFinder(l *Log) *finder {
	f := &finder{log: l, ended: make(chan struct{}), changed: make(chan struct{}), replaced: make(chan struct{})}
	f.ctx, f.end = context.WithCancelCause(context.Background())
	return f
}

func (f *finder) close() {
	f.end(domain.ErrClosed)
	<-f.ended
}

// node returns the leader's connection. It waits for the first try of one, and for lossPatience where one was lost;
// from then on it fails at once.
func (f *finder) node(ctx context.Context) (*node, error) {
	for {
		n, changed, err := f.look()
		if n != nil || err != nil {
			return n, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look returns the leader's connection, or why there is none; while one is looked for, what tells that this has changed.
func (f *finder) look() (_ *node, changed <-chan struct{}, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ctx.Err() != nil:
		return nil, nil, domain.ErrClosed
	case f.found != nil && f.found.ctx.Err() == nil:
		return f.found, nil, nil
	case f.found == nil && f.away != nil:
		return nil, nil, f.unavailable(f.away)
	}
	return nil, f.changed, nil
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

func (f *finder) unavailable(why error) error { return &unavailableError{f.log.address.String(), why} }

// unavailableError is a domain.ErrUnavailable without its text, which is about appends: reads fail with this too.
type unavailableError struct {
	store string
	why   error
}

func (e *unavailableError) Error() string { return "the store at " + e.store + ": " + e.why.Error() }

func (e *unavailableError) Unwrap() []error { return []error{domain.ErrUnavailable, e.why} }

func (f *finder) set(n *node, away error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change(n, away)
}

// change is set with mu held.
func (f *finder) change(n *node, away error) {
	f.found, f.away = n, away
	close(f.changed)
	f.changed = make(chan struct{})
}

// tryAgain has calls wait for another connection, but not for long: a machine that answers nothing any more keeps those
// who connect to it.
func (f *finder) tryAgain(lost error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change(nil, nil)
	trying := f.changed
	time.AfterFunc(lossPatience, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.changed == trying {
			f.change(nil, fmt.Errorf("connecting again: %w", lost))
		}
	})
}

// run connects, and connects again whenever the connection is lost, until the log is closed.
func (f *finder) run() {
	defer close(f.ended)
	defer f.trying.Wait()
	// In the end nobody waits for another try.
	defer f.set(nil, domain.ErrClosed)
	wait, said, leader := firstWait, map[string]bool{}, ""
	var hurried time.Time // when it was last tried again at once
	for f.ctx.Err() == nil {
		n, err := f.connect(leader)
		if leader = ""; err == nil {
			began, answers := time.Now(), n.appends.answers()
			f.use(n)
			leader, err = n.leader(), n.lost()
			clear(said)
			if time.Since(began) > steady || n.appends.answers() > answers {
				wait = firstWait
			}
			f.tryAgain(err)
			// Where it is lost again and again, only a node that another one calls the leader is tried without a wait.
			if leader != "" || time.Since(hurried) > steady {
				hurried = time.Now()
				continue
			}
		} else {
			if text := withoutNumbers(err); !said[text] && f.ctx.Err() == nil {
				said[text] = true
				f.log.logger.Warn("store_away", "store", f.log.address.String(), "error", err)
			}
			f.set(nil, err)
			if errors.Is(err, ErrReplaced) {
				close(f.replaced)
				<-f.ctx.Done()
				return
			}
		}
		f.sleep(jitter(wait))
		wait = min(2*wait, lastWait)
	}
}

// use lets everybody have a node until it is lost.
func (f *finder) use(n *node) {
	f.log.logger.Info("store_connected", "node", n.endpoint)
	f.set(n, nil)
	<-n.ctx.Done()
	n.close()
	if f.ctx.Err() == nil {
		f.log.logger.Warn("store_lost", "node", n.endpoint, "error", n.lost())
	}
}

// withoutNumbers returns the text of an error without its numbers: what goes on being wrong is said once, whatever port
// the try was made from.
func withoutNumbers(err error) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
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
	if leader != "" {
		if n, err := f.reach(leader); err == nil {
			return n, nil
		}
	}
	return f.connectBySeeds()
}

// tried is what came of a try to connect.
type tried struct {
	seed int
	node *node
	err  error
}

// connectBySeeds tries all hosts of the address side by side, since some may not answer, and takes what is there first.
func (f *finder) connectBySeeds() (*node, error) {
	seeds := f.log.address.seeds()
	tries := make(chan tried, len(seeds))
	for i, seed := range seeds {
		f.trying.Go(func() {
			n, err := f.bySeed(seed)
			tries <- tried{i, n, err}
		})
	}
	failures := make([]error, len(seeds))
	for left := len(seeds) - 1; left >= 0; left-- {
		try := <-tries
		if try.err == nil {
			f.trying.Go(func() { discard(tries, left) })
			return try.node, nil
		}
		failures[try.seed] = try.err
	}
	return nil, errors.Join(failures...)
}

// discard closes the connections of so many tries, of which none is needed.
func discard(tries <-chan tried, count int) {
	for range count {
		if try := <-tries; try.err == nil {
			try.node.lose(errors.New("another connection was there first"))
			try.node.close()
		}
	}
}

// bySeed connects to the leader by one host of the address.
func (f *finder) bySeed(seed string) (_ *node, err error) {
	if f.log.address.isCluster() {
		if seed, err = f.askForLeader(seed); err != nil {
			return nil, err
		}
	}
	return f.reach(seed)
}

// reach opens a node, or the leader that this one names.
func (f *finder) reach(endpoint string) (*node, error) {
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
			at := m.GetHttpEndPoint()
			return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPort()))), nil
		}
	}
	return "", fmt.Errorf("%s knows of no leader", endpoint)
}

// jitter returns a wait up to half longer or shorter.
func jitter(wait time.Duration) time.Duration { return wait/2 + rand.N(wait) }
