package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
)

// TestCopyKeepsCheckpoint: a checkpoint signed over a log, by C2SP's tlog-checkpoint, is one over its copy in a store and
// over the copy of that in a folder.
func TestCopyKeepsCheckpoint(t *testing.T) {
	const origin = "ledger.example.org"
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lines := exportedArticle(t, dir)
	signed, err := note.Sign(&note.Note{Text: checkpointOf(t, origin, lines)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	store := esdbtest.New(t, esdbtest.Options{}).ConnectionString()
	back := filepath.Join(dir, "back")
	for _, way := range [][]string{{"--from", filepath.Join(dir, "data"), "--to", store}, {"--from", store, "--to", back}} {
		if out, err := tweiledger(t, append([]string{"copy"}, way...)...); err != nil {
			t.Fatalf("%s: %s %v", way, out, err)
		}
	}
	inStore, err := tweiledger(t, "export", "--log", store)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	for where, copied := range map[string][]string{
		"the store":  strings.Split(strings.TrimSuffix(inStore, "\n"), "\n"),
		"the folder": exported(t, back),
	} {
		if got := checkpointOf(t, origin, copied); got != opened.Text {
			t.Errorf("the checkpoint of %s is\n%s\nnot\n%s", where, got, opened.Text)
		}
	}
}

// checkpointOf returns the text of the checkpoint of a log: its leaves are the lines.
func checkpointOf(t *testing.T, origin string, lines []string) string {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for i, line := range lines {
		hashes, err := tlog.StoredHashes(int64(i), []byte(line), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(len(lines)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%d\n%s\n", origin, len(lines), root)
}
