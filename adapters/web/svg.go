package web

import (
	"html/template"
	"math"
	"strconv"
	"strings"
)

// An svg writes one picture. It has no style attribute, which the pages' Content-Security-Policy forbids: colours and
// fonts come from static/chart.css by class, so a picture follows the page, in the dark too.
type svg struct{ b strings.Builder }

// newPicture opens a picture of that size, with the name and the description that a screen reader reads.
func newPicture(class string, width, height float64, title, desc string) *svg {
	p := &svg{}
	p.open("svg", "xmlns", "http://www.w3.org/2000/svg", "class", "chart "+class,
		"viewBox", "0 0 "+coordinate(width)+" "+coordinate(height), "role", "img")
	p.leaf("title", title)
	p.leaf("desc", desc)
	return p
}

// html closes the picture and returns it.
func (p *svg) html() template.HTML {
	p.close("svg")
	return template.HTML(p.b.String())
}

// open writes a start tag. Attributes are names and values in turn; a value is a string or a coordinate.
func (p *svg) open(name string, attributes ...any) {
	p.start(name, attributes)
	p.b.WriteByte('>')
}

func (p *svg) close(name string) { p.b.WriteString("</" + name + ">") }

// leaf writes an element that holds nothing but text.
func (p *svg) leaf(name, text string, attributes ...any) {
	p.open(name, attributes...)
	p.b.WriteString(template.HTMLEscapeString(text))
	p.close(name)
}

// shape writes an element that holds nothing.
func (p *svg) shape(name string, attributes ...any) {
	p.start(name, attributes)
	p.b.WriteString("/>")
}

func (p *svg) start(name string, attributes []any) {
	p.b.WriteString("<" + name)
	for i := 0; i < len(attributes); i += 2 {
		var value string
		switch v := attributes[i+1].(type) {
		case float64:
			value = coordinate(v)
		case string:
			value = template.HTMLEscapeString(v)
		}
		p.b.WriteString(" " + attributes[i].(string) + `="` + value + `"`)
	}
}

// coordinate returns v with at most one decimal: geometry may be a float, since it is no money.
func coordinate(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) }

// textWidth estimates how wide a text is, in ems, rather too wide than too narrow: the server knows no font.
func textWidth(s string) (ems float64) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(".,: ijlI", r):
			ems += 0.3
		case strings.ContainsRune("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", r):
			ems += 0.4
		case strings.ContainsRune("…MmW", r):
			ems += 1
		default:
			ems += 0.7
		}
	}
	return ems
}
