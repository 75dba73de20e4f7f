package eventstore

import (
	"encoding/binary"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tweiledger/tweiledger/domain"
)

// Fields of BatchAppendReq and of what is in it, from streams.proto and shared.proto.
const (
	fieldCorrelation      = 1
	fieldOptions          = 2
	fieldProposed         = 3
	fieldFinal            = 4
	fieldOptionsStream    = 1
	fieldOptionsRevision  = 2
	fieldOptionsNoStream  = 3
	fieldStreamName       = 3
	fieldProposedID       = 1
	fieldProposedMetadata = 2
	fieldProposedData     = 4
	fieldUUIDStructured   = 1
	fieldUUIDMost         = 1
	fieldUUIDLeast        = 2
	fieldMapKey           = 1
	fieldMapValue         = 2
)

// request returns an append as the protocol sends it. It has no deadline: the store has its own, and its clock. It is
// encoded here, which a marshaller takes several times as long for, and holds a copy of the lines, since it may be sent
// when the caller waits no longer.
func (l *Log) request(id uint64, of *domain.Append) *streams.BatchAppendReq {
	size := 128 + len(l.prefix) + len(of.Stream)
	for _, e := range of.Events {
		size += 128 + len(e.Canonical)
	}
	b := appendBytes(make([]byte, 0, size), fieldCorrelation, appendUUID(make([]byte, 0, maxUUID), 0, id))
	b = l.appendOptions(b, of)
	for _, e := range of.Events {
		b = appendProposed(b, e)
	}
	b = protowire.AppendTag(b, fieldFinal, protowire.VarintType)
	b = protowire.AppendVarint(b, 1)
	r := &streams.BatchAppendReq{}
	r.ProtoReflect().SetUnknown(b) // is sent as it is
	return r
}

func (l *Log) appendOptions(b []byte, of *domain.Append) []byte {
	name := len(l.prefix) + len(of.Stream)
	identifier := protowire.SizeTag(fieldStreamName) + protowire.SizeBytes(name)
	expected, kind, value := protowire.Number(fieldOptionsRevision), protowire.VarintType, uint64(of.Expected)
	if of.Expected == domain.NoStream {
		expected, kind, value = fieldOptionsNoStream, protowire.BytesType, 0 // a message without a field
	}
	b = appendHeader(b, fieldOptions, protowire.SizeTag(fieldOptionsStream)+protowire.SizeBytes(identifier)+
		protowire.SizeTag(expected)+protowire.SizeVarint(value))
	b = appendHeader(b, fieldOptionsStream, identifier)
	b = appendHeader(b, fieldStreamName, name)
	b = append(append(b, l.prefix...), of.Stream...)
	return protowire.AppendVarint(protowire.AppendTag(b, expected, kind), value)
}

func appendProposed(b []byte, e domain.EncodedEvent) []byte {
	storeID := domain.StoreID(e.Canonical)
	id := appendUUID(make([]byte, 0, maxUUID), binary.BigEndian.Uint64(storeID[:8]), binary.BigEndian.Uint64(storeID[8:]))
	b = appendHeader(b, fieldProposed, protowire.SizeTag(fieldProposedID)+protowire.SizeBytes(len(id))+
		len(metadataOf[e.Type])+protowire.SizeTag(fieldProposedData)+protowire.SizeBytes(len(e.Canonical)))
	b = appendBytes(b, fieldProposedID, id)
	b = append(b, metadataOf[e.Type]...)
	return appendBytes(b, fieldProposedData, e.Canonical)
}

// metadataOf is the field with the metadata of an event by its type.
var metadataOf = func() map[domain.EventType][]byte {
	all := map[domain.EventType][]byte{}
	for t := domain.PostPublished; t.Valid(); t++ {
		for _, of := range [][2]string{{"type", t.String()}, {"content-type", "application/json"}} {
			entry := appendBytes(appendBytes(nil, fieldMapKey, []byte(of[0])), fieldMapValue, []byte(of[1]))
			all[t] = appendBytes(all[t], fieldProposedMetadata, entry)
		}
	}
	return all
}()

// maxUUID is the length of the longest UUID.
const maxUUID = 24

func appendUUID(b []byte, most, least uint64) []byte {
	b = appendHeader(b, fieldUUIDStructured, protowire.SizeTag(fieldUUIDMost)+protowire.SizeVarint(most)+
		protowire.SizeTag(fieldUUIDLeast)+protowire.SizeVarint(least))
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldUUIDMost, protowire.VarintType), most)
	return protowire.AppendVarint(protowire.AppendTag(b, fieldUUIDLeast, protowire.VarintType), least)
}

func appendHeader(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	return append(appendHeader(b, field, len(value)), value...)
}
