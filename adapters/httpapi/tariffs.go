package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// maxTariffBytes bounds a tariff's document: 200 rows, generously laid out.
const maxTariffBytes = 256 << 10

// getTariffs serves GET /v1/tariffs: all versions.
func (a *API) getTariffs(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(_ *projections.Snapshot, dst []byte) ([]byte, error) {
		dst = append(dst, `{"tariffs":[`...)
		err := a.tariffs(r.Context(), 0, func(t *domain.Tariff) bool {
			if t.Version > 1 {
				dst = append(dst, ',')
			}
			dst = t.AppendJSON(dst)
			return true
		})
		return append(dst, `]}`...), err
	})
}

// getTariff serves GET /v1/tariffs/{version}.
func (a *API) getTariff(w http.ResponseWriter, r *http.Request) error {
	text, err := pathText(r, "version")
	if err != nil {
		return err
	}
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil || version < 1 || version > domain.MaxInteger || strconv.FormatUint(version, 10) != text {
		return problemf(codeBadRequest, "version", "%.40q is not a version: those are 1, 2, 3 …", text)
	}
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(_ *projections.Snapshot, dst []byte) ([]byte, error) {
		found := false
		err := a.tariffs(r.Context(), domain.Revision(version-1), func(t *domain.Tariff) bool {
			dst, found = t.AppendJSON(dst), true
			return false
		})
		if err == nil && !found {
			err = problemf(codeNotFound, "version", "there is no version %d", version)
		}
		return dst, err
	})
}

// tariffs yields the versions from a revision on as the log has them now. The Ledger's own may be a little older where
// there are several processes, and a read must not fall behind its min_position.
func (a *API) tariffs(ctx context.Context, from domain.Revision, yield func(*domain.Tariff) bool) error {
	for event, err := range a.Log.ReadStream(ctx, domain.TariffStream, from) {
		if err != nil {
			return err
		}
		e, err := domain.DecodeEvent(event.Canonical)
		if err != nil {
			return err
		}
		if !yield(e.Published) {
			return nil
		}
	}
	return nil
}

// postTariff serves POST /v1/tariffs: it publishes a version.
func (a *API) postTariff(w http.ResponseWriter, r *http.Request) error {
	body, err := operatorBody(w, r, maxTariffBytes)
	if err != nil {
		return err
	}
	t, rejection := domain.ParseTariff(body)
	if rejection != nil {
		return outcomeProblem(&domain.Outcome{Result: domain.Rejected, Rejection: rejection})
	}
	o := a.Ledger.PublishTariff(context.WithoutCancel(r.Context()), t, operatorName(w))
	return writeOutcome(w, &o)
}
