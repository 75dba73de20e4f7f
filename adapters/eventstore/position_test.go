package eventstore

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// oldStore is one before 22.6.
var oldStore = esdbtest.Options{NoStreamPositions: true}

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

// A store that is not ready or too slow to say where an event is, once, is asked again, and nobody else notices.
func TestPlaceAgain(t *testing.T) {
	for name, refuse := range map[string]func(*esdbtest.Server){
		"not ready": func(s *esdbtest.Server) { s.RefuseAppends(1) },
		"timeout":   func(s *esdbtest.Server) { s.AbortAppends(1) },
	} {
		t.Run(name, func(t *testing.T) {
			server := double(t, oldStore)
			said := &journal{}
			l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
			a := appendOf("post-p", domain.NoStream, 2)
			must(t, l, a)
			refuse(server)
			if lines := linesOf(t, l, a.Stream); len(lines) != 2 {
				t.Errorf("the stream has %q", lines)
			}
			if said.count("store_lost") != 0 {
				t.Errorf("the log says\n%s", said)
			}
		})
	}
}

// Each call has the whole deadline, also where a store that tells no positions needs more of them.
func TestPlacesOfASlowStore(t *testing.T) {
	server := double(t, oldStore)
	l := openLog(t, server.ConnectionString()+"&defaultDeadline=2000", Options{Prefix: "ledger."})
	a := appendOf("post-p", domain.NoStream, 3)
	must(t, l, a)
	server.DelayAnswers(1100 * time.Millisecond)
	if lines := linesOf(t, l, a.Stream); len(lines) != 3 {
		t.Errorf("the stream has %q", lines)
	}
	must(t, l, appendOf("post-q", domain.NoStream, 3))
}

// What is longer than an event may be is none, whatever its id.
func TestPlaceOfLongEvent(t *testing.T) {
	server := double(t, oldStore)
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	must(t, l, appendOf("post-p", domain.NoStream, 1))
	long := []byte(strings.Repeat("x", domain.MaxEventBytes+1))
	server.Insert(esdbtest.RawEvent{Stream: "ledger.post-p", Type: "PostLiked", ID: domain.StoreID(long), Data: long})
	err := lastOf(l.ReadStream(patient(t), "post-p", 0))
	if !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), "revision 1 of stream post-p") {
		t.Errorf("the stream: %v", err)
	}
}

// An event of a newer program is one like any other, also as the last one that was seen.
func TestPlaceOfNewerEvent(t *testing.T) {
	server := double(t, oldStore)
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	first := appendOfLine(t, goldenLines()[1])
	must(t, l, first)
	newer := bytes.Replace(goldenLines()[2], []byte(`"type":"PostChanged"`), []byte(`"type":"PostShared"`), 1)
	server.Insert(esdbtest.RawEvent{
		Stream: "ledger." + string(first.Stream), Type: "PostShared", ID: domain.StoreID(newer), Data: newer,
	})
	var all, stream []domain.Position
	for events, err := range l.Read(patient(t), domain.Position{}) {
		for i := range events {
			all = append(all, events[i].Position)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for event, err := range l.ReadStream(patient(t), first.Stream, 0) {
		if stream = append(stream, event.Position); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 2 || !slices.Equal(all, stream) {
		t.Errorf("the log has them at %v, the stream at %v", all, stream)
	}
	server.Node(0).DropConnections()
	if answer := settled(t, l, appendOf("post-q", domain.NoStream, 1)); answer.Err != nil {
		t.Error(answer.Err)
	}
}

// A call of appends that ends without a reason says nothing of the log.
func TestPlaceAtNoEnd(t *testing.T) {
	server := double(t, oldStore)
	said := &journal{}
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
	must(t, l, appendOfLine(t, goldenLines()[0]))
	server.EndBatches(true)
	server.Node(0).DropConnections()
	eventually(t, "it is said why", func() bool { return said.count("store_away") > 0 })
	server.EndBatches(false)
	if answer := settled(t, l, appendOf("post-q", domain.NoStream, 1)); answer.Err != nil {
		t.Error(answer.Err)
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
