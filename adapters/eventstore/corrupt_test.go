package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// readers are the ways to read a log; each returns how many events came before the error.
var readers = map[string]func(context.Context, *Log) (int, error){
	"stream": func(ctx context.Context, l *Log) (seen int, err error) {
		for _, err = range l.ReadStream(ctx, "post-minerals", 0) {
			if err == nil {
				seen++
			}
		}
		return seen, err
	},
	"read": func(ctx context.Context, l *Log) (seen int, err error) {
		for events, failed := range l.Read(ctx, domain.Position{}) {
			seen, err = seen+len(events), failed
		}
		return seen, err
	},
	"follow": func(ctx context.Context, l *Log) (seen int, err error) {
		for events, failed := range l.Follow(ctx, domain.Position{}) {
			seen, err = seen+len(events), failed
		}
		return seen, err
	},
}

// An event under the ledger's names that is not the ledger's is never passed over: the error says where it is.
func TestForeignEvents(t *testing.T) {
	lines := goldenLines()
	published, changed, tariff := lines[1], lines[2], lines[0]
	for name, event := range map[string]esdbtest.RawEvent{
		"another id":          {ID: uuid.New(), Data: changed},
		"other bytes":         {ID: domain.StoreID(changed), Data: append([]byte(" "), changed...)},
		"no bytes":            {ID: uuid.New()},
		"of another revision": {ID: domain.StoreID(published), Data: published},
		"of another stream":   {ID: domain.StoreID(tariff), Data: tariff},
		"of another ledger":   {ID: uuid.New(), Type: "Happened", Data: []byte("{}")},
	} {
		event.Stream = "ledger.post-minerals"
		if event.Type == "" {
			event.Type = domain.PostPublished.String()
		}
		for reader, read := range readers {
			t.Run(name+"/"+reader, func(t *testing.T) {
				server := double(t, esdbtest.Options{SplitPositions: true})
				l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
				must(t, l, appendOfLine(t, published))
				server.Insert(event)
				seen, err := read(patient(t), l)
				inserted := server.Events("")[1]
				where := fmt.Sprintf("revision %d of the store's stream %q, at position %d/%d",
					inserted.Revision, inserted.Stream, inserted.Commit, inserted.Prepare)
				if !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), where) || seen > 1 {
					t.Errorf("%d events, then %v, want that it is at %s", seen, err, where)
				}
			})
		}
	}
}

// Where they are to be skipped, events on streams that no ledger has are: but none on a ledger's own.
func TestSkipForeign(t *testing.T) {
	server := double(t, esdbtest.Options{SplitPositions: true})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", SkipForeign: true})
	insert := func(stream string) {
		server.Insert(esdbtest.RawEvent{Stream: "ledger." + stream, ID: uuid.New(), Type: "Happened", Data: []byte("{}")})
	}
	foreign := []string{"test", "tariffs", "tariff-test", "reading-x", "post-test-result/1", "report-nightly run"}
	for _, stream := range foreign {
		insert(stream)
	}
	positions := must(t, l, appendOf("post-p", domain.NoStream, 2))
	for _, stream := range foreign {
		insert(stream)
	}
	server.Insert(esdbtest.RawEvent{Stream: "ledgerspost-p", ID: uuid.New(), Type: "Happened", Data: []byte("{}")})
	if head, err := l.Head(patient(t)); err != nil || head != positions[1] {
		t.Errorf("the head is %s, %v, want %s", head, err, positions[1])
	}
	if seen, err := readers["read"](patient(t), l); err != nil || seen != 2 {
		t.Errorf("%d events, then %v, want 2", seen, err)
	}
	insert("comment-c")
	if seen, err := readers["read"](patient(t), l); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("with one on a ledger's stream: %d events, then %v", seen, err)
	}
}

// A stream with a revision missing is not read past it.
func TestMissingRevision(t *testing.T) {
	for _, missing := range []uint64{0, 1, 3} {
		server := double(t, esdbtest.Options{})
		l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
		positions := must(t, l, appendOf("post-p", domain.NoStream, 5))
		if !server.RemoveRevision("ledger.post-p", missing) {
			t.Fatal("nothing is removed")
		}
		seen := uint64(0)
		var err error
		for _, err = range l.ReadStream(patient(t), "post-p", 0) {
			if err == nil {
				seen++
			}
		}
		commit, _ := positions[missing+1].Numbers()
		where := fmt.Sprintf(`revision %d of the store's stream "ledger.post-p", at position %d/`, missing+1, commit)
		if !errors.Is(err, domain.ErrCorrupt) || !strings.Contains(err.Error(), where) || seen > missing {
			t.Errorf("without revision %d: %d events, then %v", missing, seen, err)
		}
		behind := uint64(0)
		for _, err = range l.ReadStream(patient(t), "post-p", domain.Revision(missing+1)) {
			if behind++; err != nil {
				t.Errorf("behind revision %d: %v", missing, err)
			}
		}
		if behind != 4-missing {
			t.Errorf("behind revision %d: %d events", missing, behind)
		}
	}
}

// Nor is one that has a revision twice.
func TestRevisionTwice(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	a := appendOf("post-p", domain.NoStream, 2)
	must(t, l, a)
	server.Insert(esdbtest.RawEvent{
		Stream: "ledger.post-p", Type: "PostLiked", JSON: true, Revision: new(uint64),
		ID: domain.StoreID(a.Events[0].Canonical), Data: a.Events[0].Canonical,
	})
	last := lastOf(l.ReadStream(patient(t), "post-p", 0))
	if !errors.Is(last, domain.ErrCorrupt) || !strings.Contains(last.Error(), "revision 0 of the store's stream") {
		t.Errorf("the stream: %v", last)
	}
}

// A stream that somebody deleted goes on with its next revision in the store. The ledger's lines would be wrong there.
func TestSoftDeletedStream(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	a := appendOf("post-p", domain.NoStream, 2)
	must(t, l, a)
	if err := server.SoftDelete("ledger.post-p"); err != nil {
		t.Fatal(err)
	}
	if err := lastOf(l.ReadStream(patient(t), "post-p", 0)); !errors.Is(err, domain.ErrStreamNotFound) {
		t.Errorf("the deleted stream: %v", err)
	}
	fails(t, l, a, domain.ErrCorrupt)
	err := fails(t, l, otherwise(a), domain.ErrCorrupt)
	if errors.Is(err, domain.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "stream post-p") ||
		!strings.Contains(err.Error(), "revision 2") || !strings.Contains(err.Error(), "deleted") {
		t.Errorf("the append: %v", err)
	}
	if err := lastOf(l.ReadStream(patient(t), "post-p", 0)); !errors.Is(err, domain.ErrCorrupt) {
		t.Errorf("the stream that goes on: %v", err)
	}
}

// A tombstone ends a stream for ever, and is an event that is not the ledger's.
func TestTombstone(t *testing.T) {
	server := double(t, esdbtest.Options{})
	l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
	must(t, l, appendOf("post-minerals", domain.NoStream, 1))
	c := client(t, server.ConnectionString())
	options := esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
	if _, err := c.TombstoneStream(patient(t), "ledger.post-minerals", options); err != nil {
		t.Fatal(err)
	}
	err := fails(t, l, appendOf("post-minerals", 0, 1), domain.ErrCorrupt)
	if errors.Is(err, domain.ErrOutcomeUnknown) {
		t.Errorf("the append: %v", err)
	}
	for name, read := range readers {
		if seen, err := read(patient(t), l); !errors.Is(err, domain.ErrCorrupt) || seen > 1 {
			t.Errorf("%s: %d events, then %v", name, seen, err)
		}
	}
	if err := l.Ready(patient(t)); err != nil {
		t.Errorf("the log is not ready: %v", err)
	}
}
