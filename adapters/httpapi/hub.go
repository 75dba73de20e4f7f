package httpapi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/tmaxmax/go-sse"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

const (
	// liveInterval is the shortest time between two rounds of a hub: a listener is told at most 4 times a second.
	liveInterval = 250 * time.Millisecond
	// liveShare bounds what rounds take of a processor: one waits so many times as long as the last one took.
	liveShare = 10
)

// subject is what somebody listens to: the statement of a post, of an account, of both, or of the platform.
type subject struct {
	post, account string
	// part: of a post and an account only the account's part, for who may not read the rest.
	part bool
}

// scopes returns whose statements those are.
func (s subject) scopes() []domain.Scope {
	narrow := domain.Scope{PostID: s.post, AccountID: s.account}
	if s.post == "" || s.account == "" || s.part {
		return []domain.Scope{narrow}
	}
	return []domain.Scope{{PostID: s.post}, narrow}
}

// news are the statements of a subject as of one size. All its listeners are sent the same bytes.
type news struct {
	position domain.Position
	// changed is the size of the log behind the last event that changed one of the statements.
	changed    uint64
	statements []byte
	// event is the server-sent event.
	event []byte
	once  sync.Once
	// deflated is the event in blocks that stand for themselves, once somebody takes them.
	deflated []byte
}

// compressed returns the event as part of a gzip stream, whatever stands before.
func (n *news) compressed() []byte {
	n.once.Do(func() { n.deflated = deflated(n.event) })
	return n.deflated
}

// deflated compresses without a view to what was sent before, so that every listener can be sent it.
func deflated(text []byte) []byte {
	var out bytes.Buffer
	// A buffer takes everything.
	_ = flate.StatelessDeflate(&out, text, false, nil)
	return out.Bytes()
}

// readNews reads what is to be told of a subject.
func readNews(ctx context.Context, s *projections.Snapshot, of subject) (*news, error) {
	n := &news{position: s.Position()}
	for i, scope := range of.scopes() {
		statement, err := s.Statement(ctx, scope, projections.AsOf{})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			n.statements = append(n.statements, ',')
		}
		if n.statements, err = statement.AppendJSON(n.statements); err != nil {
			return nil, err
		}
		n.changed = max(n.changed, statement.Size)
	}
	data := strconv.AppendUint([]byte(`{"size":`), s.Size(), 10)
	data = appendText(append(data, `,"position":`...), n.position.String())
	data = append(append(data, `,"statements":[`...), n.statements...)
	message := sse.Message{ID: sse.ID(n.position.String()), Type: sse.Type("statement")}
	message.AppendData(string(append(data, "]}"...)))
	var event bytes.Buffer
	// A buffer takes everything.
	_, _ = message.WriteTo(&event)
	n.event = event.Bytes()
	return n, nil
}

// listener is one who listens. The newest that is not sent yet waits in its slot; what is newer takes its place, so
// that who reads slowly holds up nobody, and costs no more than who reads fast.
type listener struct {
	topic *topic
	slot  atomic.Pointer[news]
	// ready holds one when there is something in the slot.
	ready chan struct{}
}

func (l *listener) tell(n *news) {
	l.slot.Store(n)
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// topic is a subject that somebody listens to. It is guarded by its hub's mu.
type topic struct {
	subject   subject
	listeners map[*listener]struct{}
	// last is what they were told, or will have been told once the round is over.
	last *news
}

// hub tells listeners when what they listen to has changed. One goroutine works that out for all of them, once for each
// subject, and runs only while somebody listens.
type hub struct {
	source   source
	logger   *slog.Logger
	interval time.Duration

	mu     sync.Mutex
	topics map[subject]*topic // guarded by mu
	// stop ends the goroutine, which closes ended. Both are guarded by mu, and nil where none runs.
	stop  context.CancelFunc
	ended chan struct{}
}

// join adds a listener. It is told of what changes from now on, until it leaves.
func (h *hub) join(to subject) *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[to]
	if t == nil {
		t = &topic{subject: to, listeners: map[*listener]struct{}{}}
		if h.topics == nil {
			h.topics = map[subject]*topic{}
		}
		h.topics[to] = t
	}
	l := &listener{topic: t, ready: make(chan struct{}, 1)}
	t.listeners[l] = struct{}{}
	if h.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		h.stop, h.ended = stop, make(chan struct{})
		go func(ended chan<- struct{}) {
			defer close(ended)
			h.watch(ctx)
		}(h.ended)
	}
	return l
}

// leave ends what join began. When nobody is left the goroutine has ended too.
func (h *hub) leave(l *listener) {
	h.mu.Lock()
	delete(l.topic.listeners, l)
	if len(l.topic.listeners) == 0 && h.topics[l.topic.subject] == l.topic {
		delete(h.topics, l.topic.subject)
	}
	var ended <-chan struct{}
	if len(h.topics) == 0 && h.stop != nil {
		h.stop()
		ended, h.stop, h.ended = h.ended, nil, nil
	}
	h.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// first returns what a listener is sent first, given what it read itself after it joined. It misses nothing then: what
// others were told since is in its slot or in what first returns, and what nobody was told will differ from last.
func (h *hub) first(l *listener, read *news) *news {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch last := l.topic.last; {
	case last == nil:
		l.topic.last = read
	case last.position.Compare(read.position) > 0:
		return last
	}
	return read
}

// watch goes a round whenever the views have changed.
func (h *hub) watch(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		changed := h.source.Changed()
		began := time.Now()
		err := h.source.read(ctx, h.listened(), h.tell)
		if err != nil && !failing && ctx.Err() == nil {
			h.logger.ErrorContext(ctx, "listeners are not told of all that changes", "error", err)
		}
		failing = err != nil
		pause := time.NewTimer(max(h.interval, liveShare*time.Since(began)))
		if !received(ctx, pause.C) || !received(ctx, changed) {
			pause.Stop()
			return
		}
	}
}

// received waits for a channel, and reports false where ctx ended before.
func received[T any](ctx context.Context, from <-chan T) bool {
	select {
	case <-from:
		return true
	case <-ctx.Done():
		return false
	}
}

// source is what a hub watches.
type source interface {
	// Changed returns a channel that is closed when there may be something to tell.
	Changed() <-chan struct{}
	// read tells of what is now. What cannot be read is left as it was told, until the next round.
	read(ctx context.Context, topics []*topic, tell func(*topic, *news)) error
}

// viewsSource are the views.
type viewsSource struct{ *projections.Views }

func (v viewsSource) read(ctx context.Context, topics []*topic, tell func(*topic, *news)) error {
	s := v.Snapshot()
	defer s.Close()
	var errs []error
	for _, t := range topics {
		n, err := readNews(ctx, s, t.subject)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		tell(t, n)
	}
	return errors.Join(errs...)
}

// listened returns the topics that there are.
func (h *hub) listened() []*topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	topics := make([]*topic, 0, len(h.topics))
	for _, t := range h.topics {
		topics = append(topics, t)
	}
	return topics
}

// tell tells a topic's listeners, unless they were told the same or what is newer.
func (h *hub) tell(t *topic, n *news) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := t.last; last != nil &&
		(last.position.Compare(n.position) > 0 || bytes.Equal(last.statements, n.statements)) {
		return
	}
	t.last = n
	for l := range t.listeners {
		l.tell(n)
	}
}
