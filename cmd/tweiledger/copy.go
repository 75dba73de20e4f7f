package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	iofs "io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/domain"
)

// copyCommand copies a log into another one.
type copyCommand struct {
	From        string   `required:"" placeholder:"DIR|URL|FILE" help:"A ledger's folder, the address of a serving process or of an EventStoreDB, or an export."`
	To          string   `required:"" placeholder:"DIR|URL" help:"A ledger's folder, made if it is not there, or the address of an EventStoreDB; its log must be a beginning of the other."`
	FromPrefix  string   `placeholder:"TEXT" default:"${log_prefix}" help:"Prefix of the log's streams in the store that is copied from (${default} by default)."`
	ToPrefix    string   `placeholder:"TEXT" default:"${log_prefix}" help:"Prefix of the log's streams in the store that is copied into (${default} by default)."`
	SkipForeign bool     `help:"Leave out events that somebody put under the prefix of the store that is copied from, on streams that no ledger has."`
	MinFree     byteSize `placeholder:"BYTES" default:"${min_free}" help:"Free space under which nothing is written to a folder (${default} by default)."`
	credentials
}

// Help is the command's help beyond its flags.
func (*copyCommand) Help() string {
	return `Copies events as they are, in the log's order: an export of the copy is the same bytes as one of the source.
It restores an export, and moves a log to another folder or machine, or into an EventStoreDB and back. Nobody else may
write to the target meanwhile.

It can be stopped at any time and run again. Then it compares every line that the target has with the source, goes on
behind the last, and in the end reads the whole target again and compares the SHA-256 of all lines, which is also that
of the export's file. A target that differs is refused with the first event that does. Wrong input stops it with the
line; what the target has then is a beginning of the log.

Nothing is worked out again: run "tweiledger verify" on the copy for that.

Examples:

    tweiledger copy --from log.ndjson --to restored
    tweiledger copy --from http://127.0.0.1:8080 --to /mnt/second/data
    tweiledger copy --from data --to 'esdb://127.0.0.1:2113?tls=false'
`
}

// Run runs the command.
func (cmd *copyCommand) Run(ctx context.Context, c console) (err error) {
	if err := cmd.checkFlags(); err != nil {
		return err
	}
	if sameFolder(cmd.From, cmd.To) {
		return &usageError{fmt.Sprintf("%s and %s are the same folder", cmd.From, cmd.To), "a log is copied into another one"}
	}
	from, err := cmd.openSource()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	to, err := cmd.openTarget()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	bar := newBar(c.notes, "copying", "events", -1)
	copied := &logCopy{to: to, hash: sha256.New(), progress: func() { _ = bar.Add(1) }}
	err = copied.run(ctx, from)
	bar.end()
	if errors.Is(err, domain.ErrCorrupt) && isStoreAddress(cmd.From) && !cmd.SkipForeign {
		err = fmt.Errorf("%w (--skip-foreign leaves out what lies on streams that no ledger has)", err)
	}
	if err != nil {
		return copied.failure(err)
	}
	sum := hex.EncodeToString(copied.hash.Sum(nil))
	if err := compareCopy(ctx, c, to, copied.stored, sum); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s holds %d events, %d of them new. SHA-256 of all lines: %s\n", cmd.To, copied.stored,
		copied.stored-copied.found, sum)
	return nil
}

// checkFlags refuses flags that would do nothing, and those that would do harm.
func (cmd *copyCommand) checkFlags() error {
	for _, f := range []struct {
		flag, place string
		given       bool
	}{
		{"--from-prefix", cmd.From, cmd.FromPrefix != eventstore.DefaultPrefix},
		{"--skip-foreign", cmd.From, cmd.SkipForeign},
		{"--to-prefix", cmd.To, cmd.ToPrefix != eventstore.DefaultPrefix},
	} {
		if f.given && !isStoreAddress(f.place) {
			return &usageError{fmt.Sprintf("%s is for a log in a store, and %s is none", f.flag, f.place),
				"a store's address is like esdb://host:2113"}
		}
	}
	if isStoreAddress(cmd.From) && isStoreAddress(cmd.To) {
		return cmd.checkPrefixes()
	}
	return nil
}

// checkPrefixes refuses to copy within a store where one prefix begins the other: the ledger of the shorter one would
// meet the other's events, and stop.
func (cmd *copyCommand) checkPrefixes() error {
	from, err := parseStore("--from", cmd.From, cmd.FromPrefix)
	if err != nil {
		return err
	}
	to, err := parseStore("--to", cmd.To, cmd.ToPrefix)
	if err != nil {
		return err
	}
	one := cmp.Or(cmd.FromPrefix, eventstore.DefaultPrefix)
	other := cmp.Or(cmd.ToPrefix, eventstore.DefaultPrefix)
	if from.SharesHost(to) && (strings.HasPrefix(one, other) || strings.HasPrefix(other, one)) {
		return &usageError{fmt.Sprintf("in one store the prefixes %s and %s cannot stand together, as one begins the other",
			one, other), "give another --to-prefix, like ledger2."}
	}
	return nil
}

// isStoreAddress reports whether a place is the address of a store.
func isStoreAddress(place string) bool {
	scheme, _, found := strings.Cut(place, "://")
	return found && strings.HasPrefix(scheme, "esdb")
}

// sameFolder reports whether two names are of one folder.
func sameFolder(from, to string) bool {
	source, err := os.Stat(from)
	if err != nil {
		return false
	}
	target, err := os.Stat(to)
	return err == nil && os.SameFile(source, target)
}

func (cmd *copyCommand) openSource() (logReader, error) {
	from := cmd.From
	switch {
	case isStoreAddress(from):
		log, err := openStore("--from", from, eventstore.Options{Prefix: cmd.FromPrefix, SkipForeign: cmd.SkipForeign})
		return storeLog{log}, err
	case strings.Contains(from, "://"):
		return cmd.client(from)
	}
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return nil, &usageError{fmt.Sprintf("there is no file or folder %s", from),
			"--from takes a ledger's folder, an address like http://127.0.0.1:8080, or an export"}
	case err != nil:
		return nil, err
	case !info.IsDir():
		return openFileLog(from)
	}
	source := place{Data: from}
	return source.logReader()
}

// Bounds of what is appended at a time.
const (
	copyEvents = 4_000
	copyBytes  = 2 << 20
)

// logCopy is a copy under way.
type logCopy struct {
	to       copyTarget
	progress func()
	// hash is of all lines read so far, with their line feeds.
	hash hash.Hash
	// read counts lines, found those that the target had before, stored those that it has.
	read, found, stored uint64
	// group is what waits to be appended, the events read and not stored, and bytes their length: events that belong to
	// one message are one append.
	group []domain.Append
	bytes uint64
}

// wrongLogError says that the source is no log, or none that goes on behind the target: to copy again is of no use.
type wrongLogError struct{ problem string }

func (e *wrongLogError) Error() string { return e.problem }

func wrongLog(format string, args ...any) error { return &wrongLogError{fmt.Sprintf(format, args...)} }

// failure says of a copy that failed what the target has, and whether the same command goes on from there.
func (cp *logCopy) failure(err error) error {
	has := fmt.Sprintf("the copy is not whole, the target has the first %d events", cp.stored)
	if errors.Is(err, domain.ErrOutcomeUnknown) {
		has = fmt.Sprintf("the copy is not whole, the target has at least the first %d events", cp.stored)
	}
	var wrong *wrongLogError
	switch {
	case !errors.As(err, &wrong) && !errors.Is(err, domain.ErrCorrupt):
		return fmt.Errorf("%s (copy again to go on): %w", has, err)
	case cp.stored == cp.found:
		return fmt.Errorf("nothing was copied: %w", err)
	}
	return fmt.Errorf("%s: %w", has, err)
}

// run brings everything to the target that it does not have.
func (cp *logCopy) run(ctx context.Context, from logReader) error {
	next, stop := iter.Pull2(from.lines(ctx, 0))
	defer stop()
	if err := cp.compare(ctx, next); err != nil {
		return err
	}
	for line, err, more := next(); more; line, err, more = next() {
		if err == nil {
			err = cp.add(ctx, line)
		}
		if err != nil {
			return errors.Join(err, cp.keep(ctx))
		}
	}
	if cp.read == 0 {
		return wrongLog("the source has no event: a log begins with a tariff, so this is not a whole one")
	}
	return cp.flush(ctx)
}

// compare sees that the target's lines are the source's first ones.
func (cp *logCopy) compare(ctx context.Context, next func() ([]byte, error, bool)) error {
	for has, err := range cp.to.lines(ctx, 0) {
		if err != nil {
			return fmt.Errorf("reading the target: %w", err)
		}
		line, err, more := next()
		if err != nil {
			return err
		}
		if !more || string(line) != string(has) {
			return wrongLog("the target is no beginning of the source: event %d %s", cp.read, differsHow(more))
		}
		cp.take(line)
		cp.found++
		cp.stored++
	}
	return nil
}

func differsHow(more bool) string {
	if more {
		return "differs"
	}
	return "is not in the source"
}

func (cp *logCopy) take(line []byte) {
	cp.hash.Write(line)
	cp.hash.Write([]byte{'\n'})
	cp.read++
	cp.progress()
}

// add puts an event into the group, which is appended where it is full.
func (cp *logCopy) add(ctx context.Context, line []byte) error {
	e, err := domain.DecodeEvent(line)
	if err != nil {
		return wrongLog("line %d: %v", cp.read+1, err)
	}
	if _, _, _, ok := e.Stream.Parse(); !ok {
		return wrongLog("line %d: %q is no stream", cp.read+1, e.Stream)
	}
	if cp.read == 0 && e.Type != domain.TariffPublished {
		return wrongLog("line 1: it is a %s, and a log begins with a tariff: this is no whole log", e.Type)
	}
	if e.Type == domain.PnLReportIssued && e.Revision > 0 {
		return wrongLog("event %d (%s): the report on stream %s was issued before, and is bought once", cp.read, e.ID, e.Stream)
	}
	encoded := domain.EncodedEvent{Type: e.Type, Canonical: line}
	if cp.continues(e) {
		last := &cp.group[len(cp.group)-1]
		last.Events = append(last.Events, encoded)
	} else {
		if cp.read-cp.stored >= copyEvents || cp.bytes >= copyBytes {
			if err := cp.flush(ctx); err != nil {
				return err
			}
		}
		cp.group = append(cp.group, domain.Append{
			Stream: e.Stream, Expected: e.Revision - 1, Message: e.Message(), Events: []domain.EncodedEvent{encoded},
		})
	}
	cp.take(line)
	cp.bytes += uint64(len(line))
	return nil
}

// continues reports whether an event was appended together with the one before it: it is of the same message and
// stream, as after a switch's withdrawal.
func (cp *logCopy) continues(e *domain.Event) bool {
	if len(cp.group) == 0 {
		return false
	}
	last := &cp.group[len(cp.group)-1]
	size := 0
	for _, before := range last.Events {
		size += len(before.Canonical)
	}
	return last.Stream == e.Stream && last.Message == e.Message() &&
		e.Revision == last.Expected+domain.Revision(len(last.Events))+1 && size+domain.MaxEventBytes <= domain.MaxAppendBytes
}

// flush appends the group.
func (cp *logCopy) flush(ctx context.Context) error {
	if len(cp.group) == 0 {
		return nil
	}
	taken, err := cp.to.append(ctx, cp.group)
	var gap *domain.RevisionConflictError
	if errors.As(err, &gap) {
		err = wrongLog("line %d: revision %d of stream %s follows on revision %d: events are missing",
			cp.stored+taken+1, gap.Expected+1, gap.Stream, gap.Actual)
	}
	cp.stored += taken
	cp.group, cp.bytes = cp.group[:0:0], 0
	return err
}

// keepPatience bounds how long what was read before an error is still appended.
const keepPatience = 5 * time.Second

// keep appends what was good before an error, also where that is the end of ctx.
func (cp *logCopy) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	return cp.flush(ctx)
}

// compareCopy reads the whole target again.
func compareCopy(ctx context.Context, c console, to copyTarget, events uint64, want string) error {
	bar := newBar(c.notes, "comparing", "events", int64(events))
	defer bar.end()
	again := &logCopy{hash: sha256.New(), progress: func() { _ = bar.Add(1) }}
	for line, err := range to.lines(ctx, 0) {
		if err != nil {
			return fmt.Errorf("the copy was not compared to its end: %w", err)
		}
		again.take(line)
	}
	if sum := hex.EncodeToString(again.hash.Sum(nil)); again.read != events || sum != want {
		return fmt.Errorf("the copy differs: it has %d events with SHA-256 %s, the source has %d with %s", again.read, sum,
			events, want)
	}
	return nil
}
