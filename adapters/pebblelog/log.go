package pebblelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

// ErrInUse is why a folder cannot be opened that another process, or another Log of this one, has open.
var ErrInUse = errors.New("another process has the folder open")

// Options are the options of a log.
type Options struct {
	// FS is the file system, the operating system's if nil.
	FS vfs.FS
	// MinFree is how many bytes of the file system must be free for an append to be taken; 0 sets no limit.
	MinFree uint64

	// Tests set these, to see with few events what takes many.
	generation, filterBlocks uint64
}

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.generation == 0 {
		o.generation = generationEvents
	}
	if o.filterBlocks == 0 {
		o.filterBlocks = filterBlocks
	}
}

// Log is an event log in a folder. Its positions count from 0 without gaps.
type Log struct {
	dir     string
	minFree uint64
	fs      vfs.FS
	logger  *pebbleLogger
	lock    io.Closer
	events  *pebble.DB
	index   *index

	// durable is how many events are durable: what readers see.
	durable watermark

	// using is held for reading while a call uses the databases, so that they are not closed under it.
	using sync.RWMutex

	closing   chan struct{} // closed when Close begins
	closed    atomic.Bool   // set just before
	committed chan struct{} // closed when committer and syncer have ended
	unsynced  chan *group   // groups in the database that wait for their sync, in order
	mu        sync.Mutex    // guards queue and stopping
	waiting   sync.Cond     // on mu: queue or stopping changed
	queue     []*call
	stopping  bool

	// checkpointing is held while a Checkpoint is open, importing during Import.
	checkpointing, importing sync.Mutex

	// The committer's own: the index of the next event, and room for its key and value.
	next  uint64
	key   [eventKeyLen]byte
	value []byte
}

var (
	_ domain.EventLog      = (*Log)(nil)
	_ domain.MessageFinder = (*Log)(nil)
)

// Open opens the log in a folder, which is made if it is not there. It returns once everything is checked (package
// documentation) and the index has caught up, and fails with ErrInUse, with an error that wraps domain.ErrCorrupt or
// domain.ErrUnsupported, or with what the file system said.
func Open(dir string, o Options) (*Log, error) {
	o.setDefaults()
	dir, lock, err := lockFolder(o.FS, dir)
	if err != nil {
		return nil, err
	}
	l, err := (*Log)(nil), errors.Join(removeCheckpoint(o.FS, dir), roomToOpen(o.FS, dir))
	if err == nil {
		l, err = open(dir, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the log in %s: %w", dir, err), lock.Close())
	}
	l.lock = lock
	return l, nil
}

// openRoom is how many bytes must be free for a log to be opened: its memtables are written down then, and the index is
// brought up to it. Pebble tries again for ever where that finds no room.
const openRoom = memTables * (eventsMemTable + indexMemTable)

func roomToOpen(fs vfs.FS, dir string) error {
	usage, err := fs.GetDiskUsage(dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	if usage.AvailBytes < openRoom {
		return fmt.Errorf("%w: the file system has %d bytes free, and opening the log may need %d", domain.ErrUnavailable,
			usage.AvailBytes, openRoom)
	}
	return nil
}

func open(dir string, o Options) (*Log, error) {
	logger := newPebbleLogger()
	logger.quiet.Store(true)
	defer logger.quiet.Store(false)
	events, size, err := openEvents(o.FS, o.FS.PathJoin(dir, "events"), logger)
	if err != nil {
		return nil, err
	}
	l := &Log{
		dir: dir, minFree: o.MinFree, fs: o.FS, logger: logger, events: events, next: size,
		closing: make(chan struct{}), committed: make(chan struct{}), unsynced: make(chan *group),
	}
	l.waiting.L = &l.mu
	l.durable.set(size)
	if l.index, err = openIndex(o, o.FS.PathJoin(dir, "index"), events, &l.durable, logger); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	go l.commit()
	go l.sync()
	return l, nil
}

// Close answers what was accepted, ends every read with ErrClosed and releases the folder. It waits for calls of Append
// and for batches that are being read, not for who reads them.
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return domain.ErrClosed
	}
	close(l.closing)
	l.mu.Lock()
	l.stopping = true
	l.waiting.Signal()
	l.mu.Unlock()
	<-l.committed
	l.using.Lock()
	defer l.using.Unlock()
	// Where there is no room the index is left as it is: a start catches up.
	return errors.Join(l.index.close(l.space() == nil), l.events.Close(), l.lock.Close())
}

// use holds the databases open until done is called, unless it returns an error.
func (l *Log) use(ctx context.Context) error {
	l.using.RLock()
	err := l.over(ctx)
	if err != nil {
		l.done()
	}
	return err
}

func (l *Log) done() { l.using.RUnlock() }

// over returns why a call must not go on: the log is closed, or the context has ended.
func (l *Log) over(ctx context.Context) error {
	if l.closed.Load() {
		return domain.ErrClosed
	}
	return ctx.Err()
}

// Writable returns why appends are refused now, or nil.
func (l *Log) Writable() error {
	if l.closed.Load() {
		return domain.ErrClosed
	}
	if err := l.space(); err != nil {
		return err
	}
	return l.index.writable()
}

func (l *Log) space() error {
	if l.minFree == 0 {
		return nil
	}
	usage, err := l.fs.GetDiskUsage(l.dir)
	if err != nil {
		return fmt.Errorf("%w: asking for the free space of %s: %w", domain.ErrUnavailable, l.dir, err)
	}
	if usage.AvailBytes < l.minFree {
		return fmt.Errorf("%w: the file system of %s has %d bytes free, fewer than the %d that must stay free",
			domain.ErrUnavailable, l.dir, usage.AvailBytes, l.minFree)
	}
	return nil
}

// Head implements domain.EventLog.
func (l *Log) Head(ctx context.Context) (domain.Position, error) {
	n, err := l.Size(ctx)
	if err != nil || n == 0 {
		return domain.Position{}, err
	}
	return positionOf(n - 1), nil
}

// Size returns how many events are durable.
func (l *Log) Size(ctx context.Context) (uint64, error) {
	if err := l.use(ctx); err != nil {
		return 0, err
	}
	defer l.done()
	return l.durable.n.Load(), nil
}

func positionOf(index uint64) domain.Position { return domain.NewPosition(index, index) }
