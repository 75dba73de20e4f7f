package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tweiledger/tweiledger/domain"
)

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
			if err == nil {
				return
			}
			if next > begun {
				attempt = 0
			}
			if attempt == attempts || !mayPass(err) {
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
	n, err := l.node(ctx)
	if err != nil {
		return true, err
	}
	reading, cancel := l.within(ctx, n)
	defer cancel()
	read, err := l.call(reading, n.reads, l.streamRequest(stream, *next, math.MaxUint64))
	if err != nil {
		return true, l.failed(ctx, n, err)
	}
	inbox := l.receive(reading, consecutive(read, uint64(*next)))
	asked := 1 // who wants one event of a store that tells no positions asks for no more
	for {
		events, err := inbox.take(reading, l.deadline)
		if isEnd(err) {
			return true, nil
		}
		if err != nil {
			return true, l.failed(ctx, n, err)
		}
		for ; len(events) > 0; asked = min(2*asked, inboxEvents) {
			placed, err := l.place(reading, n, stream, *next, events[:min(asked, len(events))])
			for i := range events[:placed] {
				*next++
				if !yield(events[i], nil) {
					return false, nil
				}
			}
			if err != nil {
				return true, l.failed(ctx, n, err)
			}
			events = events[placed:]
		}
	}
}

// consecutive receives the events of a stream, and sees that none is missing from revision next on.
func consecutive(read receiver, next uint64) receiver {
	return func() (*recorded, error) {
		e, err := read()
		if err != nil || e == nil {
			return nil, err
		}
		if e.GetStreamRevision() != next {
			return nil, corrupt(e, "revision %d was expected, so events of the stream are missing", next)
		}
		next++
		return e, nil
	}
}

// node returns the leader's connection, for which it waits no longer than a call may take.
func (l *Log) node(ctx context.Context) (*node, error) {
	if n, _, err := l.finder.look(); n != nil || err != nil {
		return n, err
	}
	timed, cancel := context.WithTimeout(ctx, l.deadline)
	defer cancel()
	n, err := l.finder.node(timed)
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		err = l.finder.unavailable(errSilent)
	}
	return n, err
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

// Head returns the position of the last event under the prefix, from the leader. The store looks for it backwards
// through all events, also those of others: where that takes too long, the node is as good as ever.
func (l *Log) Head(ctx context.Context) (domain.Position, error) {
	for attempt := 1; ; attempt++ {
		n, err := l.node(ctx)
		if err != nil {
			return domain.Position{}, err
		}
		head, err := l.head(ctx, n)
		if err == nil || attempt == attempts || !mayPass(err) {
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
	// The store knows the deadline too, and may be the first to say that it is over.
	if err != nil && (context.Cause(timed) == errSilent || status.Code(err) == codes.DeadlineExceeded) {
		err = l.tooLong(asking, n)
	}
	if err != nil {
		err = l.failed(ctx, n, err)
	}
	return head, err
}

// tooLong returns errSlow for a call that took too long at a node that answers others, else errSilent.
func (l *Log) tooLong(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	if l.probe(ctx, n) != nil {
		return errSilent
	}
	return errSlow
}

// probe sees that a node is the leader and lets us read: by the first event of the tariff's stream, which it finds or does
// not find at once, however many events of others there are.
func (l *Log) probe(ctx context.Context, n *node) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, err := l.call(ctx, n.reads, l.streamRequest(domain.TariffStream, 0, 1))
	for err == nil {
		var e *recorded
		if e, err = read(); e != nil {
			return nil
		}
	}
	if isEnd(err) || errors.Is(err, domain.ErrStreamNotFound) {
		return nil
	}
	return err
}

// lastOf reads the last event under the prefix at a node.
func (l *Log) lastOf(ctx context.Context, n *node) (domain.Position, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, err := l.call(ctx, n.reads, l.lastRequest())
	for err == nil {
		var e *recorded
		if e, err = read(); e != nil {
			return positionOf(e), nil
		}
	}
	if isEnd(err) {
		return domain.Position{}, nil
	}
	return domain.Position{}, err
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
			if errors.Is(err, errIdle) {
				err = l.stillHas(ctx, head)
			}
			if err != nil && !errors.Is(err, errBrokeOff) {
				yield(nil, err)
				return
			}
		}
	}
}

// stillHas returns an error where the log ends before what was its end, as after a restore from a backup.
func (l *Log) stillHas(ctx context.Context, head domain.Position) error {
	now, err := l.Head(ctx)
	if err == nil && now.Compare(head) < 0 {
		err = fmt.Errorf("the log went back to position %s while it was read up to %s: %w", now, head, domain.ErrCorrupt)
	}
	return err
}

// Follow yields all events behind a position, and those that come, until ctx ends or the connection is lost: a store that
// comes back may have been restored from a backup, so who goes on sees first whether the log is still the same.
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

// errIdle: a subscription gave nothing for a while, as one does that broke, and one where nothing is recorded.
var errIdle = errors.New("the subscription gave nothing for a while")

// subscribe yields the events behind the position after, which it moves, up to a position where one is given, until one
// subscription ends. It reports false where no more are wanted. errBrokeOff asks to be called again, after a wait that
// it has made.
func (l *Log) subscribe(
	ctx context.Context, after *domain.Position, upTo domain.Position, yield func([]domain.LogEvent, error) bool,
) (more bool, err error) {
	n, err := l.node(ctx)
	if err != nil {
		return true, err
	}
	reading, cancel := l.within(ctx, n)
	defer cancel()
	conn, err := l.dial(n.endpoint)
	if err != nil {
		return true, l.failed(ctx, n, err)
	}
	defer conn.Close()
	read, err := l.call(reading, conn, l.subscriptionRequest(*after))
	if err != nil {
		return true, l.brokeOff(ctx, n, err, upTo.IsStart())
	}
	inbox := l.receive(reading, read)
	for {
		events, err := inbox.take(reading, l.silence)
		if errors.Is(err, errSilent) && inbox.hasBegun() {
			err = errIdle
		}
		if err != nil {
			return true, l.brokeOff(ctx, n, err, upTo.IsStart())
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

// brokeOff returns errBrokeOff for a subscription that is to be made again, once there is a node for it, else why not.
func (l *Log) brokeOff(ctx context.Context, n *node, err error, following bool) error {
	level := slog.LevelInfo
	switch {
	case errors.Is(err, errIdle):
		level = slog.LevelDebug
	case !isDropped(err) && !isEnd(err):
		if err = l.failed(ctx, n, err); n.ctx.Err() == nil || !errors.Is(err, domain.ErrUnavailable) {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.logger.Log(ctx, level, "subscription_made_again", "node", n.endpoint, "error", err)
	if following && n.ctx.Err() != nil {
		return l.finder.unavailable(n.lost())
	}
	l.finder.sleep(jitter(firstWait))
	if _, gone := l.node(ctx); gone != nil {
		return gone
	}
	return fmt.Errorf("%w: %w", errBrokeOff, err)
}
