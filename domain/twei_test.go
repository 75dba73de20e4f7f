package domain_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

var (
	weiPerTwei = big.NewInt(1_000_000_000_000)
	most       = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))
	least      = new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 127))
)

// ofWei returns an amount by its wei, through its binary form.
func ofWei(n *big.Int) domain.Twei {
	var b [domain.TweiBytes]byte
	new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))).FillBytes(b[:])
	return domain.TweiFromBinary(b[:])
}

// textOf writes wei as an amount, by long division.
func textOf(n *big.Int) string {
	whole, rest := new(big.Int).QuoRem(new(big.Int).Abs(n), weiPerTwei, new(big.Int))
	text := whole.String()
	if decimals := strings.TrimRight(strings.Repeat("0", 12-len(rest.String()))+rest.String(), "0"); rest.Sign() != 0 {
		text += "." + decimals
	}
	if n.Sign() < 0 {
		text = "-" + text
	}
	return text
}

func fits(n *big.Int) bool { return n.Cmp(most) <= 0 && n.Cmp(least) >= 0 }

// drawWei draws amounts of every size, often near a border.
func drawWei(label string) *rapid.Generator[*big.Int] {
	return rapid.Custom(func(t *rapid.T) *big.Int {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, label))
		switch rapid.IntRange(0, 5).Draw(t, "near") {
		case 0:
			n.Sub(most, big.NewInt(rapid.Int64Range(0, 3).Draw(t, "below")))
		case 1:
			n.Add(least, big.NewInt(rapid.Int64Range(0, 3).Draw(t, "above")))
		case 2:
			n.SetInt64(rapid.Int64().Draw(t, "small"))
		case 3:
			n.Lsh(big.NewInt(rapid.Int64Range(-2, 2).Draw(t, "factor")), rapid.UintRange(60, 68).Draw(t, "bits"))
			n.Add(n, big.NewInt(rapid.Int64Range(-2, 2).Draw(t, "off by")))
		}
		if !fits(n) {
			n.Rsh(n, 8)
		}
		return n
	})
}

// Amounts are math/big's wei, and what does not fit is ErrOverflow, never a wrap.
func TestTweiIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawWei("x").Draw(t, "x"), drawWei("y").Draw(t, "y")
		a, b := ofWei(x), ofWei(y)
		for _, op := range []struct {
			name string
			want *big.Int
			do   func(domain.Twei) (domain.Twei, error)
		}{{"+", new(big.Int).Add(x, y), a.Add}, {"-", new(big.Int).Sub(x, y), a.Sub}} {
			got, err := op.do(b)
			if fits(op.want) != (err == nil) || err != nil && !errors.Is(err, domain.ErrOverflow) {
				t.Fatalf("%s %s %s: %v", a, op.name, b, err)
			}
			if err == nil && got != ofWei(op.want) {
				t.Fatalf("%s %s %s = %s, not %s", a, op.name, b, got, textOf(op.want))
			}
		}
		if a.Cmp(b) != x.Cmp(y) || a.Sign() != x.Sign() || a.IsZero() != (x.Sign() == 0) || (a == b) != (x.Cmp(y) == 0) {
			t.Fatalf("%s is compared to %s as %d, sign %d", a, b, a.Cmp(b), a.Sign())
		}
		if a.String() != textOf(x) {
			t.Fatalf("the text of %s wei is %s, not %s", x, a, textOf(x))
		}
		if back, err := domain.ParseTwei(a.String()); err != nil || back != a {
			t.Fatalf("%s reads as %s: %v", a, back, err)
		}
		if back, err := domain.TweiFromDecimal(a.Decimal()); err != nil || back != a {
			t.Fatalf("%s as a decimal is %s: %v", a, back, err)
		}
		if back := domain.TweiFromBinary(a.AppendBinary(nil)); back != a {
			t.Fatalf("%s in bytes is %s", a, back)
		}
	})
}

func TestTweiTexts(t *testing.T) {
	for _, text := range []string{"0", "1", "-1", "0.1", "12", "-3.000000000001", "0.000000000001", "1000000", "100", "10.01",
		"170141183460469231731687303.715884105727", "-170141183460469231731687303.715884105728"} {
		amount, err := domain.ParseTwei(text)
		if err != nil || amount.String() != text {
			t.Errorf("%q reads as %s: %v", text, amount, err)
		}
		var again domain.Twei
		if marshalled, _ := amount.MarshalText(); string(marshalled) != text || again.UnmarshalText(marshalled) != nil || again != amount {
			t.Errorf("%q is marshalled as %q", text, marshalled)
		}
	}
	for _, text := range []string{"", " ", "-", "+1", "1 ", " 1", "01", "00", "-0", "0.0", "-0.0", "1.0", "1.10", ".5", "5.", "1.", "-.5",
		"1e3", "1E3", "5e-1", "1e1000000000", "0x10", "1_000", "1,5", "١", "NaN", "Inf", "--1", "1.2.3", "0.0000000000001",
		"170141183460469231731687303.715884105728", "-170141183460469231731687303.715884105729",
		"99999999999999999999999999999", strings.Repeat("9", 10_000), "0." + strings.Repeat("3", 10_000)} {
		if amount, err := domain.ParseTwei(text); err == nil {
			t.Errorf("%.50q reads as %s", text, amount)
		}
	}
	for _, text := range []string{"0.0000000000001", "1e-13", "1e300", "-170141183460469231731687303.715884105729"} {
		if amount, err := domain.TweiFromDecimal(decimal.RequireFromString(text)); err == nil {
			t.Errorf("the decimal %s is %s", text, amount)
		}
	}
	if amount, err := domain.TweiFromDecimal(decimal.RequireFromString("1.500e1")); err != nil || amount.String() != "15" {
		t.Errorf("1.500e1 is %s: %v", amount, err)
	}
}

// Sums add up line by line, are never negative, and give the subtotals of DESIGN section 1 (I9).
func TestSums(t *testing.T) {
	var sums domain.Sums
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if err := sums.Add(l, domain.Wei(1<<l)); err != nil {
			t.Fatal(err)
		}
	}
	profit, loss, total, err := sums.Subtotals()
	if err != nil || profit != domain.Wei(2+4+8+16+32+64) || loss != domain.Wei(128+256+512+1024+2048+4096) || total != domain.Wei(126-8064) {
		t.Errorf("the subtotals are %s, %s and %s: %v", profit, loss, total, err)
	}
	before := sums
	if err := sums.Add(domain.LikesOwn, domain.Wei(-9)); !errors.Is(err, domain.ErrNegativeLine) || sums != before {
		t.Errorf("a line of 8 takes -9: %v", err)
	}
	if err := sums.Add(domain.LikesOwn, ofWei(most)); !errors.Is(err, domain.ErrOverflow) || sums != before {
		t.Errorf("a line of 8 takes the most: %v", err)
	}
	if err := sums.Add(domain.LikesOwn, domain.Wei(-8)); err != nil || !sums.Of(domain.LikesOwn).IsZero() {
		t.Errorf("a line of 8 takes -8: %v", err)
	}
	sums = domain.Sums{}
	sums[domain.CommentTributes-1], sums[domain.PnLReports-1] = ofWei(most), domain.Wei(1)
	if _, _, _, err := sums.Subtotals(); !errors.Is(err, domain.ErrOverflow) {
		t.Errorf("subtotals beyond 128 bits: %v", err)
	}
}

// Entries are the sides with a line, raised by a posting and lowered by the reversal that takes it back.
func TestEntries(t *testing.T) {
	ann := domain.Side{Account: "ann", Line: domain.DislikesOwn}
	bob := domain.Side{Account: "bob", Line: domain.DislikesAuthor}
	treasury := domain.Side{Account: domain.Treasury}
	for _, sides := range [][2]domain.Side{{ann, bob}, {ann, treasury}, {treasury, bob}, {ann, {Account: "ann", Line: domain.DislikesAuthor}}} {
		p := domain.Posting{Debit: sides[0], Credit: sides[1], Amount: twei("0.1")}
		changes := map[domain.Side]domain.Twei{}
		for _, posting := range []domain.Posting{p, p.Reversed()} {
			entries, n := posting.Entries()
			for _, e := range entries[:n] {
				if e.IsTreasury() || e.Change.Sign() > 0 == posting.Reversal {
					t.Errorf("%v has the entry %v", posting, e)
				}
				changes[e.Side], _ = changes[e.Side].Add(e.Change)
			}
		}
		for side, sum := range changes {
			if !sum.IsZero() {
				t.Errorf("%v and its reversal leave %s on %v", p, sum, side)
			}
		}
	}
}
