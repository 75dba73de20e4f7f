package esdbtest

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
)

// subscription is one that is open.
type subscription struct {
	*reader
	live       bool // it has caught up once
	buffer     int  // how many events it may be behind then, 0 for any number
	considered int  // events since the last checkpoint

	ordered atomic.Bool   // that mu guards something to do
	wake    chan struct{} // says so to one that waits

	mu     sync.Mutex // guards what follows
	silent bool
	cut    error // ends it
	inject []*streams.ReadResp
}

// subscribe sends events as they become visible, until the client or a fault ends it.
func (r *reader) subscribe() error {
	s := r.node.server
	sub := &subscription{reader: r, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	sub.buffer = s.orders.liveBuffer
	if s.orders.silence > 0 {
		s.orders.silence--
		sub.silent = true
		sub.ordered.Store(true)
	}
	s.mu.Unlock()
	r.node.mu.Lock()
	r.node.subscriptions[sub] = struct{}{}
	r.node.mu.Unlock()
	defer func() {
		r.node.mu.Lock()
		delete(r.node.subscriptions, sub)
		r.node.mu.Unlock()
	}()
	next, err := sub.start()
	if err != nil {
		return err
	}
	for {
		changed := r.node.changed.next()
		if err := next(); err != nil {
			return err
		}
		if err := sub.caughtUp(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-sub.wake:
		case <-r.call.Context().Done():
			return r.call.Context().Err()
		case <-s.shutter:
			return errClosing
		}
	}
}

// start confirms the subscription and returns what sends all that is visible.
func (s *subscription) start() (next func() error, err error) {
	if s.stream == "" {
		next = s.sendAll(s.after())
	} else {
		next = s.sendStream(s.afterRevision())
	}
	confirmation := &streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}}
	return next, s.tell(confirmation)
}

// after is the index of the first event behind the position that is asked for.
func (s *subscription) after() int {
	i := s.begin()
	position := s.options.GetAll().GetPosition()
	if position == nil {
		return i
	}
	server := s.node.server
	server.mu.Lock()
	defer server.mu.Unlock()
	if i < server.log.length {
		at := server.log.at(i)
		if at.commit == position.CommitPosition && server.log.prepare(at.commit) == position.PreparePosition {
			i++
		}
	}
	return i
}

// afterRevision is the first revision behind the one that is asked for.
func (s *subscription) afterRevision() int64 {
	o := s.options.GetStream()
	switch o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		return int64(o.GetRevision()) + 1
	case *streams.ReadReq_Options_StreamOptions_End:
		return s.node.page(s.stream, math.MaxInt64, 0).last + 1
	default:
		return 0
	}
}

func (s *subscription) sendAll(i int) func() error {
	return func() error {
		for {
			events := s.node.window(i)
			if len(events) == 0 {
				return nil
			}
			for j := range events {
				i++
				if err := s.consider(&events[j]); err != nil {
					return err
				}
				if err := s.tooSlow(int(s.node.visible.Load()) - i); err != nil {
					return err
				}
			}
		}
	}
}

// consider sends an event if it passes, and a checkpoint where it is time for one.
func (s *subscription) consider(e *event) error {
	if err := s.obey(); err != nil {
		return err
	}
	if !e.gone() && s.filter.passes(e, s.node.server) {
		if err := s.event(e); err != nil {
			return err
		}
	}
	if s.filter == nil {
		return nil
	}
	if s.considered++; s.considered < s.filter.interval {
		return nil
	}
	s.considered = 0
	return s.send(checkpoint(e.commit, s.node.server.log.prepare(e.commit)))
}

// event sends an event, and what a fault has go before it.
func (s *subscription) event(e *event) error {
	if s.node.server.random.Load() != nil {
		if err := s.playAtRandom(); err != nil {
			return err
		}
	}
	return s.show(e)
}

func (s *subscription) sendStream(revision int64) func() error {
	return func() error {
		for {
			p := s.node.page(s.stream, revision, pageEvents)
			if p.state == deleted {
				return deletedStream(s.stream)
			}
			if len(p.events) == 0 {
				return nil
			}
			for _, e := range p.events {
				if err := s.obey(); err != nil {
					return err
				}
				if err := s.event(e); err != nil {
					return err
				}
				revision = e.revision + 1
				if err := s.tooSlow(int(p.last - e.revision)); err != nil {
					return err
				}
			}
		}
	}
}

// tooSlow ends a live subscription that is more events behind than there is room for.
func (s *subscription) tooSlow(behind int) error {
	if s.live && s.buffer > 0 && behind > s.buffer {
		return timedOut("Consumer too slow to handle event while live. Client resubscription required.")
	}
	return nil
}

func (s *subscription) caughtUp() error {
	if err := s.obey(); err != nil || s.live {
		return err
	}
	s.live = true
	return s.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// tell sends something else than an event, unless the subscription is silent.
func (s *subscription) tell(resp *streams.ReadResp) error {
	if err := s.obey(); err != nil {
		return err
	}
	return s.send(resp)
}

// order has the subscription do something before it goes on.
func (s *subscription) order(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	s.ordered.Store(true)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// obey does what was ordered. A silent subscription does not come back from here.
func (s *subscription) obey() error {
	if !s.ordered.Load() {
		return nil
	}
	s.ordered.Store(false)
	s.mu.Lock()
	silent, cut, inject := s.silent, s.cut, s.inject
	s.inject = nil
	s.mu.Unlock()
	if cut != nil {
		return cut
	}
	if silent {
		return s.keepSilent()
	}
	for _, resp := range inject {
		if err := s.send(resp); err != nil {
			return err
		}
	}
	return nil
}

// keepSilent waits for the end.
func (s *subscription) keepSilent() error {
	for {
		s.mu.Lock()
		cut := s.cut
		s.mu.Unlock()
		if cut != nil {
			return cut
		}
		select {
		case <-s.wake:
		case <-s.call.Context().Done():
			return s.call.Context().Err()
		case <-s.node.server.shutter:
			return errClosing
		}
	}
}

func checkpoint(commit, prepare uint64) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: commit, PreparePosition: prepare},
	}}
}

// each does something to every open subscription.
func (s *Server) each(f func(*subscription)) {
	for _, n := range s.nodes {
		n.mu.Lock()
		for sub := range n.subscriptions {
			sub.order(func() { f(sub) })
		}
		n.mu.Unlock()
	}
}

// injectAll sends a message into every open subscription.
func (s *Server) injectAll(resp *streams.ReadResp) {
	s.each(func(sub *subscription) { sub.inject = append(sub.inject, proto.CloneOf(resp)) })
}
