package eventstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realStore is the variable with the address of a real store to test against. Each test takes a fresh prefix there.
const realStore = "TWEILEDGER_TEST_EVENTSTORE"

// addressOf returns the address of the real store, or of a double that ends with the test.
func addressOf(t testing.TB, o esdbtest.Options) string {
	if address := os.Getenv(realStore); address != "" {
		return address
	}
	return esdbtest.New(t, o).ConnectionString()
}

// double returns a double, for a test that a real store cannot stand.
func double(t testing.TB, o esdbtest.Options) *esdbtest.Server {
	t.Helper()
	if os.Getenv(realStore) != "" {
		t.Skip("only a double can be told to do this")
	}
	return esdbtest.New(t, o)
}

// openLog opens a log, under a fresh prefix where there is none. It is closed with the test.
func openLog(t testing.TB, address string, o Options) *Log {
	t.Helper()
	parsed, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if o.Prefix == "" {
		o.Prefix = "test-" + uuid.NewString() + "."
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	l, err := Open(parsed, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// appendOf returns an append of lines, each of a stream's next revision.
func appendOf(stream domain.Stream, expected domain.Revision, count int) domain.Append {
	a := domain.Append{
		Stream: stream, Expected: expected,
		Message: domain.Message{Source: "/test", ID: fmt.Sprint(stream, expected)},
	}
	for i := range count {
		line := logtest.Line(stream, expected+1+domain.Revision(i), "line", 0)
		a.Events = append(a.Events, domain.EncodedEvent{Type: domain.PostLiked, Canonical: line})
	}
	return a
}

// must appends what has to succeed.
func must(t testing.TB, l *Log, appends ...domain.Append) []domain.Position {
	t.Helper()
	var last []domain.Position
	for i, answer := range l.Append(context.Background(), appends) {
		if answer.Err != nil {
			t.Fatalf("append %d: %v", i, answer.Err)
		}
		last = answer.Positions
	}
	return last
}

// linesOf reads a stream.
func linesOf(t testing.TB, l *Log, stream domain.Stream) (lines []string) {
	t.Helper()
	for event, err := range l.ReadStream(context.Background(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(event.Canonical))
	}
	return lines
}

// settled appends until the store says which it was.
func settled(t testing.TB, l *Log, a domain.Append) domain.Appended {
	t.Helper()
	return l.settle(t.Context(), a)
}
