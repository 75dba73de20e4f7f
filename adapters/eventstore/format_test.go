package eventstore

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/docs/golden"
	"github.com/tweiledger/tweiledger/domain"
)

// goldenLines returns the lines of docs/golden, each a canonical line of the ledger.
func goldenLines() [][]byte {
	return bytes.Split(bytes.TrimSuffix(golden.Events, []byte("\n")), []byte("\n"))
}

// appendOfLine returns an append of a line of docs/golden.
func appendOfLine(t testing.TB, line []byte) domain.Append {
	t.Helper()
	e, err := domain.DecodeEvent(line)
	if err != nil {
		t.Fatal(err)
	}
	return domain.Append{
		Stream: e.Stream, Expected: e.Revision - 1,
		Events: []domain.EncodedEvent{{Type: e.Type, Canonical: line}},
	}
}

// stored reads what the store has of a stream, by EventStoreDB's client.
func stored(t testing.TB, c *esdb.Client, stream string) (events []*esdb.RecordedEvent) {
	t.Helper()
	read, err := c.ReadStream(patient(t), stream, esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for {
		e, err := read.Recv()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
		events = append(events, e.Event)
	}
}

// placed reports whether the client says that an event of a stream is at a position. A real store may be one before 22.6,
// of which it is told none.
func placed(e *esdb.RecordedEvent, at domain.Position) bool {
	commit, prepare := at.Numbers()
	untold := esdb.Position{Commit: math.MaxUint64, Prepare: math.MaxUint64}
	return e.Position == esdb.Position{Commit: commit, Prepare: prepare} ||
		os.Getenv(realStore) != "" && e.Position == untold
}

// The format is frozen: what another program finds in the store under the names of the ledger.
func TestFormat(t *testing.T) {
	address := addressOf(t, esdbtest.Options{SplitPositions: true})
	prefix := "format-" + uuid.NewString() + "."
	l, c := openLog(t, address, Options{Prefix: prefix}), client(t, address)
	for _, line := range goldenLines() {
		a := appendOfLine(t, line)
		position := must(t, l, a)[0]
		events := stored(t, c, prefix+string(a.Stream))
		e := events[len(events)-1]
		if e.EventType != a.Events[0].Type.String() || e.ContentType != "application/json" ||
			!bytes.Equal(e.Data, line) || e.EventNumber != uint64(a.Expected+1) || len(e.UserMetadata) != 0 ||
			e.EventID != domain.StoreID(line) || !placed(e, position) {
			t.Errorf("%s: the store has %+v", line, e)
		}
	}
	// The first line's, written down: an id that is made in another way would be another event to the store.
	first := stored(t, c, prefix+"tariff")[0]
	if want := "b1b5acac-76be-8a81-ae3b-91d5c195aef0"; first.EventID.String() != want {
		t.Errorf("the tariff has the id %s, want %s", first.EventID, want)
	}
}

// What the client appends with the right id and bytes is the ledger's, and the other way round.
func TestClientAndLogAgree(t *testing.T) {
	address := addressOf(t, esdbtest.Options{})
	prefix := "agree-" + uuid.NewString() + "."
	l, c := openLog(t, address, Options{Prefix: prefix}), client(t, address)
	byClient, byLog := appendOf("post-client", domain.NoStream, 2), appendOf("post-log", domain.NoStream, 2)
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	result, err := c.AppendToStream(patient(t), prefix+"post-client", options, dataOf(byClient)...)
	if err != nil {
		t.Fatal(err)
	}
	positions := must(t, l, byClient)
	if commit, prepare := positions[1].Numbers(); commit != result.CommitPosition || prepare != result.PreparePosition {
		t.Errorf("the log says that they are at %v, the client %+v", positions, result)
	}
	atLog := must(t, l, byLog)
	again, err := c.AppendToStream(patient(t), prefix+"post-log", options, dataOf(byLog)...)
	if err != nil {
		t.Fatal(err)
	}
	if commit, _ := atLog[1].Numbers(); again.NextExpectedVersion != 1 || commit != again.CommitPosition {
		t.Errorf("the client says %+v, the log %v", again, atLog)
	}
	var want []string
	for _, a := range []domain.Append{byClient, byLog} {
		for _, e := range a.Events {
			want = append(want, string(e.Canonical))
		}
	}
	if got := slices.Concat(linesOf(t, l, "post-client"), linesOf(t, l, "post-log")); !slices.Equal(got, want) {
		t.Errorf("the streams have %q", got)
	}
	// A real store may hold very much before.
	commit, prepare := positions[0].Numbers()
	first := esdb.Position{Commit: commit, Prepare: prepare}
	if got := readAll(t, c, prefix, first); !slices.Equal(got, want) {
		t.Errorf("$all has %q", got)
	}
	if got := subscribeAll(t, c, prefix, first, len(want)-1); !slices.Equal(got, want[1:]) {
		t.Errorf("a subscription gives %q", got)
	}
}

// readAll returns the lines under a prefix that the client reads from $all, from a position on.
func readAll(t testing.TB, c *esdb.Client, prefix string, from esdb.Position) (lines []string) {
	t.Helper()
	read, err := c.ReadAll(patient(t), esdb.ReadAllOptions{From: from}, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for {
		e, err := read.Recv()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Event.StreamID, prefix) {
			lines = append(lines, string(e.Event.Data))
		}
	}
}

// subscribeAll returns the first lines under a prefix that the client is given by a subscription behind a position.
func subscribeAll(t testing.TB, c *esdb.Client, prefix string, after esdb.Position, count int) (lines []string) {
	t.Helper()
	sub, err := c.SubscribeToAll(patient(t), esdb.SubscribeToAllOptions{
		From: after, MaxSearchWindow: 500,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{prefix}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for len(lines) < count {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			t.Fatal(e.SubscriptionDropped.Error)
		}
		if e.EventAppeared != nil {
			lines = append(lines, string(e.EventAppeared.Event.Data))
		}
	}
	return lines
}

// The store counts the types too: an append that the ledger may make but the store would refuse is refused here.
func TestAppendLimit(t *testing.T) {
	l := openLog(t, addressOf(t, esdbtest.Options{}), Options{})
	name := len(domain.PostLiked.String())
	// As many short events as the store takes, filled up to the byte.
	const size = 200
	count := maxAppend / (size + 2*name)
	a := domain.Append{Stream: "post-p", Expected: domain.NoStream}
	for i := range count {
		line := append([]byte{byte(i), byte(i >> 8)}, make([]byte, size-2)...)
		a.Events = append(a.Events, domain.EncodedEvent{Type: domain.PostLiked, Canonical: line})
	}
	room := maxAppend - count*(size+2*name)
	last := &a.Events[count-1]
	last.Canonical = append(last.Canonical, make([]byte, room+1)...)
	if len(last.Canonical) > domain.MaxEventBytes || a.Validate() != nil {
		t.Fatal("the domain's limits are met first")
	}
	err := l.Append(patient(t), []domain.Append{a})[0].Err
	if !errors.Is(err, domain.ErrAppendTooLarge) || errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("one byte too many: %v", err)
	}
	last.Canonical = last.Canonical[:len(last.Canonical)-1]
	if positions := must(t, l, a); len(positions) != count {
		t.Errorf("%d events got %d positions", count, len(positions))
	}
}
