package pebbleviews

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/projections"
)

// condemnedName is the file that says that the folder is to be emptied, and why: it is there before the first file is
// removed, and goes last.
const condemnedName = "CONDEMNED"

// lockName is Pebble's lock, which is held meanwhile.
const lockName = "LOCK"

// isDamage reports whether Pebble failed to open what is in the folder, and not for want of files, rights or a disk that
// answers.
func isDamage(err error) bool {
	var errno syscall.Errno
	return err != nil && (errors.Is(err, fs.ErrNotExist) || !errors.As(err, &errno))
}

// damaged makes Pebble's error about damage one of projections'.
func damaged(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", projections.ErrDamaged, err)
	}
	return err
}

// noteDamage is called by Pebble, from any goroutine, for what it could not read.
func (s *Store) noteDamage(info pebble.DataCorruptionInfo) {
	if err := s.Condemn(info.String()); err != nil {
		slog.Error("views_storage", "error", fmt.Sprintf("the views are damaged, which could not be noted: %v", err))
	}
}

// Condemn implements projections.Store.
func (s *Store) Condemn(why string) error {
	if !s.damage.CompareAndSwap(nil, &why) {
		return nil
	}
	slog.Error("views_storage", "error", "the views are damaged, and rebuilt at the next start: "+why)
	return s.writeCondemned(why)
}

// Discarded implements projections.Store.
func (s *Store) Discarded() string { return s.discarded }

// condemned returns why the folder is to be emptied, "" where it is not.
func (s *Store) condemned() (why string, err error) {
	f, err := s.fs.Open(s.fs.PathJoin(s.dir, condemnedName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(f)
	// A crash may have kept the name alone.
	return "the views are damaged: " + string(text), errors.Join(err, f.Close())
}

func (s *Store) writeCondemned(why string) error {
	f, err := s.fs.Create(s.fs.PathJoin(s.dir, condemnedName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, why)
	return errors.Join(err, f.Sync(), f.Close(), s.syncFolder())
}

// discard empties the folder, so that a crash leaves all of it, or a folder that is emptied by the next Open. Nothing of
// it is open but the lock.
func (s *Store) discard(why string) error {
	if err := s.writeCondemned(why); err != nil {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == condemnedName || name == lockName {
			continue
		}
		if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, name)); err != nil {
			return err
		}
	}
	if err := s.syncFolder(); err != nil {
		return err
	}
	if err := s.fs.Remove(s.fs.PathJoin(s.dir, condemnedName)); err != nil {
		return err
	}
	s.damage.Store(nil)
	return s.syncFolder()
}

func (s *Store) syncFolder() error {
	f, err := s.fs.OpenDir(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
