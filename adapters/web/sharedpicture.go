package web

import "html/template"

// Measures and colours of the picture for sharing. It stands alone, so it has no stylesheet to take them from.
const (
	sharedWidth, sharedHeight = 1200, 630
	sharedMargin              = 72
	sharedInk                 = "#1d1c1a"
	sharedSerif               = "Georgia, 'DejaVu Serif', serif"
)

// sharedPicture draws a post's title over its statement.
func sharedPicture(c *postContent) template.HTML {
	title := c.Title
	if title == "" {
		title = c.PostID
	}
	p := newPicture("shared", sharedWidth, sharedHeight, title, "Total Twei Earned: "+c.Statement.Total.String())
	p.shape("rect", "width", float64(sharedWidth), "height", float64(sharedHeight), "fill", "#fbfaf7")
	for i, line := range wrapped(title, 48, 2) {
		p.write(line, sharedMargin, 92+float64(i)*54, 46, "start")
	}
	const middle, right = sharedWidth / 2, sharedWidth - sharedMargin
	p.side(&c.Statement.Profit, sharedMargin, middle-28)
	p.side(&c.Statement.Loss, middle+28, right)
	p.write("Total Twei Earned", sharedMargin, 574, 40, "start")
	p.write(shortSigned(c.Statement.Total.Decimal()), right, 574, 40, "end")
	for _, y := range []float64{526, 594, 601} {
		p.rule(sharedMargin, right, y)
	}
	return p.html()
}

// side writes the lines and the subtotal of a side between two edges.
func (p *svg) side(v *sideView, left, right float64) {
	y := 204.0
	for _, line := range v.Lines {
		p.write(line.Label, left, y, 26, "start")
		p.write(shortAmount(line.Amount.Decimal()), right, y, 26, "end")
		y += 42
	}
	p.rule(left, right, y-28)
	p.write(v.SubtotalLabel, left, y+6, 28, "start")
	p.write(shortAmount(v.Subtotal.Decimal()), right, y+6, 28, "end")
}

func (p *svg) write(text string, x, y, size float64, anchor string) {
	p.leaf("text", text, "x", x, "y", y, "font-size", size, "fill", sharedInk, "text-anchor", anchor,
		"font-family", sharedSerif)
}

func (p *svg) rule(from, to, y float64) {
	p.shape("line", "x1", from, "x2", to, "y1", y, "y2", y, "stroke", sharedInk, "stroke-width", 2.0)
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
