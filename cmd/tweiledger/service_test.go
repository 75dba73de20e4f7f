package main

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/pebblelog"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// TestUnfoldableEvent: a log that holds an event of a newer program is served as far as it can be folded; readiness for
// reads says why.
func TestUnfoldableEvent(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if _, err := tweiledger(t, "demo", "--once", "--data", data); err != nil {
		t.Fatal(err)
	}
	appendUnknown(t, logFolder(data))
	program, err := exec.LookPath("tweiledger")
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(program, t.TempDir(), nil, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	api, err := newClient(p.url)
	if err != nil {
		t.Fatal(err)
	}
	// Waiting for more than can be folded ends when the fold has stopped.
	if _, err = api.read(t.Context(), "/v1/pnl", map[string][]string{"min_position": {"1000000"}}); err == nil {
		t.Error("a position was reached behind an event that cannot be folded")
	}
	_, err = api.read(t.Context(), "/readyz", map[string][]string{"for": {"read"}})
	var unready *problem
	if !errors.As(err, &unready) || unready.Status != http.StatusServiceUnavailable || !strings.Contains(string(unready.text), "unsupported version") {
		t.Errorf("/readyz?for=read: %v", err)
	}
	text, err := api.statement(t.Context(), domain.Scope{PostID: workload.ArticlePost}, projections.AsOf{})
	if err != nil || !strings.Contains(string(text), `"total":"2.3"`) {
		t.Errorf("the statement: %s, %v", text, err)
	}
	if err := p.terminate(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if !strings.Contains(p.stderr(), "msg=fold_stopped") {
		t.Errorf("nothing was logged: %s", p.stderr())
	}
	if _, err := tweiledger(t, "statement", "--data", data); err == nil || !strings.Contains(err.Error(), "unsupported version") {
		t.Errorf("statement says %v", err)
	}
}

// appendUnknown appends an event of a type that this program does not know.
func appendUnknown(t *testing.T, dir string) {
	t.Helper()
	log, err := pebblelog.Open(dir, pebblelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	answers := log.Append(t.Context(), []domain.Append{{
		Stream: "praise-p1", Expected: domain.NoStream, Message: domain.Message{Source: "/newer", ID: "1"},
		Events: []domain.EncodedEvent{{Canonical: []byte(`{"type":"PostPraised"}`)}},
	}})
	if answers[0].Err != nil {
		t.Fatal(answers[0].Err)
	}
}
