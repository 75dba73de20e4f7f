package main

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// byteSize is a number of bytes, written like 512MiB.
type byteSize uint64

var byteUnits = []struct {
	suffix string
	shift  int
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"B", 0}, {"", 0}}

// UnmarshalText reads a whole number with or without one of the units B, KiB, MiB, GiB and TiB.
func (s *byteSize) UnmarshalText(text []byte) error {
	for _, unit := range byteUnits {
		digits, found := strings.CutSuffix(string(text), unit.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || bits.Len64(n)+unit.shift > 64 {
			break
		}
		*s = byteSize(n << unit.shift)
		return nil
	}
	return fmt.Errorf("%q is no number of bytes such as 512MiB, 2GiB or 0", text)
}
