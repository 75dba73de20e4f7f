package esdbtest

import (
	"fmt"
	"math"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
)

// orders are the faults that wait for somebody to play them on; guarded by Server.mu.
type orders struct {
	refuse, drop, abort     int // of the next appends
	delay                   time.Duration
	leaderAfter, nextLeader int
	unknown                 int // of the next reads
	cutReads                int
	silence                 int // of the next subscriptions
	liveBuffer              int
	endBatches              bool
	slowScans               bool
}

// fate is what becomes of one request beside what is decided on it.
type fate struct {
	refuse bool            // it is not stored, and answered with errNotReady
	drop   bool            // its connection is dropped in place of an answer
	abort  bool            // it is stored, and answered as timed out
	delay  <-chan struct{} // its answer waits for this, if not nil
}

// readFate is the same for a read.
type readFate struct {
	unknown bool // it is answered with a message of no kind
	cut     bool // it ends in an error half way
	delay   <-chan struct{}
}

func take(n *int) bool {
	if *n > 0 {
		*n--
		return true
	}
	return false
}

// appendFate is called with mu held.
func (s *Server) appendFate() fate {
	o := &s.orders
	f := fate{refuse: take(&o.refuse), delay: elapsed(o.delay)}
	if !f.refuse {
		f.drop = take(&o.drop)
		f.abort = !f.drop && take(&o.abort)
	}
	return s.random.Load().addTo(f)
}

func (s *Server) readFate() readFate {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := readFate{unknown: take(&s.orders.unknown), cut: take(&s.orders.cutReads), delay: elapsed(s.orders.delay)}
	f.cut = f.cut || s.random.Load().happens(func(p *Rates) float64 { return p.CutRead })
	return f
}

func (s *Server) isOrdered(f func(*orders) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(&s.orders)
}

// elapsed returns a channel that is closed after a time, nil for none.
func elapsed(d time.Duration) <-chan struct{} {
	if d <= 0 {
		return nil
	}
	over := make(chan struct{})
	time.AfterFunc(d, func() { close(over) })
	return over
}

// stepLeader changes the leader when it is time. It is called with mu held.
func (s *Server) stepLeader() {
	if s.orders.leaderAfter > 0 {
		if s.orders.leaderAfter--; s.orders.leaderAfter == 0 {
			s.changeLeader(s.orders.nextLeader)
		}
	}
	if other, ok := s.random.Load().otherLeader(len(s.nodes), s.leader); ok {
		s.changeLeader(other)
	}
}

// order changes the orders.
func (s *Server) order(f func(*orders)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.orders)
}

// RefuseAppends answers the next n appends and deletions with Unavailable, and does not take them.
func (s *Server) RefuseAppends(n int) { s.order(func(o *orders) { o.refuse = n }) }

// DropAppends takes the next n appends and deletions, and drops the connection in place of each answer.
func (s *Server) DropAppends(n int) { s.order(func(o *orders) { o.drop = n }) }

// AbortAppends takes the next n appends and deletions, and answers each as timed out: Aborted, in a batch Timeout.
func (s *Server) AbortAppends(n int) { s.order(func(o *orders) { o.abort = n }) }

// EndBatches ends calls of BatchAppend as they begin, with OK, as 24.10.0 does where it fails: from now on or, with
// false, no more.
func (s *Server) EndBatches(end bool) { s.order(func(o *orders) { o.endBatches = end }) }

// DelayAnswers has appends, deletions and reads answered so much later from now on; 0 ends it. Appends are stored at
// once.
func (s *Server) DelayAnswers(d time.Duration) { s.order(func(o *orders) { o.delay = d }) }

// HoldAnswers has appends stored and deletions done, but not answered, and reads not begun, until ReleaseAnswers.
func (s *Server) HoldAnswers() { s.answers.shut() }

// ReleaseAnswers gives the answers that were held.
func (s *Server) ReleaseAnswers() { s.answers.open() }

// SlowScans has reads of $all backwards find nothing from now on, and not end either, as where there is little to find
// among much else; false ends it.
func (s *Server) SlowScans(slow bool) { s.order(func(o *orders) { o.slowScans = slow }) }

// CutReads ends the next n reads forwards with Unavailable half way through a page.
func (s *Server) CutReads(n int) { s.order(func(o *orders) { o.cutReads = n }) }

// SpoilReads answers the next n reads with a message of no kind that a client knows, on which the Go client panics.
func (s *Server) SpoilReads(n int) { s.order(func(o *orders) { o.unknown = n }) }

// SpoilSubscriptions sends such a message into all subscriptions.
func (s *Server) SpoilSubscriptions() { s.injectAll(&streams.ReadResp{}) }

// CutSubscriptions ends all subscriptions with Unavailable. They may come back at once.
func (s *Server) CutSubscriptions() { s.each(func(sub *subscription) { sub.cut = errClosing }) }

// SilenceSubscriptions sends nothing to the open subscriptions any more, though their connections stay. New ones are as
// ever.
func (s *Server) SilenceSubscriptions() { s.each(func(sub *subscription) { sub.silent = true }) }

// SilenceNextSubscriptions does that to the next n, which have not even their confirmation.
func (s *Server) SilenceNextSubscriptions(n int) { s.order(func(o *orders) { o.silence = n }) }

// DropSlowConsumers ends subscriptions made from now on with Aborted when they were live and are more than buffer
// events behind; 0 lets them be as slow as they like.
func (s *Server) DropSlowConsumers(buffer int) { s.order(func(o *orders) { o.liveBuffer = buffer }) }

// SendBogusCheckpoint sends a checkpoint of all ones into all subscriptions.
func (s *Server) SendBogusCheckpoint() { s.injectAll(checkpoint(math.MaxUint64, math.MaxUint64)) }

// DenyAccess refuses all access to streams whose names begin with prefix, "$all" too, from now on.
func (s *Server) DenyAccess(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, prefix)
}

// DenyAppends refuses appends to streams whose names begin with prefix, from now on.
func (s *Server) DenyAppends(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOnly = append(s.readOnly, prefix)
}

// Subscriptions is the number of subscriptions that are open.
func (s *Server) Subscriptions() (open int) {
	for _, n := range s.nodes {
		n.mu.Lock()
		open += len(n.subscriptions)
		n.mu.Unlock()
	}
	return open
}

// DropConnections closes all connections to the node, which clients may make again at once.
func (n *Node) DropConnections() {
	n.mu.Lock()
	var open []net.Conn
	for _, c := range n.connections {
		open = append(open, c)
	}
	n.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // the client sees it either way
	}
}

// Refuse has the node stop listening and drops all its connections, as if its machine were down, until Accept.
func (n *Node) Refuse() {
	n.mu.Lock()
	listener := n.listener
	n.listener = nil
	n.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
		n.serving.Wait()
	}
	n.DropConnections()
}

// Accept has the node listen again, on the same port.
func (n *Node) Accept() {
	n.server.tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener != nil {
		return
	}
	var err error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		// Somebody else may have been given the port meanwhile; mostly not for long.
		if n.listener, err = net.Listen("tcp", n.Address()); err == nil {
			break
		}
		if time.Now().After(deadline) {
			n.listener = nil
			n.server.tb.Errorf("esdbtest: node %d does not come back: %v", n.index, err)
			return
		}
	}
	n.serve(n.listener)
}

// alive says whether the node takes connections.
func (n *Node) alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listener != nil
}

// RawEvent is an event that goes into the log as it is, by no rule of the server.
type RawEvent struct {
	Stream, Type   string
	ID             uuid.UUID // a random one if it is zero
	JSON           bool      // the content type is JSON, not binary
	Data, Metadata []byte
	// Revision is the event's place in its stream: also one that is taken, or that leaves a gap. Nil is the next one.
	Revision *uint64
	// Created replaces the time in the server's ticks. The Go client ends the process where it is no number.
	Created string
}

// Insert puts an event into the log.
func (s *Server) Insert(e RawEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &proposal{id: e.ID, typ: e.Type, json: e.JSON, data: e.Data, metadata: e.Metadata}
	if p.id == uuid.Nil {
		p.id = uuid.New()
	}
	if e.Created == "" {
		e.Created = ticks(time.Now())
	}
	to := s.log.streamNamed(e.Stream)
	revision := to.last + 1
	if e.Revision != nil {
		revision = int64(*e.Revision)
	}
	s.log.add(to, revision, p, e.Created)
	s.advance()
}

// RemoveRevision takes an event out of its stream and $all, which leaves a gap there. It says whether there was one.
func (s *Server) RemoveRevision(stream string, revision uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.log.streams[stream]
	if from == nil {
		return false
	}
	e := from.atRevision(s.log, int64(revision))
	if e == nil {
		return false
	}
	i := from.find(s.log, int64(revision))
	from.events = slices.Delete(from.events, i, i+1)
	atomic.StoreUint32(&e.removed, 1)
	return true
}

// SoftDelete deletes a stream as a client may: it is not found, and an append goes on with its next revision.
func (s *Server) SoftDelete(stream string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.log.delete(stream, expectAny, false)
	s.advance()
	if d.outcome != appended {
		return fmt.Errorf("stream %s is not there", stream)
	}
	return nil
}

// Restore takes back all events but the first n, as a restore from a backup does, while connections stay.
func (s *Server) Restore(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.truncate(n)
	s.replicated = min(s.replicated, n)
	for _, node := range s.nodes {
		node.visible.Store(min(node.visible.Load(), int64(n)))
	}
	s.epoch++
	s.replication.notify()
}

// Event is an event of the log.
type Event struct {
	Stream, Type    string
	Revision        uint64
	ID              uuid.UUID
	Data, Metadata  []byte
	Commit, Prepare uint64
}

// Events returns what the log holds, of one stream or with an empty name of all, replicated or not and deleted or not.
func (s *Server) Events(stream string) (events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.log.length {
		e := s.log.at(i)
		if e.gone() || stream != "" && e.stream.name != stream {
			continue
		}
		var resp streams.ReadResp
		if err := proto.Unmarshal(e.wire, &resp); err != nil {
			panic(err) // it was encoded here
		}
		shown := resp.GetEvent().GetEvent()
		events = append(events, Event{
			Stream: e.stream.name, Type: s.log.types[e.typ], Revision: uint64(e.revision), ID: e.id,
			Data: shown.GetData(), Metadata: shown.GetCustomMetadata(),
			Commit: e.commit, Prepare: s.log.prepare(e.commit),
		})
	}
	return events
}

// Length is the number of events in the log, of the server's own too.
func (s *Server) Length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.length
}
