package pebblelog

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleFormat is Pebble's own format of both databases. It tells damage inside a write-ahead log from a torn end, and
// is named, not FormatNewest: a log is only rewritten in a newer one by a version of this program that says so.
const pebbleFormat = pebble.FormatValueSeparation

const (
	// The events' memtable bounds what a start replays.
	eventsMemTable = 8 << 20
	// groupBytes ends a group. It is well below half a memtable, from where on Pebble gives a batch a table of its own.
	groupBytes = 2 << 20

	indexMemTable = 4 << 20

	// Memtables are charged to the cache, up to as many as stop the writes: it must leave room for blocks beside them.
	memTables        = 4
	eventsCacheBytes = memTables*eventsMemTable + 32<<20
	indexCacheBytes  = memTables*indexMemTable + 8<<20
)

// EventOptions returns the options that the events are kept with, for a database on fs. Benchmarks compare a log with a
// bare Pebble under the same options.
func EventOptions(fs vfs.FS) *pebble.Options {
	o := baseOptions(fs)
	o.CacheSize = eventsCacheBytes
	o.MemTableSize = eventsMemTable
	o.MemTableStopWritesThreshold = memTables
	// Keys come in order, so a flush makes tables that overlap no others and are moved down, never written again.
	o.TargetFileSizes[0] = 32 << 20
	for i := range o.Levels {
		// A line is read alone or with its neighbours, and is much like them.
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].IndexBlockSize = 32 << 10
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return block.FastestCompression }
	}
	return o
}

// indexOptions returns the options of the index. What a crash takes from it is made again from the events.
func indexOptions(fs vfs.FS) *pebble.Options {
	o := baseOptions(fs)
	o.DisableWAL = true
	o.CacheSize = indexCacheBytes
	o.MemTableSize = indexMemTable
	o.MemTableStopWritesThreshold = memTables
	o.TargetFileSizes[0] = 16 << 20
	// Keys come at random, so each compaction writes most of the index again: seldom and much is cheaper than often and
	// little, and the filter spares most lookups the many tables of level 0.
	o.L0CompactionThreshold = 16
	o.L0StopWritesThreshold = 64
	o.LBaseMaxBytes = 512 << 20
	for i := range o.Levels {
		// Keys are hashes: small blocks, nothing to compress, and a filter, as most lookups find nothing.
		o.Levels[i].BlockSize = 4 << 10
		o.Levels[i].IndexBlockSize = 32 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return block.NoCompression }
	}
	return o
}

func baseOptions(fs vfs.FS) *pebble.Options {
	return &pebble.Options{
		FS:                 fs,
		FormatMajorVersion: pebbleFormat,
		MaxOpenFiles:       500,
		// Pebble would end the process. What cannot be read is an error of who reads it: the start, or a reader.
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
		// The start checks all tables itself, and more closely.
		DisableConsistencyCheck: true,
		Logger:                  newPebbleLogger(),
	}
}

// pebbleLogger hands on Pebble's errors. A fatal one ends the process: after a failed write or sync nothing may run on.
type pebbleLogger struct {
	to *slog.Logger
	// quiet is set while the log is opened: what is wrong then is in Open's error.
	quiet atomic.Bool
}

func newPebbleLogger() *pebbleLogger { return &pebbleLogger{to: slog.Default()} }

func (*pebbleLogger) Infof(string, ...any) {}

func (l *pebbleLogger) Errorf(format string, args ...any) {
	if !l.quiet.Load() {
		l.to.Error("log_storage", "error", fmt.Sprintf(format, args...))
	}
}

func (l *pebbleLogger) Fatalf(format string, args ...any) {
	l.to.Error("log_storage_failed", "error", fmt.Sprintf(format, args...))
	os.Exit(1)
}
