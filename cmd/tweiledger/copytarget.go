package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/domain"
)

// copyTarget is a log that another one is copied into. Nobody else appends to it meanwhile.
type copyTarget interface {
	logReader
	// append appends events at their revisions, in the order given, and returns how many events it took: all of them, or
	// those before the append that its error is about. Where that is domain.ErrOutcomeUnknown it may have taken those too.
	// A revision that does not follow is a *domain.RevisionConflictError.
	append(ctx context.Context, appends []domain.Append) (taken uint64, err error)
}

func (cmd *copyCommand) openTarget() (copyTarget, error) {
	to := cmd.To
	switch {
	case isStoreAddress(to):
		log, err := openStore("--to", to, eventstore.Options{Prefix: cmd.ToPrefix})
		return storeLog{log}, err
	case strings.Contains(to, "://"):
		return nil, &usageError{fmt.Sprintf("--to: %q is neither a ledger's folder nor a store", to),
			"a serving process takes no copies: copy into a folder, and serve it from there"}
	}
	if err := checkFolder(to, false); err != nil {
		return nil, err
	}
	log, err := pebblelog.Open(logFolder(to), pebblelog.Options{MinFree: uint64(cmd.MinFree)})
	if err != nil {
		return nil, err
	}
	return folderTarget{folderLog{log}}, nil
}

// folderTarget is an embedded log that is copied into.
type folderTarget struct{ folderLog }

// append goes on where ctx has ended: it is little.
func (f folderTarget) append(ctx context.Context, appends []domain.Append) (taken uint64, err error) {
	ctx = context.WithoutCancel(ctx)
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
