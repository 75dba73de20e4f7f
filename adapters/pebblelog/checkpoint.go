package pebblelog

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

const (
	// checkpointFolder is beside the events, on their file system, so that tables are linked and not copied.
	checkpointFolder = "checkpoint"
	// checkpointRoom is how many bytes a checkpoint may take beside links: copies of the write-ahead logs.
	checkpointRoom = memTables * eventsMemTable
)

// ErrCheckpointOpen is why no checkpoint is taken: the log has one already, which was not closed.
var ErrCheckpointOpen = errors.New("another backup of the log is under way")

// Checkpoint is a copy of the events, taken while the log goes on. It holds everything that the log had answered before
// the checkpoint was asked for, perhaps some that was on its way meanwhile, and nothing else: a beginning of the log in
// its order, each append whole. The index is not in it; it is made again.
//
// Its tables are links, so that it takes little space at first; those that the log no longer needs are kept by it. It
// is used by one goroutine.
type Checkpoint struct {
	log *Log
	// dir has the folder events in it.
	dir string
	// events is how many events it holds at least.
	events uint64
	files  []backupFile
}

// Checkpoint takes a checkpoint, which must be closed. There is one at a time: ErrCheckpointOpen. Errors wrap
// domain.ErrUnavailable where there is too little space. Appends go on meanwhile.
func (l *Log) Checkpoint() (*Checkpoint, error) {
	if err := l.use(context.Background()); err != nil {
		return nil, err
	}
	defer l.done()
	if !l.checkpointing.TryLock() {
		return nil, ErrCheckpointOpen
	}
	c := &Checkpoint{log: l, dir: l.fs.PathJoin(l.dir, checkpointFolder)}
	if err := c.take(); err != nil {
		return nil, errors.Join(fmt.Errorf("taking a checkpoint of %s: %w", l.dir, err), c.Close())
	}
	return c, nil
}

func (c *Checkpoint) take() error {
	if err := c.room(checkpointRoom); err != nil {
		return err
	}
	// Everything that was answered is synced, so Pebble has it in its files.
	c.events = c.log.durable.n.Load()
	if err := c.log.fs.RemoveAll(c.dir); err != nil {
		return err
	}
	dir := c.log.fs.PathJoin(c.dir, "events")
	if err := c.log.events.Checkpoint(dir); err != nil {
		return err
	}
	if err := cutTornEnd(c.log.fs, dir); err != nil {
		return err
	}
	var err error
	c.files, err = listFiles(c.log.fs, dir)
	return err
}

// room sees that so many bytes may be written, or kept from being freed, without the log having to stop.
func (c *Checkpoint) room(bytes uint64) error {
	usage, err := c.log.fs.GetDiskUsage(c.log.dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: asking for the free space of %s: %w", domain.ErrUnavailable, c.log.dir, err)
	}
	if need := c.log.minFree + bytes; usage.AvailBytes < need {
		return fmt.Errorf("%w: the file system of %s has %d bytes free, and a backup needs %d",
			domain.ErrUnavailable, c.log.dir, usage.AvailBytes, need)
	}
	return nil
}

// cutTornEnd cuts off what of the newest write-ahead log was copied while it was being written: such a copy may have a
// hole, with records behind it that are whole, and would be taken for damaged. What was answered is before the hole.
func cutTornEnd(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	newest := newestLog(names)
	for _, name := range names {
		if number, isLog := logNumber(name); !isLog || number != newest {
			continue
		}
		path := fs.PathJoin(dir, name)
		file, err := readFile(fs, path)
		if err != nil {
			return err
		}
		if end, ok := readable(file, uint32(newest)); !ok {
			return writeFile(fs, path, file[:end])
		}
	}
	return nil
}

// writeFile writes a file and makes its bytes durable. One that is there is written anew.
func writeFile(fs vfs.FS, path string, text []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// listFiles returns the files of a database that a copy of it needs.
func listFiles(fs vfs.FS, dir string) ([]backupFile, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var files []backupFile
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, backupFile{Name: archivedEvents + name, Size: info.Size()})
	}
	return files, nil
}

// Close removes the checkpoint. Where it cannot, the next checkpoint or start does.
func (c *Checkpoint) Close() error {
	defer c.log.checkpointing.Unlock()
	if err := c.log.fs.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("removing the checkpoint in %s: %w", c.dir, err)
	}
	return nil
}

// removeCheckpoint removes a checkpoint that a process left which was killed.
func removeCheckpoint(fs vfs.FS, dir string) error {
	if err := fs.RemoveAll(fs.PathJoin(dir, checkpointFolder)); err != nil {
		return fmt.Errorf("removing what a backup left: %w", err)
	}
	return nil
}
