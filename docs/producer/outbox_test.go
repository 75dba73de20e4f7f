package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is a line of an outbox whose message has the id.
func row(id string) string {
	return fmt.Sprintf(`{"source":"/web","id":%q,"time":"2026-02-01T00:00:00Z","type":"tweiledger.post.liked.v1","data":{"post_id":"p","account_id":"a"}}`+"\n", id)
}

// standIn is a ledger that rejects messages whose id begins with "bad", and says "recorded" of all others.
type standIn struct {
	// status is what it answers instead, where it is not 0.
	status int
	// ids are those of the messages that it was sent, authorization what came with the last.
	ids           []string
	authorization string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.authorization = r.Header.Get("Authorization")
	if s.status != 0 {
		http.Error(w, "no", s.status)
		return
	}
	var events []struct{ ID string }
	if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var outcomes []map[string]string
	for _, e := range events {
		s.ids = append(s.ids, e.ID)
		if strings.HasPrefix(e.ID, "bad") {
			outcomes = append(outcomes, map[string]string{"outcome": "rejected", "code": "unknown_post", "id": e.ID})
		} else {
			outcomes = append(outcomes, map[string]string{"outcome": "recorded", "id": e.ID})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"outcomes": outcomes})
}

// desk is an outbox with a stand-in for the ledger.
type desk struct {
	*testing.T
	path   string
	ledger *standIn
	url    string
}

func newDesk(t *testing.T, text string) *desk {
	d := &desk{T: t, path: filepath.Join(t.TempDir(), "outbox"), ledger: &standIn{}}
	server := httptest.NewServer(d.ledger)
	t.Cleanup(server.Close)
	d.url = server.URL
	d.write(d.path, text)
	return d
}

func (d *desk) write(path, text string) {
	d.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

// deliver delivers the outbox, two messages at a time, and returns the summary.
func (d *desk) deliver() (summary, error) {
	d.Helper()
	box, err := openOutbox(d.path)
	if err != nil {
		return summary{}, err
	}
	defer box.close()
	by := deliverer{
		ledger: ledger{url: d.url + "/", token: "secret", http: &http.Client{CheckRedirect: noRedirect}},
		outbox: box, pause: time.Millisecond, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	err = by.deliverAll(d.Context(), 2)
	return box.progress.Summary, err
}

func (d *desk) mustDeliver() summary {
	d.Helper()
	s, err := d.deliver()
	if err != nil {
		d.Fatal(err)
	}
	return s
}

// rejectedIDs returns the ids in the rejected ones' file.
func (d *desk) rejectedIDs() (ids []string) {
	d.Helper()
	text, err := os.ReadFile(d.path + ".rejected")
	if err != nil {
		d.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		ids = append(ids, decode[engagement](d.T, []byte(line)).ID)
	}
	return ids
}

// TestOutboxGrows: a producer goes on where the last one ended, and leaves a line alone that is still being written.
func TestOutboxGrows(t *testing.T) {
	third := row("3")
	d := newDesk(t, row("1")+row("2")+third[:len(third)-5])
	if s := d.mustDeliver(); s.Engagements != 2 {
		t.Errorf("the first time it delivers %+v", s)
	}
	d.write(d.path, row("1")+row("2")+third+row("bad 4"))
	s := d.mustDeliver()
	if s.Engagements != 4 || s.Outcomes["recorded"] != 3 || s.Codes["unknown_post"] != 1 {
		t.Errorf("all in all it delivers %+v", s)
	}
	if want := []string{"1", "2", "3", "bad 4"}; !slices.Equal(d.ledger.ids, want) {
		t.Errorf("it sends %q, not %q", d.ledger.ids, want)
	}
	if d.ledger.authorization != "Bearer secret" {
		t.Errorf("it sends the token as %q", d.ledger.authorization)
	}
}

// TestRejectedAfterKill: what a killed producer put aside, but did not remember as settled, is not there twice.
func TestRejectedAfterKill(t *testing.T) {
	d := newDesk(t, row("bad 1")+row("2")+row("bad 3")+row("bad 4"))
	d.mustDeliver()
	// As if it had been killed between putting the second batch aside and remembering it.
	text, err := os.ReadFile(d.path + ".progress")
	if err != nil {
		t.Fatal(err)
	}
	p := decode[progress](t, text)
	rejected, err := os.ReadFile(d.path + ".rejected")
	if err != nil {
		t.Fatal(err)
	}
	p.Settled = int64(len(row("bad 1") + row("2")))
	p.Rejected = int64(strings.IndexByte(string(rejected), '\n') + 1)
	text, err = json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	d.write(d.path+".progress", string(text))
	d.mustDeliver()
	if got, want := d.rejectedIDs(), []string{"bad 1", "bad 3", "bad 4"}; !slices.Equal(got, want) {
		t.Errorf("put aside are %q, not %q", got, want)
	}
}

// TestRejectedTakenAway: who deals with the rejected ones may take their file away.
func TestRejectedTakenAway(t *testing.T) {
	d := newDesk(t, row("bad 1"))
	d.mustDeliver()
	if err := os.Rename(d.path+".rejected", d.path+".taken"); err != nil {
		t.Fatal(err)
	}
	d.write(d.path, row("bad 1")+row("bad 2"))
	d.mustDeliver()
	if got := d.rejectedIDs(); !slices.Equal(got, []string{"bad 2"}) {
		t.Errorf("put aside are %q", got)
	}
}

// TestStops: what a retry cannot mend stops the producer with nothing settled, and it goes on once it is mended.
func TestStops(t *testing.T) {
	for name, stop := range map[string]func(*desk) (mend func()){
		"no token": func(d *desk) func() {
			d.ledger.status = http.StatusUnauthorized
			return func() { d.ledger.status = 0 }
		},
		"elsewhere": func(d *desk) func() {
			d.ledger.status = http.StatusPermanentRedirect
			return func() { d.ledger.status = 0 }
		},
		"a line that is no JSON": func(d *desk) func() {
			d.write(d.path, "{\n")
			return func() { d.write(d.path, row("1")) }
		},
		"a line without an id": func(d *desk) func() {
			d.write(d.path, row(""))
			return func() { d.write(d.path, row("1")) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, row("1"))
			mend := stop(d)
			if s, err := d.deliver(); err == nil || s.Engagements != 0 {
				t.Errorf("it delivers %+v, %v", s, err)
			}
			mend()
			if s := d.mustDeliver(); s.Outcomes["recorded"] != 1 {
				t.Errorf("mended, it delivers %+v", s)
			}
		})
	}
}

// TestAnotherOutbox: progress that does not fit the outbox is not applied to it.
func TestAnotherOutbox(t *testing.T) {
	d := newDesk(t, row("1")+row("2"))
	d.mustDeliver()
	d.write(d.path, row("3"))
	if _, err := d.deliver(); err == nil || !strings.Contains(err.Error(), "another outbox") {
		t.Errorf("it says %v", err)
	}
	d.write(d.path+".progress", "")
	var syntax *json.SyntaxError
	if _, err := d.deliver(); !errors.As(err, &syntax) {
		t.Errorf("without its progress it says %v", err)
	}
}
