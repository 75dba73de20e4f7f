package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/eventstore"
	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// TestCopyCutOff: a copy whose connection is cut in the middle keeps a beginning of the log, goes on from there, and is
// the same log in the end.
func TestCopyCutOff(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	var load []string
	for line := range workload.Generate(workload.Options{Posts: 20, Accounts: 200, Engagements: 3 * copyEvents, Seed: 1}) {
		load = append(load, string(line))
	}
	if _, err := tweiledger(t, "import", "--data", data, "--min-free", "0", writeLines(t, dir, load)); err != nil {
		t.Fatal(err)
	}
	lines := exported(t, data)
	const sent = 2*copyEvents + 100
	url := fakeServer(t, "/v1/log", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(lines[:sent], "\n")+"\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	target := filepath.Join(dir, "target")
	_, err := tweiledger(t, "copy", "--from", url, "--to", target, "--min-free", "0")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has the first %d events", sent)) {
		t.Fatalf("the copy of what was cut off: %v", err)
	}
	if got := exported(t, target); !slices.Equal(got, lines[:sent]) {
		t.Fatalf("%d events are no beginning of the log", len(got))
	}
	out, err := tweiledger(t, "copy", "--from", writeLines(t, dir, lines), "--to", target, "--min-free", "0")
	if err != nil || !strings.Contains(out, fmt.Sprintf("holds %d events, %d of them new", len(lines), len(lines)-sent)) {
		t.Fatalf("going on: %s, %v", out, err)
	}
	if !slices.Equal(exported(t, target), lines) {
		t.Fatal("the copy is another log")
	}
	if out, err := tweiledger(t, "verify", "--data", target); err != nil {
		t.Fatalf("verify: %s, %v", out, err)
	}
}

// TestCopyMessageTwice: a log with many writers may hold a message on two streams. Its copy does so too.
func TestCopyMessageTwice(t *testing.T) {
	dir := t.TempDir()
	lines := exportedArticle(t, dir)
	like := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, `"type":"PostLiked"`) })
	account := strings.SplitN(strings.SplitN(lines[like], `"account_id":"`, 2)[1], `"`, 2)[0]
	lines = append(lines, strings.ReplaceAll(lines[like], `"`+account+`"`, `"twin"`))
	lines[len(lines)-1] = strings.ReplaceAll(lines[len(lines)-1], "/"+account, "/twin")
	target := filepath.Join(dir, "target")
	if _, err := tweiledger(t, "copy", "--from", writeLines(t, dir, lines), "--to", target); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(exported(t, target), lines) {
		t.Error("the copy is another log")
	}
}

// TestReportTwice: a log whose last report is there again, at the next revision of its stream, is refused with the
// event's index, by copy and by verify. What comes before it is copied.
func TestReportTwice(t *testing.T) {
	dir := t.TempDir()
	golden, err := os.ReadFile("../../docs/golden/events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	report := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, `"type":"PnLReportIssued"`) })
	twice := writeLines(t, dir, append(slices.Clone(lines), strings.Replace(lines[report], `"revision":0`, `"revision":1`, 1)))
	want := fmt.Sprintf("event %d (", len(lines))
	target := filepath.Join(dir, "target")
	if out, err := tweiledger(t, "copy", "--from", twice, "--to", target); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("copy: %s, %v", out, err)
	}
	if !slices.Equal(exported(t, target), lines) {
		t.Error("the copy is no beginning of the log")
	}
	if out, err := tweiledger(t, "verify", "--file", twice); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("verify: %s, %v", out, err)
	}
}

// stopped is a log whose lines are read up to its end, where ctx has ended.
type stopped struct {
	logReader
	stop context.CancelFunc
}

func (s stopped) lines(ctx context.Context, from uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for line, err := range s.logReader.lines(ctx, from) {
			if !yield(line, err) {
				return
			}
		}
		s.stop()
		yield(nil, ctx.Err())
	}
}

// TestCopyStopped: what was read before Ctrl-C is in the target, also where that is a store.
func TestCopyStopped(t *testing.T) {
	dir := t.TempDir()
	lines := exportedArticle(t, dir)
	source, err := openFileLog(writeLines(t, dir, lines))
	if err != nil {
		t.Fatal(err)
	}
	defer source.close()
	store := esdbtest.New(t, esdbtest.Options{})
	log, err := openStore("--to", store.ConnectionString(), eventstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, stop := context.WithCancel(t.Context())
	copied := &logCopy{to: storeLog{log}, hash: sha256.New(), progress: func() {}}
	if err := copied.run(ctx, stopped{source, stop}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if n := len(store.Events("")); n != len(lines) || copied.stored != uint64(n) {
		t.Errorf("the store has %d events, %d are said to be there, of %d", n, copied.stored, len(lines))
	}
}

// unsure is a target that does not say what became of an append.
type unsure struct{ copyTarget }

func (unsure) lines(context.Context, uint64) iter.Seq2[[]byte, error] {
	return func(func([]byte, error) bool) {}
}

func (unsure) append(context.Context, []domain.Append) (uint64, error) {
	return 2, domain.ErrOutcomeUnknown
}

// TestCopyOutcomeUnknown: what the target may have beyond what it said is not denied.
func TestCopyOutcomeUnknown(t *testing.T) {
	dir := t.TempDir()
	source, err := openFileLog(writeLines(t, dir, exportedArticle(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	defer source.close()
	copied := &logCopy{to: unsure{}, hash: sha256.New(), progress: func() {}}
	err = copied.failure(copied.run(t.Context(), source))
	if !strings.Contains(err.Error(), "the target has at least the first 2 events (copy again to go on)") {
		t.Errorf("it ended with %v", err)
	}
}
