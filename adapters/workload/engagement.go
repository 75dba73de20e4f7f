package workload

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

// appendEngagement appends an engagement as a CloudEvent in structured mode, on one line without a line feed. Source
// and identifiers must be free of what JSON escapes; title and url may have anything.
func appendEngagement(dst []byte, e *domain.Engagement) []byte {
	dst = append(dst, `{"specversion":"1.0"`...)
	dst = appendText(dst, "type", e.Type.CloudEvent())
	dst = appendText(dst, "source", e.Source)
	dst = appendText(dst, "id", e.ID)
	dst = append(dst, `,"time":"`...)
	dst = append(domain.AppendTime(dst, e.OccurredAt), `","data":{`...)
	dst = appendText(dst, "post_id", e.PostID)
	dst = appendText(dst, "comment_id", e.CommentID)
	dst = appendText(dst, "account_id", e.AccountID)
	dst = appendQuoted(dst, "title", e.Title)
	dst = appendQuoted(dst, "url", e.URL)
	switch e.Type {
	case domain.PostPublished:
		dst = appendNumber(dst, "time_to_read_seconds", e.TimeToReadSeconds)
	case domain.PostRead:
		dst = appendNumber(dst, "seconds_read", e.SecondsRead)
	case domain.CommentAdded:
		dst = appendNumber(dst, "level", e.Level)
	}
	return append(dst, '}', '}')
}

func appendKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// appendText appends a member whose value needs no escapes, nothing where that is empty.
func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(appendKey(dst, key), '"')
	dst = append(dst, value...)
	return append(dst, '"')
}

// appendQuoted appends a member with any text, nothing where that is empty.
func appendQuoted(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	// The texts are those of this package, valid UTF-8.
	dst, _ = jsontext.AppendQuote(appendKey(dst, key), value)
	return dst
}

func appendNumber(dst []byte, key string, n uint64) []byte {
	return strconv.AppendUint(appendKey(dst, key), n, 10)
}

// named returns a name with a number, such as "post-17".
func named(prefix string, n uint64) string { return prefix + strconv.FormatUint(n, 10) }
