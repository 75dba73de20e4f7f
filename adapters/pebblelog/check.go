package pebblelog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

// keeper is a file system that removes no table, log or manifest until the start's checks have passed: where a damaged
// manifest has lost a table, the table must still be there for the check that notices it, and for who repairs the log.
// It also keeps manifests from being lost in a crash.
type keeper struct {
	vfs.FS
	mu      sync.Mutex // guards both
	passed  bool
	waiting []string
}

// Create implements vfs.FS. Before a marker is made, which names the manifest to go by, the folder is synced: Pebble
// syncs it only after that, and a crash in between may leave a marker whose manifest is not in the folder.
func (k *keeper) Create(path string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(k.PathBase(path), "marker.") {
		if err := syncFolder(k.FS, k.PathDir(path)); err != nil {
			return nil, err
		}
	}
	return k.FS.Create(path, category)
}

// Remove implements vfs.FS.
func (k *keeper) Remove(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.PathBase(path)
	kept := strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") || strings.HasPrefix(name, "MANIFEST-")
	if k.passed || !kept {
		return k.FS.Remove(path)
	}
	k.waiting = append(k.waiting, path)
	return nil
}

// pass removes what waited, and everything from then on.
func (k *keeper) pass() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.passed = true
	var err error
	for _, path := range k.waiting {
		err = errors.Join(err, k.FS.Remove(path))
	}
	k.waiting = nil
	return err
}

// checkPebbleFormat refuses a database in a format of Pebble that this program does not know. Pebble would refuse it
// too, but not with an error that can be told from others.
func checkPebbleFormat(names []string) error {
	for _, name := range names {
		// marker.format-version.<iteration>.<version>
		rest, ok := strings.CutPrefix(name, "marker.format-version.")
		if !ok {
			continue
		}
		_, version, _ := strings.Cut(rest, ".")
		if v, err := strconv.ParseUint(version, 10, 64); err == nil && v > uint64(pebbleFormat) {
			return fmt.Errorf("%w: the storage has format %d, this program reads up to %d",
				domain.ErrUnsupported, v, pebbleFormat)
		}
	}
	return nil
}

// table is a table of a database whose bytes were checked.
type table struct {
	name string
	// smallest and largest are its first and its last key, keys is how many it has.
	smallest, largest []byte
	keys              uint64
}

// checkTables reads every table of a database to its last byte and compares all checksums. It decompresses nothing. The
// tables come in the order of their first keys.
func checkTables(db *pebble.DB, fs vfs.FS, dir string) ([]table, error) {
	levels, err := db.SSTables()
	if err != nil {
		return nil, damaged(err)
	}
	infos := slices.Concat(levels...)
	tables := make([]table, len(infos))
	errs := make([]error, len(infos))
	var next atomic.Int64
	var checking sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(infos)) {
		checking.Go(func() {
			buffer := make([]byte, 1<<20)
			for i := next.Add(1) - 1; i < int64(len(infos)); i = next.Add(1) - 1 {
				name := infos[i].BackingSSTNum.String() + ".sst"
				keys, err := checkTable(fs, fs.PathJoin(dir, name), buffer)
				if err != nil {
					errs[i] = fmt.Errorf("%w: table %s: %w", domain.ErrCorrupt, name, err)
				}
				tables[i] = table{name, infos[i].Smallest.UserKey, infos[i].Largest.UserKey, keys}
			}
		})
	}
	checking.Wait()
	slices.SortFunc(tables, func(a, b table) int { return bytes.Compare(a.smallest, b.smallest) })
	return tables, errors.Join(errs...)
}

// checkTable compares the checksums of all blocks of a table and returns how many keys it has.
func checkTable(fs vfs.FS, path string, buffer []byte) (keys uint64, err error) {
	f, r, err := openTable(fs, path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	properties, err := r.ReadPropertiesBlock(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	blocks, err := blocksOf(r)
	if err != nil {
		return 0, err
	}
	checksum := r.BlockReader().ChecksumType()
	var start, end uint64 // what of the file is in buffer
	for _, b := range blocks {
		length := b.Length + block.TrailerLen
		if b.Offset < start || b.Offset+length > end {
			start, end = b.Offset, min(b.Offset+max(length, uint64(len(buffer))), uint64(f.Size()))
			if end < b.Offset+length {
				return 0, fmt.Errorf("the block at offset %d ends behind the file", b.Offset)
			}
			if end-start > uint64(len(buffer)) {
				buffer = make([]byte, end-start)
			}
			if err := f.ReadAt(context.Background(), buffer[:end-start], int64(start)); err != nil {
				return 0, fmt.Errorf("the block at offset %d: %w", b.Offset, err)
			}
		}
		if err := block.ValidateChecksum(checksum, buffer[b.Offset-start:b.Offset-start+length], b); err != nil {
			return 0, fmt.Errorf("the block at offset %d: %w", b.Offset, err)
		}
	}
	return properties.NumEntries, nil
}

func openTable(fs vfs.FS, path string) (objstorage.Readable, *sstable.Reader, error) {
	file, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return nil, nil, err
	}
	f, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	o := EventOptions(fs)
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), f, o.MakeReaderOptions())
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, r, nil
}

// blocksOf returns all blocks of a table by their place in it.
func blocksOf(r *sstable.Reader) ([]block.Handle, error) {
	l, err := r.Layout()
	if err != nil {
		return nil, err
	}
	all := []block.Handle{
		l.TopIndex, l.RangeDel, l.RangeKey, l.ValueIndex, l.Properties, l.MetaIndex, l.BlobReferenceIndex,
	}
	for _, b := range l.Data {
		all = append(all, b.Handle)
	}
	for _, b := range l.Filter {
		all = append(all, b.Handle)
	}
	all = append(append(all, l.Index...), l.ValueBlock...)
	all = slices.DeleteFunc(all, func(b block.Handle) bool { return b.Length == 0 })
	slices.SortFunc(all, func(a, b block.Handle) int { return cmp.Compare(a.Offset, b.Offset) })
	return slices.Compact(all), nil
}

// checkEvents returns how many events there are. There is none missing between the first and the last: each table holds
// as many as lie between its ends, the next table goes on where it ended, and what is in no table yet is counted.
func checkEvents(db *pebble.DB, tables []table) (size uint64, err error) {
	for _, t := range tables {
		if bytes.Equal(t.smallest, formatKey) {
			t.keys--
			if t.smallest = t.largest; t.keys == 0 {
				continue
			}
			t.smallest = slices.Clone(firstEventKey)
		}
		first, ok1 := parseEventKey(t.smallest)
		last, ok2 := parseEventKey(t.largest)
		if !ok1 || !ok2 || first != size || t.keys != last-first+1 {
			return 0, fmt.Errorf("%w: table %s has %d events from key %q to key %q, and should go on with event %d",
				domain.ErrCorrupt, t.name, t.keys, t.smallest, t.largest, size)
		}
		size = last + 1
	}
	it, err := db.NewIter(nil)
	if err != nil {
		return 0, damaged(err)
	}
	defer it.Close()
	k := eventKey(size)
	for ok := it.SeekGE(k[:]); ok; ok = it.Next() {
		if at, ok := parseEventKey(it.Key()); !ok || at != size {
			return 0, fmt.Errorf("%w: key %q follows on event %d, event %d is missing",
				domain.ErrCorrupt, it.Key(), size-1, size)
		}
		size++
	}
	return size, damaged(it.Error())
}

// checkLost refuses a log that ends before an event that is in a table which no manifest knows: a flush writes a table
// of events that are durable already, so only damage to a manifest loses them.
func checkLost(fs vfs.FS, dir string, names []string, tables []table, size uint64) error {
	for _, name := range names {
		known := slices.ContainsFunc(tables, func(t table) bool { return t.name == name })
		if known || !strings.HasSuffix(name, ".sst") {
			continue
		}
		last, ok := lastEvent(fs, fs.PathJoin(dir, name))
		if ok && last >= size {
			return fmt.Errorf("%w: the log ends before event %d, and table %s, which no manifest names, has event %d",
				domain.ErrCorrupt, size, name, last)
		}
	}
	return nil
}

// lastEvent returns the last event of a table that a crash may have left half written.
func lastEvent(fs vfs.FS, path string) (index uint64, ok bool) {
	_, r, err := openTable(fs, path)
	if err != nil {
		return 0, false
	}
	defer r.Close()
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return 0, false
	}
	defer it.Close()
	kv := it.Last()
	if kv == nil {
		return 0, false
	}
	return parseEventKey(kv.K.UserKey)
}
