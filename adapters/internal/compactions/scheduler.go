// Package compactions has databases of Pebble put off their compactions until they are open: Pebble's Open waits for those
// that it finds to do, and these take the longer the more there is.
package compactions

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Scheduler is a pebble.CompactionScheduler of one database. It lets as many compactions run as Pebble's own does, but none
// before Start.
type Scheduler struct {
	db pebble.DBForCompaction

	mu   sync.Mutex // guards everything below
	idle sync.Cond  // on mu: granting became false
	// started and stopped are set once. granting: one goroutine offers compactions.
	started, stopped, granting bool
	running                    int
	// missed: the database may have asked for a compaction since one was last offered.
	missed bool
}

// New returns the scheduler for a database that is to be opened.
func New() *Scheduler {
	s := &Scheduler{}
	s.idle.L = &s.mu
	return s
}

// Start lets compactions run. The database must be open. It may be called again.
func (s *Scheduler) Start() {
	s.mu.Lock()
	before := s.started
	s.started = true
	s.mu.Unlock()
	if !before {
		s.grant()
	}
}

// Register implements pebble.CompactionScheduler.
func (s *Scheduler) Register(_ int, db pebble.DBForCompaction) { s.db = db }

// Unregister implements pebble.CompactionScheduler.
func (s *Scheduler) Unregister() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for s.granting {
		s.idle.Wait()
	}
}

// TrySchedule implements pebble.CompactionScheduler.
func (s *Scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mayRun() {
		s.missed = true
		return false, nil
	}
	s.running++
	return true, s
}

// mayRun reports whether one more compaction may run. The caller holds mu.
func (s *Scheduler) mayRun() bool {
	return s.started && !s.stopped && s.running < s.db.GetAllowedWithoutPermission()
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler. The caller holds a lock of the database, which
// offering a compaction takes.
func (s *Scheduler) UpdateGetAllowedWithoutPermission() { go s.grant() }

// grant offers the database compactions as long as it may have missed one and one more may run.
func (s *Scheduler) grant() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = true
	if s.granting {
		return
	}
	s.granting = true
	for s.missed && s.mayRun() {
		s.missed = false
		// What is offered counts as running: the database may ask for another one at once.
		s.running++
		s.mu.Unlock()
		waiting, _ := s.db.GetWaitingCompaction()
		taken := waiting && s.db.Schedule(s)
		s.mu.Lock()
		if taken {
			s.missed = true
		} else {
			s.running--
		}
	}
	s.granting = false
	s.idle.Broadcast()
}

// Done implements pebble.CompactionGrantHandle.
func (s *Scheduler) Done() {
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	s.grant()
}

// Started implements pebble.CompactionGrantHandle.
func (*Scheduler) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (*Scheduler) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (*Scheduler) CumulativeStats(pebble.CompactionGrantHandleStats) {}
