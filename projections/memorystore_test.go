package projections

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ViewFormat is the format of the views, for tests outside the package.
const ViewFormat = viewFormat

// SetSizes makes blocks of journals and nodes of time trees small until the test ends.
func SetSizes(t testing.TB, recent, leaf int) {
	t.Cleanup(func() { recentTouches, leafTouches = 32, 64 })
	recentTouches, leafTouches = recent, leaf
}

// MemoryStore is a Store in memory that fails the test where the port's rules are broken.
type MemoryStore struct {
	t testing.TB

	mu      sync.Mutex // guards everything below
	rows    memoryRows // never changed: a commit makes another one
	commits int
	busy    bool
	// refuse, if set, is asked before each commit; its error is the commit's.
	refuse func() error
	// unreadable, if set, is the error of each Get and GetAll.
	unreadable error
	condemned  string
	damaged    chan struct{} // closed once the store is condemned
	dropped    bool
	open       int // snapshots that are not closed
}

// memoryRows implements Reader. It is never changed.
type memoryRows map[string]string

// NewMemoryStore returns an empty store, which checks at the end of the test that its snapshots were closed.
func NewMemoryStore(t testing.TB) *MemoryStore {
	s := &MemoryStore{t: t, damaged: make(chan struct{})}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open != 0 {
			t.Errorf("%d snapshots were not closed", s.open)
		}
	})
	return s
}

// RefuseBy lets refuse decide about each commit from now on.
func (s *MemoryStore) RefuseBy(refuse func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// Commits returns how many commits there were.
func (s *MemoryStore) Commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

func (s *MemoryStore) current() memoryRows {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows
}

// Get implements Reader.
func (s *MemoryStore) Get(key, dst []byte) ([]byte, bool, error) {
	rows, err := s.readable()
	if err != nil {
		return nil, false, err
	}
	return rows.Get(key, dst)
}

func (s *MemoryStore) readable() (memoryRows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows, s.unreadable
}

// Scan implements Reader.
func (s *MemoryStore) Scan(from, to []byte) iter.Seq2[Row, error] { return s.current().Scan(from, to) }

// ScanBack implements Reader.
func (s *MemoryStore) ScanBack(from, to []byte) iter.Seq2[Row, error] {
	return s.current().ScanBack(from, to)
}

// GetAll implements Store.
func (s *MemoryStore) GetAll(keys [][]byte, found func(int, []byte) error) error {
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		s.t.Errorf("the keys %q are not sorted", keys)
	}
	rows, err := s.readable()
	if err != nil {
		return err
	}
	for i, key := range keys {
		if value, ok := rows[string(key)]; ok {
			if err := found(i, []byte(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Get implements Reader.
func (r memoryRows) Get(key, dst []byte) ([]byte, bool, error) {
	value, found := r[string(key)]
	return append(dst, value...), found, nil
}

// Scan implements Reader.
func (r memoryRows) Scan(from, to []byte) iter.Seq2[Row, error] {
	return r.scan(from, to, slices.Values[[]string])
}

// ScanBack implements Reader.
func (r memoryRows) ScanBack(from, to []byte) iter.Seq2[Row, error] {
	return r.scan(from, to, func(keys []string) iter.Seq[string] {
		slices.Reverse(keys)
		return slices.Values(keys)
	})
}

func (r memoryRows) scan(from, to []byte, order func([]string) iter.Seq[string]) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for key := range order(slices.Sorted(maps.Keys(r))) {
			if key < string(from) || to != nil && key >= string(to) {
				continue
			}
			if !yield(Row{[]byte(key), []byte(r[key])}, nil) {
				return
			}
		}
	}
}

// Commit implements Store.
func (s *MemoryStore) Commit(rows []Row) error {
	refuse, end := s.begin()
	defer end()
	if why := s.Condemned(); why != "" {
		return fmt.Errorf("%w: %s", ErrDamaged, why)
	}
	if refuse != nil {
		if err := refuse(); err != nil {
			return err
		}
	}
	next := maps.Clone(s.current())
	if next == nil {
		next = memoryRows{}
	}
	for i, row := range rows {
		if i > 0 && bytes.Compare(rows[i-1].Key, row.Key) >= 0 {
			s.t.Errorf("row %q comes behind %q", row.Key, rows[i-1].Key)
		}
		if row.Value == nil {
			delete(next, string(row.Key))
		} else {
			next[string(row.Key)] = string(row.Value)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = next
	s.commits++
	return nil
}

// begin begins a change, of which there is one at a time.
func (s *MemoryStore) begin() (refuse func() error, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.t.Error("two commits at a time")
	}
	s.busy = true
	return s.refuse, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy = false
	}
}

// Condemn implements Store.
func (s *MemoryStore) Condemn(why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.condemned == "" {
		s.condemned = why
		close(s.damaged)
	}
	return nil
}

// Lose loses the rows whose keys begin with a prefix.
func (s *MemoryStore) Lose(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = maps.Clone(s.rows)
	maps.DeleteFunc(s.rows, func(key, _ string) bool { return strings.HasPrefix(key, prefix) })
}

// Condemned returns why the store was condemned.
func (s *MemoryStore) Condemned() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.condemned
}

// FailReadsWith makes an error the answer of each Get and GetAll from now on; nil ends that.
func (s *MemoryStore) FailReadsWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreadable = err
}

// Snapshot implements Store.
func (s *MemoryStore) Snapshot() StoreSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &memorySnapshot{s.rows, s}
}

type memorySnapshot struct {
	memoryRows
	of *MemoryStore
}

func (s *memorySnapshot) Close() error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.open--
	return nil
}

// Dump returns all rows of a store, one a line.
func Dump(t testing.TB, r Reader) string {
	t.Helper()
	var b bytes.Buffer
	for row, err := range r.Scan(nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%q %x\n", row.Key, row.Value)
	}
	return b.String()
}
