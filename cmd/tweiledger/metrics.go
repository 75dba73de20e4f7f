package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/metrics"
)

// newAPI returns the service's API and pages with metrics of everything, to be called once.
func (s *service) newAPI(cfg httpapi.Config) *httpapi.API {
	requests := metrics.NewRequests(s.metrics)
	cfg.Ledger = metrics.NewLedger(s.metrics, s.ledger)
	cfg.Views, cfg.Log, cfg.Writable, cfg.ViewsDecide = s.views, s.log, s.log.Writable, s.embedded == nil
	disk := metrics.Disk{
		Free:    func() (uint64, error) { return freeBytes(s.dir) },
		MinFree: uint64(s.minFree),
		Views:   func() (uint64, error) { return filesBytes(viewsFolder(s.dir)) },
	}
	if s.embedded != nil {
		cfg.LogSize, cfg.Backup = s.embedded.Size, s.backup
		disk.Log = func() (uint64, error) { return filesBytes(logFolder(s.dir)) }
	}
	cfg.Metrics, cfg.Observe = metrics.Handler(s.metrics, slog.Default()), requests.Observe
	api := s.newAPIWithPages(cfg)
	metrics.RegisterInFlight(s.metrics, api.InFlight)
	metrics.RegisterViews(s.metrics, metrics.Views{
		Views: s.views, LogSize: cfg.LogSize, Writable: s.log.Writable, Clock: time.Now,
	})
	metrics.RegisterTariffs(s.metrics, s.ledger, time.Now)
	metrics.RegisterDisk(s.metrics, disk)
	version, commit := build()
	metrics.RegisterProcess(s.metrics, version, commit)
	return api
}

// startingMetrics are those of a service that cannot begin yet, for the reason that why returns.
func startingMetrics(why func() error) http.Handler {
	reg := prometheus.NewRegistry()
	metrics.RegisterWritable(reg, why)
	version, commit := build()
	metrics.RegisterProcess(reg, version, commit)
	return metrics.Handler(reg, slog.Default())
}

// freeBytes returns what is left of the file system of a folder, as log and views measure it.
func freeBytes(dir string) (uint64, error) {
	usage, err := vfs.Default.GetDiskUsage(dir)
	return usage.AvailBytes, err
}

// filesBytes returns the size of all files in a folder. Files come and go meanwhile.
func filesBytes(dir string) (size uint64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				size += uint64(info.Size())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return size, err
}
