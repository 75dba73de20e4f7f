package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Options are what a log may be opened with.
type Options struct {
	// Prefix stands before the names of the log's streams, "" for DefaultPrefix.
	Prefix string
	// SkipForeign leaves out events under the prefix on streams that no ledger has. Without it they are ErrCorrupt, as
	// those are in any case that do not belong on a ledger's stream.
	SkipForeign bool
	// InFlight bounds the appends that are sent and not answered, 0 for 512.
	InFlight int
	// Silence is how long a subscription may say nothing before it is made again, 0 for 30 seconds.
	Silence time.Duration
	// Logger is told of connections that come and go, nil for slog.Default().
	Logger *slog.Logger
}

// DefaultPrefix is the prefix of a ledger's streams that was given none.
const DefaultPrefix = "tweiledger."

// ValidPrefix returns why a prefix can be none: it has 1 to 100 of the characters of ASCII that can be seen, and does
// not begin with a dollar, as the store's own streams do.
func ValidPrefix(prefix string) error {
	switch {
	case prefix == "" || len(prefix) > 100:
		return errors.New("a prefix has 1 to 100 characters")
	case strings.HasPrefix(prefix, "$"):
		return errors.New("streams that begin with $ are the store's own")
	}
	for i := range len(prefix) {
		if prefix[i] <= ' ' || prefix[i] > '~' {
			return fmt.Errorf("a prefix cannot hold %q", prefix[i])
		}
	}
	return nil
}

// Log is a domain.EventLog in a store: one of many writers. All methods may be called at the same time. Its errors wrap
// those that the port names; domain.ErrUnavailable says why the store cannot be had.
type Log struct {
	address  *Address
	prefix   string
	pattern  string // matches the names of streams of which events are read; "" for all with the prefix
	deadline time.Duration
	silence  time.Duration
	logger   *slog.Logger
	inFlight int
	lastSeen lastSeen
	finder   *finder
}

var _ domain.EventLog = (*Log)(nil)

// Open opens the log in the store at an address. It does not wait for the store: until a connection stands, calls fail
// as Ready says. Close it.
func Open(address *Address, o Options) (*Log, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if err := ValidPrefix(o.Prefix); err != nil {
		return nil, err
	}
	if o.InFlight == 0 {
		o.InFlight = 512
	}
	if o.Silence == 0 {
		o.Silence = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	l := &Log{
		address:  address,
		prefix:   o.Prefix,
		deadline: address.deadline(),
		silence:  o.Silence,
		logger:   o.Logger,
		inFlight: o.InFlight,
	}
	if o.SkipForeign {
		l.pattern = "^" + regexp.QuoteMeta(l.prefix) + domain.StreamPattern()
	}
	l.finder = newFinder(l)
	go l.finder.run() // who is told of a loss finds it by the log
	return l, nil
}

// Close ends all calls and the connections: calls with domain.ErrClosed, but for appends that were sent, which end with
// domain.ErrOutcomeUnknown. It may be called again.
func (l *Log) Close() error {
	l.finder.close()
	return nil
}

// Ready returns nil while there is a connection to the store, else why not; it wraps domain.ErrUnavailable. It does not
// wait for more than the first try of one.
func (l *Log) Ready(ctx context.Context) error {
	_, err := l.finder.node(ctx)
	return err
}

// Writable is Ready without waiting.
func (l *Log) Writable() error { return l.finder.state() }
