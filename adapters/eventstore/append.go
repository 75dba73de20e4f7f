package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/tweiledger/tweiledger/domain"
)

// Append sends all appends, in the order given, and waits for the answers.
func (l *Log) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	answers := make([]domain.Appended, len(appends))
	n, err := l.finder.node(ctx)
	if err != nil {
		return refuseAll(answers, notSent(err))
	}
	timed, cancel := context.WithTimeoutCause(ctx, l.deadline, errSilent)
	defer cancel()
	flights := make([]*flight, len(appends))
	for i := range appends {
		if answers[i].Err = validate(&appends[i]); answers[i].Err == nil {
			flights[i], answers[i].Err = n.appends.send(timed, &appends[i])
		}
	}
	for i, f := range flights {
		if f == nil {
			continue
		}
		answers[i] = n.appends.await(timed, f)
		if answers[i].Err == nil && answers[i].Positions == nil {
			answers[i] = l.positions(timed, &appends[i])
		}
	}
	if context.Cause(timed) == errSilent {
		n.lose(errSilent)
	}
	return answers
}

func refuseAll(answers []domain.Appended, err error) []domain.Appended {
	for i := range answers {
		answers[i].Err = err
	}
	return answers
}

// notSent returns the error of an append that was not sent.
func notSent(err error) error {
	if errors.Is(err, domain.ErrClosed) || errors.Is(err, domain.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: it was not sent: %w", domain.ErrUnavailable, err)
}

// unknown returns the error of an append that was sent and not answered.
func unknown(err error) error { return fmt.Errorf("%w: %w", domain.ErrOutcomeUnknown, err) }

// maxAppend is the store's MaxAppendSize, over data, metadata and twice the type's length.
const maxAppend = 1 << 20

func validate(a *domain.Append) error {
	if err := a.Validate(); err != nil {
		return err
	}
	size := 0
	for _, e := range a.Events {
		size += len(e.Canonical) + 2*len(e.Type.String())
	}
	if size > maxAppend {
		return fmt.Errorf("%w: %d bytes with the types of its events", domain.ErrAppendTooLarge, size)
	}
	return nil
}

// positions reads the positions of the events of an append, where its answer does not tell them: it has one at the most.
func (l *Log) positions(ctx context.Context, a *domain.Append) domain.Appended {
	var positions []domain.Position
	for event, err := range l.ReadStream(ctx, a.Stream, a.Expected+1) {
		if err != nil {
			return domain.Appended{Err: unknown(fmt.Errorf("reading where it is: %w", err))}
		}
		if positions = append(positions, event.Position); len(positions) == len(a.Events) {
			return domain.Appended{Positions: positions}
		}
	}
	return domain.Appended{Err: unknown(errors.New("the store says that it has it, and does not show it"))}
}

// appender is the call of BatchAppend that all appends at a node share.
type appender struct {
	node *node
	log  *Log
	call streams.Streams_BatchAppendClient
	// sending is held by who sends.
	sending chan struct{}
	ended   chan struct{}

	mu      sync.Mutex // guards what is below
	flights map[uint64]*flight
	next    uint64
	// broken is why no more answers come.
	broken error
}

// flight is an append that was sent and not answered.
type flight struct {
	id     uint64
	append *domain.Append
	answer chan domain.Appended // has room for one
}

func newAppender(n *node, l *Log) (*appender, error) {
	call, err := streamsOf(n).BatchAppend(fromLeader(n.ctx))
	if err != nil {
		return nil, err
	}
	a := &appender{
		node: n, log: l, call: call,
		sending: make(chan struct{}, 1), ended: make(chan struct{}),
		flights: map[uint64]*flight{},
	}
	go a.receive()
	return a, nil
}

// close waits until the call has ended, which it does with its node.
func (a *appender) close() { <-a.ended }

// send sends an append, as soon as not too many are in flight. An error says that it was not sent, or is unknown.
func (a *appender) send(ctx context.Context, of *domain.Append) (*flight, error) {
	select {
	case a.log.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, notSent(context.Cause(ctx))
	case <-a.node.ctx.Done():
		return nil, a.log.lostBefore(a.node)
	}
	f, err := a.begin(of)
	if err != nil {
		<-a.log.slots
		return nil, err
	}
	select {
	case a.sending <- struct{}{}:
	case <-ctx.Done():
		a.end(f.id)
		return nil, notSent(context.Cause(ctx))
	case <-a.node.ctx.Done():
		a.end(f.id)
		return nil, a.log.lostBefore(a.node)
	}
	err = a.call.Send(a.request(f))
	<-a.sending
	if err != nil {
		// Why it broke is told to who receives. It may have been sent.
		a.node.lose(fmt.Errorf("the connection for appends broke: %w", err))
	}
	return f, nil
}

// lostBefore returns the error of an append that was not sent because the node was lost.
func (l *Log) lostBefore(n *node) error {
	if l.finder.ctx.Err() != nil {
		return domain.ErrClosed
	}
	return l.finder.unavailable(n.lost())
}

// begin notes an append as in flight.
func (a *appender) begin(of *domain.Append) (*flight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, a.log.lostBefore(a.node)
	}
	f := &flight{a.next, of, make(chan domain.Appended, 1)}
	a.next++
	a.flights[f.id] = f
	return f, nil
}

// end takes an append out of those in flight, nil where it is none any more.
func (a *appender) end(id uint64) *flight {
	a.mu.Lock()
	f := a.flights[id]
	delete(a.flights, id)
	a.mu.Unlock()
	if f != nil {
		<-a.log.slots
	}
	return f
}

// await waits for the answer.
func (a *appender) await(ctx context.Context, f *flight) domain.Appended {
	select {
	case answer := <-f.answer:
		return answer
	case <-ctx.Done():
	}
	a.end(f.id)
	select {
	case answer := <-f.answer:
		return answer
	default:
		return domain.Appended{Err: unknown(context.Cause(ctx))}
	}
}

// receive hands out the answers until the call ends. Then nobody knows what became of the rest.
func (a *appender) receive() {
	defer close(a.ended)
	var err error
	for {
		var response *streams.BatchAppendResp
		if response, err = a.call.Recv(); err != nil {
			break
		}
		_, id := numbers(response.GetCorrelationId())
		if f := a.end(id); f != nil {
			f.answer <- answerTo(f.append, response)
		}
	}
	a.node.lose(refusal(err, a.call.Trailer()))
	a.mu.Lock()
	a.broken = a.node.lost()
	rest := a.flights
	a.flights = nil
	a.mu.Unlock()
	for _, f := range rest {
		<-a.log.slots
		f.answer <- domain.Appended{Err: unknown(a.node.lost())}
	}
}

// request returns an append as the protocol sends it. It has no deadline: the store has its own, and its clock.
func (a *appender) request(f *flight) *streams.BatchAppendReq {
	options := &streams.BatchAppendReq_Options{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(a.log.prefix + string(f.append.Stream))},
	}
	if f.append.Expected == domain.NoStream {
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	} else {
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{
			StreamPosition: uint64(f.append.Expected),
		}
	}
	r := &streams.BatchAppendReq{CorrelationId: structuredOf(0, f.id), Options: options, IsFinal: true}
	for _, e := range f.append.Events {
		r.ProposedMessages = append(r.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id:       structured(eventID(e.Canonical)),
			Metadata: metadataOf[e.Type],
			Data:     e.Canonical,
		})
	}
	return r
}

// metadataOf is the metadata of events by their type.
var metadataOf = func() map[domain.EventType]map[string]string {
	all := map[domain.EventType]map[string]string{}
	for t := domain.PostPublished; t.Valid(); t++ {
		all[t] = map[string]string{"type": t.String(), "content-type": "application/json"}
	}
	return all
}()

func numbers(id *shared.UUID) (most, least uint64) {
	return uint64(id.GetStructured().GetMostSignificantBits()), uint64(id.GetStructured().GetLeastSignificantBits())
}

// answerTo returns what the store answered to an append, without positions where these have to be read.
func answerTo(a *domain.Append, r *streams.BatchAppendResp) domain.Appended {
	success := r.GetSuccess()
	if success == nil {
		return domain.Appended{Err: refused(a, r.GetError())}
	}
	last := a.Expected + domain.Revision(len(a.Events))
	if at := domain.Revision(success.GetCurrentRevision()); at != last {
		return domain.Appended{Err: fmt.Errorf(
			"stream %s: the store put at revision %d what says revision %d: somebody deleted the stream: %w",
			a.Stream, at, last, domain.ErrCorrupt)}
	}
	if p := success.GetPosition(); p != nil && len(a.Events) == 1 {
		return domain.Appended{Positions: []domain.Position{domain.NewPosition(p.GetCommitPosition(), p.GetPreparePosition())}}
	}
	return domain.Appended{}
}

// refused returns the error of an append that the store did not take, or of which it cannot say so.
func refused(a *domain.Append, s *status.Status) error {
	details := &anypb.Any{}
	if all := s.GetDetails(); len(all) > 0 {
		details = all[0]
	}
	var wrong shared.WrongExpectedVersion
	switch {
	case details.MessageIs(&wrong):
		if err := details.UnmarshalTo(&wrong); err != nil {
			return unknown(err)
		}
		conflict := &domain.RevisionConflictError{Stream: a.Stream, Expected: a.Expected, Actual: domain.NoStream}
		if _, exists := wrong.GetCurrentStreamRevisionOption().(*shared.WrongExpectedVersion_CurrentStreamRevision); exists {
			conflict.Actual = domain.Revision(wrong.GetCurrentStreamRevision())
		}
		return conflict
	case details.MessageIs(&shared.MaximumAppendSizeExceeded{}):
		return fmt.Errorf("%w: the store says so", domain.ErrAppendTooLarge)
	case details.MessageIs(&shared.StreamDeleted{}):
		return fmt.Errorf("stream %s was deleted for ever in the store: %w", a.Stream, domain.ErrCorrupt)
	case details.MessageIs(&shared.AccessDenied{}), details.MessageIs(&shared.BadRequest{}):
		return fmt.Errorf("%w: the store refused it: %s", domain.ErrUnavailable, s.GetMessage())
	}
	return unknown(fmt.Errorf("the store says: %s", s.GetMessage()))
}

// importPatience bounds the time in which an append of unknown outcome is settled.
const importPatience = time.Minute

// Import adds events of another log as they are, in the order given, and returns when they are durable: how many events
// were taken, and why the first append that was not taken was refused. An append may build on those before it. Nobody
// else may write under the prefix. An error that wraps domain.ErrCorrupt says that the order could not be kept.
func (l *Log) Import(ctx context.Context, appends []domain.Append) (taken uint64, failed error) {
	answers := l.Append(ctx, appends)
	var last domain.Position
	for i, answer := range answers {
		if failed == nil && errors.Is(answer.Err, domain.ErrOutcomeUnknown) {
			answer = l.settle(ctx, appends[i])
		}
		switch {
		case answer.Err != nil && failed == nil:
			failed = answer.Err
		case answer.Err == nil && (failed != nil || last.Compare(answer.Positions[0]) >= 0):
			return taken, errors.Join(failed, fmt.Errorf("stream %s, revision %d was stored, but not where it belongs: %w",
				appends[i].Stream, appends[i].Expected+1, domain.ErrCorrupt))
		case answer.Err == nil:
			last = answer.Positions[len(answer.Positions)-1]
			taken += uint64(len(answer.Positions))
		}
	}
	return taken, failed
}

// settle sends an append of unknown outcome again until the store says which it was.
func (l *Log) settle(ctx context.Context, a domain.Append) domain.Appended {
	ctx, cancel := context.WithTimeout(ctx, importPatience)
	defer cancel()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		answer := l.Append(ctx, []domain.Append{a})[0]
		known := !errors.Is(answer.Err, domain.ErrOutcomeUnknown) && !errors.Is(answer.Err, domain.ErrUnavailable)
		if known || ctx.Err() != nil {
			return answer
		}
		l.finder.sleep(jitter(wait))
	}
}
