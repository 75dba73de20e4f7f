package pebblelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/internal/compactions"
	"github.com/tweiledger/tweiledger/domain"
)

// formatVersion is the version of the folder's format that this program writes, and the newest that it reads.
const formatVersion = 1

// lockFolder makes the folder if it is not there, locks it, and returns the path by which it is locked.
func lockFolder(fs vfs.FS, dir string) (path string, lock io.Closer, err error) {
	if err := makeFolder(fs, dir); err != nil {
		return "", nil, fmt.Errorf("making the log's folder: %w", err)
	}
	if fs == vfs.Default {
		// Within one process locks go by the path, so it must be one path however the folder is called.
		if dir, err = filepath.Abs(dir); err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			return "", nil, fmt.Errorf("finding the log's folder: %w", err)
		}
	}
	lock, err = fs.Lock(fs.PathJoin(dir, "LOCK"))
	if path := (*iofs.PathError)(nil); errors.As(err, &path) {
		return "", nil, fmt.Errorf("locking the log's folder: %w", err)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: %s (%w); with --url a command works through that process", ErrInUse, dir, err)
	}
	return dir, lock, nil
}

// makeFolder makes a folder and the one for the events in it, with all parents that are not there, and has them outlast
// a crash: files in a folder are lost with its name.
func makeFolder(fs vfs.FS, dir string) error {
	events := fs.PathJoin(dir, "events")
	// Also where the folders are there already: who made them may have been killed before it came to the sync.
	unsynced := []string{dir, fs.PathDir(dir)}
	for parent := unsynced[1]; ; parent = unsynced[len(unsynced)-1] {
		above := fs.PathDir(parent)
		if _, err := fs.Stat(parent); err == nil || above == parent {
			break
		}
		unsynced = append(unsynced, above)
	}
	if err := fs.MkdirAll(events, 0o777); err != nil {
		return err
	}
	for _, path := range unsynced {
		if err := syncFolder(fs, path); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(fs vfs.FS, path string) error {
	f, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// openEvents opens and checks the events and returns how many there are.
func openEvents(fs vfs.FS, dir string, logger *pebbleLogger) (db *pebble.DB, size uint64, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, 0, err
	}
	if err := checkPebbleFormat(names); err != nil {
		return nil, 0, err
	}
	newest := newestLog(names)
	if err := checkFiles(fs, dir, names, func(number uint64) bool { return number == newest }); err != nil {
		return nil, 0, err
	}
	keep := &keeper{FS: fs}
	scheduler := compactions.New()
	o := EventOptions(keep)
	o.Logger = logger
	o.Experimental.CompactionScheduler = scheduler
	if db, err = pebble.Open(dir, o); err != nil {
		// Where Pebble could not read one of the older logs, this tells the place.
		return nil, 0, errors.Join(damaged(err), checkFiles(fs, dir, names, func(uint64) bool { return true }))
	}
	if size, err = check(db, fs, dir, names); err == nil {
		err = keep.pass()
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	scheduler.Start()
	return db, size, nil
}

// check checks all that is in the events' folder, whose files were names before Pebble opened it.
func check(db *pebble.DB, fs vfs.FS, dir string, names []string) (size uint64, err error) {
	tables, err := checkTables(db, fs, dir)
	if err != nil {
		return 0, err
	}
	if err := checkFormat(db); err != nil {
		return 0, err
	}
	if size, err = checkEvents(db, tables); err != nil {
		return 0, err
	}
	if err := checkLost(fs, dir, names, tables, size); err != nil {
		return 0, err
	}
	if size > 0 {
		_, done, err := readRecord(db, size-1)
		if err != nil {
			return 0, err
		}
		done()
	}
	return size, nil
}

// checkFormat refuses a folder of a newer format, and marks a new one.
func checkFormat(db *pebble.DB) error {
	value, closer, err := db.Get(formatKey)
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return damaged(err)
	}
	if err == nil {
		defer closer.Close()
		if v, n := binary.Uvarint(value); n <= 0 || v != formatVersion {
			return fmt.Errorf("%w: the log has format %d, this program reads format %d",
				domain.ErrUnsupported, v, formatVersion)
		}
		return nil
	}
	it, err := db.NewIter(nil)
	if err != nil {
		return damaged(err)
	}
	defer it.Close()
	if it.First() {
		return fmt.Errorf("%w: there are events, and no format that they have", domain.ErrCorrupt)
	}
	return errors.Join(damaged(it.Error()), db.Set(formatKey, binary.AppendUvarint(nil, formatVersion), pebble.Sync))
}

// openIndex opens the index and catches it up with the events. One that is damaged, or not of these events, is deleted
// and made again.
func openIndex(o Options, dir string, events *pebble.DB, durable *watermark, logger *pebbleLogger) (*index, error) {
	size := durable.n.Load()
	db, end, err := openIndexDB(o.FS, dir, events, size, logger)
	if err != nil {
		logger.to.Warn("index_rebuilt", slog.String("path", dir), slog.Any("reason", err))
		if err := o.FS.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("deleting the index: %w", err)
		}
		if db, end, err = openIndexDB(o.FS, dir, events, size, logger); err != nil {
			return nil, fmt.Errorf("making the index: %w", err)
		}
	}
	x := newIndex(o, db, events, durable, end)
	if err := x.catchUp(end, size); err != nil {
		return nil, errors.Join(err, x.close(false))
	}
	return x, nil
}

// openIndexDB opens the index's database and returns how many events are in it.
func openIndexDB(
	fs vfs.FS, dir string, events *pebble.DB, size uint64, logger *pebbleLogger,
) (db *pebble.DB, end uint64, err error) {
	scheduler := compactions.New()
	o := indexOptions(fs)
	o.Logger = logger
	o.Experimental.CompactionScheduler = scheduler
	if db, err = pebble.Open(dir, o); err != nil {
		return nil, 0, err
	}
	if _, err = checkTables(db, fs, dir); err == nil {
		end, err = checkMark(db, events, size)
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	scheduler.Start()
	return db, end, nil
}

// checkMark returns how many events are in the index, which must be these.
func checkMark(db, events *pebble.DB, size uint64) (end uint64, err error) {
	mark, closer, err := db.Get(markKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if end = binary.BigEndian.Uint64(mark); end == 0 || end > size {
		return 0, fmt.Errorf("the index goes to event %d, and there are %d events: an older copy of them, it seems",
			end, size)
	}
	want, err := markOf(events, end)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(mark, want) {
		return 0, fmt.Errorf("the index is of another log, which has another event %d", end-1)
	}
	return end, nil
}

// catchUp indexes the events from one index on, to before another.
func (x *index) catchUp(from, to uint64) error {
	var failed error
	err := scan(x.events, from, to, func(at uint64, r record) bool {
		stream := streamKey(domain.Stream(r.stream))
		x.add(at, stream, r.revision, messageKey(domain.Message{Source: string(r.source), ID: string(r.id)}), r.first)
		failed = x.room()
		return failed == nil
	})
	return errors.Join(failed, err)
}
