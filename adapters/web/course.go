package web

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tweiledger/tweiledger/domain"
)

// A coursePoint is what there was at the end of an hour or a day in which something occurred.
type coursePoint struct {
	Start               time.Time
	Profit, Loss, Total domain.Twei
}

// A frame is a size to draw the course in.
type frame struct {
	class               string
	width, height, font float64
	// amounts is how many marks that axis has about, points how many points are drawn at most.
	amounts, points int
	// values tells whether the lines' names have room for their amounts.
	values bool
}

var (
	wideFrame   = frame{"co-wide", 640, 260, 12, 6, 160, true}
	narrowFrame = frame{"co-narrow", 320, 230, 14, 5, 60, false}
)

// course draws profit, loss and total over time, of points in their order, as lines of steps: at both sizes, of which
// the width of the box around them lets one be seen. Of no points it draws nothing.
func course(points []coursePoint, days bool) template.HTML {
	if len(points) == 0 {
		return ""
	}
	return `<div class="pic">` + drawCourse(points, days, wideFrame) + drawCourse(points, days, narrowFrame) + `</div>`
}

// thinned returns at most most points: the first, and the last one of each of equal spans of time.
func thinned(points []coursePoint, most int) []coursePoint {
	if len(points) <= most {
		return points
	}
	first, last := points[0].Start.Unix(), points[len(points)-1].Start.Unix()
	bucket := func(p coursePoint) int64 { return (p.Start.Unix() - first) * int64(most-1) / (last - first + 1) }
	kept := []coursePoint{points[0]}
	for i, p := range points {
		if i+1 == len(points) || bucket(p) != bucket(points[i+1]) {
			kept = append(kept, p)
		}
	}
	return kept
}

// A chart is a frame with its axes.
type chart struct {
	*svg
	frame
	points                   []coursePoint
	days                     bool
	end                      time.Time // of the last point's hour or day
	left, right, top, bottom float64
	amount                   scale
	ticks                    []decimal.Decimal
}

// A series is a line of the chart.
type series struct {
	name, class string
	of          func(coursePoint) domain.Twei
	label       func(decimal.Decimal) string
}

// courseSeries has the total last: it is drawn above the others.
var courseSeries = []series{
	{"profit", "co-profit", func(p coursePoint) domain.Twei { return p.Profit }, shortAmount},
	{"loss", "co-loss", func(p coursePoint) domain.Twei { return p.Loss }, shortAmount},
	{"total", "co-total", func(p coursePoint) domain.Twei { return p.Total }, shortSigned},
}

func drawCourse(points []coursePoint, days bool, f frame) template.HTML {
	c := &chart{frame: f, points: thinned(points, f.points), days: days}
	last := c.points[len(c.points)-1]
	c.end = last.Start.Add(c.interval())
	c.svg = newPicture(f.class, f.width, f.height, "Profit, loss and total over time: "+c.titleOf(last),
		c.titleOf(c.points[0])+"; "+c.titleOf(last)+".")
	c.layOut()
	c.drawAmounts()
	c.drawTimes()
	c.drawHits()
	for _, s := range courseSeries {
		c.drawLine(s)
	}
	c.drawNames()
	return c.html()
}

func (c *chart) interval() time.Duration {
	if c.days {
		return 24 * time.Hour
	}
	return time.Hour
}

// titleOf says what there was at a point.
func (c *chart) titleOf(p coursePoint) string {
	form := "2 Jan 2006, 15:04 MST"
	if c.days {
		form = "2 Jan 2006"
	}
	return p.Start.UTC().Format(form) + ": profit " + p.Profit.String() + ", loss " + p.Loss.String() + ", total " +
		exactAmount(p.Total)
}

// layOut chooses the ticks of amounts, and leaves room for their labels and for the lines' names.
func (c *chart) layOut() {
	var low, high domain.Twei
	for _, p := range c.points {
		for _, s := range courseSeries {
			if a := s.of(p); a.Cmp(low) < 0 {
				low = a
			} else if a.Cmp(high) > 0 {
				high = a
			}
		}
	}
	c.ticks = amountTicks(low.Decimal(), high.Decimal(), int64(c.amounts-1))
	c.top, c.bottom = 2*c.font, c.height-1.8*c.font
	for _, tick := range c.ticks {
		c.left = max(c.left, textWidth(tickLabel(tick))*c.font+8)
	}
	for _, s := range courseSeries {
		c.right = max(c.right, textWidth(c.nameOf(s))*c.font+10)
	}
	c.right = c.width - c.right
	first, last := c.ticks[0], c.ticks[len(c.ticks)-1]
	c.amount = scale{first.InexactFloat64(), last.InexactFloat64(), c.bottom, c.top}
}

// x returns where a time stands.
func (c *chart) x(t time.Time) float64 {
	start := c.points[0].Start.Unix()
	share := float64(t.Unix()-start) / float64(c.end.Unix()-start)
	return c.left + min(max(share, 0), 1)*(c.right-c.left)
}

func (c *chart) drawAmounts() {
	c.leaf("text", domain.Unit, "x", 0.0, "y", c.font)
	for _, tick := range c.ticks {
		y, class := c.amount.at(tick.InexactFloat64()), "grid"
		if tick.IsZero() {
			class = "axis"
		}
		c.shape("line", "class", class, "x1", c.left, "x2", c.right, "y1", y, "y2", y)
		c.leaf("text", tickLabel(tick), "x", c.left-6, "y", y+c.font/3, "text-anchor", "end")
	}
}

// drawTimes writes the marks of time with what a script needs to show them in the reader's zone.
func (c *chart) drawTimes() {
	zone := time.UTC.String()
	room := c.width - textWidth(zone)*c.font - 4
	for _, tick := range timeTicks(c.points[0].Start.UTC(), c.end.UTC(), c.days, (c.right-c.left)/c.font) {
		x := c.x(tick.at)
		c.shape("line", "class", "axis", "x1", x, "x2", x, "y1", c.bottom, "y2", c.bottom+4)
		c.leaf("text", tick.label, "class", "time", "x", within(x, tick.label, c.font, 0, room), "y", c.height-4,
			"text-anchor", "middle", "data-time", tick.at.Format(time.RFC3339), "data-unit", tick.unit)
	}
	c.leaf("text", zone, "class", "zone", "x", c.width, "y", c.height-4, "text-anchor", "end")
}

// drawLine draws a series: level through each hour or day and on to the next one, then a step.
func (c *chart) drawLine(s series) {
	path, level := &strings.Builder{}, ""
	for i, p := range c.points {
		y := coordinate(c.amount.at(size(s.of(p))))
		switch {
		case i == 0:
			path.WriteString("M" + coordinate(c.left) + " " + y)
		case y != level:
			path.WriteString("H" + coordinate(c.x(p.Start)) + "V" + y)
		}
		level = y
	}
	path.WriteString("H" + coordinate(c.right))
	c.shape("path", "class", "line "+s.class, "d", path.String())
}

// nameOf returns what stands at a line's end.
func (c *chart) nameOf(s series) string {
	if !c.values {
		return s.name
	}
	return s.name + " " + s.label(s.of(c.points[len(c.points)-1]).Decimal())
}

// drawNames writes the lines' names at their ends, in the order of their heights, apart from each other.
func (c *chart) drawNames() {
	last := c.points[len(c.points)-1]
	order := slices.Clone(courseSeries)
	slices.SortStableFunc(order, func(a, b series) int { return b.of(last).Cmp(a.of(last)) })
	apart := c.font * 1.2
	ys := make([]float64, len(order))
	for i, series := range order {
		ys[i] = c.amount.at(size(series.of(last))) + c.font/3
		if i > 0 {
			ys[i] = max(ys[i], ys[i-1]+apart)
		}
	}
	lowest := c.bottom + c.font/3
	for i := len(ys) - 1; i >= 0; i-- {
		ys[i] = min(ys[i], lowest)
		lowest = ys[i] - apart
		c.leaf("text", c.nameOf(order[i]), "class", "name "+order[i].class, "x", c.right+6, "y", ys[i])
	}
}

// drawHits lays a column under each point, which has its values for the pointer and for a script.
func (c *chart) drawHits() {
	unit := "hour"
	if c.days {
		unit = "day"
	}
	c.open("g", "class", "hits", "data-unit", unit)
	for i, p := range c.points {
		from, to := c.x(p.Start), c.right
		if i+1 < len(c.points) {
			to = c.x(c.points[i+1].Start)
		}
		c.open("g", "class", "hit", "data-time", p.Start.UTC().Format(time.RFC3339), "data-profit", p.Profit.String(),
			"data-loss", p.Loss.String(), "data-total", p.Total.String())
		c.leaf("title", c.titleOf(p))
		c.shape("rect", "x", from, "y", c.top, "width", max(to-from, 0), "height", c.bottom-c.top)
		c.close("g")
	}
	c.close("g")
}
