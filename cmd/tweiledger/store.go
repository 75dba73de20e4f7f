package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/domain"
)

// storeFlags say that an EventStoreDB keeps the log.
type storeFlags struct {
	Log       string `placeholder:"URL" help:"Address of an EventStoreDB or KurrentDB that keeps the log, like esdb://host:2113; the folder then holds the views alone. An address with a password is better set by the variable: others on this machine can see what is given here."`
	LogPrefix string `placeholder:"TEXT" default:"${log_prefix}" help:"What the names of the log's streams begin with in the store (${default} by default)."`
}

// isStore reports whether a store keeps the log.
func (f *storeFlags) isStore() bool { return f.Log != "" }

// check sees that the flags can be used.
func (f *storeFlags) check() error {
	if !f.isStore() {
		if f.LogPrefix != "" && f.LogPrefix != eventstore.DefaultPrefix {
			return &usageError{"--log-prefix is for a log in a store", "give --log too"}
		}
		return nil
	}
	_, err := parseStore("--log", f.Log, f.LogPrefix)
	return err
}

// parseStore reads the address and the prefix of a log in a store.
func parseStore(flag, address, prefix string) (*eventstore.Address, error) {
	parsed, err := eventstore.ParseAddress(address)
	if err == nil && prefix != "" {
		err = eventstore.ValidPrefix(prefix)
	}
	if err != nil {
		return nil, &usageError{fmt.Sprintf("%s: %v", flag, err),
			"give an address like esdb://host:2113?tls=false, or esdb+discover://host:2113"}
	}
	return parsed, nil
}

// openStore opens the log in a store.
func openStore(flag, address string, o eventstore.Options) (*eventstore.Log, error) {
	parsed, err := parseStore(flag, address, o.Prefix)
	if err != nil {
		return nil, err
	}
	return eventstore.Open(parsed, o)
}

// home is where a ledger is kept: a folder with the log and the views, or with the views of a log in a store.
type home struct {
	dir string
	storeFlags
}

// ledgerLog is a log that a service works on.
type ledgerLog interface {
	domain.EventLog
	// Writable says why the log takes no appends now, nil if it does.
	Writable() error
	Close() error
}

// openLog opens the log. It is made where it is not there.
func (h home) openLog(minFree byteSize) (ledgerLog, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	if !h.isStore() {
		if err := checkFolder(h.dir, false); err != nil {
			return nil, err
		}
		return pebblelog.Open(logFolder(h.dir), pebblelog.Options{MinFree: uint64(minFree)})
	}
	if err := h.claimForStore(); err != nil {
		return nil, err
	}
	return openStore("--log", h.Log, eventstore.Options{Prefix: h.LogPrefix})
}

// storeMark is a file in a folder that holds views of a log in a store: so a service that is started without --log, or
// with another prefix, by mistake does not begin a second ledger.
const storeMark = "STORE"

// claimForStore marks the folder, which must not hold a log of its own.
func (h home) claimForStore() error {
	_, err := os.Stat(logFolder(h.dir))
	if err == nil {
		return &usageError{fmt.Sprintf("%s holds a log of its own", h.dir),
			"give the views of the log in the store another folder with --data; " +
				"tweiledger copy brings a folder's log into a store"}
	}
	if !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	mark := h.mark()
	switch text, err := os.ReadFile(filepath.Join(h.dir, storeMark)); {
	case err == nil && string(text) != mark:
		return &usageError{fmt.Sprintf("%s holds the views of another log: its file %s says %q", h.dir, storeMark, text),
			"give that --log-prefix, or another folder with --data"}
	case err == nil:
		return nil
	case !errors.Is(err, iofs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(h.dir, 0o777); err != nil {
		return err
	}
	// Whole or not there: a mark that says nothing would keep every later start out.
	return writeWhole(filepath.Join(h.dir, storeMark), mark)
}

// mark is what the folder's mark says: the prefix, as the address may change.
func (h home) mark() string {
	return "log in a store, --log-prefix " + cmp.Or(h.LogPrefix, eventstore.DefaultPrefix) + "\n"
}

func refuseViewsOfStore(dir string) error {
	switch _, err := os.Stat(filepath.Join(dir, storeMark)); {
	case errors.Is(err, iofs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return &usageError{fmt.Sprintf("%s holds the views of a log in a store", dir),
		"give --log, or another folder with --data"}
}

// storeLog is a log in a store that is read, or copied into.
type storeLog struct{ *eventstore.Log }

func (s storeLog) close() error { return s.Close() }

// lines counts the events, as a store does not.
func (s storeLog) lines(ctx context.Context, from uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		index := uint64(0)
		for events, err := range s.Read(ctx, domain.Position{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range events {
				if index++; index > from && !yield(events[i].Canonical, nil) {
					return
				}
			}
		}
	}
}

func (s storeLog) append(ctx context.Context, appends []domain.Append) (taken uint64, err error) {
	taken, err = s.Import(ctx, appends)
	if errors.Is(err, domain.ErrUnavailable) {
		// It was tried before the last time, and what became of that is not known.
		err = fmt.Errorf("%w: %w", domain.ErrOutcomeUnknown, err)
	}
	return taken, err
}
