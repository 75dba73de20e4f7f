package projections

import (
	"encoding/binary"

	"github.com/tweiledger/tweiledger/domain"
)

var tariffTable = &table[struct{}, uint64]{'x', func(dst []byte, _ struct{}) []byte { return dst },
	func(dst []byte, n *uint64) []byte { return binary.AppendUvarint(dst, *n) },
	func(d *decoder, n *uint64) { *n = d.uvarint() }}

// tariffs counts the events on the tariff's stream: none may be missing. The tariffs themselves are read from the log.
type tariffs struct{ count *cache[struct{}, uint64] }

func newTariffs(f *fold) model { return &tariffs{newCache(f, tariffTable, 1)} }

func (t *tariffs) want(*event) {}

func (t *tariffs) fold(e *event) error {
	if e.Type != domain.TariffPublished {
		return nil
	}
	n, err := t.count.row(struct{}{})
	if err != nil {
		return err
	}
	return nextRevision(n, e)
}
