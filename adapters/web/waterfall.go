package web

import (
	"html/template"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/tweiledger/tweiledger/domain"
)

// A bar is a step of the waterfall: from what there was before it to what there is with it.
type bar struct {
	name, class string
	amount      domain.Twei // with its sign
	from, to    domain.Twei
}

// title is what shows under the pointer.
func (b bar) title() string { return b.name + ": " + exactAmount(b.amount) }

// totalName is the name of a statement's last line.
const totalName = "Total Twei Earned"

// waterfallBars returns the twelve lines in their order and the total. It fails where a sum overflows.
func waterfallBars(s *domain.Statement) (bars []bar, err error) {
	_, _, total, err := s.Sums.Subtotals()
	if err != nil {
		return nil, err
	}
	var running domain.Twei
	for _, side := range []domain.LineSide{domain.ProfitSide, domain.LossSide} {
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if l.Side() != side {
				continue
			}
			b := bar{l.Label(), "wf-gain", s.Sums.Of(l), running, running}
			if side == domain.LossSide {
				b.class = "wf-cost"
				if b.amount, err = (domain.Twei{}).Sub(b.amount); err != nil {
					return nil, err
				}
			}
			if b.to, err = running.Add(b.amount); err != nil {
				return nil, err
			}
			running = b.to
			bars = append(bars, b)
		}
	}
	return append(bars, bar{totalName, "wf-total", total, domain.Twei{}, total}), nil
}

// waterfall draws a statement from the first plus to the total: upright, or for narrow columns lying, with names. It is
// nothing where the statement's sums overflow, since then it has no total.
//
// Which of the two is seen is the stylesheet's choice, which hides the other from screen readers as well.
func waterfall(s *domain.Statement, narrow bool) template.HTML {
	bars, err := waterfallBars(s)
	if err != nil {
		return ""
	}
	profit, loss, total, _ := s.Sums.Subtotals()
	title := "From nothing to " + strings.TrimPrefix(exactAmount(total), "+") + ": profit " + profit.String() +
		", loss " + loss.String()
	names := make([]string, len(bars))
	for i, b := range bars {
		names[i] = b.title()
	}
	desc := strings.Join(names, ". ") + "."
	if narrow {
		return lyingWaterfall(bars, title, desc)
	}
	return uprightWaterfall(bars, title, desc, profit, loss)
}

// waterfalls draws both, of which the width of the box around them lets one be seen.
func waterfalls(s *domain.Statement) template.HTML {
	return `<div class="pic">` + waterfall(s, false) + waterfall(s, true) + `</div>`
}

// waterfallScale returns the scale that all bars fit on.
func waterfallScale(bars []bar, from, to float64) scale {
	sc := scale{from: from, to: to}
	for _, b := range bars {
		sc.low, sc.high = min(sc.low, size(b.to)), max(sc.high, size(b.to))
	}
	return sc
}

// thinnest is the length of a bar of nothing, or of next to nothing: a hairline that can be seen.
const thinnest = 1.5

// extent returns where a bar starts, how long it is, never shorter than a hairline, and its class.
func (s scale) extent(b bar) (start, length float64, class string) {
	from, to := s.at(size(b.from)), s.at(size(b.to))
	start, length = min(from, to), max(from, to)-min(from, to)
	if length < thinnest {
		return start - thinnest/2, thinnest, "bar hairline"
	}
	return start, length, "bar"
}

func uprightWaterfall(bars []bar, title, desc string, profit, loss domain.Twei) template.HTML {
	const (
		width, font    = 640, 12
		top, bottom    = 6, 160
		column, inset  = 48, 8
		gap            = 8 // in front of each of the three groups but the first
		firstRow, line = bottom + 18, 16
	)
	labels, staggered := make([]string, len(bars)), false
	for i, b := range bars {
		labels[i] = shortSigned(b.amount.Decimal())
		staggered = staggered || textWidth(labels[i])*font > column
	}
	groups := firstRow + line + 6.0
	if staggered {
		groups += line
	}
	p := newPicture("wf-wide", width, groups+line-4, title, desc)
	sc := waterfallScale(bars, bottom, top)
	zero := sc.at(0)
	p.shape("line", "class", "axis", "x1", 0.0, "x2", float64(width), "y1", zero, "y2", zero)
	starts := make([]float64, len(bars))
	for i, b := range bars {
		x := float64(i*column + i/6*gap)
		starts[i] = x
		y, height, class := sc.extent(b)
		p.open("g", "class", b.class)
		p.leaf("title", b.title())
		p.shape("rect", "class", "hit", "x", x, "y", 0.0, "width", float64(column), "height", groups-line)
		if i > 0 {
			level := sc.at(size(bars[i-1].to))
			p.shape("line", "class", "link", "x1", starts[i-1]+column-inset, "x2", x+inset, "y1", level, "y2", level)
		}
		p.shape("rect", "class", class, "x", x+inset, "y", y, "width", float64(column-2*inset), "height", height)
		row := float64(firstRow)
		if staggered && i%2 == 1 {
			row += line
		}
		p.leaf("text", labels[i], "class", "value", "x", within(x+column/2, labels[i], font, 0, width), "y", row,
			"text-anchor", "middle")
		p.close("g")
	}
	p.group("Post Profit "+shortSigned(profit.Decimal()), starts[0], starts[5]+column, groups, font)
	p.group("Post Loss "+shortSigned(loss.Decimal().Neg()), starts[6], starts[11]+column, groups, font)
	p.group("Total", starts[12], starts[12]+column, groups, font)
	return p.html()
}

// group writes a name under a rule as long as the bars that it is of.
func (p *svg) group(name string, from, to, y, font float64) {
	p.shape("line", "class", "axis", "x1", from+4, "x2", to-4, "y1", y-font, "y2", y-font)
	p.leaf("text", name, "x", (from+to)/2, "y", y+font/2, "text-anchor", "middle")
}

// within moves a text's middle so that all of the text stands between from and to.
func within(middle float64, text string, font, from, to float64) float64 {
	half := textWidth(text) * font / 2
	return max(min(middle, to-half), from+half)
}

func lyingWaterfall(bars []bar, title, desc string) template.HTML {
	const (
		width, font   = 320, 14
		height, thick = 26, 12 // of a row, of a bar
		left          = 150
		gap           = 8 // in front of each of the three groups but the first
	)
	p := newPicture("wf-narrow", width, float64(len(bars)*height+2*gap), title, desc)
	whole, fraction := amountWidths(bars)
	point := width - fraction*font
	sc := waterfallScale(bars, left, point-whole*font-6)
	zero := sc.at(0)
	p.shape("line", "class", "axis", "x1", zero, "x2", zero, "y1", 0.0, "y2", float64(len(bars)*height+2*gap))
	for i, b := range bars {
		y := float64(i*height + i/6*gap)
		x, length, class := sc.extent(b)
		p.open("g", "class", b.class)
		p.leaf("title", b.title())
		p.shape("rect", "class", "hit", "x", 0.0, "y", y, "width", float64(width), "height", float64(height))
		if i > 0 && i%6 == 0 {
			p.shape("line", "class", "rule", "x1", 0.0, "x2", float64(width), "y1", y-gap/2, "y2", y-gap/2)
		}
		name := b.name
		if b.name == totalName {
			name = "Total" // what all of the picture is in
		}
		middle := y + height/2
		p.leaf("text", name, "x", 0.0, "y", middle+font/3)
		p.shape("rect", "class", class, "x", x, "y", middle-thick/2, "width", length, "height", float64(thick))
		whole, fraction := atPoint(shortSigned(b.amount.Decimal()))
		p.leaf("text", whole, "class", "value", "x", point, "y", middle+font/3, "text-anchor", "end")
		if fraction != "" {
			p.leaf("text", fraction, "class", "value", "x", point, "y", middle+font/3)
		}
		p.close("g")
	}
	return p.html()
}

// atPoint parts a label in front of its decimal point.
func atPoint(label string) (whole, fraction string) {
	if i := strings.IndexByte(label, '.'); i >= 0 {
		return label[:i], label[i:]
	}
	return label, ""
}

// amountWidths returns the widths of what stands in front of the point and behind it in the bars' labels, in ems.
func amountWidths(bars []bar) (whole, fraction float64) {
	for _, b := range bars {
		w, f := atPoint(shortSigned(b.amount.Decimal()))
		whole, fraction = max(whole, textWidth(w)), max(fraction, textWidth(f))
	}
	return whole, fraction
}

// shareBar draws the part that an amount is of a whole, in percent with one decimal: a thin line as wide as its box. A
// part of nothing has none, and any other one can be seen.
func shareBar(part, whole domain.Twei) template.HTML {
	percent := decimal.Decimal{}
	if part.Sign() > 0 && whole.Sign() > 0 {
		percent = part.Decimal().Shift(2).DivRound(whole.Decimal(), 1)
		percent = decimal.Max(decimal.New(5, -1), decimal.Min(decimal.New(100, 0), percent))
	}
	return template.HTML(`<svg class="share" width="100%" height="2" aria-hidden="true"><rect width="` +
		percent.String() + `%" height="2"/></svg>`)
}
