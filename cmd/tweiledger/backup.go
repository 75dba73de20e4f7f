package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/pebblelog"
)

// backupCommand copies the log of a serving process.
type backupCommand struct {
	URL string `name:"url" required:"" placeholder:"URL" help:"Address of the serving process."`
	credentials
	Dir string `arg:"" help:"Folder for the backup, which must not be there or be empty."`
}

// Help is the command's help beyond its flags.
func (*backupCommand) Help() string {
	return `Makes a ledger's folder with a consistent copy of the embedded log that a process serves, while it goes on:
everything that was answered before the backup began is in it, and each file is compared with its hash. The process and
the command may be on different machines. The views are not copied: they are made again from the log.

While it runs, what is there is in DIR.partial; DIR is there once the backup is whole, checked and durable. A backup is
restored by serving it, or a copy of it: it is a folder like any other.

Examples:

    tweiledger backup --url http://127.0.0.1:8080 backups/2026-01-29
    tweiledger verify --data backups/2026-01-29
`
}

// Run runs the command.
func (cmd *backupCommand) Run(ctx context.Context, c console) (err error) {
	if err := checkVacant(cmd.Dir); err != nil {
		return err
	}
	from, err := cmd.client(cmd.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	partial, err := claimPartial(cmd.Dir)
	if err != nil {
		return err
	}
	events, err := from.backUp(ctx, c, logFolder(partial.dir))
	if err == nil {
		err = partial.finish(cmd.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("there is no backup: %w", err), partial.remove())
	}
	if err := partial.settle(cmd.Dir); err != nil {
		return fmt.Errorf("%s holds a whole backup of %d events, but a power cut may undo its name: %w", cmd.Dir, events, err)
	}
	fmt.Fprintf(c.out, "%s holds %d events: all that were answered before the backup began.\n", cmd.Dir, events)
	return nil
}

// checkVacant sees that nothing is in the place of a folder that is to be made.
func checkVacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return &usageError{fmt.Sprintf("%s is no folder: %v", dir, err), "name a folder that is not there yet"}
	}
	return &usageError{fmt.Sprintf("%s is not empty", dir), "name a folder that is not there yet"}
}

// backUp restores a backup of the server's log in a folder.
func (c *client) backUp(ctx context.Context, notes console, dir string) (events uint64, err error) {
	response, err := c.do(ctx, http.MethodPost, "/v1/backups", nil, jsonType, strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	bar := newBar(notes.notes, "backing up", "bytes", response.ContentLength)
	defer bar.end()
	return pebblelog.Restore(dir, io.TeeReader(response.Body, bar), pebblelog.Options{})
}

// partialFolder is where a folder is made that gets its name when it is whole. Its lock is held meanwhile.
type partialFolder struct {
	dir  string
	lock io.Closer
}

const partialSuffix = ".partial"

// claimPartial makes the folder beside dir. What a killed process left in it is removed.
func claimPartial(dir string) (*partialFolder, error) {
	p := &partialFolder{dir: filepath.Clean(dir) + partialSuffix}
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != "LOCK" && e.Name() != "log" {
			return nil, &usageError{fmt.Sprintf("%s holds %s, so it is no unfinished backup", p.dir, e.Name()),
				"name another folder, or move it away"}
		}
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return nil, err
	}
	if p.lock, err = vfs.Default.Lock(p.lockPath()); err != nil {
		return nil, fmt.Errorf("another process is making %s: %w", dir, err)
	}
	if err := os.RemoveAll(logFolder(p.dir)); err != nil {
		return nil, errors.Join(err, p.lock.Close())
	}
	return p, nil
}

func (p *partialFolder) lockPath() string { return filepath.Join(p.dir, "LOCK") }

// finish gives the folder its name. Then settle makes that durable.
func (p *partialFolder) finish(dir string) error {
	if err := errors.Join(os.Remove(p.lockPath()), syncFolder(p.dir)); err != nil {
		return err
	}
	// It may be there and empty.
	if err := os.Remove(dir); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return os.Rename(p.dir, dir)
}

// settle makes the name that finish gave durable.
func (p *partialFolder) settle(dir string) error {
	return errors.Join(syncFolder(filepath.Dir(filepath.Clean(dir))), p.lock.Close())
}

// remove removes what is there of the folder.
func (p *partialFolder) remove() error { return errors.Join(os.RemoveAll(p.dir), p.lock.Close()) }

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// backup takes a backup of the service's log for the API.
func (s *service) backup() (httpapi.Backup, error) {
	checkpoint, err := s.embedded.Checkpoint()
	if err != nil {
		return nil, err
	}
	return checkpoint, nil
}
