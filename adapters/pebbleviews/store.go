package pebbleviews

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/internal/compactions"
	"github.com/tweiledger/tweiledger/projections"
)

// The sizes, in bytes. They bound the memory: all stores of a folder share one cache, and memtables take theirs out of it.
// Keys are mostly random, so a large memtable saves compactions; it also bounds what a start reads of Pebble's log.
const (
	cacheBytes    = 32 << 20
	memTableBytes = 32 << 20
)

// pebbleFormat is Pebble's own format of the folder.
const pebbleFormat = pebble.FormatValueSeparation

// Store keeps one generation of the views in a folder. It implements projections.Store.
type Store struct {
	reader
	db      *pebble.DB
	dir     string
	number  uint64
	fs      vfs.FS
	minFree uint64
	// tables are the options of tables that are ingested, bottomTables of those that lie below all others at once.
	tables, bottomTables sstable.WriterOptions
	cache                *pebble.Cache
	compactions          *compactions.Scheduler

	// damage says why the store is to be thrown away, nil for nothing; then condemned is closed.
	damage    atomic.Pointer[string]
	condemned chan struct{}

	mu sync.Mutex // guards shared, and the references to all
	// shared is the snapshot of what is committed, nil where nobody has asked since.
	shared *sharedSnapshot
}

var _ projections.Store = (*Store)(nil)

func (s *Store) openPebble() error {
	o := s.options()
	o.EnsureDefaults()
	o.Experimental.CompactionScheduler = s.compactions
	db, err := pebble.Open(s.dir, o)
	if err != nil {
		return err
	}
	s.db, s.reader = db, reader{db}
	s.tables = o.MakeWriterOptions(0, db.TableFormat())
	s.bottomTables = o.MakeWriterOptions(len(o.Levels)-1, db.TableFormat())
	return nil
}

func (s *Store) options() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fs,
		Cache:                       s.cache,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       8,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               256 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		FormatMajorVersion:          pebbleFormat,
		// Pebble would end the process. What cannot be read is an error of who reads it.
		EventListener: &pebble.EventListener{DataCorruption: s.noteDamage},
		Logger:        logger{},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 4 << 10
		// The index of most tables is one block: an index of indexes would be one more look-up for each row.
		o.Levels[i].IndexBlockSize = 256 << 10
	}
	// What lies above all others is soon written again.
	o.Levels[0].Compression = func() *sstable.CompressionProfile { return block.NoCompression }
	return o
}

// close closes the folder.
func (s *Store) close() error { return errors.Join(s.outdate(), s.db.Close()) }

// sync makes durable what was committed.
func (s *Store) sync() error { return s.db.LogData(nil, pebble.Sync) }

// GetAll implements projections.Store.
func (s *Store) GetAll(keys [][]byte, found func(i int, value []byte) error) error {
	if len(keys) == 0 {
		return nil
	}
	iter, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for i, key := range keys {
		// A prefix is a whole key, so filters are asked, and a seek goes on from the one before.
		if !iter.SeekPrefixGE(key) {
			continue
		}
		if err := found(i, iter.Value()); err != nil {
			return errors.Join(err, iter.Close())
		}
	}
	return asDamage(errors.Join(iter.Error(), iter.Close()))
}

// Commit implements projections.Store. A condemned store takes none.
func (s *Store) Commit(rows []projections.Row) error {
	if err := s.damaged(); err != nil {
		return err
	}
	// A start first folds what came last, which compactions would only hold up. From then on they run, also where there is
	// no room: they may make some.
	s.compactions.Start()
	if err := s.room(); err != nil {
		return err
	}
	size := 0
	for i := range rows {
		size += len(rows[i].Key) + len(rows[i].Value) + 8
	}
	if size >= ingestBytes {
		return errors.Join(s.ingest(rows), s.outdate())
	}
	batch := s.db.NewBatchWithSize(size + 64)
	defer batch.Close()
	for i := range rows {
		if err := set(batch, &rows[i]); err != nil {
			return err
		}
	}
	return errors.Join(batch.Commit(pebble.NoSync), s.outdate())
}

func set(batch *pebble.Batch, row *projections.Row) error {
	if row.Value == nil {
		return batch.Delete(row.Key, nil)
	}
	return batch.Set(row.Key, row.Value, nil)
}

// room returns ErrPaused where there is too little space, or no telling how much.
func (s *Store) room() error {
	if s.minFree == 0 {
		return nil
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return fmt.Errorf("%w: free space of %s: %w", projections.ErrPaused, s.dir, err)
	}
	if usage.AvailBytes < s.minFree {
		return fmt.Errorf("%w: %d bytes are free in %s, %d are kept",
			projections.ErrPaused, usage.AvailBytes, s.dir, s.minFree)
	}
	return nil
}

// reader implements projections.Reader.
type reader struct{ from pebble.Reader }

// Get implements projections.Reader.
func (r reader) Get(key, dst []byte) ([]byte, bool, error) {
	value, closer, err := r.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, asDamage(err)
	}
	dst = append(dst, value...)
	return dst, true, closer.Close()
}

// Scan implements projections.Reader.
func (r reader) Scan(from, to []byte) iter.Seq2[projections.Row, error] {
	return r.scan(from, to, (*pebble.Iterator).First, (*pebble.Iterator).Next)
}

// ScanBack implements projections.Reader.
func (r reader) ScanBack(from, to []byte) iter.Seq2[projections.Row, error] {
	return r.scan(from, to, (*pebble.Iterator).Last, (*pebble.Iterator).Prev)
}

func (r reader) scan(from, to []byte, first, next func(*pebble.Iterator) bool) iter.Seq2[projections.Row, error] {
	return func(yield func(projections.Row, error) bool) {
		iter, err := r.from.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			yield(projections.Row{}, asDamage(err))
			return
		}
		defer iter.Close()
		for ok := first(iter); ok; ok = next(iter) {
			if !yield(projections.Row{Key: iter.Key(), Value: iter.Value()}, nil) {
				return
			}
		}
		if err := iter.Error(); err != nil {
			yield(projections.Row{}, asDamage(err))
		}
	}
}
