package pebblelog

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tweiledger/tweiledger/domain"
)

// Import adds events of another log as they are, in the order given, and returns when they are durable: with nil, or
// with why the first append that it did not take was refused, while all before that one were taken. An append may build
// on those before it. Errors wrap domain.ErrRevisionConflict, domain.ErrAppendTooLarge, domain.ErrUnavailable,
// domain.ErrCorrupt or domain.ErrClosed.
//
// Unlike Append it takes a message that is on another stream too, as a log with many writers may hold it: the record
// says that it is not the first. From the first call on Append answers domain.ErrClosed, so that nothing comes between.
func (l *Log) Import(ctx context.Context, appends []domain.Append) error {
	if err := l.use(ctx); err != nil {
		return err
	}
	defer l.done()
	l.importing.Lock()
	defer l.importing.Unlock()
	l.endAppends()
	if err := l.space(); err != nil {
		return err
	}
	if err := l.index.room(); err != nil {
		return err
	}
	batch := l.events.NewBatch()
	defer batch.Close()
	var refused error
	for i := 0; i < len(appends) && refused == nil; i++ {
		refused = l.importOne(batch, &appends[i])
	}
	if batch.Empty() {
		return refused
	}
	if err := l.events.Apply(batch, pebble.Sync); err != nil {
		l.logger.Fatalf("committing: %v", err)
	}
	l.durable.set(l.next)
	return refused
}

// endAppends ends the committer once it has answered what was queued; what is its own is the caller's then.
func (l *Log) endAppends() {
	l.mu.Lock()
	l.stopping = true
	l.waiting.Signal()
	l.mu.Unlock()
	<-l.committed
}

func (l *Log) importOne(batch *pebble.Batch, a *domain.Append) error {
	if err := a.Validate(); err != nil {
		return err
	}
	stream, message := streamKey(a.Stream), messageKey(a.Message)
	last, err := l.index.head(stream, a.Stream)
	if err != nil {
		return err
	}
	held, err := l.index.holder(message, a.Message)
	if err != nil {
		return err
	}
	if last.revision != a.Expected {
		return &domain.RevisionConflictError{Stream: a.Stream, Expected: a.Expected, Actual: last.revision}
	}
	return l.put(batch, a, stream, message, last, held.index == none)
}

// put puts the events of an append into the batch, behind the last one of its stream. first says that the log has no
// event of its message. The index counts what is in a batch as appended: batches are never taken back, a failed one
// ends the process.
func (l *Log) put(batch *pebble.Batch, a *domain.Append, stream, message key, last head, first bool) error {
	for _, e := range a.Events {
		revision := last.revision + 1
		l.key = eventKey(l.next)
		l.value = appendRecord(l.value[:0], a, e.Canonical, revision, l.next-last.index, first)
		if err := batch.Set(l.key[:], l.value, nil); err != nil {
			return err
		}
		l.index.add(l.next, stream, revision, message, first)
		last, first = head{l.next, revision}, false
		l.next++
	}
	return nil
}
