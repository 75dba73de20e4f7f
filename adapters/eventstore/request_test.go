package eventstore

import (
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/tweiledger/tweiledger/domain"
)

// What is sent is what a marshaller of the protocol reads, with nothing that it does not know.
func TestRequestIsTheProtocol(t *testing.T) {
	l := &Log{prefix: "ledger."}
	for _, expected := range []domain.Revision{domain.NoStream, 0, 1, 300, math.MaxInt32} {
		a := appendOf("reaction-post/p/ann", expected, 2)
		a.Events[1].Canonical = nil
		for id := range uint64(300) {
			sent, err := proto.Marshal(l.request(id*id*id, &a))
			if err != nil {
				t.Fatal(err)
			}
			got := &streams.BatchAppendReq{}
			if err := proto.Unmarshal(sent, got); err != nil {
				t.Fatal(err)
			}
			want := wantRequest(id*id*id, &a)
			if !proto.Equal(got, want) {
				t.Fatalf("at %d:\n%v\nwant\n%v", expected, got, want)
			}
		}
	}
}

func wantRequest(id uint64, of *domain.Append) *streams.BatchAppendReq {
	options := &streams.BatchAppendReq_Options{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("ledger." + of.Stream)},
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_StreamPosition{
			StreamPosition: uint64(of.Expected),
		},
	}
	if of.Expected == domain.NoStream {
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	}
	want := &streams.BatchAppendReq{CorrelationId: structured(0, int64(id)), Options: options, IsFinal: true}
	for _, e := range of.Events {
		most, least := uuidHalves(domain.StoreID(e.Canonical))
		want.ProposedMessages = append(want.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id:       structured(most, least),
			Metadata: map[string]string{"type": e.Type.String(), "content-type": "application/json"},
			Data:     e.Canonical,
		})
	}
	return want
}

func structured(most, least int64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: most, LeastSignificantBits: least,
	}}}
}

// uuidHalves are the two numbers of an id in the protocol.
func uuidHalves(id uuid.UUID) (most, least int64) {
	for _, b := range id[:8] {
		most = most<<8 | int64(b)
	}
	for _, b := range id[8:] {
		least = least<<8 | int64(b)
	}
	return most, least
}
