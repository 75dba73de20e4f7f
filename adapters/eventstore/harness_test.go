package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
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

// client connects EventStoreDB's own client.
func client(t testing.TB, address string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dataOf returns the events of an append as the client is given them.
func dataOf(a domain.Append) []esdb.EventData {
	data := make([]esdb.EventData, len(a.Events))
	for i, e := range a.Events {
		data[i] = esdb.EventData{
			EventID: domain.StoreID(e.Canonical), EventType: e.Type.String(),
			ContentType: esdb.ContentTypeJson, Data: e.Canonical,
		}
	}
	return data
}

// fill puts appends into a double without a client.
func fill(server *esdbtest.Server, prefix string, appends []domain.Append) {
	for _, a := range appends {
		for _, e := range a.Events {
			server.Insert(esdbtest.RawEvent{
				Stream: prefix + string(a.Stream), Type: e.Type.String(), ID: domain.StoreID(e.Canonical), JSON: true,
				Data: e.Canonical,
			})
		}
	}
}

// journal keeps what a log says.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// String returns everything that was said.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) count(what string) int { return strings.Count(j.String(), "msg="+what+" ") }

// patience ends what hangs.
const patience = 20 * time.Second

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// ready waits until a log has a connection.
func ready(t testing.TB, l *Log) {
	t.Helper()
	eventually(t, "the log is ready", func() bool { return l.Writable() == nil })
}

// fails appends what has to be answered with an error, and returns it.
func fails(t testing.TB, l *Log, a domain.Append, want error) error {
	t.Helper()
	answer := l.Append(patient(t), []domain.Append{a})[0]
	if !errors.Is(answer.Err, want) || answer.Positions != nil {
		t.Fatalf("the append was answered %v, %v, want %v", answer.Positions, answer.Err, want)
	}
	return answer.Err
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

// lastOf returns the error that a read ends with, nil for none.
func lastOf[E any](read iter.Seq2[E, error]) (last error) {
	for _, last = range read {
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
