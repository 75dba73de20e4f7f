package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/domain"
)

// RegisterTariffs adds to reg the versions that a ledger knows.
func RegisterTariffs(reg prometheus.Registerer, ledger *domain.Ledger, clock func() time.Time) {
	registerReadings(reg, func(ctx context.Context) (r tariffsReading) {
		r.Tariffs, r.err = ledger.Tariffs(ctx)
		r.now = clock()
		return r
	}, tariffMeasures)
}

// tariffsReading is the versions at one moment, or why they cannot be read.
type tariffsReading struct {
	domain.Tariffs
	now time.Time
	err error
}

var tariffMeasures = []measure[tariffsReading]{
	{"tariff_versions", "Versions of the tariff in the log.",
		func(r tariffsReading) (float64, error) { return float64(len(r.Tariffs)), r.err }},
	{"tariff_version_in_force", "Version of the tariff that prices what occurs now, 0 where there is none.",
		func(r tariffsReading) (float64, error) {
			if t := r.InForce(r.now); t != nil {
				return float64(t.Version), r.err
			}
			return 0, r.err
		}},
}
