package httpapi

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tweiledger/tweiledger/domain"
)

// attributePrefix begins the headers that are CloudEvents attributes, as net/http writes them.
const attributePrefix = "Ce-"

// parseBinary reads a CloudEvent in binary mode: its attributes from the headers, its datacontenttype from
// Content-Type, its data from the body.
func parseBinary(h http.Header, data []byte) domain.Received {
	attributes := map[string]string{}
	var rejection *domain.Rejection
	for _, header := range slices.Sorted(maps.Keys(h)) {
		name, is := strings.CutPrefix(header, attributePrefix)
		if !is {
			continue
		}
		name = strings.ToLower(name)
		value, err := decodeAttribute(h[header])
		switch {
		case err == nil:
			attributes[name] = value
		case rejection == nil:
			rejection = invalid(clip(name), err.Error())
		}
	}
	attributes["datacontenttype"] = h.Get("Content-Type")
	received := domain.ParseBinaryEngagement(attributes, data)
	if rejection != nil {
		received.Rejection = rejection
	}
	return received
}

// decodeAttribute decodes the value of a header as the CloudEvents HTTP binding says (section 3.1.3.2): a quoted string
// is unquoted, then one round of percent-decoding.
func decodeAttribute(values []string) (string, error) {
	if len(values) != 1 {
		return "", errors.New("the header stands more than once")
	}
	value, err := url.PathUnescape(unquoteHeader(values[0]))
	if err != nil {
		return "", errors.New("is not percent-encoded as the CloudEvents HTTP binding says")
	}
	if !utf8.ValidString(value) {
		return "", errors.New("is not valid UTF-8")
	}
	return value, nil
}

// unquoteHeader returns the text of a quoted string (RFC 9110, section 5.6.4), anything else as it is.
func unquoteHeader(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
