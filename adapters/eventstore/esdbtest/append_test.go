package esdbtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Each expectation, against streams in each state.
func TestExpectedRevisions(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "two", esdb.NoStream{}, 1, 2)
	mustAppend(t, c, "deleted", esdb.NoStream{}, 3)
	if err := s.SoftDelete("deleted"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what     string
		stream   string
		expected esdb.ExpectedRevision
		numbers  []int
		want     string // a part of the error, empty for none
		revision uint64
	}{
		{"wrong: exists", "two", esdb.NoStream{}, []int{9}, "expecting 'no_stream' but got '1'", 0},
		{"wrong: too high", "two", esdb.Revision(7), []int{9}, "expecting '7' but got '1'", 0},
		{"wrong: too low", "two", esdb.Revision(0), []int{9}, "expecting '0' but got '1'", 0},
		{"wrong: missing", "none", esdb.Revision(0), []int{9}, "expecting '0' but got 'no_stream'", 0},
		{"wrong: must exist", "none", esdb.StreamExists{}, []int{9}, "'stream_exists' but got 'no_stream'", 0},
		{"repeat: whole", "two", esdb.NoStream{}, []int{1, 2}, "", 1},
		{"repeat: beginning", "two", esdb.NoStream{}, []int{1}, "", 0},
		{"repeat: end", "two", esdb.Revision(0), []int{2}, "", 1},
		{"repeat: under any", "two", esdb.Any{}, []int{1, 2}, "", 1},
		{"overlap: longer", "two", esdb.NoStream{}, []int{1, 2, 9}, "got '1'", 0},
		{"overlap: second differs", "two", esdb.NoStream{}, []int{1, 9}, "got '1'", 0},
		{"overlap: under any", "two", esdb.Any{}, []int{1, 9}, "got '1'", 0},
		{"overlap: shifted", "two", esdb.Revision(0), []int{1}, "got '1'", 0},
		{"ids at the revision itself", "two", esdb.Revision(1), []int{1}, "", 2}, // are not looked at
		{"any", "two", esdb.Any{}, []int{4}, "", 3},
		{"exists", "two", esdb.StreamExists{}, []int{5}, "", 4},
		{"soft-deleted must exist", "deleted", esdb.StreamExists{}, []int{9}, "is deleted", 0},
		{"soft-deleted, repeat", "deleted", esdb.NoStream{}, []int{3}, "", 0},
		{"soft-deleted, goes on", "deleted", esdb.NoStream{}, []int{6}, "", 1},
	} {
		result, err := appendTo(t, c, row.stream, row.expected, row.numbers...)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.what, err)
		case row.want == "" && result.NextExpectedVersion != row.revision:
			t.Errorf("%s: at revision %d, not %d", row.what, result.NextExpectedVersion, row.revision)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, not %q", row.what, err, row.want)
		}
	}
}

// A repeat is answered as the first time, whatever its bytes.
func TestRepeatedAppendKeepsRevisionAndPosition(t *testing.T) {
	for _, split := range []bool{false, true} {
		s := New(t, Options{SplitPositions: split})
		c := client(t, s.ConnectionString())
		first := mustAppend(t, c, "a", esdb.NoStream{}, 1, 2)
		mustAppend(t, c, "b", esdb.NoStream{}, 3)
		other := events(1, 2)
		other[0].Data = []byte("other bytes")
		o := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
		again, err := c.AppendToStream(patient(t), "a", o, other...)
		if err != nil || *again != *first {
			t.Errorf("again %+v, %v; the first time %+v", again, err, first)
		}
		if (first.PreparePosition < first.CommitPosition) != split || first.PreparePosition > first.CommitPosition {
			t.Errorf("the positions are %+v, split %t", first, split)
		}
		if s.Length() != 3 {
			t.Errorf("%d events", s.Length())
		}
	}
}

func TestAppendSizeIsLimited(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	big := func(n int) esdb.EventData {
		return esdb.EventData{EventType: "1234", Data: make([]byte, n-8-100), Metadata: make([]byte, 100)}
	}
	o := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	half := MaxAppendBytes / 2
	if _, err := c.AppendToStream(patient(t), "over", o, big(half), big(half+1)); err == nil {
		t.Error("an append of one byte too much was taken")
	}
	if _, err := c.AppendToStream(patient(t), "just", o, big(half), big(half)); err != nil {
		t.Error(err)
	}
	b := newBatch(t, raw(t, s.Node(0)))
	req := batchRequest(1, "over", 1, 2)
	req.ProposedMessages[0].Data = make([]byte, MaxAppendBytes)
	b.send(req)
	if got := b.answer(); got.GetError().GetMessage() != "MaximumAppendSizeExceeded" {
		t.Errorf("in a batch: %v", got)
	}
	if s.Length() != 2 {
		t.Errorf("%d events", s.Length())
	}
}

// While replication is held nothing is visible or answered, but it counts.
func TestUnreplicatedEventsCountButDoNotShow(t *testing.T) {
	s := New(t, Options{WriteTimeout: 50e6})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
	s.HoldReplication()
	if _, err := appendTo(t, c, "a", esdb.Revision(0), 2); code(err) != esdb.ErrorAborted {
		t.Errorf("the held append: %v", err)
	}
	if _, err := appendTo(t, c, "a", esdb.Revision(0), 3); code(err) != esdb.ErrorCodeWrongExpectedVersion ||
		!strings.Contains(err.Error(), "got '1'") {
		t.Errorf("another one: %v", err)
	}
	if _, err := appendTo(t, c, "a", esdb.Revision(0), 2); code(err) != esdb.ErrorAborted {
		t.Errorf("the held append again: %v", err)
	}
	seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10)
	if err != nil || !slices.Equal(seen, []string{"a@0"}) {
		t.Errorf("the stream shows %v, %v", seen, err)
	}
	if seen, err := readAll(t, c, esdb.ReadAllOptions{}, 10); err != nil || !slices.Equal(seen, []string{"a@0"}) {
		t.Errorf("$all shows %v, %v", seen, err)
	}
	s.ReleaseReplication()
	if seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10); err != nil || len(seen) != 2 {
		t.Errorf("afterwards the stream shows %v, %v", seen, err)
	}
	if got := mustAppend(t, c, "a", esdb.Revision(0), 2); got.NextExpectedVersion != 1 {
		t.Errorf("the held append afterwards: %+v", got)
	}
}

func TestLostEventsGiveTheirRevisionsAgain(t *testing.T) {
	s := New(t, Options{WriteTimeout: 10e9})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
	s.HoldReplication()
	failed := make(chan error, 1)
	go func() {
		o := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)}
		_, err := c.AppendToStream(context.Background(), "a", o, events(2)...)
		failed <- err
	}()
	eventually(t, "the append is stored", func() bool { return s.Length() == 2 })
	s.LoseUnreplicated()
	if err := <-failed; code(err) != esdb.ErrorAborted {
		t.Errorf("the lost append: %v", err)
	}
	s.ReleaseReplication()
	if got := mustAppend(t, c, "a", esdb.Revision(0), 3); got.NextExpectedVersion != 1 {
		t.Errorf("the next append: %+v", got)
	}
	if held := s.Events("a"); len(held) != 2 || held[1].ID != id(3) {
		t.Errorf("the log holds %+v", held)
	}
}

// batchCall is an open BatchAppend.
type batchCall struct {
	t    testing.TB
	call streams.Streams_BatchAppendClient
}

func newBatch(t testing.TB, c streams.StreamsClient) *batchCall {
	t.Helper()
	call, err := c.BatchAppend(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	return &batchCall{t, call}
}

func (b *batchCall) send(req *streams.BatchAppendReq) {
	b.t.Helper()
	if err := b.call.Send(req); err != nil {
		b.t.Fatal(err)
	}
}

func (b *batchCall) answer() *streams.BatchAppendResp {
	b.t.Helper()
	answer, err := b.call.Recv()
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

func TestBatchAnswersEachAppend(t *testing.T) {
	s := New(t, Options{})
	b := newBatch(t, raw(t, s.Node(0)))
	const appends = 200
	for i := range appends {
		b.send(batchRequest(i, "s"+id(i%150).String(), i))
	}
	if err := b.call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answered := map[string]*streams.BatchAppendResp{}
	inOrder := true
	for i := range appends {
		answer := b.answer()
		correlation, err := parseUUID(answer.GetCorrelationId())
		if err != nil {
			t.Fatal(err)
		}
		answered[correlation.String()] = answer
		inOrder = inOrder && correlation == id(i)
	}
	if inOrder {
		t.Log("all answers came in order this time")
	}
	if _, err := b.call.Recv(); err == nil {
		t.Error("one answer too many")
	}
	for i := range appends {
		answer := answered[id(i).String()]
		if i < 150 {
			if answer.GetSuccess() == nil || answer.GetSuccess().GetPosition().GetCommitPosition() == 0 {
				t.Errorf("append %d: %v", i, answer)
			}
			continue
		}
		var wrong shared.WrongExpectedVersion
		status := answer.GetError()
		if status.GetCode() != int32(codes.AlreadyExists) || len(status.GetDetails()) != 1 {
			t.Fatalf("append %d: %v", i, answer)
		}
		if err := status.GetDetails()[0].UnmarshalTo(&wrong); err != nil || wrong.GetCurrentStreamRevision() != 0 ||
			wrong.GetExpectedNoStream() == nil {
			t.Errorf("append %d: %v, %v", i, &wrong, err)
		}
	}
}

// An append may come in parts; it is stored with its last one.
func TestBatchAppendInParts(t *testing.T) {
	s := New(t, Options{})
	b := newBatch(t, raw(t, s.Node(0)))
	first := batchRequest(1, "a", 1, 2)
	first.IsFinal = false
	b.send(first)
	b.send(batchRequest(2, "b", 3))
	if got := b.answer(); got.GetSuccess() == nil || string(got.GetStreamIdentifier().GetStreamName()) != "b" {
		t.Errorf("the append between: %v", got)
	}
	b.send(&streams.BatchAppendReq{
		CorrelationId: uuidOf(id(1)), IsFinal: true,
		ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{proposed(4)},
	})
	if got := b.answer(); got.GetSuccess().GetCurrentRevision() != 2 {
		t.Errorf("the append in parts: %v", got)
	}
}

func TestBatchHonoursDeadlines(t *testing.T) {
	s := New(t, Options{WriteTimeout: patience})
	b := newBatch(t, raw(t, s.Node(0)))
	late := batchRequest(1, "late", 1)
	late.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(0)}
	b.send(late)
	if got := b.answer(); got.GetError().GetMessage() != "Timeout" {
		t.Errorf("with no time at all: %v", got)
	}
	unfinished := batchRequest(2, "unfinished", 2)
	unfinished.IsFinal = false
	unfinished.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(20e6)}
	b.send(unfinished)
	if got := b.answer(); got.GetError().GetMessage() != "Timeout" {
		t.Errorf("without its last part: %v", got)
	}
	s.HoldReplication()
	held := batchRequest(3, "held", 3)
	held.Options.DeadlineOption = unfinished.Options.DeadlineOption
	b.send(held)
	if got := b.answer(); got.GetError().GetMessage() != "Timeout" {
		t.Errorf("not replicated: %v", got)
	}
	if s.Length() != 1 {
		t.Errorf("%d events", s.Length())
	}
}
