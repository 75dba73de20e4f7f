package esdbtest

import (
	"context"
	"math"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// pageEvents is how many events are looked for at a time: a read is no snapshot, it goes on to what is the end then.
const pageEvents = 64

// reader answers one call of Read.
type reader struct {
	node    *Node
	call    grpc.ServerStream
	options *streams.ReadReq_Options
	stream  string // empty for $all
	textIDs bool
	filter  *filter // nil for none
}

// Read reads or subscribes.
func (n *Node) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	r, err := n.newReader(req.GetOptions(), call)
	if err != nil {
		return err
	}
	if r.options.GetSubscription() != nil {
		return r.subscribe()
	}
	ctx := call.Context()
	fate := n.server.readFate()
	if err := n.server.late(ctx, fate.delay); err != nil {
		return err
	}
	if fate.unknown {
		return r.send(&streams.ReadResp{})
	}
	switch backwards := r.options.GetReadDirection() == streams.ReadReq_Options_Backwards; {
	case r.options.GetAll() != nil && backwards:
		err = r.allBackwards()
	case r.options.GetAll() != nil:
		err = r.allForwards(fate)
	case backwards:
		err = r.streamBackwards()
	default:
		err = r.streamForwards(fate)
	}
	return err
}

func (n *Node) newReader(o *streams.ReadReq_Options, call streams.Streams_ReadServer) (*reader, error) {
	r := &reader{node: n, call: call, options: o, textIDs: o.GetUuidOption().GetString_() != nil}
	switch {
	case o.GetAll() != nil:
	case o.GetStream() != nil:
		r.stream = string(o.GetStream().GetStreamIdentifier().GetStreamName())
	default:
		return nil, invalid("neither a stream nor $all is to be read")
	}
	if o.GetCountOption() == nil || o.GetFilterOption() == nil {
		return nil, invalid("a read needs a count or a subscription, and a filter or none")
	}
	if f := o.GetFilter(); f != nil {
		if r.stream != "" {
			return nil, invalid("only $all can be filtered")
		}
		var err error
		if r.filter, err = newFilter(f); err != nil {
			return nil, err
		}
	}
	name := r.stream
	if name == "" {
		name = "$all"
	}
	if err := n.server.authorizeRead(name); err != nil {
		return nil, err
	}
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	return r, n.mayTake(requiresLeader(call.Context()), false)
}

// send sends an answer as it is.
func (r *reader) send(resp any) error { return r.call.SendMsg(resp) }

// show sends an event.
func (r *reader) show(e *event) error {
	unplaced := r.stream != "" && r.node.server.options.NoStreamPositions
	if !r.textIDs && !unplaced {
		return r.send(encoded(e.wire))
	}
	var resp streams.ReadResp
	if err := proto.Unmarshal(e.wire, &resp); err != nil {
		return err
	}
	event := resp.GetEvent()
	if unplaced {
		event.Event.CommitPosition, event.Event.PreparePosition = math.MaxUint64, math.MaxUint64
		event.Position = &streams.ReadResp_ReadEvent_NoPosition{NoPosition: &shared.Empty{}}
	}
	if r.textIDs {
		event.Event.Id = &shared.UUID{Value: &shared.UUID_String_{String_: e.id.String()}}
	}
	return r.send(&resp)
}

// window returns events from an index on that the node shows: at most the rest of a part of the log, none at the end.
func (n *Node) window(from int) []event {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	visible := int(n.visible.Load())
	if from >= visible {
		return nil
	}
	chunk := s.log.chunks[from/chunkEvents]
	return chunk[from%chunkEvents : min(len(chunk), visible-from/chunkEvents*chunkEvents)]
}

func (e *event) gone() bool { return atomic.LoadUint32(&e.removed) != 0 }

// begin returns the index of the first event at or behind where $all is to be read from.
func (r *reader) begin() int {
	all := r.options.GetAll()
	position := all.GetPosition()
	switch {
	case all.GetEnd() != nil, position != nil && position.CommitPosition == math.MaxUint64:
		return int(r.node.visible.Load()) // all ones are how the server writes the end
	case position != nil:
		r.node.server.mu.Lock()
		defer r.node.server.mu.Unlock()
		return r.node.server.log.search(position.CommitPosition, position.PreparePosition)
	default:
		return 0
	}
}

func (r *reader) allForwards(f readFate) error {
	left := r.options.GetCount()
	for i := r.begin(); left > 0; {
		events := r.node.window(i)
		if len(events) == 0 {
			return nil
		}
		i += len(events)
		for j := range events {
			e := &events[j]
			if e.gone() || !r.filter.passes(e, r.node.server) {
				continue
			}
			if f.cut && j > len(events)/2 {
				return errClosing
			}
			if err := r.show(e); err != nil {
				return err
			}
			if left--; left == 0 {
				break
			}
		}
	}
	return nil
}

func (r *reader) allBackwards() error {
	if r.node.server.isOrdered(func(o *orders) bool { return o.slowScans }) {
		<-r.call.Context().Done()
		return r.call.Context().Err()
	}
	left := r.options.GetCount()
	from := min(r.begin(), int(r.node.visible.Load()))
	if r.options.GetAll().GetStart() != nil {
		from = 0
	}
	for i := from - 1; i >= 0 && left > 0; i-- {
		e := &r.node.window(i)[0]
		if e.gone() || !r.filter.passes(e, r.node.server) {
			continue
		}
		if err := r.show(e); err != nil {
			return err
		}
		left--
	}
	return nil
}

// state is what a stream is to a reader.
type state int

const (
	missing state = iota
	existing
	deleted
)

// page is a part of a stream.
type page struct {
	state  state
	events []*event
	last   int64 // the last revision that is shown
}

// page reads a stream from a revision on, at most limit events; with a negative limit downwards.
func (n *Node) page(name string, revision int64, limit int) (p page) {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	visible := int(n.visible.Load())
	p.last = expectNoStream
	of := s.log.streams[name]
	if of == nil {
		return p
	}
	shown := of.events
	for len(shown) > 0 && int(shown[len(shown)-1]) >= visible {
		shown = shown[:len(shown)-1]
	}
	if len(shown) == 0 {
		return p
	}
	meta := of.metaAt(visible)
	p.last = s.log.at(int(shown[len(shown)-1])).revision
	switch {
	case p.last == tombstoned:
		return page{state: deleted}
	case meta.truncateBefore == tombstoned:
		return p
	}
	p.state = existing
	lowest := meta.truncateBefore
	if meta.maxCount > 0 {
		lowest = max(lowest, p.last+1-meta.maxCount)
	}
	if limit < 0 {
		p.events = s.log.down(of, shown, min(revision, p.last), lowest, -limit)
	} else {
		p.events = s.log.up(of, shown, max(revision, lowest), limit)
	}
	return p
}

func (s *store) up(of *stream, shown []uint32, revision int64, limit int) (events []*event) {
	for i := of.find(s, revision); i < len(shown) && len(events) < limit; i++ {
		events = append(events, s.at(int(shown[i])))
	}
	return events
}

func (s *store) down(of *stream, shown []uint32, revision, lowest int64, limit int) (events []*event) {
	for i := min(of.find(s, revision+1), len(shown)) - 1; i >= 0 && len(events) < limit; i-- {
		e := s.at(int(shown[i]))
		if e.revision < lowest {
			break
		}
		events = append(events, e)
	}
	return events
}

// opened reads the first page of a stream, or tells that there is none; ok says that there is.
func (r *reader) opened(revision int64, limit int) (p page, ok bool, err error) {
	p = r.node.page(r.stream, revision, limit)
	switch p.state {
	case missing:
		return p, false, r.send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.stream)},
			},
		}})
	case deleted:
		return p, false, deletedStream(r.stream)
	default:
		return p, true, nil
	}
}

func (r *reader) streamForwards(f readFate) error {
	o := r.options.GetStream()
	revision := int64(o.GetRevision())
	if o.GetEnd() != nil {
		revision = tombstoned
	}
	left := int64(min(r.options.GetCount(), math.MaxInt64))
	p, ok, err := r.opened(revision, int(min(left, pageEvents)))
	for ok && err == nil && len(p.events) > 0 {
		for i, e := range p.events {
			if f.cut && i >= len(p.events)/2 {
				return errClosing
			}
			if err := r.show(e); err != nil {
				return err
			}
			revision = e.revision + 1
		}
		left -= int64(len(p.events))
		p = r.node.page(r.stream, revision, int(min(left, pageEvents)))
	}
	return err
}

func (r *reader) streamBackwards() error {
	o := r.options.GetStream()
	revision := int64(min(o.GetRevision(), math.MaxInt64-1))
	if o.GetEnd() != nil {
		revision = tombstoned - 1
	}
	if o.GetStart() != nil {
		revision = 0
	}
	left := int64(min(r.options.GetCount(), math.MaxInt64))
	p, ok, err := r.opened(revision, -int(min(left, pageEvents)))
	for ok && err == nil && len(p.events) > 0 {
		for _, e := range p.events {
			if err := r.show(e); err != nil {
				return err
			}
			revision = e.revision - 1
		}
		if left -= int64(len(p.events)); left == 0 || revision < 0 {
			break
		}
		p = r.node.page(r.stream, revision, -int(min(left, pageEvents)))
	}
	return err
}

// filter lets through what a subscription asked for.
type filter struct {
	byType   bool
	prefixes []string
	pattern  *regexp.Regexp // nil: by prefix
	interval int            // events considered between two checkpoints
}

func newFilter(o *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	if o.GetCheckpointIntervalMultiplier() == 0 {
		return nil, invalid("checkpointIntervalMultiplier is 0")
	}
	window := pageEvents
	if o.GetWindow() == nil {
		return nil, invalid("a filter needs a window")
	}
	if max, ok := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		window = int(max.Max)
	}
	f := &filter{interval: window * int(o.GetCheckpointIntervalMultiplier())}
	expression := o.GetStreamIdentifier()
	if f.byType = o.GetEventType() != nil; f.byType {
		expression = o.GetEventType()
	}
	f.prefixes = expression.GetPrefix()
	if expression.GetRegex() != "" {
		var err error
		if f.pattern, err = regexp.Compile(expression.GetRegex()); err != nil {
			return nil, invalid("%v", err)
		}
	}
	return f, nil
}

// passes says whether an event is wanted; a nil filter wants all.
func (f *filter) passes(e *event, s *Server) bool {
	if f == nil {
		return true
	}
	name := e.stream.name
	if f.byType {
		s.mu.Lock()
		name = s.log.types[e.typ]
		s.mu.Unlock()
	}
	if f.pattern != nil {
		return f.pattern.MatchString(name)
	}
	for _, prefix := range f.prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// late holds an answer back, for a time and while answers are held.
func (s *Server) late(ctx context.Context, delay <-chan struct{}) error {
	for _, wait := range []<-chan struct{}{delay, s.answers.opened()} {
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.shutter:
			return errClosing
		}
	}
	return nil
}
