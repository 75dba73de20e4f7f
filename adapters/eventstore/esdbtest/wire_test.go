package esdbtest

import (
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
)

// What is written by hand is what the protocol's own messages are.
func TestWireIsTheProtocol(t *testing.T) {
	long := strings.Repeat("s", 300)
	for _, r := range []*recorded{
		{proposal: &proposal{}},
		{proposal: &proposal{id: id(1), typ: "T", json: true, data: []byte("d"), metadata: []byte("m")}, stream: "a",
			revision: 1, commit: 300, prepare: 283, created: "17000000000000000"},
		{proposal: &proposal{id: uuid.Max, typ: long, data: []byte(long), metadata: []byte(long)}, stream: long,
			revision: tombstoned, commit: math.MaxUint64, prepare: math.MaxUint64, created: "-1"},
	} {
		content := contentBinary
		if r.json {
			content = contentJSON
		}
		want := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
			Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: r.commit},
			Event: &streams.ReadResp_ReadEvent_RecordedEvent{
				Id: uuidOf(r.id), StreamIdentifier: identifier(r.stream), StreamRevision: uint64(r.revision),
				CommitPosition: r.commit, PreparePosition: r.prepare, Data: r.data, CustomMetadata: r.metadata,
				Metadata: map[string]string{keyType: r.typ, keyCreated: r.created, keyContentType: content},
			},
		}}}
		var got streams.ReadResp
		if err := proto.Unmarshal(appendReadEvent(nil, r), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf("%v: written as %v, not %v", err, &got, want)
		}
	}
}
