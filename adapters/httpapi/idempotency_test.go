package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// TestIdempotencyKey has a row for each way to write a key, and to write none.
func TestIdempotencyKey(t *testing.T) {
	long := strings.Repeat("k", domain.MaxMessageIDBytes)
	for text, want := range map[string]string{
		"0b9e4a0e-4a36-4b57-9d0c-6a6a1f0a7f10":   "0b9e4a0e-4a36-4b57-9d0c-6a6a1f0a7f10",
		`"0b9e4a0e-4a36-4b57-9d0c-6a6a1f0a7f10"`: "0b9e4a0e-4a36-4b57-9d0c-6a6a1f0a7f10",
		" \tk-1 ":                                "k-1",
		`"a b, \"c\\d\" ; e"`:                    `a b, "c\d" ; e`,
		"YWJj+/==":                               "YWJj+/==",
		"u1:2026-01-29T12:00:00Z~":               "u1:2026-01-29T12:00:00Z~",
		"!#$%&'*+-./:=@^_`|~":                    "!#$%&'*+-./:=@^_`|~",
		long:                                     long,
		`"` + long + `"`:                         long,
		`"` + strings.Repeat(`\"`, 256) + `"`:    strings.Repeat(`"`, 256),
	} {
		if got, err := idempotencyKey(http.Header{headerKey: {text}}); err != nil || got != want {
			t.Errorf("%.80q is the key %q, %v", text, got, err)
		}
	}
	for _, given := range [][]string{
		nil, {}, {""}, {" "}, {`""`}, {`"`}, {`"k`}, {`k"`}, {`"k"x`}, {`"k";a=b`}, {`"k" "l"`}, {"k l"}, {"k,l"}, {"k;a"},
		{`"k\"`}, {`"k\a"`}, {"\"k\x01\""}, {"\"k\x7f\""}, {`"schlüssel"`}, {"schlüssel"}, {"k\\l"}, {"(k)"}, {"k\xff"},
		{long + "k"}, {`"` + long + `k"`}, {"k", "k"}, {"k", "l"},
	} {
		key, err := idempotencyKey(http.Header{headerKey: given})
		var p *problem
		if !errors.As(err, &p) || p.code != codeBadRequest || p.field != headerKey {
			t.Errorf("%.80q is the key %q, %v", given, key, err)
		}
	}
}
