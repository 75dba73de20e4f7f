package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/tweiledger/tweiledger/domain"
)

// searchWindow is how many events of others the store looks at before it says how far it is.
const searchWindow = 1000

// attempts is how often a read that breaks off is begun again where it was.
const attempts = 3

// ReadStream yields the events of a stream from revision from on, from the leader.
func (l *Log) ReadStream(
	ctx context.Context, stream domain.Stream, from domain.Revision,
) iter.Seq2[domain.LogEvent, error] {
	return func(yield func(domain.LogEvent, error) bool) {
		next := from
		for attempt := 1; ; attempt++ {
			begun := next
			more, err := l.readStream(ctx, stream, &next, yield)
			if !more {
				return
			}
			if err == nil || next > begun {
				attempt = 0
			}
			if err == nil {
				return
			}
			if attempt == attempts || !errors.Is(err, domain.ErrUnavailable) {
				yield(domain.LogEvent{}, err)
				return
			}
		}
	}
}

// readStream yields the events of a stream from revision next on, which it moves, until one read of them ends. It
// reports false where no more are wanted.
func (l *Log) readStream(
	ctx context.Context, stream domain.Stream, next *domain.Revision, yield func(domain.LogEvent, error) bool,
) (more bool, err error) {
	n, err := l.finder.node(ctx)
	if err != nil {
		return true, err
	}
	reading, cancel := l.within(ctx, n)
	defer cancel()
	inbox := l.receive(reading, func() (receiver, error) {
		read, err := n.reads.ReadStream(fromLeader(reading), l.prefix+string(stream), esdb.ReadStreamOptions{
			From: esdb.Revision(uint64(*next)), Direction: esdb.Forwards,
		}, math.MaxUint64)
		if err != nil {
			return nil, err
		}
		return l.consecutive(read, uint64(*next)), nil
	})
	for {
		events, err := inbox.take(reading, l.deadline)
		if err == nil || isEnd(err) {
			n.useful.Store(true)
		}
		if isEnd(err) {
			return true, nil
		}
		if err != nil {
			return true, l.failed(ctx, n, err)
		}
		for i := range events {
			*next++
			if !yield(events[i], nil) {
				return false, nil
			}
		}
	}
}

// consecutive receives the events of a stream, and sees that none is missing from revision next on.
func (l *Log) consecutive(read *esdb.ReadStream, next uint64) receiver {
	return func() (*esdb.RecordedEvent, error) {
		resolved, err := read.Recv()
		if err != nil {
			return nil, err
		}
		e := resolved.OriginalEvent()
		if e.EventNumber != next {
			return nil, corrupt(e, "revision %d was expected, so events of the stream are missing", next)
		}
		next++
		return e, nil
	}
}

// within returns a context that ends with ctx, the node and the log.
func (l *Log) within(ctx context.Context, n *node) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(n.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Head returns the position of the last event under the prefix, from the leader.
func (l *Log) Head(ctx context.Context) (domain.Position, error) {
	for attempt := 1; ; attempt++ {
		n, err := l.finder.node(ctx)
		if err != nil {
			return domain.Position{}, err
		}
		head, err := l.head(ctx, n)
		if err == nil || attempt == attempts || !errors.Is(err, domain.ErrUnavailable) {
			return head, err
		}
	}
}

func (l *Log) head(ctx context.Context, n *node) (domain.Position, error) {
	asking, cancel := l.within(ctx, n)
	defer cancel()
	timed, cancel := context.WithTimeoutCause(asking, l.deadline, errSilent)
	defer cancel()
	head, err := l.lastOf(timed, n)
	if err != nil && context.Cause(timed) == errSilent {
		err = errSilent
	}
	if err != nil {
		err = l.failed(ctx, n, err)
	}
	return head, err
}

// lastOf reads the last event under the prefix at a node. The client cannot filter a read that ends; the protocol can.
func (l *Log) lastOf(ctx context.Context, n *node) (domain.Position, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var trailers metadata.MD
	read, err := streamsOf(n).Read(fromLeader(ctx), l.lastRequest(), grpc.Trailer(&trailers))
	for err == nil {
		var response *streams.ReadResp
		if response, err = read.Recv(); err == nil {
			if e := response.GetEvent().GetEvent(); e != nil {
				return domain.NewPosition(e.GetCommitPosition(), e.GetPreparePosition()), nil
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return domain.Position{}, nil
	}
	return domain.Position{}, refusal(err, trailers)
}

func (l *Log) lastRequest() *streams.ReadReq {
	return &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}},
		}},
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
				StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{l.prefix}},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: searchWindow},
			CheckpointIntervalMultiplier: 1,
		}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}}
}

// Read yields all events behind a position up to the last one as of the call.
func (l *Log) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		head, err := l.Head(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for after.Compare(head) < 0 {
			more, err := l.subscribe(ctx, &after, head, yield)
			if !more {
				return
			}
			if err != nil && !errors.Is(err, errBrokeOff) {
				yield(nil, err)
				return
			}
		}
	}
}

// Follow yields all events behind a position, and those that come, until ctx ends or the store cannot be had.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for {
			more, err := l.subscribe(ctx, &after, domain.Position{}, yield)
			if !more {
				return
			}
			if !errors.Is(err, errBrokeOff) {
				yield(nil, err)
				return
			}
		}
	}
}

// errBrokeOff: a subscription ended that can be made again at once.
var errBrokeOff = errors.New("the subscription broke off")

// subscribe yields the events behind the position after, which it moves, up to a position where one is given, until one
// subscription ends. It reports false where no more are wanted. errBrokeOff asks to be called again, after a wait that
// it has made.
func (l *Log) subscribe(
	ctx context.Context, after *domain.Position, upTo domain.Position, yield func([]domain.LogEvent, error) bool,
) (more bool, err error) {
	n, err := l.finder.node(ctx)
	if err != nil {
		return true, err
	}
	reading, cancel := l.within(ctx, n)
	defer cancel()
	inbox := l.receive(reading, func() (receiver, error) { return l.subscription(reading, n, *after) })
	for {
		events, err := inbox.take(reading, l.silence)
		if err != nil {
			return true, l.brokeOff(ctx, n, err)
		}
		last := len(events)
		for last > 0 && !upTo.IsStart() && events[last-1].Position.Compare(upTo) > 0 {
			last--
		}
		if last > 0 {
			*after = events[last-1].Position
			if !yield(events[:last], nil) {
				return false, nil
			}
		}
		if last < len(events) || !upTo.IsStart() && after.Compare(upTo) >= 0 {
			*after = upTo
			return true, nil
		}
	}
}

// subscription subscribes to the events behind a position.
func (l *Log) subscription(ctx context.Context, n *node, after domain.Position) (receiver, error) {
	from := esdb.AllPosition(esdb.Start{})
	if !after.IsStart() {
		commit, prepare := after.Numbers()
		from = esdb.Position{Commit: commit, Prepare: prepare}
	}
	s, err := n.follows.SubscribeToAll(fromLeader(ctx), esdb.SubscribeToAllOptions{
		From:            from,
		MaxSearchWindow: searchWindow, CheckpointInterval: 1,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{l.prefix}},
	})
	if err != nil {
		return nil, err
	}
	return func() (*esdb.RecordedEvent, error) {
		switch e := s.Recv(); {
		case e.SubscriptionDropped != nil:
			return nil, e.SubscriptionDropped.Error
		case e.EventAppeared != nil:
			return e.EventAppeared.OriginalEvent(), nil
		}
		// A checkpoint, or news of being caught up: its position is not used, as some servers send a bogus one.
		return nil, nil
	}, nil
}

// brokeOff returns errBrokeOff for a subscription that is to be made again, once there is a node for it, else why not.
func (l *Log) brokeOff(ctx context.Context, n *node, err error) error {
	dropped, silent := isDropped(err) || isEnd(err), errors.Is(err, errSilent)
	if !dropped && !silent {
		err = l.failed(ctx, n, err)
		if !errors.Is(err, domain.ErrUnavailable) {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.logger.Info("subscription_made_again", "node", n.endpoint, "error", err)
	l.finder.sleep(jitter(firstWait))
	if _, gone := l.finder.node(ctx); gone != nil {
		return gone
	}
	return fmt.Errorf("%w: %w", errBrokeOff, err)
}
