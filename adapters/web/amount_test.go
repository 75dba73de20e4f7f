package web

import (
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// An amount shows what there is, cut off and never rounded, and always holds the exact text.
func TestAmount(t *testing.T) {
	for _, c := range []struct{ exact, shown string }{
		{"0", "0"}, {"3", "3"}, {"0.5", "0.5"}, {"-2.3", "−2.3"}, {"0.1234", "0.1234"}, {"0.12345", "0.1234…"},
		{"0.99999", "0.9999…"}, {"-0.000000000001", "−0.0000…"}, {"1000000000000000000", "1000000000000000000"},
	} {
		a, err := domain.ParseTwei(c.exact)
		if err != nil {
			t.Fatal(err)
		}
		if got := shownText(a); got != c.shown {
			t.Errorf("%s is shown as %q, not %q", c.exact, got, c.shown)
		}
	}
	for _, c := range []struct{ exact, html string }{
		{"0.5", `<data class="amount" value="0.5" title="0.5 Twei"><span class="i">0</span><span class="f">.5</span></data>`},
		{"12345", `<data class="amount" value="12345" title="12345 Twei"><span class="i">12<wbr><span class="g">345</span></span>` +
			`<span class="f"></span></data>`},
		{"-0.00001", `<data class="amount" value="-0.00001" title="-0.00001 Twei"><span class="exact">−0.00001</span>` +
			`<span class="shown" aria-hidden="true"><span class="i">−0</span><span class="f">.0000…</span></span></data>`},
	} {
		a, _ := domain.ParseTwei(c.exact)
		if got := string(amount(a)); got != c.html {
			t.Errorf("%s is\n%s\nnot\n%s", c.exact, got, c.html)
		}
	}
}
