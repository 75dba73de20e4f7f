package pebbleviews

import (
	"context"
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

// The marks of a folder that is to be removed when it is opened next: it is damaged, which the file says why, or
// another generation serves in its place. They are in the folder before anything of it is removed.
const (
	condemnedName = "CONDEMNED"
	replacedName  = "REPLACED"
)

// isDamage reports whether Pebble failed to open what is in the folder, and not for want of files, rights or a disk
// that answers.
func isDamage(err error) bool {
	var errno syscall.Errno
	return err != nil && (errors.Is(err, fs.ErrNotExist) || !errors.As(err, &errno))
}

// asDamage makes Pebble's error about damage one of projections'.
func asDamage(err error) error {
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
	slog.Error("views_storage", "error", "the views are damaged: "+why)
	defer close(s.condemned)
	return s.mark(condemnedName, why)
}

// Damaged implements projections.Store.
func (s *Store) Damaged(ctx context.Context) error {
	select {
	case <-s.condemned:
		return s.damaged()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// damaged returns an ErrDamaged where the store is condemned.
func (s *Store) damaged() error {
	if why := s.damage.Load(); why != nil {
		return fmt.Errorf("%w: %s", projections.ErrDamaged, *why)
	}
	return nil
}

// mark marks the folder durably.
func (s *Store) mark(name, why string) error {
	f, err := s.fs.Create(s.fs.PathJoin(s.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, why)
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(s.fs, s.dir))
}

// marked returns whether the folder is to be removed for another generation, and why it is for damage, "" where it is
// not.
func (s *Store) marked() (replaced bool, why string, err error) {
	_, err = s.fs.Stat(s.fs.PathJoin(s.dir, replacedName))
	if !errors.Is(err, fs.ErrNotExist) {
		return err == nil, "", err
	}
	f, err := s.fs.Open(s.fs.PathJoin(s.dir, condemnedName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	text, err := io.ReadAll(f)
	// A crash may have kept the name alone.
	return false, "the views are damaged: " + string(text), errors.Join(err, f.Close())
}
