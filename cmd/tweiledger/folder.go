package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
)

// A ledger's folder holds the log and, beside it, the views, which may be removed.
func logFolder(dir string) string   { return filepath.Join(dir, "log") }
func viewsFolder(dir string) string { return filepath.Join(dir, "views") }

// checkFolder sees that dir holds a ledger, and where it need not exist yet, that nothing else is in its place: so a
// mistaken path neither makes a folder nor puts a log among somebody's files.
func checkFolder(dir string, mustExist bool) error {
	if err := refuseViewsOfStore(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(logFolder(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(dir, mustExist)
	case err != nil:
		return fmt.Errorf("looking for a ledger: %w", err)
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "events" }) {
		return nil
	}
	// A process that was killed while it made the folder may have left these alone.
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != "LOCK" && e.Name() != "index" }) {
		return notALedger(dir)
	}
	return missing(dir, mustExist)
}

func missing(dir string, mustExist bool) error {
	if !mustExist {
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Sprintf("there is no folder %s", dir),
			"name the ledger's folder with --data DIR, or a serving process with --url URL"}
	}
	return notALedger(dir)
}

func notALedger(dir string) error {
	return &usageError{fmt.Sprintf("%s is no ledger's folder", dir),
		"name the folder that serve, demo or import was given with --data"}
}

// openLog opens the log of a folder that must hold one.
func openLog(dir string) (*pebblelog.Log, error) {
	if err := checkFolder(dir, true); err != nil {
		return nil, err
	}
	return pebblelog.Open(logFolder(dir), pebblelog.Options{})
}
