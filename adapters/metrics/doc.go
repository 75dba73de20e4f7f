// Package metrics tells Prometheus what the service does, by wrapping ports and by asking the views for their status
// (DESIGN section 5). docs/metrics.md lists every metric and is held to them by a test.
//
//	Ledger     *domain.Ledger        outcomes and what was recorded
//	Log        domain.EventLog       appends
//	Store      projections.Store     commits of the fold
//	Requests   httpapi.Config's hook HTTP requests
//
//	RegisterViews, RegisterTariffs, RegisterDisk, RegisterProcess     what is asked when metrics are
//
// # Rules
//
// Names begin with "tweiledger_", units are base units, "_total" ends counters only. The values of every label are a
// closed set: of the domain, of the table of routes, or of this package. What a client sends never makes a series. Each
// value that is known beforehand has its series from the start, so that a first rejection is a rise from 0.
//
// A histogram is kept both ways: with native buckets, which only the protobuf format carries, and with classic ones.
//
// What wraps a port adds a few counts to each call, never an allocation to each engagement or event.
//
// Constructors panic where a Registerer has the same metrics already: that is a mistake in the wiring.
package metrics
