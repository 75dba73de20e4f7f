package pebblelog

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// scheduler lets a database run one compaction at a time, as Pebble's own does, but none before start: an open waits
// for the compactions that it finds to do, and those of the index take the longer the more events there are.
type scheduler struct {
	db pebble.DBForCompaction

	mu   sync.Mutex // guards everything below
	idle sync.Cond  // on mu: granting became false
	// started and stopped are set once. busy: a compaction runs, or granting offers one.
	started, stopped, busy, granting bool
	// missed: the database asked for a compaction while one was offered.
	missed bool
}

func newScheduler() *scheduler {
	s := &scheduler{}
	s.idle.L = &s.mu
	return s
}

// start lets compactions run.
func (s *scheduler) start() {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.grant()
}

// Register implements pebble.CompactionScheduler.
func (s *scheduler) Register(_ int, db pebble.DBForCompaction) { s.db = db }

// Unregister implements pebble.CompactionScheduler.
func (s *scheduler) Unregister() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for s.granting {
		s.idle.Wait()
	}
}

// TrySchedule implements pebble.CompactionScheduler.
func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || s.stopped || s.busy {
		s.missed = true
		return false, nil
	}
	s.busy = true
	return true, s
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler.
func (s *scheduler) UpdateGetAllowedWithoutPermission() {}

// grant offers the database a compaction, if none is running, as long as it may have missed one.
func (s *scheduler) grant() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || s.busy {
		return
	}
	s.busy, s.granting = true, true
	taken := false
	for again := true; again && !taken && !s.stopped; again = s.missed {
		s.missed = false
		s.mu.Unlock()
		waiting, _ := s.db.GetWaitingCompaction()
		taken = waiting && s.db.Schedule(s)
		s.mu.Lock()
	}
	s.granting = false
	if !taken {
		s.busy = false
	}
	s.idle.Broadcast()
}

// Done implements pebble.CompactionGrantHandle.
func (s *scheduler) Done() {
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
	s.grant()
}

// Started implements pebble.CompactionGrantHandle.
func (*scheduler) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (*scheduler) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (*scheduler) CumulativeStats(pebble.CompactionGrantHandleStats) {}
