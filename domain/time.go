package domain

import (
	"fmt"
	"time"
)

// ParseTime reads an RFC 3339 time: upper-case T, Z or an offset, at most 9 decimals, no leap second, and a year from
// 0001 to 9999 in UTC (DESIGN section 4). The result is in UTC.
func ParseTime(s string) (time.Time, error) {
	if !rfc3339(s) {
		return time.Time{}, fmt.Errorf("%.50q is not an RFC 3339 time, such as \"2026-01-29T12:00:00Z\"", s)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: %w", s, err)
	}
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, fmt.Errorf("%q is not in the years 0001 to 9999 of UTC", s)
	}
	return t, nil
}

// rfc3339 reports whether s has the form 2026-01-29T12:00:00[.123456789](Z|±12:00), ranges of the date's and time's
// digits aside: those time.Parse checks, which for its part takes other forms too, and offsets of 24 hours or 60
// minutes.
func rfc3339(s string) bool {
	const date = "0000-00-00T00:00:00"
	if !hasForm(s, date) {
		return false
	}
	rest := s[len(date):]
	if rest != "" && rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n < 2 || n > 10 {
			return false
		}
		rest = rest[n:]
	}
	if rest == "Z" {
		return true
	}
	return len(rest) == 6 && (hasForm(rest, "+00:00") || hasForm(rest, "-00:00")) && rest[1:3] < "24" && rest[4:6] < "60"
}

// hasForm reports whether s begins like form, where 0 stands for any digit.
func hasForm(s, form string) bool {
	if len(s) < len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

// FormatTime returns the text that the ledger keeps: RFC 3339 in UTC without trailing zeros.
func FormatTime(t time.Time) string { return string(AppendTime(nil, t)) }

// AppendTime appends what FormatTime returns.
func AppendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, time.RFC3339Nano) }
