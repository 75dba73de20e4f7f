package domain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/shopspring/decimal"
)

// WeiDecimals is the number of decimals of an amount in Twei: 1 Twei = 10^12 wei.
const WeiDecimals = 12

// ErrOverflow: a sum does not fit a Twei. Nothing wraps.
var ErrOverflow = errors.New("amount overflow")

// Twei is an exact amount of money: a whole number of wei, of either sign, in 128 bits (about ±1.7·10^26 Twei). The
// zero value is nothing. Amounts are comparable with ==.
//
// Its text is plain notation in Twei without trailing zeros: "0.1", "12", "-3.000000000001".
type Twei struct {
	// The two's complement of the wei.
	hi int64
	lo uint64
}

// Wei returns an amount of whole wei.
func Wei(n int64) Twei { return Twei{hi: n >> 63, lo: uint64(n)} }

// Int64 returns the amount in whole wei, and whether it fits.
func (a Twei) Int64() (wei int64, ok bool) { return int64(a.lo), a.hi == int64(a.lo)>>63 }

// Add returns a + b, or ErrOverflow.
func (a Twei) Add(b Twei) (Twei, error) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	sum := Twei{int64(hi), lo}
	// Only equal signs can overflow, and then the sum's sign differs.
	if a.hi < 0 == (b.hi < 0) && sum.hi < 0 != (a.hi < 0) {
		return Twei{}, ErrOverflow
	}
	return sum, nil
}

// Sub returns a - b, or ErrOverflow.
func (a Twei) Sub(b Twei) (Twei, error) {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(uint64(a.hi), uint64(b.hi), borrow)
	diff := Twei{int64(hi), lo}
	// Only different signs can overflow, and then the difference's sign is not a's.
	if a.hi < 0 != (b.hi < 0) && diff.hi < 0 != (a.hi < 0) {
		return Twei{}, ErrOverflow
	}
	return diff, nil
}

// Sign returns -1, 0 or +1.
func (a Twei) Sign() int {
	switch {
	case a.hi < 0:
		return -1
	case a.hi == 0 && a.lo == 0:
		return 0
	}
	return 1
}

// IsZero reports whether a is nothing.
func (a Twei) IsZero() bool { return a == Twei{} }

// Cmp returns -1, 0 or +1 as a is less than, equal to or more than b.
func (a Twei) Cmp(b Twei) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}

// Decimal returns the amount in Twei.
func (a Twei) Decimal() decimal.Decimal {
	if wei, ok := a.Int64(); ok {
		return decimal.New(wei, -WeiDecimals)
	}
	n := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return decimal.NewFromBigInt(n.Or(n, new(big.Int).SetUint64(a.lo)), -WeiDecimals)
}

// TweiFromDecimal returns the amount of d Twei. It fails for more than 12 decimals and for what 128 bits do not hold.
func TweiFromDecimal(d decimal.Decimal) (Twei, error) {
	wei := d.Shift(WeiDecimals)
	if !wei.IsInteger() {
		return Twei{}, fmt.Errorf("%s Twei has more than %d decimals", d, WeiDecimals)
	}
	n := wei.BigInt()
	if n.IsInt64() {
		return Wei(n.Int64()), nil
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0))).Uint64()
	hi := new(big.Int).Rsh(n, 64)
	if !hi.IsInt64() {
		return Twei{}, fmt.Errorf("%s Twei: %w", d, ErrOverflow)
	}
	return Twei{hi.Int64(), lo}, nil
}

// maxAmountText is longer than any amount's text: sign, 27 digits, point, 12 decimals.
const maxAmountText = 41

// ParseTwei reads plain notation without superfluous zeros or signs, the very text that String gives. Anything else is
// an error: one amount has one text.
func ParseTwei(s string) (Twei, error) {
	if a, ok := amountValues.Load(s); ok {
		return a.(Twei), nil
	}
	if len(s) > maxAmountText || !plainNotation(s) {
		return Twei{}, fmt.Errorf("%.50q is not an amount in plain notation, such as \"0.1\"", s)
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return Twei{}, fmt.Errorf("%q is not an amount: %w", s, err)
	}
	a, err := TweiFromDecimal(d)
	if err == nil {
		keep(&amountValues, &amountValueCount, strings.Clone(s), a)
	}
	return a, err
}

// plainNotation reports whether s is -?(0|[1-9][0-9]*)(\.[0-9]*[1-9])? and not "-0".
func plainNotation(s string) bool {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	point := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && point == len(s):
			point = i
		case c < '0' || c > '9':
			return false
		}
	}
	if point == 0 || point > 1 && s[0] == '0' {
		return false
	}
	if point < len(s) {
		return point+1 < len(s) && s[len(s)-1] != '0'
	}
	return !negative || s != "0"
}

// String returns the amount in Twei in plain notation without trailing zeros.
func (a Twei) String() string {
	if text, ok := amountTexts.Load(a); ok {
		return text.(string)
	}
	text := a.Decimal().String()
	keep(&amountTexts, &amountTextCount, a, text)
	return text
}

// A tariff has few amounts, and every event writes and reads them: texts are kept, and all thrown away when there are
// too many, since statements have any number.
var (
	amountTexts, amountValues         sync.Map // Twei → string, string → Twei
	amountTextCount, amountValueCount atomic.Int64
)

func keep(texts *sync.Map, count *atomic.Int64, key, value any) {
	const most = 1_024
	if count.Add(1) > most {
		texts.Clear()
		count.Store(1)
	}
	texts.Store(key, value)
}

// MarshalText returns what String returns.
func (a Twei) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseTwei reads.
func (a *Twei) UnmarshalText(text []byte) (err error) {
	*a, err = ParseTwei(string(text))
	return err
}

// TweiBytes is the length of an amount's binary form.
const TweiBytes = 16

// AppendBinary appends the binary form that views keep: 16 bytes, big endian two's complement.
func (a Twei) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.hi))
	return binary.BigEndian.AppendUint64(dst, a.lo)
}

// TweiFromBinary reads the binary form from the first TweiBytes of b, which must be there.
func TweiFromBinary(b []byte) Twei {
	return Twei{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
}
