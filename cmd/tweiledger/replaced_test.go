package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestServeEndsWhereItsStoreIsReplaced: a process whose store comes back without what it had, as from a backup, decides
// nothing by what it knew. It ends; started again it has views of what is there, and takes again what is sent again.
func TestServeEndsWhereItsStoreIsReplaced(t *testing.T) {
	w := startWaiting(t)
	w.store.Node(0).Accept()
	w.untilReady()
	publish := func(id string, status int, texts ...string) {
		t.Helper()
		w.ask("POST", "/v1/events", fmt.Sprintf(`{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"/web",`+
			`"id":"%s","time":"2026-01-29T09:00:00Z","data":{"post_id":"p%s","account_id":"ann","title":"T","time_to_read_seconds":60}}`,
			id, id), status, texts...)
	}
	like := func(post string, status int, texts ...string) {
		t.Helper()
		w.ask("POST", "/v1/events", fmt.Sprintf(`{"specversion":"1.0","type":"tweiledger.post.liked.v1","source":"/web",`+
			`"id":"like-%s","time":"2026-01-29T10:00:00Z","data":{"post_id":"p%s","account_id":"bob"}}`, post, post), status, texts...)
	}
	publish("kept", 201)
	kept := w.store.Length()
	publish("lost", 201)
	w.store.Restore(kept)
	w.store.Node(0).DropConnections()
	<-w.ended
	if notes := w.stderr(); w.command.ProcessState.ExitCode() != exitNo || !strings.Contains(notes, "stream post-plost") ||
		!strings.Contains(notes, "start it again") {
		t.Errorf("it ended with %v: %s", w.err, notes)
	}
	again, err := startProcess(w.command.Path, t.TempDir(), nil, w.command.Args[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.kill)
	w.process = again
	if w.client, err = newClient(again.url); err != nil {
		t.Fatal(err)
	}
	w.untilReady()
	like("lost", 422, "unknown_post")
	publish("lost", 201)
	like("lost", 201)
	publish("kept", 200, "duplicate")
	if err := w.terminate(); err != nil {
		t.Error(err)
	}
	if out, err := tweiledger(t, "verify", "--log", w.store.ConnectionString()); err != nil {
		t.Errorf("verify says %s, %v", out, err)
	}
}
