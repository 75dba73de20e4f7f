package httpapi

import (
	"net/http"
	"strings"

	"github.com/tweiledger/tweiledger/domain"
)

// headerKey names a purchase (draft-ietf-httpapi-idempotency-key-header).
const headerKey = "Idempotency-Key"

// idempotencyKey returns the key of a purchase. The draft asks for a string of structured fields, in double quotes;
// most clients send a bare UUID. Both are taken, and are the same key.
func idempotencyKey(h http.Header) (string, error) {
	wrong := func(what string) error { return problemf(codeBadRequest, headerKey, "%s", what) }
	given := h.Values(headerKey)
	switch {
	case len(given) == 0:
		return "", wrong("is missing: it names the purchase, so that it can be sent again and is charged once")
	case len(given) > 1:
		return "", wrong("stands more than once")
	}
	text := strings.Trim(given[0], " \t")
	key, ok := text, isBareKey(text)
	if strings.HasPrefix(text, `"`) {
		key, ok = parseSFString(text)
	}
	if !ok {
		return "", wrong("is neither a string of printable ASCII in double quotes, nor letters, digits and " + bareKeyMarks)
	}
	if key == "" || len(key) > domain.MaxMessageIDBytes {
		return "", problemf(codeBadRequest, headerKey, "must have 1 to %d bytes", domain.MaxMessageIDBytes)
	}
	return key, nil
}

// bareKeyMarks are what a bare key may hold beside letters and digits: what a token of structured fields may, and the
// signs of an address, of base64 and of an account's id. No comma: two header lines that somebody joined into one are
// not a key.
const bareKeyMarks = "!#$%&'*+-./:=@^_`|~"

func isBareKey(text string) bool {
	return strings.IndexFunc(text, func(c rune) bool {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !alphanumeric && !strings.ContainsRune(bareKeyMarks, c)
	}) < 0
}

// parseSFString reads a string of structured fields (RFC 9651, section 4.2.5) that is all of a text. Parameters behind
// it are refused: nobody has said what they would mean.
func parseSFString(text string) (s string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), i == len(text)-1
		case c < ' ' || c > '~':
			return "", false
		case c == '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", false
}
