package web

import "html/template"

// Measures and colours of the picture for sharing. It stands alone, so it has no stylesheet to take them from.
const (
	sharedWidth, sharedHeight = 1200, 630
	sharedMargin              = 72
	sharedInk, sharedSoft     = "#1d1c1a", "#5f5b54"
	sharedSerif               = "Georgia, 'DejaVu Serif', serif"
)

// sharedPicture draws a post's title and the sums of its statement.
func sharedPicture(c *postContent) template.HTML {
	p := newPicture("shared", sharedWidth, sharedHeight, c.Title, "Total Twei Earned: "+c.Statement.Total.String())
	p.shape("rect", "width", float64(sharedWidth), "height", float64(sharedHeight), "fill", "#fbfaf7")
	text := func(s string, x, y, size float64, color, anchor string) {
		p.leaf("text", s, "x", x, "y", y, "font-size", size, "fill", color, "text-anchor", anchor,
			"font-family", sharedSerif)
	}
	const right = sharedWidth - sharedMargin
	text("Tweiledger", sharedMargin, 84, 30, sharedSoft, "start")
	for i, line := range wrapped(c.Title, 46, 3) {
		text(line, sharedMargin, 156+float64(i)*60, 50, sharedInk, "start")
	}
	row := func(label, amount string, y, size float64) {
		text(label, sharedMargin, y, size, sharedInk, "start")
		text(amount, right, y, size, sharedInk, "end")
	}
	rule := func(y float64) {
		p.shape("line", "x1", float64(sharedMargin), "x2", float64(right), "y1", y, "y2", y, "stroke", sharedInk,
			"stroke-width", 2.0)
	}
	row("Profit Subtotal, Twei", shortAmount(c.Statement.Profit.Subtotal.Decimal()), 384, 36)
	row("Loss Subtotal, Twei", shortAmount(c.Statement.Loss.Subtotal.Decimal()), 440, 36)
	rule(472)
	row("Total Twei Earned", shortSigned(c.Statement.Total.Decimal()), 532, 48)
	rule(560)
	rule(567)
	return p.html()
}

// wrapped breaks a text into lines of at most so many characters, the last of which ends with "…" where there is more.
func wrapped(text string, width, lines int) (broken []string) {
	rest := []rune(text)
	for len(rest) > width && len(broken) < lines-1 {
		at := width
		for at > width/2 && rest[at] != ' ' {
			at--
		}
		broken = append(broken, string(rest[:at]))
		for rest = rest[at:]; len(rest) > 0 && rest[0] == ' '; {
			rest = rest[1:]
		}
	}
	if len(rest) > width {
		rest = append(rest[:width-1:width-1], '…')
	}
	return append(broken, string(rest))
}
