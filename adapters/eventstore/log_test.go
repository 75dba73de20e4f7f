package eventstore

import (
	"testing"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

func TestLog(t *testing.T) {
	for name, options := range map[string]esdbtest.Options{
		"one node":            {},
		"a cluster":           {Nodes: 3},
		"TLS and credentials": {TLS: true, Username: "admin", Password: "changeit"},
		"split positions":     {SplitPositions: true},
		"before 22.6":         oldStore,
	} {
		t.Run(name, func(t *testing.T) {
			address := addressOf(t, options)
			logtest.Run(t, func(t *testing.T) domain.EventLog { return openLog(t, address, Options{}) },
				logtest.Traits{ManyWriters: true})
		})
	}
}
