package projections

import (
	"encoding/binary"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// instant is a time.Time in UTC without a pointer, so that a cache of rows costs the collector nothing.
type instant struct {
	seconds int64
	nanos   uint32
}

func instantOf(t time.Time) instant { return instant{t.Unix(), uint32(t.Nanosecond())} }

func (i instant) time() time.Time { return time.Unix(i.seconds, int64(i.nanos)).UTC() }

func appendInstant(dst []byte, i instant) []byte {
	return appendNanos(binary.AppendVarint(dst, i.seconds), i.nanos)
}

// appendNanos appends nanoseconds: twice the milliseconds where they are whole ones, else twice the nanoseconds and one.
func appendNanos(dst []byte, n uint32) []byte {
	if n%uint32(time.Millisecond) == 0 {
		return binary.AppendUvarint(dst, uint64(n/uint32(time.Millisecond))<<1)
	}
	return binary.AppendUvarint(dst, uint64(n)<<1|1)
}

func (d *decoder) nanos() uint32 {
	n := d.uvarint()
	if n&1 == 0 {
		n *= uint64(time.Millisecond)
	}
	return uint32(n >> 1)
}

// amountUnit is what most amounts are whole multiples of: 0.1 Twei.
const amountUnit = 100_000_000_000

// appendAmount appends an amount: four times the units (zigzag) where they are whole ones, else twice the number of its
// bytes and one, and these, two's complement without the leading ones that only repeat the sign.
func appendAmount(dst []byte, a domain.Twei) []byte {
	if wei, ok := a.Int64(); ok && wei%amountUnit == 0 {
		units := wei / amountUnit
		return binary.AppendUvarint(dst, uint64(units<<1^units>>63)<<1)
	}
	var full [domain.TweiBytes]byte
	b := a.AppendBinary(full[:0])
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return append(append(dst, byte(len(b))<<1|1), b...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decoder takes a row's value apart. After the first failure it gives zero values. What it gives may be the value's own
// bytes.
type decoder struct {
	rest   []byte
	failed bool
}

// done returns an error unless the whole value was read.
func (d *decoder) done() error {
	if d.failed || len(d.rest) > 0 {
		return ErrDamaged
	}
	return nil
}

func (d *decoder) bytes(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.bytes(uint64(max(n, 0)))
	d.failed = d.failed || n <= 0
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.bytes(uint64(max(n, 0)))
	d.failed = d.failed || n <= 0
	return v
}

func (d *decoder) instant() instant { return instant{d.varint(), d.nanos()} }

func (d *decoder) amount() domain.Twei {
	head := d.uvarint()
	if head&1 == 0 {
		zigzag := head >> 1
		return domain.Wei((int64(zigzag>>1) ^ -int64(zigzag&1)) * amountUnit)
	}
	b := d.bytes(head >> 1)
	var full [domain.TweiBytes]byte
	if len(b) > len(full) {
		d.failed = true
		return domain.Twei{}
	}
	if len(b) > 0 && b[0] >= 0x80 {
		for i := range full {
			full[i] = 0xff
		}
	}
	copy(full[len(full)-len(b):], b)
	return domain.TweiFromBinary(full[:])
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint())) }

func (d *decoder) position() domain.Position {
	return domain.NewPosition(d.uvarint(), d.uvarint())
}

func appendPosition(dst []byte, p domain.Position) []byte {
	commit, prepare := p.Numbers()
	return binary.AppendUvarint(binary.AppendUvarint(dst, commit), prepare)
}
