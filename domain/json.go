package domain

import "strconv"

// MaxInteger is the largest number in an event or an engagement, 2^53-1: what every JSON reader keeps exactly.
const MaxInteger = 1<<53 - 1

// The append functions write members of canonical JSON (RFC 8785): no space, strings with the shortest escapes. They
// set a comma unless the member is the first of its object.

func appendKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// appendMember appends a member with a string value, nothing where the value is empty.
func appendMember(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(appendKey(dst, key), value)
}

func appendUint(dst []byte, key string, n uint64) []byte {
	return strconv.AppendUint(appendKey(dst, key), n, 10)
}

func appendBool(dst []byte, key string, b bool) []byte {
	return strconv.AppendBool(appendKey(dst, key), b)
}

func appendAmount(dst []byte, key string, t Twei) []byte {
	dst = append(appendKey(dst, key), '"')
	dst = append(dst, t.String()...)
	return append(dst, '"')
}

// appendString appends a JSON string of valid UTF-8 with the escapes of RFC 8785, section 3.2.2.2.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}
