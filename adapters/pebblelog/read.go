package pebblelog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tweiledger/tweiledger/domain"
)

// Bounds of one batch of Read and Follow, and of what ReadStream keeps in memory.
const (
	batchEvents = 1024
	batchBytes  = 4 << 20
	streamBytes = 1 << 20
)

// readRecord reads an event's record, whose bytes are valid until done is called.
func readRecord(events *pebble.DB, index uint64) (r record, done func(), err error) {
	k := eventKey(index)
	value, closer, err := events.Get(k[:])
	if errors.Is(err, pebble.ErrNotFound) {
		return record{}, nil, fmt.Errorf("%w: event %d is missing", domain.ErrCorrupt, index)
	}
	if err != nil {
		return record{}, nil, fmt.Errorf("reading event %d: %w", index, damaged(err))
	}
	if r, err = decodeRecord(index, value); err != nil {
		closer.Close()
		return record{}, nil, err
	}
	return r, func() { closer.Close() }, nil
}

// damaged marks what Pebble calls corruption, and the lack of one of its files, as what the port calls it.
func damaged(err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", domain.ErrCorrupt, err)
	}
	return err
}

// event returns the event at an index.
func (l *Log) event(index uint64) (domain.LogEvent, error) {
	r, done, err := readRecord(l.events, index)
	if err != nil {
		return domain.LogEvent{}, err
	}
	defer done()
	return domain.LogEvent{Position: positionOf(index), Canonical: bytes.Clone(r.line)}, nil
}

// walk goes through a stream backwards, from its last event to revision from, until visit returns false. A record is
// valid only during its visit.
func (l *Log) walk(
	stream domain.Stream, last head, from domain.Revision, visit func(index uint64, r record) bool,
) error {
	for at, revision := last.index, last.revision; revision >= from; revision-- {
		r, done, err := readRecord(l.events, at)
		if err != nil {
			return fmt.Errorf("reading stream %s: %w", stream, err)
		}
		if r.revision != revision || string(r.stream) != string(stream) {
			err = fmt.Errorf("%w: event %d should be revision %d of stream %s, and is revision %d of stream %s",
				domain.ErrCorrupt, at, revision, stream, r.revision, r.stream)
		}
		goOn := err == nil && visit(at, r)
		at -= r.back
		done()
		if !goOn {
			return err
		}
	}
	return nil
}

// ReadStream implements domain.EventLog. Where an append to the stream is on its way, it waits for that.
func (l *Log) ReadStream(
	ctx context.Context, stream domain.Stream, from domain.Revision,
) iter.Seq2[domain.LogEvent, error] {
	return func(yield func(domain.LogEvent, error) bool) {
		events, indexes, err := l.stream(ctx, stream, max(from, 0))
		// The first events are those that only an index is known of: the walk came to them last.
		for i := len(indexes) - 1; i >= 0 && err == nil; i-- {
			var e domain.LogEvent
			if e, err = l.readEvent(ctx, indexes[i]); err == nil && !yield(e, nil) {
				return
			}
		}
		for i := len(events) - 1; i >= 0 && err == nil; i-- {
			if err = ctx.Err(); err == nil && !yield(events[i], nil) {
				return
			}
		}
		if err != nil {
			yield(domain.LogEvent{}, err)
		}
	}
}

// stream returns a stream's events from a revision on, the last one first. Of a long stream it returns the first ones,
// which may be more than should be in memory, as indexes.
func (l *Log) stream(
	ctx context.Context, stream domain.Stream, from domain.Revision,
) (events []domain.LogEvent, indexes []uint64, err error) {
	key := streamKey(stream)
	if l.index.filter.lacks(key) {
		// Most streams that are asked for are not there, and that is known without a database.
		return nil, nil, cmp.Or(l.over(ctx), domain.ErrStreamNotFound)
	}
	if err := l.use(ctx); err != nil {
		return nil, nil, err
	}
	defer l.done()
	last, err := l.index.head(key, stream)
	if err != nil {
		return nil, nil, err
	}
	if last == noHead {
		return nil, nil, domain.ErrStreamNotFound
	}
	if err := l.durable.wait(ctx, l.closing, last.index+1); err != nil {
		return nil, nil, err
	}
	size := 0
	err = l.walk(stream, last, from, func(at uint64, r record) bool {
		if size += len(r.line); size <= streamBytes {
			events = append(events, domain.LogEvent{Position: positionOf(at), Canonical: bytes.Clone(r.line)})
		} else {
			indexes = append(indexes, at)
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	return events, indexes, err
}

func (l *Log) readEvent(ctx context.Context, index uint64) (domain.LogEvent, error) {
	if err := l.use(ctx); err != nil {
		return domain.LogEvent{}, err
	}
	defer l.done()
	return l.event(index)
}

// Read implements domain.EventLog.
func (l *Log) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	end := l.durable.n.Load()
	return func(yield func([]domain.LogEvent, error) bool) {
		for next := behind(after); ; {
			batch, err := l.batch(ctx, next, end)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(batch) == 0 || !yield(batch, nil) {
				return
			}
			next += uint64(len(batch))
		}
	}
}

// Follow implements domain.EventLog.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for next := behind(after); ; {
			batch, err := l.batch(ctx, next, l.durable.n.Load())
			if err == nil && len(batch) == 0 {
				err = l.durable.wait(ctx, l.closing, next+1)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(batch) > 0 && !yield(batch, nil) {
				return
			}
			next += uint64(len(batch))
		}
	}
}

// behind returns the index of the first event behind a position.
func behind(p domain.Position) uint64 {
	if p.IsStart() {
		return 0
	}
	index, _ := p.Numbers()
	return min(index, math.MaxUint64-2) + 1 // there is room for one more behind it
}

// batch returns events from one index on, to before another at most.
func (l *Log) batch(ctx context.Context, from, to uint64) ([]domain.LogEvent, error) {
	if err := l.use(ctx); err != nil {
		return nil, err
	}
	defer l.done()
	if from >= to {
		return nil, nil
	}
	to = min(to, from+batchEvents)
	batch := make([]domain.LogEvent, 0, to-from)
	size := 0
	err := scan(l.events, from, to, func(index uint64, r record) bool {
		batch = append(batch, domain.LogEvent{Position: positionOf(index), Canonical: bytes.Clone(r.line)})
		size += len(r.line)
		return size < batchBytes
	})
	return batch, err
}

// scan visits the events from one index on, to before another, until visit returns false. A record is valid only during
// its visit.
func scan(events *pebble.DB, from, to uint64, visit func(index uint64, r record) bool) (err error) {
	lower, upper := eventKey(from), eventKey(to)
	it, err := events.NewIter(&pebble.IterOptions{LowerBound: lower[:], UpperBound: upper[:]})
	if err != nil {
		return fmt.Errorf("reading from event %d: %w", from, damaged(err))
	}
	defer func() {
		if e := it.Close(); err == nil && e != nil {
			err = fmt.Errorf("reading from event %d: %w", from, damaged(e))
		}
	}()
	next := from
	for ok := it.First(); ok; ok = it.Next() {
		if index, ok := parseEventKey(it.Key()); !ok || index != next {
			return fmt.Errorf("%w: event %d is missing", domain.ErrCorrupt, next)
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("reading event %d: %w", next, damaged(err))
		}
		r, err := decodeRecord(next, value)
		if err != nil {
			return err
		}
		if !visit(next, r) {
			return nil
		}
		next++
	}
	if it.Error() == nil && next < to {
		return fmt.Errorf("%w: event %d is missing", domain.ErrCorrupt, next)
	}
	return nil
}

// FindMessage implements domain.MessageFinder, exactly. Where an append of the message is on its way, it waits for
// that.
func (l *Log) FindMessage(ctx context.Context, m domain.Message) (event domain.LogEvent, found bool, err error) {
	if err := l.use(ctx); err != nil {
		return domain.LogEvent{}, false, err
	}
	defer l.done()
	held, err := l.index.holder(messageKey(m), m)
	if err != nil || held == noHolder {
		return domain.LogEvent{}, false, err
	}
	if err := l.durable.wait(ctx, l.closing, held.index+1); err != nil {
		return domain.LogEvent{}, false, err
	}
	event, err = l.event(held.index)
	return event, err == nil, err
}
