package pebbleviews

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/internal/compactions"
	"github.com/tweiledger/tweiledger/projections"
)

// removedPrefix begins the name of a generation's folder that is on its way out. Whatever is in it, it is not opened.
const removedPrefix = "removed-"

// Options are the options of Generations. The zero value is good.
type Options struct {
	// MinFree is the free space, in bytes, under which nothing is written: Commit returns projections.ErrPaused. 0 is
	// no bound.
	MinFree uint64
	// FS is the file system; nil for the operating system's.
	FS vfs.FS
}

// Generations keeps stores of views in a folder, each in one of its own under its number. It implements
// projections.Generations, for any number of goroutines.
type Generations struct {
	dir     string
	options Options
	lock    *pebble.Lock
	// cache is shared by all stores, so that two take no more memory than one.
	cache *pebble.Cache
	// discarded says why Open removed stores that could have served.
	discarded string

	mu     sync.Mutex // guards everything below
	last   uint64     // the highest number that was in use
	stores []*Store   // ascending by number
}

var _ projections.Generations = (*Generations)(nil)

// Open opens the folder dir, which is made where it is not there, and each generation in it. What cannot be opened, for
// it is damaged or of a newer format, is thrown away, and Discarded says why. Generations must be closed, after
// everything that was got from them.
func Open(dir string, o Options) (*Generations, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	g := &Generations{dir: dir, options: o}
	if err := g.open(); err != nil {
		return nil, fmt.Errorf("views in %s: %w", dir, err)
	}
	return g, nil
}

func (g *Generations) open() (err error) {
	if err := makeFolder(g.options.FS, g.dir); err != nil {
		return err
	}
	if g.lock, err = pebble.LockDirectory(g.dir, g.options.FS); err != nil {
		return fmt.Errorf("another process may have them open, and each needs a folder of its own: %w", err)
	}
	g.cache = pebble.NewCache(cacheBytes)
	numbers, err := g.sweep()
	for _, number := range numbers {
		if err == nil {
			err = g.openStore(number)
		}
	}
	if err != nil {
		return errors.Join(err, g.Close())
	}
	return nil
}

// sweep removes what is left of removed generations, and of the layout without generations. It returns the numbers of
// the generations that there are.
func (g *Generations) sweep() (numbers []uint64, err error) {
	names, err := g.options.FS.List(g.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		number, ok := generationNumber(name)
		if ok {
			numbers = append(numbers, number)
			continue
		}
		if err := g.sweepOther(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(numbers)
	return numbers, syncFolder(g.options.FS, g.dir)
}

// generationNumber returns the number of the generation whose folder has a name.
func generationNumber(name string) (number uint64, ok bool) {
	number, err := strconv.ParseUint(name, 10, 64)
	return number, err == nil && strconv.FormatUint(number, 10) == name
}

// pebbleFile is what Pebble names its files, beside its lock.
var pebbleFile = regexp.MustCompile(`^(\d+\.(sst|log|blob)|(MANIFEST|OPTIONS)-\d+|CURRENT|marker\..+|` +
	`(CURRENT|temporary)\.\d+\.dbtmp)$`)

// sweepOther removes what is no generation, and is this package's: parts of removed ones, and Pebble's files from
// before there were generations.
func (g *Generations) sweepOther(name string) error {
	path := g.path(name)
	if number, removed := strings.CutPrefix(name, removedPrefix); removed {
		if _, ok := generationNumber(number); ok {
			return g.options.FS.RemoveAll(path)
		}
	}
	if !pebbleFile.MatchString(name) {
		return nil
	}
	g.discarded = "the views are those of a program that did not keep them in generations"
	return g.options.FS.Remove(path)
}

// openStore opens a generation, or removes it where it is replaced or damaged.
func (g *Generations) openStore(number uint64) error {
	g.last = number
	s := g.newStore(number)
	replaced, why, err := s.marked()
	if err != nil {
		return err
	}
	if !replaced && why == "" {
		if err = s.openPebble(); err == nil {
			g.stores = append(g.stores, s)
			return nil
		}
		if !isDamage(err) {
			return err
		}
		why = err.Error()
	}
	if !replaced {
		g.discarded = why
	}
	return g.remove(s)
}

func (g *Generations) newStore(number uint64) *Store {
	return &Store{
		dir: g.path(strconv.FormatUint(number, 10)), number: number, fs: g.options.FS, minFree: g.options.MinFree,
		cache: g.cache, compactions: compactions.New(), condemned: make(chan struct{}),
	}
}

func (g *Generations) path(name string) string { return g.options.FS.PathJoin(g.dir, name) }

// Stores implements projections.Generations.
func (g *Generations) Stores() (stores []projections.Store) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.stores {
		stores = append(stores, s)
	}
	return stores
}

// Create implements projections.Generations.
func (g *Generations) Create() (projections.Store, error) {
	g.mu.Lock()
	g.last++
	s := g.newStore(g.last)
	g.mu.Unlock()
	if err := g.create(s); err != nil {
		return nil, fmt.Errorf("generation %d of the views in %s: %w", s.number, g.dir, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stores = append(g.stores, s)
	return s, nil
}

func (g *Generations) create(s *Store) error {
	if err := makeFolder(g.options.FS, s.dir); err != nil {
		return err
	}
	return s.openPebble()
}

// Promote implements projections.Generations.
func (g *Generations) Promote(store projections.Store) error {
	s := store.(*Store)
	if err := s.sync(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// The newest first: what is left after a crash begins with an old one that is whole, or with s.
	for _, old := range slices.Backward(g.stores) {
		if old.number >= s.number {
			continue
		}
		if err := old.mark(replacedName, ""); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements projections.Generations.
func (g *Generations) Drop(store projections.Store) error {
	s := store.(*Store)
	g.mu.Lock()
	g.stores = slices.DeleteFunc(g.stores, func(other *Store) bool { return other == s })
	g.mu.Unlock()
	_ = s.close() // what a damaged store says then is of no use
	return g.remove(s)
}

// remove removes the folder of a store that is not open. It is renamed first, so that no part of it is ever opened.
func (g *Generations) remove(s *Store) error {
	away := g.path(removedPrefix + strconv.FormatUint(s.number, 10))
	if err := g.options.FS.Rename(s.dir, away); err != nil {
		return err
	}
	if err := syncFolder(g.options.FS, g.dir); err != nil {
		return err
	}
	return g.options.FS.RemoveAll(away)
}

// Discarded implements projections.Generations.
func (g *Generations) Discarded() string { return g.discarded }

// Close closes the folder and all its stores.
func (g *Generations) Close() (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.stores {
		err = errors.Join(err, s.close())
	}
	g.stores = nil
	g.cache.Unref()
	return errors.Join(err, g.lock.Close())
}

// makeFolder makes a folder, durably in the one that holds it.
func makeFolder(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncFolder(fs, fs.PathDir(dir))
}

func syncFolder(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
