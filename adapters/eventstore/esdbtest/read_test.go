package esdbtest

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// only returns what takes the event of a read of one.
func only(t testing.TB) func(*esdb.ReadStream, error) *esdb.ResolvedEvent {
	return func(r *esdb.ReadStream, err error) *esdb.ResolvedEvent {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := r.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

// What is appended is read as it was.
func TestEventsComeBackWhole(t *testing.T) {
	s := New(t, Options{SplitPositions: true})
	c := client(t, s.ConnectionString())
	before := time.Now().Add(-time.Second)
	result := mustAppend(t, c, "a-b/c", esdb.NoStream{}, 1)
	got := only(t)(c.ReadStream(patient(t), "a-b/c", esdb.ReadStreamOptions{}, 1))
	e, sent := got.Event, events(1)[0]
	if e.EventID != sent.EventID || e.EventType != sent.EventType || e.ContentType != contentJSON ||
		string(e.Data) != string(sent.Data) || string(e.UserMetadata) != string(sent.Metadata) ||
		e.StreamID != "a-b/c" || e.EventNumber != 0 || len(e.SystemMetadata) != 3 {
		t.Errorf("it came back as %+v", e)
	}
	if want := (esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition}); e.Position != want ||
		got.Commit == nil || *got.Commit != want.Commit {
		t.Errorf("it is at %+v, not %+v", e.Position, want)
	}
	if e.CreatedDate.Before(before) || e.CreatedDate.After(time.Now().Add(time.Second)) {
		t.Errorf("it was created at %s", e.CreatedDate)
	}
}

// Before 22.6 the events of a stream come without their positions, those of $all with them.
func TestNoStreamPositions(t *testing.T) {
	s := New(t, Options{NoStreamPositions: true})
	c := client(t, s.ConnectionString())
	result := mustAppend(t, c, "a", esdb.NoStream{}, 1)
	ones := esdb.Position{Commit: math.MaxUint64, Prepare: math.MaxUint64}
	got := only(t)(c.ReadStream(patient(t), "a", esdb.ReadStreamOptions{}, 1))
	if got.Event.Position != ones || got.Commit != nil || string(got.Event.Data) != string(events(1)[0].Data) {
		t.Errorf("in its stream it is %+v", got.Event)
	}
	got = only(t)(c.ReadAll(patient(t), esdb.ReadAllOptions{}, 1))
	if got.Event.Position.Commit != result.CommitPosition || got.Commit == nil {
		t.Errorf("in $all it is %+v", got.Event)
	}
}

// Where appends are denied, reads are not.
func TestDenyAppends(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
	s.DenyAppends("a")
	if _, err := c.AppendToStream(patient(t), "a", esdb.AppendToStreamOptions{}, events(2)...); err == nil {
		t.Error("the append was taken")
	}
	if seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10); err != nil || len(seen) != 1 {
		t.Errorf("it shows %v, %v", seen, err)
	}
}

func numbered(stream string, from, to int) (places []string) {
	for i := from; i != to; {
		places = append(places, stream+"@"+strconv.Itoa(i))
		if from < to {
			i++
		} else {
			i--
		}
	}
	return places
}

func forwards(from esdb.StreamPosition) esdb.ReadStreamOptions {
	return esdb.ReadStreamOptions{From: from, Direction: esdb.Forwards}
}

func backwards(from esdb.StreamPosition) esdb.ReadStreamOptions {
	return esdb.ReadStreamOptions{From: from, Direction: esdb.Backwards}
}

func TestReadingAStream(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	const n = 3*pageEvents + 5
	for i := range n {
		mustAppend(t, c, "a", esdb.Any{}, i)
	}
	for _, row := range []struct {
		what  string
		o     esdb.ReadStreamOptions
		count uint64
		want  []string
	}{
		{"all of it", forwards(esdb.Start{}), 1 << 40, numbered("a", 0, n)},
		{"the first few", forwards(esdb.Start{}), 3, numbered("a", 0, 3)},
		{"from a revision, which is included", forwards(esdb.Revision(n - 2)), 10, numbered("a", n-2, n)},
		{"behind the end", forwards(esdb.Revision(n)), 10, nil},
		{"the last one", backwards(esdb.End{}), 1, numbered("a", n-1, n)},
		{"backwards", backwards(esdb.End{}), 1 << 40, numbered("a", n-1, -1)},
		{"backwards from a revision", backwards(esdb.Revision(1)), 10, numbered("a", 1, -1)},
	} {
		if seen, err := readStream(t, c, "a", row.o, row.count); err != nil || !slices.Equal(seen, row.want) {
			t.Errorf("%s: %v, %v", row.what, seen, err)
		}
	}
}

func TestReadingAll(t *testing.T) {
	s := New(t, Options{SplitPositions: true})
	c := client(t, s.ConnectionString())
	var at []esdb.Position
	for i := range 5 {
		result := mustAppend(t, c, "a", esdb.Any{}, i)
		at = append(at, esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition})
	}
	for i := 1; i < len(at); i++ {
		if at[i].Commit <= at[i-1].Commit+1 {
			t.Errorf("position %d follows %d", at[i].Commit, at[i-1].Commit)
		}
	}
	end := esdb.Position{Commit: 1<<64 - 1, Prepare: 1<<64 - 1}
	for _, row := range []struct {
		what  string
		o     esdb.ReadAllOptions
		count uint64
		want  []string
	}{
		{"everything", esdb.ReadAllOptions{}, 100, numbered("a", 0, 5)},
		{"forwards from a position, which is included", esdb.ReadAllOptions{From: at[2]}, 100, numbered("a", 2, 5)},
		{"backwards from a position, which is not", esdb.ReadAllOptions{
			From: at[2], Direction: esdb.Backwards,
		}, 100, numbered("a", 1, -1)},
		{"the last one", esdb.ReadAllOptions{From: esdb.End{}, Direction: esdb.Backwards}, 1, numbered("a", 4, 5)},
		{"from all ones", esdb.ReadAllOptions{From: end}, 100, nil},
	} {
		if seen, err := readAll(t, c, row.o, row.count); err != nil || !slices.Equal(seen, row.want) {
			t.Errorf("%s: %v, %v", row.what, seen, err)
		}
	}
}

// A missing stream is told by the first answer, not by the call.
func TestMissingStream(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		r, err := c.ReadStream(patient(t), "none", esdb.ReadStreamOptions{Direction: direction}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Recv(); code(err) != esdb.ErrorCodeResourceNotFound {
			t.Errorf("%v", err)
		}
		r.Close()
	}
}

func TestDeletedStreams(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1, 2)
	o := esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(0)}
	if _, err := c.DeleteStream(patient(t), "a", o); err == nil || !strings.Contains(err.Error(), "Actual version: 1") {
		t.Errorf("deleted at another revision: %v", err)
	}
	o.ExpectedRevision = esdb.Revision(1)
	deleted, err := c.DeleteStream(patient(t), "a", o)
	if err != nil || deleted.Position.Commit == 0 {
		t.Fatalf("%+v, %v", deleted, err)
	}
	if seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("deleted, it shows %v, %v", seen, err)
	}
	if got := mustAppend(t, c, "a", esdb.NoStream{}, 3); got.NextExpectedVersion != 2 {
		t.Errorf("its numbers go on with %+v", got)
	}
	seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10)
	if err != nil || !slices.Equal(seen, []string{"a@2"}) {
		t.Errorf("written again, it shows %v, %v", seen, err)
	}
	want := []string{"a@0", "a@1", "$$a@0", "a@2", "$$a@1"}
	if seen, err := readAll(t, c, esdb.ReadAllOptions{}, 10); err != nil || !slices.Equal(seen, want) {
		t.Errorf("$all shows %v, %v", seen, err)
	}
	tombstone := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
	if _, err := c.TombstoneStream(patient(t), "a", tombstone); err != nil {
		t.Fatal(err)
	}
	if _, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10); code(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("read after its tombstone: %v", err)
	}
	if _, err := appendTo(t, c, "a", esdb.NoStream{}, 4); code(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("appended after its tombstone: %v", err)
	}
}

// What an operator can set and should not.
func TestStreamMetadataHideEvents(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1, 2, 3, 4)
	m := esdb.StreamMetadata{}
	m.SetMaxCount(2)
	if _, err := c.SetStreamMetadata(patient(t), "a", esdb.AppendToStreamOptions{}, m); err != nil {
		t.Fatal(err)
	}
	seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10)
	if err != nil || !slices.Equal(seen, numbered("a", 2, 4)) {
		t.Errorf("with $maxCount it shows %v, %v", seen, err)
	}
	m = esdb.StreamMetadata{}
	m.SetTruncateBefore(1)
	if _, err := c.SetStreamMetadata(patient(t), "a", esdb.AppendToStreamOptions{}, m); err != nil {
		t.Fatal(err)
	}
	seen, err = readStream(t, c, "a", backwards(esdb.End{}), 10)
	if err != nil || !slices.Equal(seen, numbered("a", 3, 0)) {
		t.Errorf("with $tb it shows %v, %v", seen, err)
	}
}

// A reader may ask for ids as text.
func TestIDsAsText(t *testing.T) {
	s := New(t, Options{})
	mustAppend(t, client(t, s.ConnectionString()), "a", esdb.NoStream{}, 1)
	call, err := raw(t, s.Node(0)).Read(patient(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 1},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := call.Recv(); err != nil || resp.GetEvent().GetEvent().GetId().GetString_() != id(1).String() {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestSubscribingToAll(t *testing.T) {
	s := New(t, Options{SplitPositions: true})
	c := client(t, s.ConnectionString())
	first := mustAppend(t, c, "t.a", esdb.NoStream{}, 1)
	mustAppend(t, c, "t.a", esdb.Revision(0), 2)
	mustAppend(t, c, "other", esdb.NoStream{}, 3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	from := esdb.Position{Commit: first.CommitPosition, Prepare: first.PreparePosition}
	prefix := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"t."}}
	sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: from, Filter: prefix})
	behind := watching(t, sub, err)
	sub, err = c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	whole := watching(t, sub, err)
	sub, err = c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
	live := watching(t, sub, err)
	behind.expect(t, "t.a@1", "caught up")
	whole.expect(t, "t.a@0", "t.a@1", "other@0", "caught up")
	live.expect(t, "caught up")
	mustAppend(t, c, "other", esdb.Revision(0), 4)
	mustAppend(t, c, "t.b", esdb.NoStream{}, 5)
	behind.expect(t, "t.b@0")
	whole.expect(t, "other@1", "t.b@0")
	live.expect(t, "other@1", "t.b@0")
}

// Checkpoints come after so many events, whether or not they pass.
func TestSubscriptionCheckpoints(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	var at []string
	for i := range 7 {
		stream := "other"
		if i == 4 {
			stream = "t.a"
		}
		result := mustAppend(t, c, stream, esdb.Any{}, i)
		at = append(at, "checkpoint "+strconv.FormatUint(result.CommitPosition, 10))
	}
	sub, err := c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 1, CheckpointInterval: 3,
		Filter: &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"Nothing", "Happ"}},
	})
	byType := watching(t, sub, err)
	byType.expect(t, "other@0", "other@1", "other@2", at[2])
	sub, err = c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 1, CheckpointInterval: 3,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: `^t\.`},
	})
	byStream := watching(t, sub, err)
	byStream.expect(t, at[2], "t.a@0", at[5], "caught up")
}

func TestSubscribingToAStream(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	ctx := context.Background()
	sub, err := c.SubscribeToStream(ctx, "a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	early := watching(t, sub, err)
	early.expect(t, "caught up")
	mustAppend(t, c, "a", esdb.NoStream{}, 1, 2)
	mustAppend(t, c, "b", esdb.NoStream{}, 3)
	early.expect(t, "a@0", "a@1")
	sub, err = c.SubscribeToStream(ctx, "a", esdb.SubscribeToStreamOptions{From: esdb.Revision(0)})
	behind := watching(t, sub, err)
	sub, err = c.SubscribeToStream(ctx, "a", esdb.SubscribeToStreamOptions{From: esdb.End{}})
	live := watching(t, sub, err)
	behind.expect(t, "a@1", "caught up")
	live.expect(t, "caught up")
	mustAppend(t, c, "a", esdb.Revision(1), 4)
	for _, w := range []*watch{early, behind, live} {
		w.expect(t, "a@2")
	}
	tombstone := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
	if _, err := c.TombstoneStream(patient(t), "a", tombstone); err != nil {
		t.Fatal(err)
	}
	live.expect(t, "dropped: rpc error: code = FailedPrecondition desc = Event stream 'a' is deleted.")
}
