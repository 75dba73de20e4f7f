package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/projections"
)

// readinessPatience is how long a log may take to answer before it counts as away.
const readinessPatience = 2 * time.Second

// purpose is what the service is ready for.
type purpose string

const (
	purposeRead  purpose = "read"
	purposeWrite purpose = "write"
)

// lack names what keeps the service from being ready.
type lack string

// The lacks, a closed set.
const (
	lackFoldStopped    lack = "fold_stopped"
	lackRebuilding     lack = "views_rebuilding"
	lackRebuildStopped lack = "rebuild_stopped"
	lackBehind         lack = "views_behind"
	lackLogAway        lack = "log_away"
	lackFoldPaused     lack = "fold_paused"
	lackNotWritable    lack = "log_not_writable"
	lackTariffsUnread  lack = "tariffs_unread"
	lackShuttingDown   lack = "shutting_down"
)

// unreadiness is one thing that keeps the service from being ready. Its detail is not for everybody: see toldOfMachine.
type unreadiness struct {
	purpose purpose
	lack    lack
	detail  string
}

// getReadiness serves GET /readyz.
func (a *API) getReadiness(w http.ResponseWriter, r *http.Request) error {
	asked, err := askedPurpose(r)
	if err != nil {
		return err
	}
	var reasons []unreadiness
	if asked != purposeWrite {
		reasons = a.unreadyForReads(r.Context(), reasons)
	}
	if asked != purposeRead {
		reasons = a.unreadyForWrites(r, reasons)
	}
	a.writeReadiness(w, reasons, a.Views.Status().Rebuild)
	return nil
}

// askedPurpose returns what a request asks about, "" where it is everything.
func askedPurpose(r *http.Request) (purpose, error) {
	values, err := query(r, param{name: "for"})
	if err != nil {
		return "", err
	}
	asked := purpose(values.Get("for"))
	if values.Has("for") && asked != purposeRead && asked != purposeWrite {
		return "", problemf(codeBadRequest, "for", "must be read or write")
	}
	return asked, nil
}

// writeReadiness answers whether the service is ready, without the details to whom they are not told.
func (a *API) writeReadiness(w http.ResponseWriter, reasons []unreadiness, rebuild *projections.RebuildStatus) {
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	if !a.toldOfMachine(w) {
		rebuild = nil
		for i := range reasons {
			reasons[i].detail = ""
		}
	}
	writeNow(w, status, appendReadiness(nil, reasons, rebuild))
}

// unreadyForReads adds what keeps the views from being current. A fold that waits for space does not: reads go on as of
// where it paused.
func (a *API) unreadyForReads(ctx context.Context, reasons []unreadiness) []unreadiness {
	status := a.Views.Status()
	folded := a.folded(ctx, &status)
	switch {
	case status.Err != nil:
		reasons = append(reasons,
			unreadiness{purposeRead, lackFoldStopped, "the fold has stopped, with " + folded + ": " + status.Err.Error()})
	case !status.CaughtUp && status.Rebuilt != "":
		reasons = append(reasons,
			unreadiness{purposeRead, lackRebuilding, "the views are being rebuilt, with " + folded + ": " + status.Rebuilt})
	case !status.CaughtUp:
		reasons = append(reasons, unreadiness{purposeRead, lackBehind, "the views have not caught up, with " + folded})
	}
	if status.LogAway != nil {
		reasons = append(reasons, unreadiness{purposeRead, lackLogAway, "the log cannot be read: " + status.LogAway.Error()})
	}
	if !status.CaughtUp && errors.Is(status.Waiting, projections.ErrPaused) {
		reasons = append(reasons,
			unreadiness{purposeRead, lackFoldPaused, "the fold waits for space: " + status.Waiting.Error()})
	}
	if status.Rebuild != nil && len(reasons) > 0 {
		reasons = append(reasons, unreadyRebuild(status.Rebuild))
	}
	return reasons
}

// folded says how many events are folded, and of how many where that can be told.
func (a *API) folded(ctx context.Context, status *projections.Status) string {
	if a.LogSize != nil {
		ctx, cancel := context.WithTimeout(ctx, readinessPatience)
		defer cancel()
		if size, err := a.LogSize(ctx); err == nil {
			return fmt.Sprintf("%d of %d events folded", status.Size, max(size, status.Size))
		}
	}
	return fmt.Sprintf("%d events folded", status.Size)
}

func (a *API) unreadyForWrites(r *http.Request, reasons []unreadiness) []unreadiness {
	ctx, cancel := context.WithTimeout(r.Context(), readinessPatience)
	defer cancel()
	if err := a.Writable(); err != nil {
		reasons = append(reasons, unreadiness{purposeWrite, lackNotWritable, err.Error()})
	}
	if err := a.Ledger.Ready(ctx); err != nil {
		reasons = append(reasons, unreadiness{purposeWrite, lackTariffsUnread, "nothing can be priced: " + err.Error()})
	}
	switch status := a.Views.Status(); {
	case !a.ViewsDecide:
	case status.Err != nil:
		detail := "the fold has stopped, so it cannot be told what was recorded since: " + status.Err.Error()
		reasons = append(reasons, unreadiness{purposeWrite, lackFoldStopped, detail})
	case !status.CaughtUp:
		detail := fmt.Sprintf("it cannot be told yet what was recorded before, with %d events folded", status.Size)
		reasons = append(reasons, unreadiness{purposeWrite, lackBehind, detail})
	}
	if a.draining.Err() != nil {
		reasons = append(reasons, unreadiness{purposeWrite, lackShuttingDown, errDraining.detail})
	}
	return reasons
}

func appendReadiness(dst []byte, reasons []unreadiness, rebuild *projections.RebuildStatus) []byte {
	dst = strconv.AppendBool(append(dst, `{"ready":`...), len(reasons) == 0)
	dst = append(dst, `,"reasons":[`...)
	for i, reason := range reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"purpose":`...), string(reason.purpose))
		dst = appendText(append(dst, `,"code":`...), string(reason.lack))
		if reason.detail != "" {
			dst = appendText(append(dst, `,"detail":`...), reason.detail)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if rebuild != nil {
		dst = appendRebuild(dst, rebuild)
	}
	return append(dst, '}')
}
