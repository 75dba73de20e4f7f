package logtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"sort"
	"sync"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// Fault is what goes wrong with one append of a Memory.
type Fault uint8

// The faults.
const (
	// NoFault lets the append go on.
	NoFault Fault = iota
	// Unavailable answers ErrUnavailable: nothing was appended.
	Unavailable
	// LostRequest answers ErrOutcomeUnknown where nothing was appended.
	LostRequest
	// LostAnswer answers ErrOutcomeUnknown where the append was tried and, if nothing else refused it, taken.
	LostAnswer
)

// MemoryOptions are the options of a Memory. The zero value is a log with one writer, no delays and no faults.
type MemoryOptions struct {
	// T is failed when bytes change that never may: those of an append while the log works on it, those of a line in
	// the log ever after. Without it that panics.
	T testing.TB
	// ManyWriters makes a log that does not notice a message on another stream.
	ManyWriters bool
	// LagReads is how many ReadStream calls of a stream after a conflict there still show it as of the revision that
	// the loser expected. Never older than what an earlier ReadStream has shown.
	LagReads int
	// Fault, if set, is asked once for each append before it is tried. It may be called by several goroutines.
	Fault func(domain.Append) Fault
	// FailRead, if set, is asked before each event that a read is about to yield; its error ends the read.
	FailRead func(domain.Position) error
	// BatchEvents bounds the batches of Read and Follow; 0 means 7.
	BatchEvents int
}

// Memory is a log in memory for tests, safe for any number of goroutines. Its positions are sparse, its two numbers
// differ, and the events of one append share the first.
type Memory struct {
	o MemoryOptions

	mu sync.Mutex // guards everything below
	// events is the log. Elements are never changed: readers walk a prefix of it without mu.
	events   []memoryEvent
	streams  map[domain.Stream]*memoryStream
	messages map[domain.Message]int // the first event of the message
	next     uint64                 // the lowest number that the next append may take
	grown    chan struct{}          // closed when events grow or the log closes
	closed   bool
}

type memoryEvent struct {
	position domain.Position
	stream   domain.Stream
	line     []byte
	sum      [sha256.Size]byte // of line, as it was appended
}

type memoryStream struct {
	events []int // indexes into Memory.events by revision
	shown  int   // how many events a ReadStream has shown
	hidden int   // how many ReadStream calls still show only visible events
	// visible is how many events are shown while hidden > 0.
	visible int
}

var (
	_ domain.EventLog      = (*Memory)(nil)
	_ domain.MessageFinder = (*Memory)(nil)
)

// NewMemory returns an empty log.
func NewMemory(o MemoryOptions) *Memory {
	if o.BatchEvents == 0 {
		o.BatchEvents = 7
	}
	m := &Memory{
		o:        o,
		streams:  map[domain.Stream]*memoryStream{},
		messages: map[domain.Message]int{},
		next:     3,
		grown:    make(chan struct{}),
	}
	if o.T != nil {
		o.T.Cleanup(m.police)
	}
	return m
}

// Close ends every read with ErrClosed and refuses further calls.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return domain.ErrClosed
	}
	m.closed = true
	close(m.grown)
	return nil
}

// Len returns the number of events.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

func (m *Memory) fail(format string, args ...any) {
	if m.o.T == nil {
		panic(fmt.Sprintf("logtest: "+format, args...))
	}
	m.o.T.Helper()
	m.o.T.Errorf(format, args...)
}

// police fails the test where a line is no longer what was appended.
func (m *Memory) police() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.events {
		m.copyOf(&m.events[i])
	}
}

// copyOf returns the receiver's own copy of an event, whose line must be as it was appended.
func (m *Memory) copyOf(e *memoryEvent) domain.LogEvent {
	if sha256.Sum256(e.line) != e.sum {
		m.fail("the line at position %s was changed: now %q", e.position, e.line)
	}
	return domain.LogEvent{Position: e.position, Canonical: bytes.Clone(e.line)}
}

func sumOf(appends []domain.Append) (sum [sha256.Size]byte) {
	h := sha256.New()
	for i := range appends {
		for _, e := range appends[i].Events {
			h.Write(e.Canonical)
		}
	}
	h.Sum(sum[:0])
	return sum
}

// Append implements domain.EventLog.
func (m *Memory) Append(ctx context.Context, appends []domain.Append) []domain.Appended {
	before := sumOf(appends)
	answers := make([]domain.Appended, len(appends))
	for i := range appends {
		answers[i] = m.appendOne(ctx, &appends[i])
	}
	if sumOf(appends) != before {
		m.fail("the lines of an append were changed while the log had them")
	}
	return answers
}

func (m *Memory) appendOne(ctx context.Context, a *domain.Append) domain.Appended {
	if err := a.Validate(); err != nil {
		return domain.Appended{Err: err}
	}
	if err := ctx.Err(); err != nil {
		return domain.Appended{Err: fmt.Errorf("%w: %w", domain.ErrUnavailable, err)}
	}
	fault := NoFault
	if m.o.Fault != nil {
		fault = m.o.Fault(*a)
	}
	switch fault {
	case Unavailable:
		return domain.Appended{Err: fmt.Errorf("%w: as the test says", domain.ErrUnavailable)}
	case LostRequest:
		return domain.Appended{Err: fmt.Errorf("%w: as the test says", domain.ErrOutcomeUnknown)}
	}
	positions, err := m.try(a)
	if fault == LostAnswer {
		return domain.Appended{Err: fmt.Errorf("%w: as the test says", domain.ErrOutcomeUnknown)}
	}
	return domain.Appended{Positions: positions, Err: err}
}

// try appends a or says why not.
func (m *Memory) try(a *domain.Append) ([]domain.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, domain.ErrClosed
	}
	s := m.streams[a.Stream]
	if s == nil {
		s = &memoryStream{}
	}
	actual := domain.Revision(len(s.events) - 1)
	if positions := m.alreadyThere(s, a); positions != nil {
		return positions, nil
	}
	if held, ok := m.messages[a.Message]; ok && !m.o.ManyWriters && m.events[held].stream != a.Stream {
		return nil, &domain.MessageTakenError{Message: a.Message, Held: m.copyOf(&m.events[held])}
	}
	if a.Expected != actual {
		m.lag(s, a.Expected)
		return nil, &domain.RevisionConflictError{Stream: a.Stream, Expected: a.Expected, Actual: actual}
	}
	m.streams[a.Stream] = s
	return m.add(s, a), nil
}

// alreadyThere returns the positions of a's events where the stream has just these.
func (m *Memory) alreadyThere(s *memoryStream, a *domain.Append) []domain.Position {
	first := int(a.Expected) + 1
	if first < 0 || first+len(a.Events) > len(s.events) {
		return nil
	}
	positions := make([]domain.Position, len(a.Events))
	for i, e := range a.Events {
		held := &m.events[s.events[first+i]]
		if !bytes.Equal(held.line, e.Canonical) {
			return nil
		}
		positions[i] = held.position
	}
	return positions
}

// lag makes the next reads of the stream show it as of what the loser of a race expected.
func (m *Memory) lag(s *memoryStream, expected domain.Revision) {
	if m.o.LagReads == 0 || s.hidden > 0 {
		return
	}
	s.visible = max(int(expected)+1, s.shown)
	if s.visible < len(s.events) {
		s.hidden = m.o.LagReads
	}
}

func (m *Memory) add(s *memoryStream, a *domain.Append) []domain.Position {
	positions := make([]domain.Position, len(a.Events))
	commit := m.next + 10*uint64(len(a.Events))
	for i, e := range a.Events {
		// The last event of an append of one has two equal numbers now and then.
		prepare := m.next + 10*uint64(i)
		if len(a.Events) == 1 && m.next%3 == 0 {
			prepare = commit
		}
		positions[i] = domain.NewPosition(commit, prepare)
		s.events = append(s.events, len(m.events))
		if _, ok := m.messages[a.Message]; !ok {
			m.messages[a.Message] = len(m.events)
		}
		line := bytes.Clone(e.Canonical)
		m.events = append(m.events, memoryEvent{positions[i], a.Stream, line, sha256.Sum256(line)})
	}
	m.next = commit + uint64(len(m.events)%5) + 1
	close(m.grown)
	m.grown = make(chan struct{})
	return positions
}

// ReadStream implements domain.EventLog.
func (m *Memory) ReadStream(
	ctx context.Context, stream domain.Stream, from domain.Revision,
) iter.Seq2[domain.LogEvent, error] {
	return func(yield func(domain.LogEvent, error) bool) {
		events, err := m.stream(ctx, stream)
		if err != nil {
			yield(domain.LogEvent{}, err)
			return
		}
		for i := max(0, int(from)); i < len(events); i++ {
			if err := m.readable(ctx, events[i]); err != nil {
				yield(domain.LogEvent{}, err)
				return
			}
			if !yield(m.copyOf(events[i]), nil) {
				return
			}
		}
	}
}

// stream returns the events of a stream that a reader may see now.
func (m *Memory) stream(ctx context.Context, stream domain.Stream) ([]*memoryEvent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, domain.ErrClosed
	}
	s := m.streams[stream]
	if s == nil {
		return nil, domain.ErrStreamNotFound
	}
	visible := len(s.events)
	if s.hidden > 0 {
		s.hidden--
		visible = s.visible
	}
	if visible == 0 {
		return nil, domain.ErrStreamNotFound
	}
	s.shown = max(s.shown, visible)
	events := make([]*memoryEvent, visible)
	for i, at := range s.events[:visible] {
		events[i] = &m.events[at]
	}
	return events, nil
}

// readable returns why a read cannot go on to e.
func (m *Memory) readable(ctx context.Context, e *memoryEvent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.o.FailRead != nil {
		return m.o.FailRead(e.position)
	}
	return nil
}

// Read implements domain.EventLog.
func (m *Memory) Read(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		events, _, err := m.behind(ctx, after)
		if err != nil {
			yield(nil, err)
			return
		}
		m.batches(ctx, events, yield)
	}
}

// Follow implements domain.EventLog.
func (m *Memory) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]domain.LogEvent, error] {
	return func(yield func([]domain.LogEvent, error) bool) {
		for {
			events, grown, err := m.behind(ctx, after)
			if err != nil {
				yield(nil, err)
				return
			}
			if !m.batches(ctx, events, yield) {
				return
			}
			if len(events) > 0 {
				after = events[len(events)-1].position
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// behind returns the events behind a position, and a channel that is closed once there are more.
func (m *Memory) behind(ctx context.Context, after domain.Position) ([]memoryEvent, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, domain.ErrClosed
	}
	at := sort.Search(len(m.events), func(i int) bool { return m.events[i].position.Compare(after) > 0 })
	return m.events[at:len(m.events):len(m.events)], m.grown, nil
}

// batches yields the events in batches, and an error last if the read was interrupted. It reports whether to go on.
func (m *Memory) batches(ctx context.Context, events []memoryEvent, yield func([]domain.LogEvent, error) bool) bool {
	for part := range slices.Chunk(events, m.o.BatchEvents) {
		batch := make([]domain.LogEvent, 0, len(part))
		for i := range part {
			if err := m.readable(ctx, &part[i]); err != nil {
				if len(batch) > 0 && !yield(batch, nil) {
					return false
				}
				yield(nil, err)
				return false
			}
			batch = append(batch, m.copyOf(&part[i]))
		}
		if !yield(batch, nil) {
			return false
		}
	}
	return true
}

// Head implements domain.EventLog.
func (m *Memory) Head(ctx context.Context) (domain.Position, error) {
	if err := ctx.Err(); err != nil {
		return domain.Position{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return domain.Position{}, domain.ErrClosed
	}
	if len(m.events) == 0 {
		return domain.Position{}, nil
	}
	return m.events[len(m.events)-1].position, nil
}

// FindMessage implements domain.MessageFinder, exactly.
func (m *Memory) FindMessage(ctx context.Context, message domain.Message) (domain.LogEvent, bool, error) {
	if err := ctx.Err(); err != nil {
		return domain.LogEvent{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return domain.LogEvent{}, false, domain.ErrClosed
	}
	at, ok := m.messages[message]
	if !ok {
		return domain.LogEvent{}, false, nil
	}
	return m.copyOf(&m.events[at]), true, nil
}
