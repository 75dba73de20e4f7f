package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
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
