package web

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// shownDecimals is how many decimals of an amount are shown. The rest is cut off, not rounded: what is shown is never
// more than there is.
const shownDecimals = 4

// minus is the sign of amounts on a page.
const minus = "−"

// cutText returns the exact text of an amount cut off behind the decimals that are shown, with an ellipsis where more
// follow.
func cutText(a domain.Twei) (whole, fraction string) {
	whole, fraction, _ = strings.Cut(strings.Replace(a.String(), "-", minus, 1), ".")
	if len(fraction) > shownDecimals {
		fraction = fraction[:shownDecimals] + "…"
	}
	return whole, fraction
}

// shownText returns an amount as it is shown where it stands alone.
func shownText(a domain.Twei) string {
	whole, fraction := cutText(a)
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// amount shows an amount so that it stands on its point: the whole part, and behind it the fraction, in parts of their
// own. What is cut off, or hard to read without groups, is there in full for who listens or copies.
func amount(a domain.Twei) template.HTML { return amountHTML(a, "") }

// signedAmount shows an amount with its sign: a total.
func signedAmount(a domain.Twei) template.HTML {
	if a.Sign() > 0 {
		return amountHTML(a, "+")
	}
	return amountHTML(a, "")
}

func amountHTML(a domain.Twei, sign string) template.HTML {
	exact := a.String()
	whole, fraction := cutText(a)
	if fraction != "" {
		fraction = "." + fraction
	}
	shown := `<span class="i">` + sign + grouped(whole) + `</span><span class="f">` + fraction + `</span>`
	if strings.HasSuffix(fraction, "…") {
		shown = `<span class="exact">` + sign + strings.Replace(exact, "-", minus, 1) + `</span>` +
			`<span class="shown" aria-hidden="true">` + shown + `</span>`
	}
	return template.HTML(`<data class="amount" value="` + exact + `" title="` + exact + ` Twei">` + shown + `</data>`)
}

// grouped parts the digits of a large number in threes by space alone, so that what is copied has none. Between them it
// may break where there is no room.
func grouped(whole string) string {
	digits := strings.TrimPrefix(whole, minus)
	if len(digits) < 5 {
		return whole
	}
	first := len(digits) % 3
	text := whole[:len(whole)-len(digits)] + digits[:first]
	for ; first < len(digits); first += 3 {
		text += `<wbr><span class="g">` + digits[first:first+3] + `</span>`
	}
	return text
}

// Forms of times on a page. Scripts show them in the reader's zone.
const (
	dateForm = "2 January 2006"
	timeForm = "2 Jan 2006, 15:04 MST"
	fullForm = "2 January 2006, 15:04:05 MST"
)

// timeOf shows a time, with UTC on hover; nothing for the zero time.
func timeOf(t time.Time) template.HTML { return timeHTML(t, timeForm, "time") }

// dateOf shows the day of a time.
func dateOf(t time.Time) template.HTML { return timeHTML(t, dateForm, "date") }

func timeHTML(t time.Time, form, class string) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(`<time class="` + class + `" datetime="` + domain.FormatTime(t) + `" title="` +
		t.Format(fullForm) + `">` + t.Format(form) + `</time>`)
}

// duration shows a time to read: whole minutes as "4 min", else minutes and seconds.
func duration(seconds uint64) string {
	minutes, rest := seconds/60, seconds%60
	switch {
	case seconds == 0:
		return "—"
	case minutes == 0:
		return strconv.FormatUint(rest, 10) + " s"
	case rest == 0:
		return strconv.FormatUint(minutes, 10) + " min"
	}
	return strconv.FormatUint(minutes, 10) + " min " + strconv.FormatUint(rest, 10) + " s"
}

// plural returns a number with its noun.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatUint(n, 10) + " " + many
}
