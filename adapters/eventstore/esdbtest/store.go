package esdbtest

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// What an append may expect of its stream beside a revision from 0 on: the numbers that the server itself uses.
const (
	expectNoStream     int64 = -1
	expectAny          int64 = -2
	expectStreamExists int64 = -4
)

// tombstoned is the revision of a tombstone, and what a deleted stream is truncated before.
const tombstoned int64 = math.MaxInt64

// Types of the server's own events.
const (
	typeMetadata = "$metadata"
	typeDeleted  = "$streamDeleted"
)

const (
	chunkEvents   = 4096    // events in one part of the log
	slabBytes     = 1 << 20 // of which encoded events are cut
	firstPosition = 4113    // a real log begins with records that are no events
	recordBytes   = 38      // what a record of the log takes beside its event: so positions are not gapless
	splitBytes    = 17      // how far the prepare position is behind with Options.SplitPositions
	idsRemembered = 512     // events of a stream in which ids are looked for under Any and StreamExists
)

// proposal is an event that somebody wants to append.
type proposal struct {
	id             uuid.UUID
	typ            string
	json           bool
	data, metadata []byte
}

// sizeOnDisk is what an event counts for in the limit of an append.
func (p *proposal) sizeOnDisk() int { return len(p.data) + len(p.metadata) + 2*len(p.typ) }

// event is an event of the log.
type event struct {
	wire     []byte // the whole answer that shows it to a reader
	stream   *stream
	id       uuid.UUID
	revision int64
	commit   uint64
	typ      uint32 // its place in store.types
	removed  uint32 // by RemoveRevision; read and written atomically
}

// stream is one stream; guarded by Server.mu.
type stream struct {
	name   string
	events []uint32     // indexes in the log, by revision
	last   int64        // the last revision that was given, expectNoStream before the first
	meta   []metaChange // by index; its last one holds for appends
}

// metaChange is a change of the metadata of a stream.
type metaChange struct {
	index          uint32 // of the event that changed it
	truncateBefore int64
	maxCount       int64 // 0: no limit
}

// metaAt returns the metadata that hold for who sees the log up to visible.
func (s *stream) metaAt(visible int) (m metaChange) {
	for _, change := range s.meta {
		if int(change.index) < visible {
			m = change
		}
	}
	return m
}

func (s *stream) softDeleted() bool { return s.metaAt(math.MaxInt).truncateBefore == tombstoned }

// store is the log. Server.mu guards it; an event below a number of visible events may be read without.
type store struct {
	chunks  [][]event
	length  int
	next    uint64 // the position of the next event
	split   bool   // Options.SplitPositions
	streams map[string]*stream
	types   []string
	typeOf  map[string]uint32
	slab    []byte
	scratch []byte
}

func newStore(split bool) *store {
	return &store{next: firstPosition, split: split, streams: map[string]*stream{}, typeOf: map[string]uint32{}}
}

// at returns the event with an index.
func (s *store) at(i int) *event { return &s.chunks[i/chunkEvents][i%chunkEvents] }

func (s *store) prepare(commit uint64) uint64 {
	if s.split {
		return commit - splitBytes
	}
	return commit
}

// search returns the index of the first event at or behind a position.
func (s *store) search(commit, prepare uint64) int {
	i, _ := slices.BinarySearchFunc(s.chunks, commit, func(chunk []event, commit uint64) int {
		return cmp.Compare(chunk[len(chunk)-1].commit, commit)
	})
	if i == len(s.chunks) {
		return s.length
	}
	j, found := slices.BinarySearchFunc(s.chunks[i], commit, func(e event, commit uint64) int {
		return cmp.Compare(e.commit, commit)
	})
	if found && prepare > s.prepare(commit) {
		j++
	}
	return i*chunkEvents + j
}

// streamNamed returns a stream, which it makes where there is none.
func (s *store) streamNamed(name string) *stream {
	found := s.streams[name]
	if found == nil {
		found = &stream{name: strings.Clone(name), last: expectNoStream}
		s.streams[found.name] = found
	}
	return found
}

// add puts an event at the end of the log, and into its stream. created is in the server's ticks, as text.
func (s *store) add(to *stream, revision int64, p *proposal, created string) *event {
	typ, ok := s.typeOf[p.typ]
	if !ok {
		typ = uint32(len(s.types))
		s.types = append(s.types, strings.Clone(p.typ))
		s.typeOf[s.types[typ]] = typ
	}
	if s.length%chunkEvents == 0 {
		s.chunks = append(s.chunks, make([]event, 0, chunkEvents))
	}
	commit := s.next
	s.scratch = appendReadEvent(s.scratch[:0], &recorded{
		proposal: p, stream: to.name, revision: revision, commit: commit, prepare: s.prepare(commit), created: created,
	})
	chunk := &s.chunks[len(s.chunks)-1]
	*chunk = (*chunk)[:len(*chunk)+1]
	e := &(*chunk)[len(*chunk)-1]
	e.wire, e.stream, e.id, e.revision, e.commit, e.typ = s.keep(s.scratch), to, p.id, revision, commit, typ
	atomic.StoreUint32(&e.removed, 0)
	s.next += uint64(recordBytes + len(e.wire))
	to.place(s, uint32(s.length), revision)
	s.length++
	s.noteMetadata(to, p)
	return e
}

// keep copies an encoded event to where it stays.
func (s *store) keep(b []byte) []byte {
	if len(b) > cap(s.slab)-len(s.slab) {
		s.slab = make([]byte, 0, max(slabBytes, len(b)))
	}
	from := len(s.slab)
	s.slab = append(s.slab, b...)
	return s.slab[from:len(s.slab):len(s.slab)]
}

// place puts an event into its stream, behind those of the same revision.
func (s *stream) place(log *store, index uint32, revision int64) {
	at := len(s.events)
	for at > 0 && log.at(int(s.events[at-1])).revision > revision {
		at--
	}
	s.events = slices.Insert(s.events, at, index)
	s.last = max(s.last, revision)
}

// find returns the place in a stream of its first event from a revision on.
func (s *stream) find(log *store, revision int64) int {
	// Without gaps that is known.
	if i := revision; i >= 0 && i < int64(len(s.events)) && log.at(int(s.events[i])).revision == i &&
		(i == 0 || log.at(int(s.events[i-1])).revision < i) {
		return int(i)
	}
	i, _ := slices.BinarySearchFunc(s.events, revision, func(index uint32, revision int64) int {
		return cmp.Compare(log.at(int(index)).revision, revision)
	})
	return i
}

// atRevision returns the event of a stream at a revision, nil if there is none.
func (s *stream) atRevision(log *store, revision int64) *event {
	if i := s.find(log, revision); i < len(s.events) {
		if e := log.at(int(s.events[i])); e.revision == revision {
			return e
		}
	}
	return nil
}

// noteMetadata takes over what an event on a stream's metadata stream says.
func (s *store) noteMetadata(meta *stream, p *proposal) {
	name, ok := strings.CutPrefix(meta.name, "$$")
	if !ok || p.typ != typeMetadata {
		return
	}
	var said struct {
		TruncateBefore int64 `json:"$tb"`
		MaxCount       int64 `json:"$maxCount"`
	}
	if json.Unmarshal(p.data, &said) != nil {
		return
	}
	of := s.streamNamed(name)
	of.meta = append(of.meta, metaChange{uint32(s.length - 1), said.TruncateBefore, said.MaxCount})
}

// truncate takes away all events from an index on.
func (s *store) truncate(length int) {
	for ; s.length > length; s.length-- {
		index := uint32(s.length - 1)
		e := s.at(int(index))
		of := e.stream
		of.events = slices.DeleteFunc(of.events, func(i uint32) bool { return i == index })
		of.last = expectNoStream
		if n := len(of.events); n > 0 {
			of.last = s.at(int(of.events[n-1])).revision
		}
		if name, ok := strings.CutPrefix(of.name, "$$"); ok {
			about := s.streamNamed(name)
			about.meta = slices.DeleteFunc(about.meta, func(c metaChange) bool { return c.index == index })
		}
		s.next = e.commit
		chunk := &s.chunks[len(s.chunks)-1]
		*chunk = (*chunk)[:len(*chunk)-1]
		if len(*chunk) == 0 {
			s.chunks = s.chunks[:len(s.chunks)-1]
		}
	}
}

// outcome is what the server decides on an append.
type outcome int

const (
	appended      outcome = iota
	repeated              // the events were already there, with these ids
	wrongRevision         // WrongExpectedVersion
	streamDeleted
)

// decision is the answer to one append.
type decision struct {
	outcome  outcome
	revision int64 // of the last event, or the actual one where another was expected
	commit   uint64
	prepare  uint64
	placed   bool // whether the position is known
	end      int  // the length of the log that must be replicated before this may be said
	unready  bool // it repeats what was not replicated then: the server never answers
}

// append decides on an append and stores it.
func (s *store) append(name string, expected int64, events []proposal) decision {
	to := s.streams[name]
	if to == nil {
		to = &stream{name: name, last: expectNoStream}
	}
	if d, decided := s.check(to, expected, events); decided {
		return d
	}
	if len(events) == 0 {
		return decision{outcome: appended, revision: to.last}
	}
	to = s.streamNamed(name)
	created := ticks(time.Now())
	first := to.last + 1
	var last *event
	for i := range events {
		last = s.add(to, to.last+1, &events[i], created)
	}
	if to.softDeleted() {
		s.setMetadata(to, map[string]any{"$tb": first})
	}
	return s.told(appended, last)
}

// told is the answer that names an event as the last one of an append.
func (s *store) told(o outcome, last *event) decision {
	i := s.search(last.commit, 0)
	return decision{
		outcome: o, revision: last.revision,
		commit: last.commit, prepare: s.prepare(last.commit), placed: true, end: i + 1,
	}
}

// check compares an append with its stream; decided says that nothing is to be stored.
func (s *store) check(to *stream, expected int64, events []proposal) (d decision, decided bool) {
	wrong := decision{outcome: wrongRevision, revision: to.last}
	switch {
	case to.last == tombstoned:
		return decision{outcome: streamDeleted}, true
	case expected == expectStreamExists && to.softDeleted():
		return decision{outcome: streamDeleted}, true
	case expected == expectStreamExists && to.last < 0 && len(to.meta) == 0:
		return wrong, true
	case expected == expectAny || expected == expectStreamExists:
		return s.checkAnywhere(to, events)
	case expected > to.last:
		return wrong, true
	case expected == to.last:
		return d, false // ids are not looked at
	}
	for i := range events {
		held := to.atRevision(s, expected+1+int64(i))
		if held != nil && held.id == events[i].id {
			continue
		}
		if i == 0 && expected == expectNoStream && to.softDeleted() {
			return d, false
		}
		return wrong, true
	}
	if len(events) == 0 {
		return wrong, true
	}
	return s.repeat(to, to.atRevision(s, expected+int64(len(events)))), true
}

// repeat is the answer to an append that is already there up to last.
func (s *store) repeat(to *stream, last *event) decision {
	d := s.told(repeated, last)
	if last.revision < to.metaAt(math.MaxInt).truncateBefore {
		d.commit, d.prepare, d.placed = 0, 0, false // the server looks for it by reading
	}
	return d
}

// checkAnywhere looks for the events by their ids alone: best effort, as the server's.
func (s *store) checkAnywhere(to *stream, events []proposal) (d decision, decided bool) {
	var last *event
	for i := range events {
		held := s.remembered(to, events[i].id)
		switch {
		case held == nil && i == 0:
			return d, false
		case held == nil:
			return decision{outcome: wrongRevision, revision: to.last}, true
		}
		last = held
	}
	if last == nil {
		return d, false
	}
	return s.repeat(to, last), true
}

func (s *store) remembered(to *stream, id uuid.UUID) *event {
	for _, index := range slices.Backward(to.events[max(0, len(to.events)-idsRemembered):]) {
		if e := s.at(int(index)); e.id == id {
			return e
		}
	}
	return nil
}

// setMetadata appends to a stream's metadata stream.
func (s *store) setMetadata(of *stream, metadata map[string]any) *event {
	data, err := json.Marshal(metadata)
	if err != nil {
		panic(err)
	}
	meta := s.streamNamed("$$" + of.name)
	p := &proposal{id: uuid.New(), typ: typeMetadata, json: true, data: data}
	return s.add(meta, meta.last+1, p, ticks(time.Now()))
}

// delete deletes a stream, for good with hard.
func (s *store) delete(name string, expected int64, hard bool) decision {
	to := s.streamNamed(name)
	if d, decided := s.check(to, expected, []proposal{{id: uuid.New()}}); decided {
		return d
	}
	if hard {
		p := &proposal{id: uuid.New(), typ: typeDeleted}
		return s.told(appended, s.add(to, tombstoned, p, ticks(time.Now())))
	}
	if to.last < 0 && len(to.meta) == 0 {
		return decision{outcome: wrongRevision, revision: to.last}
	}
	return s.told(appended, s.setMetadata(to, map[string]any{"$tb": tombstoned}))
}
