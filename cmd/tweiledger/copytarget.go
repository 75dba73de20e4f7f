package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/domain"
)

// copyTarget is a log that another one is copied into. Nobody else appends to it meanwhile.
type copyTarget interface {
	logReader
	// append appends events at their revisions, in the order given, and returns how many events it took: all of them, or
	// those before the append that its error is about. A revision that does not follow is a *domain.RevisionConflictError.
	append(ctx context.Context, appends []domain.Append) (taken uint64, err error)
}

func openCopyTarget(to string, minFree byteSize) (copyTarget, error) {
	if strings.Contains(to, "://") {
		return nil, &usageError{fmt.Sprintf("--to: %q is no ledger's folder", to),
			"a log is copied into a folder: serve it from there"}
	}
	if err := checkFolder(to, false); err != nil {
		return nil, err
	}
	log, err := pebblelog.Open(logFolder(to), pebblelog.Options{MinFree: uint64(minFree)})
	if err != nil {
		return nil, err
	}
	return folderTarget{folderLog{log}}, nil
}

// folderTarget is an embedded log that is copied into.
type folderTarget struct{ folderLog }

func (f folderTarget) append(ctx context.Context, appends []domain.Append) (taken uint64, err error) {
	before, err := f.log.Size(ctx)
	if err != nil {
		return 0, err
	}
	imported := f.log.Import(ctx, appends)
	after, err := f.log.Size(ctx)
	if err != nil {
		return 0, errors.Join(imported, err)
	}
	return after - before, imported
}
