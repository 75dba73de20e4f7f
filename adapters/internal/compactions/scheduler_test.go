package compactions

import (
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestScheduler: a database opens without running the compactions that it finds to do; after Start it runs these, and
// those that come.
func TestScheduler(t *testing.T) {
	fs := vfs.NewMem()
	open := func(s *Scheduler) *pebble.DB {
		t.Helper()
		o := &pebble.Options{
			FS: fs, L0CompactionThreshold: 2, DisableAutomaticCompactions: s == nil, Logger: pebble.DefaultLogger,
			CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		}
		if s != nil {
			o.Experimental.CompactionScheduler = s
		}
		db, err := pebble.Open("db", o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	const tables = 8
	write := func(db *pebble.DB) {
		t.Helper()
		for i := range tables {
			if err := db.Set([]byte("key"), []byte(strconv.Itoa(i)), nil); err != nil {
				t.Fatal(err)
			}
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	newest := func(db *pebble.DB) int64 { return db.Metrics().Levels[0].TablesCount }
	db := open(nil)
	write(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := New()
	db = open(s)
	defer db.Close()
	if got := newest(db); got != tables {
		t.Errorf("after the open %d tables wait to be compacted, want %d", got, tables)
	}
	compacted := func(when string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); newest(db) > 1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d tables still wait to be compacted", when, newest(db))
			}
		}
	}
	s.Start()
	compacted("after the start")
	write(db)
	s.Start()
	compacted("after more was written")
}
