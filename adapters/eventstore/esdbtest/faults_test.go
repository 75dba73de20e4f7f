package esdbtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// rawAppend appends under NoStream by the protocol alone: EventStoreDB's client leaves a connection open for each one
// that it loses.
func rawAppend(
	t testing.TB, c streams.StreamsClient, ctx context.Context, stream string, number int,
) (trailer metadata.MD, err error) {
	t.Helper()
	call, err := c.Append(ctx)
	if err != nil {
		return nil, err
	}
	p := proposed(number)
	for _, req := range []*streams.AppendReq{
		{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
			StreamIdentifier:       identifier(stream),
			ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
		}}},
		{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id: p.Id, Data: p.Data, CustomMetadata: p.CustomMetadata, Metadata: p.Metadata,
		}}},
	} {
		if err := call.Send(req); err != nil {
			break // the answer says why
		}
	}
	_, err = call.CloseAndRecv()
	return call.Trailer(), err
}

// subscribed opens a subscription to $all from the start by the protocol alone, past its confirmation.
func subscribed(t testing.TB, c streams.StreamsClient) streams.Streams_ReadClient {
	t.Helper()
	call, err := c.Read(patient(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}},
		CountOption:  &streams.ReadReq_Options_Subscription{},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := call.Recv(); err != nil || resp.GetConfirmation() == nil {
		t.Fatalf("%v, %v", resp, err)
	}
	return call
}

// What each fault of an append leaves in the log, and says.
func TestAppendFaults(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	for _, row := range []struct {
		what   string
		order  func()
		code   codes.Code
		stored bool
	}{
		{"refused", func() { s.RefuseAppends(1) }, codes.Unavailable, false},
		{"dropped", func() { s.DropAppends(1) }, codes.Unavailable, true},
		{"aborted", func() { s.AbortAppends(1) }, codes.Aborted, true},
		{"none", func() {}, codes.OK, true},
		{"late", func() { s.DelayAnswers(time.Millisecond) }, codes.OK, true},
	} {
		before := s.Length()
		row.order()
		// A connection that was lost comes back by itself.
		_, err := rawAppend(t, c, patient(t), row.what, 1)
		if status.Code(err) != row.code {
			t.Errorf("%s: %v", row.what, err)
		}
		if stored := s.Length() > before; stored != row.stored {
			t.Errorf("%s: stored %t", row.what, stored)
		}
		if _, err := rawAppend(t, c, patient(t), row.what, 1); err != nil {
			t.Errorf("%s, again: %v", row.what, err)
		}
	}
}

// Of the appends of a batch one is dropped, and with it the connection; all that were taken are stored.
func TestDropInABatch(t *testing.T) {
	s := New(t, Options{})
	b := newBatch(t, raw(t, s.Node(0)))
	b.send(batchRequest(1, "a", 1))
	b.answer()
	s.DropAppends(1)
	b.send(batchRequest(2, "b", 2))
	if answer, err := b.call.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v", answer, err)
	}
	if s.Length() != 2 {
		t.Errorf("%d events", s.Length())
	}
}

func TestHeldAnswers(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	b := newBatch(t, c)
	s.HoldAnswers()
	answered := make(chan error, 1)
	go func() {
		_, err := rawAppend(t, c, patient(t), "a", 1)
		answered <- err
	}()
	b.send(batchRequest(2, "b", 2))
	eventually(t, "both are stored", func() bool { return s.Length() == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := rawAppend(t, c, ctx, "c", 3); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	select {
	case err := <-answered:
		t.Errorf("answered: %v", err)
	default:
	}
	s.ReleaseAnswers()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if b.answer().GetSuccess() == nil {
		t.Error("no success in the batch")
	}
}

// A node that refuses comes back on its port.
func TestRefusingNode(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	call := subscribed(t, c)
	address := s.Node(0).Address()
	for range 3 {
		s.Node(0).Refuse()
		if _, err := rawAppend(t, c, patient(t), "a", 1); status.Code(err) != codes.Unavailable {
			t.Errorf("refused: %v", err)
		}
		s.Node(0).Accept()
	}
	for {
		if _, err := call.Recv(); err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the subscription: %v", err)
			}
			break
		}
	}
	eventually(t, "it takes appends again", func() bool {
		_, err := rawAppend(t, c, patient(t), "a", 1)
		return err == nil
	})
	if s.Node(0).Address() != address {
		t.Errorf("it came back as %s, not %s", s.Node(0).Address(), address)
	}
}

// Connections that are dropped may come back at once.
func TestDroppedConnections(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	call := subscribed(t, c)
	s.Node(0).DropConnections()
	for {
		if _, err := call.Recv(); err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the subscription: %v", err)
			}
			break
		}
	}
	eventually(t, "it takes appends again", func() bool {
		_, err := rawAppend(t, c, patient(t), "a", 1)
		return err == nil
	})
}

// One connection has room for so many calls; the next waits for one of them.
func TestConcurrentCallsAreLimited(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	ctx, cancel := context.WithCancel(patient(t))
	for range MaxConcurrentStreams {
		if _, err := c.BatchAppend(ctx); err != nil {
			t.Fatal(err)
		}
	}
	brief, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if _, err := rawAppend(t, c, brief, "a", 1); status.Code(err) != codes.DeadlineExceeded || s.Length() != 0 {
		t.Errorf("one call more: %v, %d events", err, s.Length())
	}
	cancel()
	if _, err := rawAppend(t, c, patient(t), "a", 1); err != nil {
		t.Errorf("after the others: %v", err)
	}
}

func TestCutSubscriptions(t *testing.T) {
	s := New(t, Options{})
	call := subscribed(t, raw(t, s.Node(0)))
	eventually(t, "it is open", func() bool { return s.Subscriptions() == 1 })
	s.CutSubscriptions()
	for {
		resp, err := call.Recv()
		if status.Code(err) == codes.Unavailable {
			break
		}
		if err != nil || resp.GetCaughtUp() == nil {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	eventually(t, "it is gone", func() bool { return s.Subscriptions() == 0 })
}

// A silent subscription sends nothing, and stays; a new one is as ever.
func TestSilentSubscriptions(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	sub, err := c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	silent := watching(t, sub, err)
	silent.expect(t, "caught up")
	s.SilenceSubscriptions()
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
	sub, err = c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	other := watching(t, sub, err)
	other.expect(t, "a@0", "caught up")
	mustAppend(t, c, "a", esdb.Revision(0), 2)
	other.expect(t, "a@1")
	select {
	case e := <-silent.seen:
		t.Errorf("it sent %+v", e)
	default:
	}
	s.SilenceNextSubscriptions(1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if code(err) != esdb.ErrorCodeDeadlineExceeded {
		t.Errorf("the next one: %v", err)
	}
	s.CutSubscriptions()
	silent.expect(t, "dropped: rpc error: code = Unavailable desc = the server is shutting down")
}

// A live subscription whose consumer takes nothing is dropped once it takes something again.
func TestSlowConsumersAreDropped(t *testing.T) {
	s := New(t, Options{})
	s.DropSlowConsumers(10)
	c := raw(t, s.Node(0))
	call := subscribed(t, c)
	if resp, err := call.Recv(); err != nil || resp.GetCaughtUp() == nil {
		t.Fatalf("%v, %v", resp, err)
	}
	big := make([]byte, 64<<10) // more than what the connection holds
	for range 40 {
		s.Insert(RawEvent{Stream: "a", Type: "Big", Data: big})
	}
	for {
		if _, err := call.Recv(); err != nil {
			if status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "Consumer too slow") {
				t.Error(err)
			}
			return
		}
	}
}

func TestBogusCheckpoint(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	sub, err := c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	w := watching(t, sub, err)
	w.expect(t, "caught up")
	s.SendBogusCheckpoint()
	w.expect(t, "checkpoint 18446744073709551615")
}

// The client panics on what it does not know, in a read; a subscription passes over it.
func TestUnknownMessages(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
	s.SpoilReads(1)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the client did not panic")
			}
		}()
		_, _ = readStream(t, c, "a", esdb.ReadStreamOptions{}, 1)
	}()
	call := subscribed(t, raw(t, s.Node(0)))
	for _, want := range []func(*streams.ReadResp) bool{
		func(r *streams.ReadResp) bool { return r.GetEvent() != nil },
		func(r *streams.ReadResp) bool { return r.GetCaughtUp() != nil },
		func(r *streams.ReadResp) bool { return r.GetContent() == nil },
	} {
		if resp, err := call.Recv(); err != nil || !want(resp) {
			t.Fatalf("%v, %v", resp, err)
		}
		if s.Subscriptions() == 1 {
			s.SpoilSubscriptions()
		}
	}
}

// The client ends the process where created is no number.
func TestUnparsableCreated(t *testing.T) {
	if os.Getenv("ESDBTEST_CREATED") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUnparsableCreated$")
		cmd.Env = append(os.Environ(), "ESDBTEST_CREATED=yesterday")
		text, err := cmd.CombinedOutput()
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) || !strings.Contains(string(text), "Failed to parse created date") {
			t.Errorf("%v: %s", err, text)
		}
		return
	}
	s := New(t, Options{})
	s.Insert(RawEvent{Stream: "a", Type: "T", Created: os.Getenv("ESDBTEST_CREATED")})
	_, _ = readStream(t, client(t, s.ConnectionString()), "a", esdb.ReadStreamOptions{}, 1)
}

func TestRawEventsAndGaps(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	mustAppend(t, c, "a", esdb.NoStream{}, 1, 2, 3)
	if !s.RemoveRevision("a", 1) || s.RemoveRevision("a", 1) || s.RemoveRevision("b", 0) {
		t.Error("the removal was told wrongly")
	}
	seven, taken := uint64(7), uint64(2)
	s.Insert(RawEvent{Stream: "a", Type: "T", Revision: &seven, Data: []byte("x")})
	s.Insert(RawEvent{Stream: "a", Type: "T", Revision: &taken})
	s.Insert(RawEvent{Stream: "$stats", Type: "$statsCollected", JSON: true, Data: []byte("{}")})
	want := []string{"a@0", "a@2", "a@2", "a@7"}
	if seen, err := readStream(t, c, "a", esdb.ReadStreamOptions{}, 10); err != nil || !slices.Equal(seen, want) {
		t.Errorf("the stream shows %v, %v", seen, err)
	}
	slices.Reverse(want)
	o := esdb.ReadStreamOptions{From: esdb.End{}, Direction: esdb.Backwards}
	if seen, err := readStream(t, c, "a", o, 10); err != nil || !slices.Equal(seen, want) {
		t.Errorf("backwards the stream shows %v, %v", seen, err)
	}
	want = []string{"a@0", "a@2", "a@7", "a@2", "$stats@0"}
	if seen, err := readAll(t, c, esdb.ReadAllOptions{}, 10); err != nil || !slices.Equal(seen, want) {
		t.Errorf("$all shows %v, %v", seen, err)
	}
	if got := mustAppend(t, c, "a", esdb.Revision(7), 4); got.NextExpectedVersion != 8 {
		t.Errorf("the numbers go on with %+v", got)
	}
}

func TestCutReads(t *testing.T) {
	s := New(t, Options{})
	c := raw(t, s.Node(0))
	for i := range 10 {
		s.Insert(RawEvent{Stream: "a", Type: "T", Data: []byte{byte(i)}})
	}
	for _, option := range []*streams.ReadReq_Options{
		{StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}}},
		{StreamOption: &streams.ReadReq_Options_Stream{
			Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: identifier("a")},
		}},
	} {
		s.CutReads(1)
		option.CountOption = &streams.ReadReq_Options_Count{Count: 100}
		option.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
		call, err := c.Read(patient(t), &streams.ReadReq{Options: option})
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		for {
			if _, err = call.Recv(); err != nil {
				break
			}
			shown++
		}
		if status.Code(err) != codes.Unavailable || shown == 0 || shown == 10 {
			t.Errorf("%d events, then %v", shown, err)
		}
	}
}

func TestDeniedAccess(t *testing.T) {
	s := New(t, Options{})
	c := client(t, s.ConnectionString())
	s.DenyAccess("secret")
	if _, err := appendTo(t, c, "secret.a", esdb.NoStream{}, 1); code(err) != esdb.ErrorCodeAccessDenied {
		t.Errorf("append: %v", err)
	}
	if _, err := readStream(t, c, "secret.a", esdb.ReadStreamOptions{}, 1); code(err) != esdb.ErrorCodeAccessDenied {
		t.Errorf("read: %v", err)
	}
	b := newBatch(t, raw(t, s.Node(0)))
	b.send(batchRequest(1, "secret.a", 1))
	if got := b.answer(); got.GetError().GetCode() != int32(codes.PermissionDenied) {
		t.Errorf("batch: %v", got)
	}
	trailer, _ := rawAppend(t, raw(t, s.Node(0)), patient(t), "secret.a", 1)
	if got := trailer.Get("exception"); !slices.Equal(got, []string{"access-denied"}) {
		t.Errorf("trailers: %v", trailer)
	}
	mustAppend(t, c, "a", esdb.NoStream{}, 1)
}

// With faults at random everything is stored once in the end, and the same seed draws the same.
func TestRandomFaults(t *testing.T) {
	s := New(t, Options{Nodes: 3})
	s.PlayAtRandom(1, Rates{
		RefuseAppend: 0.1, DropAppend: 0.1, AbortAppend: 0.1, LateAppend: 0.1, Late: time.Millisecond,
		CutRead: 0.5, CutSubscription: 0.1, BogusCheckpoint: 0.1, SilenceSubscription: 0.1, ChangeLeader: 0.1,
	})
	c := raw(t, s.Node(0))
	failed := 0
	const appends = 50
	for i := range appends {
		for {
			_, err := rawAppend(t, c, patient(t), "s"+id(i).String(), i)
			if err == nil {
				break
			}
			failed++
		}
	}
	if held := s.Events(""); len(held) != appends || failed == 0 {
		t.Errorf("%d events after %d failures", len(held), failed)
	}
	s.PlayAtRandom(0, Rates{})
	if _, err := rawAppend(t, c, patient(t), "after", 1); err != nil {
		t.Error(err)
	}
	draw := func() (drawn []bool) {
		s.PlayAtRandom(7, Rates{DropAppend: 0.5})
		for range 64 {
			drawn = append(drawn, s.random.Load().addTo(fate{}).drop)
		}
		return drawn
	}
	first := draw()
	if !slices.Equal(first, draw()) || !slices.Contains(first, true) || !slices.Contains(first, false) {
		t.Error("the same seed draws something else")
	}
}

// Close ends everything, also what waits.
func TestCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := New(t, Options{Nodes: 3})
	c := client(t, s.Node(0).ConnectionString())
	sub, err := c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	s.HoldReplication()
	failed := make(chan error, 1)
	go func() {
		_, err := c.AppendToStream(context.Background(), "a", esdb.AppendToStreamOptions{}, events(1)...)
		failed <- err
	}()
	eventually(t, "the append is stored", func() bool { return s.Length() == 1 })
	s.Node(1).Refuse()
	s.Close()
	if err := <-failed; err == nil {
		t.Error("the append had an answer")
	}
	for sub.Recv().SubscriptionDropped == nil {
	}
	_ = sub.Close()
	_ = c.Close()
}
