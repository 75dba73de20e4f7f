package main

import (
	"math"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"0": 0, "17": 17, "17B": 17, "1KiB": 1 << 10, defaultMinFreeText: defaultMinFree, "3GiB": 3 << 30,
		"16777215TiB": 16777215 << 40, "18446744073709551615": math.MaxUint64,
	} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "+1", "1.5GiB", "1 MiB", "1MB", "1mib", "16777216TiB", "18446744073709551616"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}
