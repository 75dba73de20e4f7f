package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

var updatePictures = flag.Bool("update-pictures", false, "write testdata/*.svg anew")

// statementOf returns a statement of the twelve lines' amounts, in their order.
func statementOf(t testing.TB, amounts ...string) *domain.Statement {
	t.Helper()
	s := &domain.Statement{}
	for i, text := range amounts {
		a, err := domain.ParseTwei(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Sums[i] = a
	}
	return s
}

// pictured are the statements drawn in the tests: the sample article's, and what is hard to draw.
func pictured(t testing.TB) map[string]*domain.Statement {
	return map[string]*domain.Statement{
		"sample": statementOf(t, "3", "10", "1.1", "5.5", "2.2", "0.6", "0.5", "5", "0.6", "3", "10", "0"),
		"zero":   statementOf(t),
		"loss":   statementOf(t, "0.3333333", "0", "1.25", "0", "0", "0", "0.5", "1", "0", "0", "10", "3"),
		"extreme": statementOf(t, "1000000000000000000", "0.000000000001", "999999.123456", "1234567.891",
			"0", "2", "0.000000000001", "1000000000000000000", "12345.6789", "0", "1", "1"),
	}
}

var started = time.Date(2026, 1, 29, 9, 0, 0, 0, time.UTC)

// courses are the courses drawn in the tests.
func courses(t testing.TB) map[string]struct {
	points []coursePoint
	days   bool
} {
	point := func(after time.Duration, profit, loss string) coursePoint {
		s := statementOf(t, profit, "0", "0", "0", "0", "0", loss)
		p, l, total, err := s.Sums.Subtotals()
		if err != nil {
			t.Fatal(err)
		}
		return coursePoint{started.Add(after), p, l, total}
	}
	var many []coursePoint
	for i := range 2000 {
		many = append(many, point(time.Duration(i)*time.Hour, strconv.Itoa(i+i%40), strconv.Itoa(i/2+i%300)))
	}
	const h = time.Hour
	return map[string]struct {
		points []coursePoint
		days   bool
	}{
		"hours": {[]coursePoint{point(0, "0", "10"), point(h, "3", "10.5"), point(2*h, "14.1", "15.5"),
			point(4*h, "16.3", "18.5"), point(9*h, "22.4", "19.1")}, false},
		"days": {[]coursePoint{point(-9*h, "0", "10"), point(15*h, "3.3333333", "10"), point(63*h, "9", "21"),
			point(300*h, "9", "22")}, true},
		"single": {[]coursePoint{point(0, "0", "0")}, false},
		"equal":  {[]coursePoint{point(0, "5", "5"), point(h, "5", "5")}, false},
		"tiny": {[]coursePoint{point(0, "0.000000000001", "0"),
			point(h, "0.000000000001", "0.000000000002")}, false},
		"huge":  {[]coursePoint{point(0, "1000000000000000000", "1"), point(26*h, "1500000000000000000.5", "3")}, false},
		"many":  {many, false},
		"years": {[]coursePoint{point(0, "1", "1"), point(24*365*40*h, "2", "1")}, true},
	}
}

func TestPictures(t *testing.T) {
	for name, s := range pictured(t) {
		golden(t, "waterfall-"+name, waterfall(s, false))
		golden(t, "waterfall-"+name+"-narrow", waterfall(s, true))
	}
	for _, name := range []string{"hours", "days", "single"} {
		c := courses(t)[name]
		golden(t, "course-"+name, drawCourse(c.points, c.days, wideFrame))
		golden(t, "course-"+name+"-narrow", drawCourse(c.points, c.days, narrowFrame))
	}
	for name, c := range courses(t) {
		checkPicture(t, name, course(c.points, c.days))
	}
}

// golden compares a picture, one element a line, with the one in testdata.
func golden(t *testing.T, name string, picture template.HTML) {
	t.Helper()
	checkPicture(t, name, picture)
	file, got := filepath.Join("testdata", name+".svg"), strings.ReplaceAll(string(picture), "><", ">\n<")+"\n"
	if *updatePictures {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is another picture (-update-pictures writes it anew):\n%s", file, got)
	}
}

// checker is what a test and a rapid test both are.
type checker interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

// checkPicture fails unless a picture is well-formed, has names, no style attribute, and keeps within its box.
func checkPicture(t checker, name string, picture template.HTML) {
	t.Helper()
	var width, height float64
	var titled, described bool
	for d := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in %s", name, err, picture)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes := map[string]string{}
		for _, a := range e.Attr {
			attributes[a.Name.Local] = a.Value
			if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "id" {
				t.Errorf("%s: <%s> has the attribute %s", name, e.Name.Local, a.Name.Local)
			}
		}
		switch e.Name.Local {
		case "svg":
			if _, err := fmt.Sscanf(attributes["viewBox"], "0 0 %g %g", &width, &height); err != nil {
				t.Fatalf("%s: viewBox %q: %v", name, attributes["viewBox"], err)
			}
			if attributes["role"] != "img" {
				t.Errorf("%s: role %q", name, attributes["role"])
			}
		case "title":
			titled = true
		case "desc":
			described = true
		default:
			checkBox(t, name, e.Name.Local, attributes, width, height)
		}
	}
	if !titled || !described {
		t.Errorf("%s: no title or no desc", name)
	}
}

var pathStep = regexp.MustCompile(`([MHV ])(-?[0-9.]+)`)

// checkBox fails where an element reaches out of the picture, by more than what rounding does.
func checkBox(t checker, name, element string, attributes map[string]string, width, height float64) {
	t.Helper()
	number := func(key string) float64 {
		if attributes[key] == "" {
			return 0
		}
		v, err := strconv.ParseFloat(attributes[key], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("%s: <%s %s=%q>", name, element, key, attributes[key])
		}
		return v
	}
	within := func(v, most float64) {
		if v < -0.1 || v > most+0.1 {
			t.Errorf("%s: <%s %v> reaches to %g, beyond %g", name, element, attributes, v, most)
		}
	}
	for _, key := range []string{"x", "x1", "x2"} {
		within(number(key), width)
	}
	for _, key := range []string{"y", "y1", "y2"} {
		within(number(key), height)
	}
	if number("width") < 0 || number("height") < 0 {
		t.Errorf("%s: <%s %v> has a negative size", name, element, attributes)
	}
	within(number("x")+number("width"), width)
	within(number("y")+number("height"), height)
	for _, step := range pathStep.FindAllStringSubmatch(attributes["d"], -1) {
		v, err := strconv.ParseFloat(step[2], 64)
		if err != nil {
			t.Fatalf("%s: path %s: %v", name, attributes["d"], err)
		}
		within(v, map[string]float64{"M": width, "H": width, "V": height, " ": height}[step[1]])
	}
}

// drawAmount draws amounts of every size, of no negative sign.
func drawAmount(t *rapid.T, label string) domain.Twei {
	a, err := domain.TweiFromDecimal(decimal.New(
		rapid.Int64Range(0, 1<<40).Draw(t, label), rapid.Int32Range(-domain.WeiDecimals, 12).Draw(t, label+" power")))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWaterfallOfAnyStatement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &domain.Statement{}
		for i := range s.Sums {
			if rapid.Bool().Draw(t, "is there") {
				s.Sums[i] = drawAmount(t, "amount")
			}
		}
		for _, narrow := range []bool{false, true} {
			checkPicture(t, "waterfall", waterfall(s, narrow))
		}
		bars, err := waterfallBars(s)
		if err != nil {
			t.Fatal(err)
		}
		total, before := bars[len(bars)-1], bars[len(bars)-2]
		if len(bars) != 13 || before.to != total.to {
			t.Fatalf("the last of %d bars ends at %s, the total is %s", len(bars), before.to, total.to)
		}
		for i, b := range bars[1:12] {
			if sum, err := b.from.Add(b.amount); err != nil || sum != b.to || b.from != bars[i].to {
				t.Fatalf("%s goes from %s by %s to %s", b.name, b.from, b.amount, b.to)
			}
		}
	})
}

func TestCourseOfAnyPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.Bool().Draw(t, "days")
		step := time.Hour
		if days {
			step = 24 * time.Hour
		}
		at := started.Truncate(step)
		var points []coursePoint
		for range rapid.IntRange(1, 300).Draw(t, "points") {
			p := coursePoint{Start: at, Profit: drawAmount(t, "profit"), Loss: drawAmount(t, "loss")}
			var err error
			if p.Total, err = p.Profit.Sub(p.Loss); err != nil {
				t.Fatal(err)
			}
			points = append(points, p)
			at = at.Add(time.Duration(rapid.IntRange(1, 2_000).Draw(t, "later")) * step)
		}
		picture := course(points, days)
		checkPicture(t, "course", picture)
		if n := strings.Count(string(picture), `class="hit"`); n > wideFrame.points+narrowFrame.points {
			t.Fatalf("%d points drawn", n)
		}
		last := points[len(points)-1]
		if n := strings.Count(string(picture), `data-total="`+last.Total.String()+`"`); n < 2 {
			t.Fatalf("the last total, %s, is in %d of two pictures", last.Total, n)
		}
	})
}

func TestNoCourse(t *testing.T) {
	if got := course(nil, true); got != "" {
		t.Errorf("a course of nothing: %s", got)
	}
}

func TestOverflowingStatementHasNoWaterfall(t *testing.T) {
	s := statementOf(t, "100000000000000000000000000", "100000000000000000000000000")
	if got := waterfall(s, false); got != "" {
		t.Errorf("a waterfall without a total: %s", got)
	}
}

func TestLabels(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "3": "+3", "-2.3": "−2.3", "0.3333333": "+0.3333…", "0.000000000001": "+0.0000…",
		"1.00001":         "+1.0000…",
		"-0.000000000001": "−0.0000…", "999999.99999": "+999999.9999…", "1000000": "+1M", "-1234567.8": "−1.234M…",
		"999999999": "+999.999M…", "1000000000": "+1×10⁹", "1250000000000000000": "+1.25×10¹⁸",
		"-1000000000000000000.000000000001": "−1.000×10¹⁸…",
	} {
		if got := shortSigned(decimal.RequireFromString(text)); got != want {
			t.Errorf("%s is shown as %s, not %s", text, got, want)
		}
	}
}

func TestAmountTicks(t *testing.T) {
	for _, test := range []struct{ low, high, want string }{
		{"0", "22.4", "0 5 10 15 20 25"},
		{"-11.7", "10", "−15 −10 −5 0 5 10"},
		{"0", "0.000000000001", "0 1×10⁻¹²"},
		{"0", "0", "0 0.2 0.4 0.6 0.8 1"},
		{"-0.4", "0.3333333", "−0.4 −0.2 0 0.2 0.4"},
		{"0", "1000000000000000000", "0 2×10¹⁷ 4×10¹⁷ 6×10¹⁷ 8×10¹⁷ 1×10¹⁸"},
	} {
		var labels []string
		for _, tick := range amountTicks(decimal.RequireFromString(test.low), decimal.RequireFromString(test.high), 5) {
			labels = append(labels, tickLabel(tick))
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("from %s to %s: %s, not %s", test.low, test.high, got, test.want)
		}
	}
}

func TestTimeTicks(t *testing.T) {
	for _, test := range []struct {
		span time.Duration
		days bool
		want string
	}{
		{time.Hour, false, "09:00 10:00"},
		{10 * time.Hour, false, "09:00 12:00 15:00 18:00"},
		{30 * time.Hour, false, "12:00 30 Jan 12:00"},
		{30 * time.Hour, true, "30 Jan"},
		{80 * 24 * time.Hour, true, "Feb 2026 Mar Apr"},
		{40 * 366 * 24 * time.Hour, true, "2030 2040 2050 2060"},
	} {
		var labels []string
		for _, tick := range timeTicks(started, started.Add(test.span), test.days, 18) {
			labels = append(labels, tick.label)
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("%s: %q, not %s", test.span, got, test.want)
		}
	}
}

func TestShareBar(t *testing.T) {
	for _, test := range []struct{ part, whole, want string }{
		{"3", "10", "30%"}, {"1", "3", "33.3%"}, {"0", "10", "0%"}, {"0", "0", "0%"}, {"10", "10", "100%"},
		{"0.000000000001", "1000000000000000000", "0.5%"}, {"11", "10", "100%"}, {"5", "-1", "0%"},
	} {
		amounts := [2]domain.Twei{}
		for i, text := range []string{test.part, test.whole} {
			var err error
			if amounts[i], err = domain.ParseTwei(text); err != nil {
				t.Fatal(err)
			}
		}
		if got := shareBar(amounts[0], amounts[1]); !strings.Contains(string(got), `rect width="`+test.want+`"`) {
			t.Errorf("%s of %s: %s, not %s", test.part, test.whole, got, test.want)
		}
	}
}

func TestPictureEscapes(t *testing.T) {
	const hostile = "\"><script>alert(1)</script>&'\u202e\x00"
	p := newPicture(hostile, 10, 10, hostile, hostile)
	p.leaf("text", hostile, "x", 1.0, "data-time", hostile)
	checkPicture(t, "hostile", p.html())
	if strings.Contains(string(p.html()), "<script") {
		t.Errorf("not escaped: %s", p.html())
	}
}

// TestChartStyle keeps chart.css to the design's own colours.
func TestChartStyle(t *testing.T) {
	css, err := os.ReadFile("static/chart.css")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(css) {
		if bytes.ContainsAny(line, "#@") && !bytes.HasPrefix(line, []byte("@container")) ||
			bytes.Contains(line, []byte("rgb")) {
			t.Errorf("a colour or an import of its own: %s", line)
		}
	}
}
