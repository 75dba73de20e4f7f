package esdbtest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// request is an append, a deletion or a tombstone on its way into the log.
type request struct {
	stream   string
	expected int64
	events   []proposal
	size     int
	delete   bool
	hard     bool // delete for good
}

// add takes one proposed event. Both ways to append have messages of the same fields.
func (r *request) add(message interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}) error {
	p := proposal{data: message.GetData(), metadata: message.GetCustomMetadata()}
	var ok bool
	if p.typ, ok = message.GetMetadata()[keyType]; !ok {
		return missingProperty(keyType)
	}
	content, ok := message.GetMetadata()[keyContentType]
	if !ok {
		return missingProperty(keyContentType)
	}
	p.json = content == contentJSON
	var err error
	if p.id, err = parseUUID(message.GetId()); err != nil {
		return invalid("%v", err)
	}
	r.events = append(r.events, p)
	if r.size += p.sizeOnDisk(); r.size > MaxAppendBytes {
		return errTooLarge
	}
	return nil
}

// taken is a request that was decided on, before its answer.
type taken struct {
	decision
	fate
	epoch int
}

// take decides on a request and stores what it brings.
func (n *Node) take(leaderOnly bool, r *request) (taken, error) {
	s := n.server
	if err := s.authorizeAppend(r.stream); err != nil {
		return taken{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := n.mayTake(leaderOnly, true); err != nil {
		return taken{}, err
	}
	t := taken{epoch: s.epoch, fate: s.appendFate()}
	if t.refuse {
		return taken{}, errNotReady
	}
	if r.delete {
		t.decision = s.log.delete(r.stream, r.expected, r.hard)
	} else {
		t.decision = s.log.append(r.stream, r.expected, r.events)
	}
	t.unready = t.outcome == repeated && t.end > s.replicated
	s.advance()
	s.stepLeader()
	return t, nil
}

// conclude waits until a request may be answered, which takes at most limit, and plays its fate.
func (n *Node) conclude(ctx context.Context, t taken, limit time.Duration) error {
	if t.drop {
		n.dropCaller(ctx)
		return errDropped
	}
	if err := n.server.settle(ctx, t.decision, t.epoch, limit); err != nil {
		return err
	}
	if err := n.server.late(ctx, t.delay); err != nil {
		return err
	}
	if t.abort {
		return timedOut("CommitTimeout")
	}
	return nil
}

// Append takes one append.
func (n *Node) Append(call streams.Streams_AppendServer) error {
	r, err := receiveAppend(call)
	if err != nil {
		return err
	}
	t, err := n.take(requiresLeader(call.Context()), r)
	if err != nil {
		return err
	}
	if err := n.conclude(call.Context(), t, n.server.options.WriteTimeout); err != nil {
		return err
	}
	switch t.outcome {
	case streamDeleted:
		return deletedStream(r.stream)
	case wrongRevision:
		return call.SendAndClose(&streams.AppendResp{Result: wrongAppend(r.expected, t.revision)})
	default:
		return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: t.success()}})
	}
}

// receiveAppend reads an append to its end.
func receiveAppend(call streams.Streams_AppendServer) (*request, error) {
	first, err := call.Recv()
	if err != nil {
		return nil, err
	}
	o := first.GetOptions()
	if o == nil {
		return nil, invalid("an append begins with %T", first.GetContent())
	}
	r := &request{stream: string(o.GetStreamIdentifier().GetStreamName())}
	if r.expected, err = expectedOf(o.GetExpectedStreamRevision()); err != nil {
		return nil, err
	}
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		proposed := message.GetProposedMessage()
		if proposed == nil {
			return nil, invalid("an append has %T", message.GetContent())
		}
		if err := r.add(proposed); err != nil {
			return nil, err
		}
	}
}

// expectedOf is the expected revision of any request, as the server numbers them.
func expectedOf(option any) (int64, error) {
	switch o := option.(type) {
	case *streams.AppendReq_Options_Revision:
		return int64(o.Revision), nil
	case *streams.DeleteReq_Options_Revision:
		return int64(o.Revision), nil
	case *streams.TombstoneReq_Options_Revision:
		return int64(o.Revision), nil
	case *streams.BatchAppendReq_Options_StreamPosition:
		return int64(o.StreamPosition), nil
	case *streams.AppendReq_Options_NoStream, *streams.DeleteReq_Options_NoStream,
		*streams.TombstoneReq_Options_NoStream, *streams.BatchAppendReq_Options_NoStream:
		return expectNoStream, nil
	case *streams.AppendReq_Options_Any, *streams.DeleteReq_Options_Any,
		*streams.TombstoneReq_Options_Any, *streams.BatchAppendReq_Options_Any:
		return expectAny, nil
	case *streams.AppendReq_Options_StreamExists, *streams.DeleteReq_Options_StreamExists,
		*streams.TombstoneReq_Options_StreamExists, *streams.BatchAppendReq_Options_StreamExists:
		return expectStreamExists, nil
	default:
		return 0, invalid("'%T' is not a valid expected revision", option)
	}
}

func (d *decision) success() *streams.AppendResp_Success {
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(d.revision)},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}
	if d.revision < 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	if d.placed {
		success.PositionOption = &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: d.commit, PreparePosition: d.prepare},
		}
	}
	return success
}

// wrongAppend says what was expected and what is, in the fields of today and of version 20.6.
func wrongAppend(expected, actual int64) *streams.AppendResp_WrongExpectedVersion_ {
	w := &streams.AppendResp_WrongExpectedVersion{}
	if actual < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{
			CurrentNoStream: &shared.Empty{},
		}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{
			NoStream_20_6_0: &shared.Empty{},
		}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{
			CurrentRevision: uint64(actual),
		}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{
			CurrentRevision_20_6_0: uint64(actual),
		}
	}
	switch expected {
	case expectAny:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	case expectStreamExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{
			ExpectedStreamExists: &shared.Empty{},
		}
	case expectNoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{
			ExpectedNoStream: &shared.Empty{},
		}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{
			ExpectedRevision: uint64(expected),
		}
	}
	return &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}
}

// Delete deletes a stream so that it can be written again.
func (n *Node) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	t, err := n.delete(ctx, o.GetStreamIdentifier(), o.GetExpectedStreamRevision(), false)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: t.commit, PreparePosition: t.prepare},
	}}, nil
}

// Tombstone deletes a stream for good.
func (n *Node) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	t, err := n.delete(ctx, o.GetStreamIdentifier(), o.GetExpectedStreamRevision(), true)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: t.commit, PreparePosition: t.prepare},
	}}, nil
}

func (n *Node) delete(ctx context.Context, stream *shared.StreamIdentifier, expected any, hard bool) (taken, error) {
	r := &request{stream: string(stream.GetStreamName()), delete: true, hard: hard}
	var err error
	if r.expected, err = expectedOf(expected); err != nil {
		return taken{}, err
	}
	t, err := n.take(requiresLeader(ctx), r)
	if err != nil {
		return taken{}, err
	}
	if err := n.conclude(ctx, t, n.server.options.WriteTimeout); err != nil {
		return taken{}, err
	}
	switch t.outcome {
	case streamDeleted:
		return taken{}, deletedStream(r.stream)
	case wrongRevision:
		return taken{}, wrongVersion("Delete", r.stream, r.expected, t.revision)
	default:
		return t, nil
	}
}
