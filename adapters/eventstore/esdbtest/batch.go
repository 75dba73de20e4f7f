package esdbtest

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// batch is one call of BatchAppend. Its requests come in on a goroutine of their own, so that the call can end while
// that one waits.
type batch struct {
	node       *Node
	call       streams.Streams_BatchAppendServer
	leaderOnly bool
	wake       chan struct{} // says that answers, or the end, are there

	mu       sync.Mutex // guards what follows
	pending  map[uuid.UUID]*pendingAppend
	answers  []*streams.BatchAppendResp
	unsaid   int   // appends whose answer is not in answers yet
	received bool  // the client has sent all
	failed   error // ends the call
}

// pendingAppend is an append whose last message has not come.
type pendingAppend struct {
	request
	deadline time.Time
	timer    *time.Timer // nil for one that came whole
}

// BatchAppend takes many appends, and answers each as soon as it is done.
func (n *Node) BatchAppend(call streams.Streams_BatchAppendServer) error {
	if n.server.isOrdered(func(o *orders) bool { return o.endBatches }) {
		return nil
	}
	b := &batch{
		node: n, call: call, leaderOnly: requiresLeader(call.Context()), wake: make(chan struct{}, 1),
		pending: map[uuid.UUID]*pendingAppend{},
	}
	defer b.stopTimers()
	go b.receive()
	for {
		answers, done, err := b.collect()
		for _, answer := range answers {
			if err := call.Send(answer); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case done:
			return nil
		}
		select {
		case <-b.wake:
		case <-call.Context().Done():
			return call.Context().Err()
		}
	}
}

// collect returns the answers that wait, in any order, and whether the call is at its end.
func (b *batch) collect() (answers []*streams.BatchAppendResp, done bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answers, b.answers = b.answers, nil
	rand.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	return answers, b.received && b.unsaid == 0, b.failed
}

func (b *batch) change(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *batch) fail(err error) {
	b.change(func() {
		if b.failed == nil {
			b.failed = err
		}
	})
}

func (b *batch) stopTimers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pending {
		p.timer.Stop()
	}
	b.pending = nil
}

// receive takes requests until the client has sent all, or the call has ended.
func (b *batch) receive() {
	for {
		req, err := b.call.Recv()
		if errors.Is(err, io.EOF) {
			b.change(func() { b.received = true })
			return
		}
		if err != nil {
			b.fail(err)
			return
		}
		if err := b.handle(req); err != nil {
			b.fail(err)
			return
		}
	}
}

// handle takes one message. An error ends the call.
func (b *batch) handle(req *streams.BatchAppendReq) error {
	id, err := parseUUID(req.GetCorrelationId())
	if err != nil {
		b.answer(req.GetCorrelationId(), req.GetOptions().GetStreamIdentifier(), badRequest(err))
		return nil
	}
	p, problem := b.pendingFor(id, req)
	if problem != nil {
		b.answer(req.GetCorrelationId(), req.GetOptions().GetStreamIdentifier(), problem)
		return nil
	}
	if p == nil {
		return nil // it had its answer
	}
	for _, message := range req.GetProposedMessages() {
		if err := p.add(message); err != nil {
			b.forget(id)
			b.answer(req.GetCorrelationId(), identifier(p.stream), batchError(err))
			return nil
		}
	}
	if !req.GetIsFinal() || p.timer != nil && !b.forget(id) {
		return nil // more is to come, or it has just timed out
	}
	return b.take(req.GetCorrelationId(), p)
}

// pendingFor returns the append that a message belongs to, nil where it was answered already.
func (b *batch) pendingFor(id uuid.UUID, req *streams.BatchAppendReq) (*pendingAppend, *rpcstatus.Status) {
	o := req.GetOptions()
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pending[id]; p != nil || o == nil || b.pending == nil {
		return p, nil
	}
	if o.GetStreamIdentifier() == nil {
		return nil, badRequest(invalid("Required field StreamIdentifier not set."))
	}
	left := min(requestedTime(o), b.node.server.options.WriteTimeout)
	if left <= 0 {
		return nil, timeout()
	}
	p := &pendingAppend{deadline: time.Now().Add(left)}
	p.stream = string(o.GetStreamIdentifier().GetStreamName())
	var err error
	if p.expected, err = expectedOf(o.GetExpectedStreamPosition()); err != nil {
		return nil, badRequest(err)
	}
	if req.GetIsFinal() {
		return p, nil
	}
	p.timer = time.AfterFunc(left, func() {
		if b.forget(id) {
			b.answer(req.GetCorrelationId(), identifier(p.stream), timeout())
		}
	})
	b.pending[id] = p
	return p, nil
}

// forget says whether an append was still pending; it is not any more.
func (b *batch) forget(id uuid.UUID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pending[id]
	if p == nil {
		return false
	}
	p.timer.Stop()
	delete(b.pending, id)
	return true
}

// requestedTime is how long the client would wait.
func requestedTime(o *streams.BatchAppendReq_Options) time.Duration {
	switch d := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline:
		return d.Deadline.AsDuration()
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		return time.Until(d.Deadline_21_10_0.AsTime())
	default:
		return time.Duration(1<<63 - 1)
	}
}

// take decides on an append, and answers at once or when it may. An error ends the call.
func (b *batch) take(correlation *shared.UUID, p *pendingAppend) error {
	t, err := b.node.take(b.leaderOnly, &p.request)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.trailers.Get("leader-endpoint-host") != nil {
		return err
	}
	if err != nil {
		b.answer(correlation, identifier(p.stream), batchError(err))
		return nil
	}
	b.mu.Lock()
	b.unsaid++
	b.mu.Unlock()
	finish := func() {
		err := b.node.conclude(b.call.Context(), t, time.Until(p.deadline))
		b.change(func() {
			b.unsaid--
			if t.drop && b.failed == nil {
				b.failed = err
			}
			if !t.drop {
				b.answers = append(b.answers, batchAnswer(correlation, p, t, err))
			}
		})
	}
	if b.node.server.instant(t) {
		finish()
	} else {
		go finish()
	}
	return nil
}

// instant says that a request need not wait for its answer.
func (s *Server) instant(t taken) bool {
	done, _ := s.settled(t.decision, t.epoch)
	return done && t.delay == nil && s.answers.opened() == nil
}

func (b *batch) answer(correlation *shared.UUID, stream *shared.StreamIdentifier, problem *rpcstatus.Status) {
	b.change(func() {
		b.answers = append(b.answers, &streams.BatchAppendResp{
			CorrelationId: correlation, StreamIdentifier: stream,
			Result: &streams.BatchAppendResp_Error{Error: problem},
		})
	})
}

func batchAnswer(correlation *shared.UUID, p *pendingAppend, t taken, err error) *streams.BatchAppendResp {
	resp := &streams.BatchAppendResp{CorrelationId: correlation, StreamIdentifier: identifier(p.stream)}
	switch {
	case err != nil:
		resp.Result = &streams.BatchAppendResp_Error{Error: batchError(err)}
	case t.outcome == wrongRevision:
		resp.Result = &streams.BatchAppendResp_Error{
			Error: statusOf(codes.AlreadyExists, "WrongExpectedVersion", wrongBatch(p.expected, t.revision)),
		}
	case t.outcome == streamDeleted:
		resp.Result = &streams.BatchAppendResp_Error{
			Error: statusOf(codes.NotFound, "StreamDeleted",
				&shared.StreamDeleted{StreamIdentifier: identifier(p.stream)}),
		}
	default:
		resp.Result = &streams.BatchAppendResp_Success_{Success: t.batchSuccess()}
	}
	return resp
}

func (d *decision) batchSuccess() *streams.BatchAppendResp_Success {
	success := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(d.revision)},
		PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	if d.revision < 0 {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	}
	if d.placed {
		success.PositionOption = &streams.BatchAppendResp_Success_Position{
			Position: &shared.AllStreamPosition{CommitPosition: d.commit, PreparePosition: d.prepare},
		}
	}
	return success
}

func wrongBatch(expected, actual int64) *shared.WrongExpectedVersion {
	w := &shared.WrongExpectedVersion{}
	w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{
		CurrentStreamRevision: uint64(actual),
	}
	if actual < 0 {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	}
	switch expected {
	case expectAny:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case expectNoStream:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{
			ExpectedNoStream: &emptypb.Empty{},
		}
	case expectStreamExists:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{
			ExpectedStreamExists: &emptypb.Empty{},
		}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{
			ExpectedStreamPosition: uint64(expected),
		}
	}
	return w
}

// batchError is what stands in an answer for a refusal, as the server words it there.
func batchError(err error) *rpcstatus.Status {
	refused := (*refusal)(nil)
	if !errors.As(err, &refused) {
		return statusOf(codes.Unknown, "Unknown", &shared.Unknown{})
	}
	switch {
	case refused == errTooLarge:
		return statusOf(codes.InvalidArgument, "MaximumAppendSizeExceeded",
			&shared.MaximumAppendSizeExceeded{MaxAppendSize: MaxAppendBytes})
	case refused == errAccessDenied:
		return statusOf(codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{})
	case refused == errNotReady:
		return statusOf(codes.OK, refused.text, &emptypb.Empty{}) // without a code, as the server does
	case refused.code == codes.Aborted:
		return timeout()
	case refused.code == codes.InvalidArgument:
		return badRequest(err)
	default:
		return statusOf(codes.Unknown, "Unknown", &shared.Unknown{})
	}
}

func timeout() *rpcstatus.Status {
	return statusOf(codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
}

func badRequest(err error) *rpcstatus.Status {
	return statusOf(codes.InvalidArgument, "BadRequest", &shared.BadRequest{Message: err.Error()})
}

func statusOf(code codes.Code, message string, details proto.Message) *rpcstatus.Status {
	packed, err := anypb.New(details)
	if err != nil {
		panic(err)
	}
	return &rpcstatus.Status{Code: int32(code), Message: message, Details: []*anypb.Any{packed}}
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}
