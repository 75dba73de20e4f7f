package eventstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/tweiledger/tweiledger/domain"
)

// Append sends all appends, in the order given, and waits for the answers.
func (l *Log) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	n, err := l.node(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return slices.Repeat([]domain.Appended{{Err: notSent(err)}}, len(appends))
	}
	answers := l.appendAt(ctx, n, appends)
	l.addPositions(ctx, appends, answers)
	return answers
}

// appendAt appends at a node. Not all answers tell positions.
func (l *Log) appendAt(ctx context.Context, n *node, appends []domain.Append) []domain.Appended {
	answers := make([]domain.Appended, len(appends))
	if n.appends.do(ctx, appends, answers) {
		n.lose(errSilent)
	}
	return answers
}

// readsAtOnce is how many streams one call of Append reads at a time.
const readsAtOnce = 16

// addPositions reads the positions of appends whose answers do not tell them.
func (l *Log) addPositions(ctx context.Context, appends []domain.Append, answers []domain.Appended) {
	missing := func(a domain.Appended) bool { return a.Err == nil && a.Positions == nil }
	if !slices.ContainsFunc(answers, missing) {
		return
	}
	// One for the read, and one to ask where it does not tell.
	ctx, cancel := context.WithTimeoutCause(ctx, 2*l.deadline, errSilent)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	room := make(chan struct{}, readsAtOnce)
	for i := range answers {
		if missing(answers[i]) {
			room <- struct{}{}
			reading.Go(func() {
				answers[i] = l.positions(ctx, &appends[i])
				<-room
			})
		}
	}
}

// notSent returns the error of an append that was not sent.
func notSent(err error) error {
	if errors.Is(err, domain.ErrClosed) || errors.Is(err, domain.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: it was not sent: %w", domain.ErrUnavailable, err)
}

// unknown returns the error of an append that was sent and not answered. It must not look like one of those that say
// that nothing was appended, whatever the cause.
func unknown(err error) error {
	if errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrClosed) {
		return fmt.Errorf("%w: %v", domain.ErrOutcomeUnknown, err)
	}
	return fmt.Errorf("%w: %w", domain.ErrOutcomeUnknown, err)
}

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

// positions reads the positions of the events of an append, where its answer does not tell them: it has one at the
// most.
func (l *Log) positions(ctx context.Context, a *domain.Append) domain.Appended {
	var positions []domain.Position
	for event, err := range l.ReadStream(ctx, a.Stream, a.Expected+1) {
		switch {
		case errors.Is(err, domain.ErrStreamNotFound):
			return domain.Appended{Err: fmt.Errorf("stream %s was deleted in the store, which still has revision %d: %w",
				a.Stream, a.Expected+1, domain.ErrCorrupt)}
		case errors.Is(err, domain.ErrCorrupt):
			return domain.Appended{Err: err}
		case err != nil:
			return domain.Appended{Err: unknown(fmt.Errorf("reading where it is: %w", err))}
		}
		if positions = append(positions, event.Position); len(positions) == len(a.Events) {
			return domain.Appended{Positions: positions}
		}
	}
	return domain.Appended{Err: unknown(errors.New("the store says that it has it, and does not show it"))}
}

// appender is the call of BatchAppend that all appends at a node share. One goroutine sends, another one receives.
type appender struct {
	node    *node
	log     *Log
	call    streams.Streams_BatchAppendClient
	running sync.WaitGroup
	// wake tells who sends that there is something to send, or room for it.
	wake   chan struct{}
	lastID atomic.Uint64

	mu       sync.Mutex // guards what is below, and what the flights point to
	queue    []*flight  // not sent yet, in order
	flights  map[uint64]*flight
	answered uint64 // how many answers came
	broken   bool   // no more will come
}

// flight is an append on its way.
type flight struct {
	id      uint64
	request *streams.BatchAppendReq
	append  *domain.Append
	answer  *domain.Appended
	of      *job
	sent    bool
}

// job is the appends of one call.
type job struct {
	flights []*flight
	open    int           // how many have no answer
	done    chan struct{} // closed when all have
	before  uint64        // how many answers the appender had when it began
}

func newAppender(n *node, l *Log) (*appender, error) {
	call, err := streams.NewStreamsClient(n.writes).BatchAppend(fromLeader(n.ctx))
	if err != nil {
		return nil, err
	}
	a := &appender{node: n, log: l, call: call, wake: make(chan struct{}, 1), flights: map[uint64]*flight{}}
	a.running.Go(a.send)
	a.running.Go(a.receive)
	return a, nil
}

// close waits until the call has ended, which it does with its node.
func (a *appender) close() { a.running.Wait() }

// answers returns how many appends were answered.
func (a *appender) answers() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answered
}

// do has appends sent, and waits until all have an answer, a call has taken its time, or ctx ends. It reports whether
// the store was silent until the deadline.
func (a *appender) do(ctx context.Context, appends []domain.Append, answers []domain.Appended) (silent bool) {
	j := &job{done: make(chan struct{})}
	for i := range appends {
		if answers[i].Err = validate(&appends[i]); answers[i].Err == nil {
			id := a.lastID.Add(1)
			j.flights = append(j.flights, &flight{
				id: id, request: a.log.request(id, &appends[i]), append: &appends[i], answer: &answers[i], of: j,
			})
		}
	}
	if len(j.flights) == 0 {
		return false
	}
	a.begin(j)
	late := time.NewTimer(a.log.deadline)
	defer late.Stop()
	select {
	case <-j.done:
		return false
	case <-late.C:
		return a.abandon(j, errSilent)
	case <-ctx.Done():
		return a.abandon(j, context.Cause(ctx))
	}
}

// begin queues the appends of a job.
func (a *appender) begin(j *job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j.open, j.before = len(j.flights), a.answered
	if a.broken {
		a.unsent(j.flights)
		return
	}
	a.queue = append(a.queue, j.flights...)
	signal(a.wake)
}

// unsent answers appends that were not sent because the node was lost. It is called with mu held.
func (a *appender) unsent(flights []*flight) {
	err := a.log.lostBefore(a.node)
	for _, f := range flights {
		f.is(domain.Appended{Err: err})
	}
}

// is answers an append. It is called with mu held, once.
func (f *flight) is(answer domain.Appended) {
	*f.answer, f.answer, f.append = answer, nil, nil
	if f.of.open--; f.of.open == 0 {
		close(f.of.done)
	}
}

// lostBefore returns the error of an append that was not sent because the node was lost.
func (l *Log) lostBefore(n *node) error {
	if l.finder.ctx.Err() != nil {
		return domain.ErrClosed
	}
	return l.finder.unavailable(n.lost())
}

// abandon answers what has no answer when the caller waits no longer. It reports whether that is because there was none
// to anybody since the job began.
func (a *appender) abandon(j *job, why error) (silent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	silent = j.open > 0 && why == errSilent && a.answered == j.before
	a.queue = slices.DeleteFunc(a.queue, func(f *flight) bool { return f.of == j })
	for _, f := range j.flights {
		switch {
		case f.answer == nil:
		case f.sent:
			delete(a.flights, f.id)
			f.is(domain.Appended{Err: unknown(why)})
		default:
			f.is(domain.Appended{Err: notSent(why)})
		}
	}
	signal(a.wake)
	return silent
}

// send sends what is queued, as soon as not too many are in flight, until the node is lost.
func (a *appender) send() {
	for a.node.ctx.Err() == nil {
		f := a.nextToSend()
		if f == nil {
			select {
			case <-a.wake:
			case <-a.node.ctx.Done():
			}
			continue
		}
		if err := a.call.Send(f.request); err != nil {
			// Why it broke is told to who receives.
			return
		}
	}
}

// nextToSend takes the first append of the queue, nil where there is none or no room.
func (a *appender) nextToSend() *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 || len(a.flights) >= a.log.inFlight {
		return nil
	}
	f := a.queue[0]
	a.queue[0] = nil
	a.queue = a.queue[1:]
	f.sent = true
	a.flights[f.id] = f
	return f
}

// errBatchEnded: the call of the appends ended without a reason, as at a store that closes.
var errBatchEnded = errors.New("the store ended the call of the appends")

// receive takes the answers until the call ends. Then nobody knows what became of what was sent.
func (a *appender) receive() {
	for {
		response, err := a.call.Recv()
		if isEnd(err) {
			err = errBatchEnded
		}
		if err != nil {
			a.node.lose(refusal(err, a.call.Trailer()))
			break
		}
		a.answer(response)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = true
	for _, f := range a.flights {
		f.is(domain.Appended{Err: unknown(a.node.lost())})
	}
	a.unsent(a.queue)
	a.flights, a.queue = nil, nil
}

func (a *appender) answer(response *streams.BatchAppendResp) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answered++
	id := uint64(response.GetCorrelationId().GetStructured().GetLeastSignificantBits())
	if f := a.flights[id]; f != nil {
		delete(a.flights, id)
		answer := answerTo(f.append, response)
		if len(answer.Positions) == 1 {
			a.log.lastSeen.note(landmark{
				answer.Positions[0], f.append.Stream, f.append.Expected + 1, domain.StoreID(f.append.Events[0].Canonical),
			})
		}
		f.is(answer)
		signal(a.wake)
	}
}

// answerTo returns what the store answered to an append, without positions where these have to be read.
func answerTo(a *domain.Append, r *streams.BatchAppendResp) domain.Appended {
	success := r.GetSuccess()
	if success == nil {
		return domain.Appended{Err: notTaken(a, r.GetError())}
	}
	last := a.Expected + domain.Revision(len(a.Events))
	if at := domain.Revision(success.GetCurrentRevision()); at != last {
		return domain.Appended{Err: fmt.Errorf(
			"stream %s: the store put at revision %d what says revision %d: somebody deleted the stream: %w",
			a.Stream, at, last, domain.ErrCorrupt)}
	}
	if p := success.GetPosition(); p != nil && len(a.Events) == 1 {
		position := domain.NewPosition(p.GetCommitPosition(), p.GetPreparePosition())
		return domain.Appended{Positions: []domain.Position{position}}
	}
	return domain.Appended{}
}

// notTaken returns the error of an append that the store did not take, or of which it cannot say so.
func notTaken(a *domain.Append, s *status.Status) error {
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

// importPatience bounds the time in which one append of Import is sent again.
const importPatience = time.Minute

// Import adds events of another log as they are, in the order given, one append after the other: how a store orders what
// is on its way to it is nobody's promise. It returns how many events were taken, all of them or those before the append
// that its error is about. An append may build on those before it. Nobody else may write under the prefix. It ends with
// ctx between two appends.
func (l *Log) Import(ctx context.Context, appends []domain.Append) (taken uint64, err error) {
	for _, a := range appends {
		if err := ctx.Err(); err != nil {
			return taken, err
		}
		answer := l.settle(context.WithoutCancel(ctx), a)
		if answer.Err != nil {
			return taken, answer.Err
		}
		taken += uint64(len(answer.Positions))
	}
	return taken, nil
}

// settle appends, and appends again while the store is away or does not say what became of it.
func (l *Log) settle(ctx context.Context, a domain.Append) domain.Appended {
	ctx, cancel := context.WithTimeout(ctx, importPatience)
	defer cancel()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		answer := l.Append(ctx, []domain.Append{a})[0]
		known := !errors.Is(answer.Err, domain.ErrOutcomeUnknown) && !errors.Is(answer.Err, domain.ErrUnavailable)
		if known || ctx.Err() != nil || l.finder.ctx.Err() != nil {
			return answer
		}
		l.finder.sleep(jitter(wait))
	}
}
