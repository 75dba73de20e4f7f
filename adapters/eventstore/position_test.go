package eventstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// oldStore is one before 22.6.
var oldStore = esdbtest.Options{NoStreamPositions: true, SplitPositions: true}

// Asking where the events of a stream are stores nothing, and says what a read of the whole log says.
func TestPlaces(t *testing.T) {
	server := double(t, oldStore)
	writer := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	at := must(t, writer, appendOf("post-p", domain.NoStream, 5))
	at = append(at, must(t, writer, appendOf("post-p", 4, 1))...)
	reader := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	server.CutReads(1)
	next := 0
	for event, err := range reader.ReadStream(patient(t), "post-p", 0) {
		if err != nil || event.Position != at[next] {
			t.Fatalf("revision %d is at %s, %v, not at %s", next, event.Position, err, at[next])
		}
		next++
	}
	if next != len(at) || server.Length() != len(at) {
		t.Errorf("%d events were read, the store has %d, not %d", next, server.Length(), len(at))
	}
}

// An event that is not the ledger's is not appended to find it, and the error says where it is as far as that is known.
func TestPlaceOfForeignEvent(t *testing.T) {
	server := double(t, oldStore)
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	server.Insert(esdbtest.RawEvent{Stream: "ledger.post-p", Type: "PostLiked", Data: []byte("{}")})
	err := lastOf(l.ReadStream(patient(t), "post-p", 0))
	const where = `revision 1 of the store's stream "ledger.post-p", whose position the store does not tell`
	if !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), where) {
		t.Errorf("the stream: %v, want that it is %s", err, where)
	}
}

// Who may not append cannot be told where an event is: the read says so, and the connection is kept.
func TestPlaceWithoutLeave(t *testing.T) {
	server := double(t, oldStore)
	said := &journal{}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	server.DenyAppends("ledger.")
	err := lastOf(l.ReadStream(patient(t), "post-p", 0))
	if !errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrOutcomeUnknown) ||
		!strings.Contains(err.Error(), "asking where revision 0 of stream post-p is") {
		t.Errorf("the stream: %v", err)
	}
	if said.count("store_lost") != 0 {
		t.Errorf("the log says\n%s", said)
	}
}

// A store that has the last event that was seen at another place has another log.
func TestReplacedByTheSame(t *testing.T) {
	for name, options := range map[string]esdbtest.Options{"22.6": {}, "before 22.6": oldStore} {
		t.Run(name, func(t *testing.T) {
			server := double(t, options)
			l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
			lines := goldenLines()
			last := appendOfLine(t, lines[1])
			must(t, l, appendOfLine(t, lines[0]))
			must(t, l, appendOf("post-lost", domain.NoStream, 1))
			must(t, l, last)
			server.Node(0).DropConnections()
			if answer := settled(t, l, last); answer.Err != nil {
				t.Fatalf("the log is the same, and says %v", answer.Err)
			}
			server.Restore(1)
			fill(server, "ledger.", []domain.Append{last})
			server.Node(0).DropConnections()
			<-l.Replaced()
		})
	}
}
