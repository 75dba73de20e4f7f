package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Disk is what is asked about where the ledger is kept. All sizes are in bytes.
type Disk struct {
	// Free is what is left of the file system, MinFree what has to stay free for anything to be written.
	Free    func() (uint64, error)
	MinFree uint64
	// Log and Views are the sizes of the files of the log and of the views. Log is nil where a store keeps the log.
	Log, Views func() (uint64, error)
}

// RegisterDisk adds to reg what is used and what is left.
func RegisterDisk(reg prometheus.Registerer, d Disk) {
	measures := diskMeasures
	if d.Log != nil {
		measures = append(measures[:len(measures):len(measures)], logBytes)
	}
	registerReadings(reg, func(context.Context) Disk { return d }, measures)
}

var logBytes = measure[Disk]{"log_bytes", "Bytes of the log's files; not there where a store keeps the log.",
	func(d Disk) (float64, error) { return bytes(d.Log()) }}

var diskMeasures = []measure[Disk]{
	{"disk_free_bytes", "Bytes left on the file system of the ledger's folder.",
		func(d Disk) (float64, error) { return bytes(d.Free()) }},
	{"disk_min_free_bytes", "Free bytes under which nothing is written.",
		sure(func(d Disk) float64 { return float64(d.MinFree) })},
	{"views_bytes", "Bytes of the views' files.", func(d Disk) (float64, error) { return bytes(d.Views()) }},
}

func bytes(n uint64, err error) (float64, error) { return float64(n), err }
