package eventstore

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/domain"
)

// TestReplaced: a store that comes back without what it showed is of no use any more, until the log is opened again; one
// that lost only what it never showed goes on.
func TestReplaced(t *testing.T) {
	for name, reads := range map[string]bool{"what was appended": false, "what was read": true} {
		t.Run(name, func(t *testing.T) {
			server := double(t, esdbtest.Options{SplitPositions: true})
			open := func() *Log {
				l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger."})
				ready(t, l)
				return l
			}
			l, writer := open(), open()
			restart := func(events int) {
				server.Restore(events)
				server.Node(0).DropConnections()
			}
			lines := goldenLines()
			must(t, l, appendOfLine(t, lines[0]))
			must(t, writer, appendOf("post-unseen", domain.NoStream, 1))
			restart(1)
			if !reads {
				writer = l
			} else {
				writer = open()
			}
			if answer := settled(t, writer, appendOfLine(t, lines[1])); answer.Err != nil {
				t.Fatal(answer.Err)
			}
			if reads {
				eventually(t, "it was read", func() bool {
					seen, err := readers["read"](patient(t), l)
					return seen == 2 && err == nil
				})
			}
			restart(1)
			<-l.Replaced()
			if err := l.Writable(); !errors.Is(err, ErrReplaced) || !errors.Is(err, domain.ErrUnavailable) ||
				!strings.Contains(err.Error(), "revision 0 of stream post-minerals") {
				t.Errorf("the log says %v", err)
			}
			fails(t, l, appendOf("post-s", domain.NoStream, 1), domain.ErrUnavailable)
			if _, err := readers["read"](patient(t), l); !errors.Is(err, ErrReplaced) {
				t.Errorf("a read: %v", err)
			}
			must(t, open(), appendOf("post-s", domain.NoStream, 1))
		})
	}
}

// What a caller does with the bytes that were handed over, or given back, is nothing to the log.
func TestLandmarkIsTheLogsOwn(t *testing.T) {
	server := double(t, esdbtest.Options{})
	lines := goldenLines()
	for name, see := range map[string]func(*Log, domain.Append) []byte{
		"appended": func(l *Log, a domain.Append) []byte {
			must(t, l, a)
			return a.Events[0].Canonical
		},
		"read": func(l *Log, a domain.Append) (line []byte) {
			must(t, openLog(t, server.ConnectionString(), Options{Prefix: "ledger."}), a)
			for event, err := range l.ReadStream(patient(t), a.Stream, a.Expected+1) {
				if line = event.Canonical; err != nil {
					t.Fatal(err)
				}
			}
			return line
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := &journal{}
			l := openLog(t, server.ConnectionString(), Options{Prefix: "ledger.", Logger: said.logger()})
			line := see(l, appendOfLine(t, bytes.Clone(lines[0])))
			lines = lines[1:]
			copy(line, bytes.Replace(line, []byte("2026"), []byte("2027"), 1))
			server.Node(0).DropConnections()
			eventually(t, "it is connected again", func() bool { return said.count("store_connected") == 2 })
		})
	}
}
