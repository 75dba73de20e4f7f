package httpapi

import (
	"mime"
	"net/http"
	"strings"
)

// negotiate returns which of the media types offered a request wants most (RFC 9110, section 12.5.1): among equals, and
// where it does not say, the first. Parameters but q and charset are not looked at, and what is no media range is left
// out.
func negotiate(w http.ResponseWriter, r *http.Request, offers ...string) (string, error) {
	addVary(w.Header(), "Accept")
	fields := strings.Join(r.Header["Accept"], ",")
	if strings.Trim(fields, " \t,") == "" {
		return offers[0], nil
	}
	ranges := mediaRanges(fields)
	best, most := "", 0
	for _, offer := range offers {
		if q := quality(ranges, offer); q > most {
			best, most = offer, q
		}
	}
	if best == "" {
		return "", problemf(codeNotAcceptable, "Accept", "the route gives %s", strings.Join(offers, " or "))
	}
	return best, nil
}

// mediaRange is one of an Accept header, such as text/* with a quality in thousandths.
type mediaRange struct {
	name    string
	quality int
}

func mediaRanges(field string) (ranges []mediaRange) {
	for _, element := range splitList(field) {
		name, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		q, ok := 1_000, true
		if text, given := params["q"]; given {
			q, ok = parseQuality(text)
		}
		if ok {
			ranges = append(ranges, mediaRange{name, q})
		}
	}
	return ranges
}

// quality returns how much a media type is wanted, in thousandths: the most specific range that it is in says so.
func quality(ranges []mediaRange, offer string) (quality int) {
	kind, _, _ := strings.Cut(offer, "/")
	specific := 0
	for _, r := range ranges {
		rank := 0
		switch r.name {
		case offer:
			rank = 3
		case kind + "/*":
			rank = 2
		case "*/*":
			rank = 1
		}
		if rank > specific || rank > 0 && rank == specific && r.quality > quality {
			specific, quality = rank, r.quality
		}
	}
	return quality
}

// parseQuality reads a weight (RFC 9110, section 12.4.2) in thousandths: 0 or 1 with at most three decimals, at most 1.
func parseQuality(text string) (thousandths int, ok bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	for _, c := range whole + decimals + "000"[len(decimals):] {
		if c < '0' || c > '9' {
			return 0, false
		}
		thousandths = 10*thousandths + int(c-'0')
	}
	return thousandths, thousandths <= 1_000
}

// splitList cuts a header's list at the commas that are not in a quoted string.
func splitList(field string) (elements []string) {
	start, quoted := 0, false
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			elements = append(elements, field[start:i])
			start = i + 1
		}
	}
	return append(elements, field[start:])
}
