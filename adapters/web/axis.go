package web

import (
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tweiledger/tweiledger/domain"
)

// A scale maps amounts to coordinates. Zero is always between low and high, so a float tells all that can be seen.
type scale struct{ low, high, from, to float64 }

// at returns where that many Twei stand.
func (s scale) at(amount float64) float64 {
	if s.high <= s.low {
		return s.from
	}
	share := (amount - s.low) / (s.high - s.low)
	return s.from + min(max(share, 0), 1)*(s.to-s.from)
}

// size returns an amount in Twei, to be drawn.
func size(a domain.Twei) float64 {
	if wei, ok := a.Int64(); ok {
		return float64(wei) / 1e12
	}
	return a.Decimal().InexactFloat64()
}

// million is where plain notation ends in a picture, whose columns are narrow.
var million = decimal.New(1, 6)

// shortAmount returns an amount as a picture shows it: as a page does, but from a million on as "12.345M" or
// "1.2×10¹⁸", and with "…" behind these too where they are not all. The exact amount stands in the title beside it.
func shortAmount(d decimal.Decimal) string {
	switch {
	case d.Abs().LessThan(million):
		return cut(d, shownDecimals, "")
	case d.Abs().LessThan(million.Shift(3)):
		return cut(d.Shift(-6), shownDecimals-1, "M")
	}
	return scientific(d, shownDecimals-1)
}

// shortSigned returns shortAmount with a plus too.
func shortSigned(d decimal.Decimal) string {
	if d.IsPositive() {
		return "+" + shortAmount(d)
	}
	return shortAmount(d)
}

// exactAmount returns the whole amount with its sign and unit.
func exactAmount(a domain.Twei) string {
	text := strings.Replace(a.String(), "-", minus, 1)
	if a.Sign() > 0 {
		text = "+" + text
	}
	return text + " " + domain.Unit
}

// cut returns a number of at most that many decimals, its unit, and "…" where decimals are missing.
func cut(d decimal.Decimal, decimals int32, unit string) string {
	kept := d.Truncate(decimals)
	text := strings.TrimPrefix(kept.String(), "-")
	if !kept.Equal(d) {
		text = kept.Abs().StringFixed(decimals)
		unit += "…"
	}
	if d.IsNegative() {
		text = minus + text
	}
	return text + unit
}

// scientific returns a number that is not zero as "1.2×10¹⁸".
func scientific(d decimal.Decimal, decimals int32) string {
	exponent := d.NumDigits() + int(d.Exponent()) - 1
	superscript := strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
		"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(strconv.Itoa(exponent))
	return cut(d.Shift(int32(-exponent)), decimals, "×10"+superscript)
}

// amountTicks returns round amounts, 1, 2 or 5 times a power of ten apart, the first at most low and the last at least
// high; at most most+2 of them.
func amountTicks(low, high decimal.Decimal, most int64) []decimal.Decimal {
	const wei = -domain.WeiDecimals // nothing is smaller
	if !high.GreaterThan(low) {
		high = low.Add(decimal.New(1, 0))
	}
	span := high.Sub(low)
	for power := max(int32(span.NumDigits())+span.Exponent()-3, wei); ; power++ {
		for _, digit := range []int64{1, 2, 5} {
			step := decimal.New(digit, power)
			if span.GreaterThan(step.Mul(decimal.NewFromInt(most))) {
				continue
			}
			tick := low.Div(step).Floor().Mul(step)
			ticks := []decimal.Decimal{tick}
			for tick.LessThan(high) {
				tick = tick.Add(step)
				ticks = append(ticks, tick)
			}
			return ticks
		}
	}
}

// tickLabel returns a tick's amount, which has few digits, exactly.
func tickLabel(d decimal.Decimal) string {
	if !d.IsZero() && d.Abs().LessThan(decimal.New(1, -shownDecimals)) {
		return scientific(d, shownDecimals)
	}
	return shortAmount(d)
}

// A timeTick is a mark on the axis of time.
type timeTick struct {
	at    time.Time
	label string
	// unit is what the label names: an hour is another one in the reader's zone, a day or a month is UTC's.
	unit string
}

// timeTicks returns the marks from start to end whose labels have room, in ems: whole hours (or days), months or years
// of UTC, as close to each other as that allows.
func timeTicks(start, end time.Time, days bool, room float64) []timeTick {
	const day = 24
	most := int(room / 2) // no label is shorter
	for _, hours := range []int{1, 2, 3, 6, 12, day, 2 * day, 7 * day, 14 * day} {
		step := time.Duration(hours) * time.Hour
		if days && hours < day || end.Unix()-start.Unix() > int64(most)*int64(step/time.Second) {
			continue
		}
		ticks := marks(start.Truncate(step), start, end, func(t time.Time) time.Time { return t.Add(step) })
		if labels := labelled(ticks, hours < day, "2 Jan", "day"); fit(labels, room) {
			return labels
		}
	}
	for _, months := range []int{1, 2, 4, 12, 24, 60, 120, 240, 600, 1_200, 6_000, 60_000} {
		if 12*(end.Year()-start.Year()-1) > most*months {
			continue
		}
		first := time.Date(start.Year()-start.Year()%max(months/12, 1), 1, 1, 0, 0, 0, 0, time.UTC)
		ticks := marks(first, start, end, func(t time.Time) time.Time { return t.AddDate(0, months, 0) })
		labels := labelled(ticks, false, "2006", "year")
		if months < 12 {
			labels = labelled(ticks, false, "Jan", "month")
		}
		if fit(labels, room) {
			return labels
		}
	}
	return nil
}

// fit reports whether there are ticks and their labels have room beside each other.
func fit(ticks []timeTick, room float64) bool {
	for _, tick := range ticks {
		room -= textWidth(tick.label) + 1
	}
	return len(ticks) > 0 && room >= 0
}

// marks returns the times from first on that lie between start and end.
func marks(first, start, end time.Time, next func(time.Time) time.Time) (marks []time.Time) {
	for t := first; !t.After(end); t = next(t) {
		if !t.Before(start) {
			marks = append(marks, t)
		}
	}
	return marks
}

// labelled names times by their format, but hours by hour except at midnight, and of months the first with its year and
// each January by the year that it begins.
func labelled(times []time.Time, hours bool, format, unit string) []timeTick {
	ticks := make([]timeTick, 0, len(times))
	for i, t := range times {
		tick := timeTick{t, t.Format(format), unit}
		if hours {
			tick.unit = "hour"
		}
		switch {
		case hours && t.Hour() != 0:
			tick.label = t.Format("15:04")
		case unit == "month" && i == 0:
			tick.label = t.Format("Jan 2006")
		case unit == "month" && t.Month() == time.January:
			tick.label = t.Format("2006")
		}
		ticks = append(ticks, tick)
	}
	return ticks
}
