package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that hangs.
const patience = 20 * time.Second

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// client connects EventStoreDB's own client.
func client(t testing.TB, connection string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
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

// raw connects to a node by the protocol alone.
func raw(t testing.TB, n *Node) streams.StreamsClient {
	t.Helper()
	conn, err := grpc.NewClient(n.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return streams.NewStreamsClient(conn)
}

// id is a fixed id for each number.
func id(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d", n)) }

func events(numbers ...int) []esdb.EventData {
	var made []esdb.EventData
	for _, n := range numbers {
		made = append(made, esdb.EventData{
			EventID: id(n), EventType: "Happened", ContentType: esdb.ContentTypeJson,
			Data: fmt.Appendf(nil, `{"number":%d}`, n), Metadata: []byte("about it"),
		})
	}
	return made
}

func appendTo(
	t testing.TB, c *esdb.Client, stream string, expected esdb.ExpectedRevision, numbers ...int,
) (*esdb.WriteResult, error) {
	t.Helper()
	o := esdb.AppendToStreamOptions{ExpectedRevision: expected}
	return c.AppendToStream(patient(t), stream, o, events(numbers...)...)
}

func mustAppend(
	t testing.TB, c *esdb.Client, stream string, expected esdb.ExpectedRevision, numbers ...int,
) *esdb.WriteResult {
	t.Helper()
	result, err := appendTo(t, c, stream, expected, numbers...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return result
}

// read returns "stream@revision" of what a read shows.
func read(t testing.TB, open func(context.Context) (*esdb.ReadStream, error)) (seen []string, err error) {
	t.Helper()
	r, err := open(patient(t))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
		seen = append(seen, place(e.Event))
	}
}

func place(e *esdb.RecordedEvent) string { return fmt.Sprintf("%s@%d", e.StreamID, e.EventNumber) }

func readStream(t testing.TB, c *esdb.Client, stream string, o esdb.ReadStreamOptions, count uint64) ([]string, error) {
	t.Helper()
	return read(t, func(ctx context.Context) (*esdb.ReadStream, error) { return c.ReadStream(ctx, stream, o, count) })
}

func readAll(t testing.TB, c *esdb.Client, o esdb.ReadAllOptions, count uint64) ([]string, error) {
	t.Helper()
	return read(t, func(ctx context.Context) (*esdb.ReadStream, error) { return c.ReadAll(ctx, o, count) })
}

// code is the client's code of an error, -1 for none.
func code(err error) esdb.ErrorCode {
	var e *esdb.Error
	if err == nil {
		return -1
	}
	if errors.As(err, &e) {
		return e.Code()
	}
	return esdb.ErrorCodeUnknown
}

// proposed is an event for a batch.
func proposed(n int) *streams.BatchAppendReq_ProposedMessage {
	e := events(n)[0]
	return &streams.BatchAppendReq_ProposedMessage{
		Id: uuidOf(e.EventID), Data: e.Data, CustomMetadata: e.Metadata,
		Metadata: map[string]string{keyType: e.EventType, keyContentType: contentJSON},
	}
}

// batchRequest is one append under NoStream, with the number as its correlation.
func batchRequest(n int, stream string, numbers ...int) *streams.BatchAppendReq {
	req := &streams.BatchAppendReq{
		CorrelationId: uuidOf(id(n)), IsFinal: true,
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{},
		},
	}
	for _, number := range numbers {
		req.ProposedMessages = append(req.ProposedMessages, proposed(number))
	}
	return req
}

// watch collects from a subscription on a goroutine of its own.
type watch struct {
	sub  *esdb.Subscription
	seen chan *esdb.SubscriptionEvent
}

func watching(t testing.TB, sub *esdb.Subscription, err error) *watch {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{sub, make(chan *esdb.SubscriptionEvent)}
	done := make(chan struct{})
	go func() {
		defer close(w.seen)
		for {
			e := sub.Recv()
			select {
			case w.seen <- e:
			case <-done:
				return
			}
			if e.SubscriptionDropped != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		_ = sub.Close()
		for range w.seen {
		}
	})
	return w
}

// next returns the next message as text.
func (w *watch) next(t testing.TB) string {
	t.Helper()
	select {
	case e := <-w.seen:
		switch {
		case e == nil:
			return "ended"
		case e.EventAppeared != nil:
			return place(e.EventAppeared.Event)
		case e.CheckPointReached != nil:
			return fmt.Sprintf("checkpoint %d", e.CheckPointReached.Commit)
		case e.CaughtUp != nil:
			return "caught up"
		case e.SubscriptionDropped != nil:
			return "dropped: " + e.SubscriptionDropped.Error.Error()
		}
		return "something else"
	case <-time.After(patience):
		t.Fatal("the subscription sends nothing")
		return ""
	}
}

func (w *watch) expect(t testing.TB, want ...string) {
	t.Helper()
	for _, text := range want {
		if got := w.next(t); got != text {
			t.Fatalf("the subscription sent %q, not %q", got, text)
		}
	}
}
