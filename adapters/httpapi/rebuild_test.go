package httpapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// TestReadinessWhileRebuilding: a rebuild that is under way does not make reads unready, and is told of.
func TestReadinessWhileRebuilding(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	w.settle()
	w.get("/readyz").want(t, 200)
	w.stopViews()
	w.views.Rebuild("the operator asked for it")
	a := w.get("/readyz?for=read").want(t, 200, `"ready":true`, `"rebuild":{"reason":"the operator asked for it","since":"`, `"size":0`)
	since, _ := a.members(t)["rebuild"].(map[string]any)["since"].(string)
	if _, err := time.Parse(time.RFC3339, since); err != nil {
		t.Error(err)
	}
	w.runViews()
	for strings.Contains(string(w.get("/readyz").want(t, 200, `"ready":true`).body), "rebuild") {
	}
	w.get("/v1/posts/p1/pnl").want(t, 200, `"total":"-10"`)
}

// TestRebuildProgress has a row for what a rebuild can tell of itself.
func TestRebuildProgress(t *testing.T) {
	since := time.Date(2026, 1, 29, 13, 0, 0, 5, time.FixedZone("", 3600))
	for name, test := range map[string]struct {
		status       projections.RebuildStatus
		json, detail string
	}{
		"folding": {
			projections.RebuildStatus{Why: `a "torn" page`, Since: since, Size: 3, Position: domain.NewPosition(2, 2), Goal: domain.NewPosition(9, 9)},
			`,"rebuild":{"reason":"a \"torn\" page","since":"2026-01-29T12:00:00Z","size":3,"position":"2","goal":"9"}`,
			"others are being built: 3 events folded so far",
		},
		"waiting": {
			projections.RebuildStatus{Since: since, Waiting: errors.New("no space")},
			`,"rebuild":{"reason":"","since":"2026-01-29T12:00:00Z","size":0,"position":"","goal":"","waiting":"no space"}`,
			"others are being built: 0 events folded so far: no space",
		},
		"stopped": {
			projections.RebuildStatus{Since: since, Err: errors.New("no such disk")},
			`,"rebuild":{"reason":"","since":"2026-01-29T12:00:00Z","size":0,"position":"","goal":"","stopped":"no such disk"}`,
			"others cannot be built: no such disk",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(appendRebuild(nil, &test.status)); got != test.json {
				t.Errorf("%s, not %s", got, test.json)
			}
			got := unreadyRebuild(&test.status)
			if stopped := got.lack == lackRebuildStopped; got.detail != test.detail || stopped != (test.status.Err != nil) {
				t.Errorf("%+v, not %q", got, test.detail)
			}
		})
	}
}
