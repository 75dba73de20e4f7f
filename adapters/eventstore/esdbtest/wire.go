package esdbtest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that codec falls back on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Keys and values of an event's system metadata.
const (
	keyType        = "type"
	keyCreated     = "created"
	keyContentType = "content-type"

	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

// ticks gives a time as the server does: in units of 100 ns since 1970.
func ticks(t time.Time) string { return strconv.FormatInt(t.UnixNano()/100, 10) }

// recorded is what a reader is shown of an event.
type recorded struct {
	*proposal
	stream          string
	revision        int64
	commit, prepare uint64
	created         string
}

// Field numbers of the messages that are written by hand, from streams.proto and shared.proto.
const (
	fieldRespEvent       = 1
	fieldEventRecorded   = 1
	fieldEventCommit     = 3
	fieldRecordedID      = 1
	fieldRecordedStream  = 2
	fieldRecordedNumber  = 3
	fieldRecordedPrepare = 4
	fieldRecordedCommit  = 5
	fieldRecordedMeta    = 6
	fieldRecordedCustom  = 7
	fieldRecordedData    = 8
	fieldUUIDStructured  = 1
	fieldUUIDMost        = 1
	fieldUUIDLeast       = 2
	fieldIdentifierName  = 3
	fieldMapKey          = 1
	fieldMapValue        = 2
)

// appendReadEvent appends the ReadResp that shows an event. It is made once, when the event is stored, since a
// marshaller takes several times as long and a reader would pay for it each time.
func appendReadEvent(b []byte, r *recorded) []byte {
	size := r.size()
	body := protowire.SizeTag(fieldEventRecorded) + protowire.SizeBytes(size) + sizeNumber(fieldEventCommit, r.commit)
	b = protowire.AppendTag(b, fieldRespEvent, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(body))
	b = protowire.AppendTag(b, fieldEventRecorded, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = r.append(b)
	return appendNumber(b, fieldEventCommit, r.commit)
}

func (r *recorded) contentType() string {
	if r.json {
		return contentJSON
	}
	return contentBinary
}

func (r *recorded) bits() (most, least uint64) {
	return binary.BigEndian.Uint64(r.id[:8]), binary.BigEndian.Uint64(r.id[8:])
}

func (r *recorded) idSize() int {
	most, least := r.bits()
	return sizeNumber(fieldUUIDMost, most) + sizeNumber(fieldUUIDLeast, least)
}

func (r *recorded) size() int {
	id := sizeBytes(fieldUUIDStructured, r.idSize())
	return sizeBytes(fieldRecordedID, id) +
		sizeBytes(fieldRecordedStream, sizeBytes(fieldIdentifierName, len(r.stream))) +
		sizeNumber(fieldRecordedNumber, uint64(r.revision)) +
		sizeNumber(fieldRecordedPrepare, r.prepare) +
		sizeNumber(fieldRecordedCommit, r.commit) +
		sizeBytes(fieldRecordedMeta, sizePair(keyType, r.typ)) +
		sizeBytes(fieldRecordedMeta, sizePair(keyCreated, r.created)) +
		sizeBytes(fieldRecordedMeta, sizePair(keyContentType, r.contentType())) +
		sizeBytes(fieldRecordedCustom, len(r.metadata)) +
		sizeBytes(fieldRecordedData, len(r.data))
}

func (r *recorded) append(b []byte) []byte {
	most, least := r.bits()
	id := r.idSize()
	b = appendHead(b, fieldRecordedID, sizeBytes(fieldUUIDStructured, id))
	b = appendHead(b, fieldUUIDStructured, id)
	b = appendNumber(b, fieldUUIDMost, most)
	b = appendNumber(b, fieldUUIDLeast, least)
	b = appendHead(b, fieldRecordedStream, sizeBytes(fieldIdentifierName, len(r.stream)))
	b = appendText(b, fieldIdentifierName, r.stream)
	b = appendNumber(b, fieldRecordedNumber, uint64(r.revision))
	b = appendNumber(b, fieldRecordedPrepare, r.prepare)
	b = appendNumber(b, fieldRecordedCommit, r.commit)
	b = appendPair(b, keyType, r.typ)
	b = appendPair(b, keyCreated, r.created)
	b = appendPair(b, keyContentType, r.contentType())
	b = append(appendHead(b, fieldRecordedCustom, len(r.metadata)), r.metadata...)
	return append(appendHead(b, fieldRecordedData, len(r.data)), r.data...)
}

func sizeNumber(field protowire.Number, v uint64) int {
	return protowire.SizeTag(field) + protowire.SizeVarint(v)
}

func sizeBytes(field protowire.Number, n int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}

func sizePair(key, value string) int {
	return sizeBytes(fieldMapKey, len(key)) + sizeBytes(fieldMapValue, len(value))
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// appendHead appends what goes before n bytes of a field.
func appendHead(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	return append(appendHead(b, field, len(s)), s...)
}

func appendPair(b []byte, key, value string) []byte {
	b = appendHead(b, fieldRecordedMeta, sizePair(key, value))
	b = appendText(b, fieldMapKey, key)
	return appendText(b, fieldMapValue, value)
}

// encoded is a message that is encoded already.
type encoded []byte

// codec sends encoded messages as they are, and all others as gRPC does.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// parseUUID reads an id in either of its forms.
func parseUUID(id *shared.UUID) (u uuid.UUID, err error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		binary.BigEndian.PutUint64(u[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(u[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return u, nil
	case *shared.UUID_String_:
		return uuid.Parse(v.String_)
	default:
		return u, fmt.Errorf("an id of kind %T", v)
	}
}

// uuidOf gives an id in the form that clients use.
func uuidOf(u uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(u[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(u[8:])),
	}}}
}
