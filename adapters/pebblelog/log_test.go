package pebblelog

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	for name, fs := range map[string]func() vfs.FS{
		"disk":   func() vfs.FS { return vfs.Default },
		"memory": func() vfs.FS { return vfs.NewMem() },
	} {
		t.Run(name, func(t *testing.T) {
			logtest.Run(t, func(t *testing.T) domain.EventLog {
				l, err := Open(t.TempDir(), Options{FS: fs()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return l
			})
		})
	}
}
