package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// Texts of engagements that the tables change. Each is taken as it is.
const (
	postText = `{"specversion":"1.0","type":"tweiledger.post.published.v1","source":"/web","id":"e-1","time":"2026-01-29T12:00:00Z",` +
		`"data":{"post_id":"p1","account_id":"ann","title":"A title","time_to_read_seconds":60,"url":"https://example.org/"}}`
	changeText = `{"specversion":"1.0","type":"tweiledger.post.changed.v1","source":"/web","id":"e-1","time":"2026-01-29T12:00:00Z","data":{"post_id":"p1","title":"Another"}}`
	readText   = `{"specversion":"1.0","type":"tweiledger.post.read.v1","source":"/web","id":"e-1","time":"2026-01-29T12:00:00Z",` +
		`"data":{"post_id":"p1","account_id":"ann","seconds_read":60}}`
	withdrawText = `{"specversion":"1.0","type":"tweiledger.reaction.withdrawn.v1","source":"/web","id":"e-1","time":"2026-01-29T12:00:00Z","data":{"post_id":"p1","account_id":"ann"}}`
)

// badInput is each way in which an engagement cannot be read: the text, what is changed in it, and the field that is to
// blame. What could be read of source and id is said beside it, all of it unless told otherwise.
var badInput = []struct {
	name, text, old, new, field string
	unread                      string
}{
	// The JSON.
	{name: "nothing", text: postText, old: postText, new: "", unread: "source id"},
	{name: "no JSON", text: postText, old: postText, new: "hello", unread: "source id"},
	{name: "an array", text: postText, old: postText, new: "[]", unread: "source id"},
	{name: "a string", text: postText, old: postText, new: `"e"`, unread: "source id"},
	{name: "null", text: postText, old: postText, new: `null`, unread: "source id"},
	{name: "cut off", text: postText, old: `}}`, new: `}`},
	{name: "more behind it", text: postText, old: `}}`, new: `}}{}`},
	{name: "a comma too many", text: postText, old: `}}`, new: `},}`},
	{name: "single quotes", text: postText, old: `"p1"`, new: `'p1'`, field: "data.post_id"},
	{name: "a comment", text: postText, old: `{"spec`, new: `/**/{"spec`, unread: "source id"},
	{name: "NaN", text: readText, old: `60`, new: `NaN`, field: "data.seconds_read"},
	{name: "invalid UTF-8", text: postText, old: `A title`, new: "A \xff", field: "data.title"},
	{name: "half a surrogate pair", text: postText, old: `A title`, new: `\ud83e`, field: "data.title"},
	{name: "a raw line feed", text: postText, old: `A title`, new: "A\ntitle", field: "data.title"},
	{name: "an attribute twice", text: postText, old: `"id":"e-1"`, new: `"id":"e-1","id":"e-1"`, field: "id"},
	{name: "a member twice", text: postText, old: `"post_id":"p1"`, new: `"post_id":"p1","post_id":"p1"`, field: "data.post_id"},
	{name: "a member twice, once escaped", text: postText, old: `"post_id":"p1"`, new: `"post_id":"p1","post\u005fid":"p1"`, field: "data.post_id"},
	{name: "data twice", text: postText, old: `"data":`, new: `"data":{},"data":`, field: "data"},

	// The envelope.
	{name: "no specversion", text: postText, old: `"specversion":"1.0",`, field: "specversion"},
	{name: "another specversion", text: postText, old: `"1.0"`, new: `"0.3"`, field: "specversion"},
	{name: "specversion as a number", text: postText, old: `"1.0"`, new: `1.0`, field: "specversion"},
	{name: "no type", text: postText, old: `"type":"tweiledger.post.published.v1",`, field: "type"},
	{name: "an unknown type", text: postText, old: `published.v1`, new: `published.v2`, field: "type"},
	{name: "an event's type", text: postText, old: `tweiledger.post.published.v1`, new: `PostPublished`, field: "type"},
	{name: "a report's type", text: postText, old: `tweiledger.post.published.v1`, new: ``, field: "type"},
	{name: "type as a number", text: postText, old: `"tweiledger.post.published.v1"`, new: `5`, field: "type"},
	{name: "type in another case", text: postText, old: `"type"`, new: `"Type"`, field: "type"},
	{name: "no source", text: postText, old: `"source":"/web",`, field: "source", unread: "source"},
	{name: "an empty source", text: postText, old: `/web`, field: "source", unread: "source"},
	{name: "a null source", text: postText, old: `"/web"`, new: `null`, field: "source", unread: "source"},
	{name: "the ledger's source", text: postText, old: `/web`, new: `tweiledger`, field: "source", unread: "source"},
	{name: "a report's source", text: postText, old: `/web`, new: `report/ann`, field: "source", unread: "source"},
	{name: "a report's source without an account", text: postText, old: `/web`, new: `report/`, field: "source", unread: "source"},
	{name: "a long source", text: postText, old: `/web`, new: strings.Repeat("s", 2049), field: "source", unread: "source"},
	{name: "a source with a line feed", text: postText, old: `/web`, new: `/w\neb`, field: "source", unread: "source"},
	{name: "a source with a NUL", text: postText, old: `/web`, new: `/w\u0000eb`, field: "source", unread: "source"},
	{name: "source as an object", text: postText, old: `"/web"`, new: `{}`, field: "source", unread: "source"},
	{name: "no id", text: postText, old: `"id":"e-1",`, field: "id", unread: "id"},
	{name: "an empty id", text: postText, old: `e-1`, field: "id", unread: "id"},
	{name: "a long id", text: postText, old: `e-1`, new: strings.Repeat("i", 257), field: "id", unread: "id"},
	{name: "an id with DEL", text: postText, old: `e-1`, new: "e\x7f1", field: "id", unread: "id"},
	{name: "an id with a C1 control", text: postText, old: `e-1`, new: `e\u00851`, field: "id", unread: "id"},
	{name: "id as a number", text: postText, old: `"e-1"`, new: `1`, field: "id", unread: "id"},
	{name: "no time", text: postText, old: `"time":"2026-01-29T12:00:00Z",`, field: "time"},
	{name: "a null time", text: postText, old: `"2026-01-29T12:00:00Z"`, new: `null`, field: "time"},
	{name: "time as a number", text: postText, old: `"2026-01-29T12:00:00Z"`, new: `1769688000`, field: "time"},
	{name: "no zone", text: postText, old: `12:00:00Z`, new: `12:00:00`, field: "time"},
	{name: "a leap second", text: postText, old: `12:00:00Z`, new: `23:59:60Z`, field: "time"},
	{name: "another content type", text: postText, old: `"data"`, new: `"datacontenttype":"text/xml","data"`, field: "datacontenttype"},
	{name: "an empty content type's half", text: postText, old: `"data"`, new: `"datacontenttype":"application/","data"`, field: "datacontenttype"},
	{name: "content type as a number", text: postText, old: `"data"`, new: `"datacontenttype":1,"data"`, field: "datacontenttype"},
	{name: "data_base64", text: postText, old: `"data"`, new: `"data_base64":"e30=","data"`, field: "data_base64"},
	{name: "data_base64 instead", text: withdrawText, old: `"data":{"post_id":"p1","account_id":"ann"}`, new: `"data_base64":"e30="`, field: "data_base64"},
	{name: "no data", text: withdrawText, old: `,"data":{"post_id":"p1","account_id":"ann"}`, field: "data"},
	{name: "null data", text: withdrawText, old: `{"post_id":"p1","account_id":"ann"}`, new: `null`, field: "data"},
	{name: "data as an array", text: withdrawText, old: `{"post_id":"p1","account_id":"ann"}`, new: `["p1","ann"]`, field: "data"},
	{name: "data as text", text: withdrawText, old: `{"post_id":"p1","account_id":"ann"}`, new: `"{}"`, field: "data"},

	// The data.
	{name: "no members", text: withdrawText, old: `{"post_id":"p1","account_id":"ann"}`, new: `{}`, field: "data.account_id"},
	{name: "no post", text: postText, old: `"post_id":"p1",`, field: "data.post_id"},
	{name: "no account", text: postText, old: `"account_id":"ann",`, field: "data.account_id"},
	{name: "no title", text: postText, old: `"title":"A title",`, field: "data.title"},
	{name: "no time to read", text: postText, old: `"time_to_read_seconds":60,`, field: "data.time_to_read_seconds"},
	{name: "no seconds", text: readText, old: `,"seconds_read":60`, field: "data.seconds_read"},
	{name: "an unknown field", text: readText, old: `"post_id"`, new: `"postid":"p1","post_id"`, field: "data.postid"},
	{name: "an unknown field with a null", text: readText, old: `"post_id"`, new: `"x":null,"post_id"`, field: "data.x"},
	{name: "a field of another type", text: readText, old: `"post_id"`, new: `"level":13,"post_id"`, field: "data.level"},
	{name: "a field in another case", text: readText, old: `"post_id"`, new: `"Post_ID"`, field: "data.Post_ID"},
	{name: "a change of nothing", text: changeText, old: `,"title":"Another"`, field: "data"},
	{name: "a change by an account", text: changeText, old: `"title"`, new: `"account_id":"ann","title"`, field: "data.account_id"},
	{name: "a withdrawal from both", text: withdrawText, old: `"post_id":"p1"`, new: `"post_id":"p1","comment_id":"c1"`, field: "data"},
	{name: "a withdrawal from neither", text: withdrawText, old: `"post_id":"p1",`, field: "data"},
	{name: "a null post", text: readText, old: `"p1"`, new: `null`, field: "data.post_id"},
	{name: "a null number", text: readText, old: `60`, new: `null`, field: "data.seconds_read"},
	{name: "a null title", text: changeText, old: `"Another"`, new: `null`, field: "data.title"},
	{name: "a post as a number", text: readText, old: `"p1"`, new: `1`, field: "data.post_id"},
	{name: "a number as text", text: readText, old: `60`, new: `"60"`, field: "data.seconds_read"},
	{name: "a number as a rule", text: readText, old: `60`, new: `true`, field: "data.seconds_read"},
	{name: "a fraction", text: readText, old: `60`, new: `60.0`, field: "data.seconds_read"},
	{name: "an exponent", text: readText, old: `60`, new: `6e1`, field: "data.seconds_read"},
	{name: "a negative number", text: readText, old: `60`, new: `-1`, field: "data.seconds_read"},
	{name: "minus zero", text: readText, old: `60`, new: `-0`, field: "data.seconds_read"},
	{name: "2^53", text: readText, old: `60`, new: `9007199254740992`, field: "data.seconds_read"},
	{name: "2^64 and more", text: readText, old: `60`, new: `18446744073709551676`, field: "data.seconds_read"},
	{name: "a huge number", text: readText, old: `60`, new: strings.Repeat("9", 400), field: "data.seconds_read"},
	{name: "a time to read of nothing", text: postText, old: `60`, new: `0`, field: "data.time_to_read_seconds"},
	{name: "an empty title", text: postText, old: `A title`, field: "data.title"},
	{name: "a long title", text: postText, old: `A title`, new: strings.Repeat("ü", 513), field: "data.title"},
	{name: "a title with a tab", text: postText, old: `A title`, new: `A\ttitle`, field: "data.title"},
	{name: "a url without a host", text: postText, old: `https://example.org/`, new: `https:///a`, field: "data.url"},
	{name: "a url with only a port", text: postText, old: `https://example.org/`, new: `https://:80/`, field: "data.url"},
	{name: "a script", text: postText, old: `https://example.org/`, new: `javascript:alert(1)`, field: "data.url"},
	{name: "another scheme", text: postText, old: `https://`, new: `ftp://`, field: "data.url"},
	{name: "no scheme", text: postText, old: `https://`, new: `//`, field: "data.url"},
	{name: "an empty url", text: postText, old: `https://example.org/`, field: "data.url"},
	{name: "a long url", text: postText, old: `example.org/`, new: `example.org/` + strings.Repeat("a", 2030), field: "data.url"},
	{name: "a url as a list", text: postText, old: `"https://example.org/"`, new: `["https://example.org/"]`, field: "data.url"},
	// Of several, the first of the envelope.
	{name: "the envelope first", text: strings.Replace(postText, `"p1"`, `1`, 1), old: `"1.0"`, new: `"2"`, field: "specversion"},
	// What stands behind the bad member is still read.
	{name: "source and id behind a bad attribute", text: postText, old: `"specversion":"1.0"`, new: `"specversion":1`, field: "specversion"},
	{name: "source and id behind bad data", text: `{"data":{"post_id":1},` + postText[1:strings.Index(postText, `,"data"`)] + `}`, old: `1}`, new: `2}`, field: "data.post_id"},
}

func TestBadInput(t *testing.T) {
	for _, c := range badInput {
		t.Run(c.name, func(t *testing.T) {
			if ok := domain.ParseEngagement([]byte(c.text)); ok.Rejection != nil && c.old != "1}" && c.name != "the envelope first" {
				t.Fatal(ok.Rejection)
			}
			text := strings.Replace(c.text, c.old, c.new, 1)
			if text == c.text {
				t.Fatal("the row changes nothing")
			}
			r := domain.ParseEngagement([]byte(text))
			if r.Rejection == nil {
				t.Fatalf("taken: %s", text)
			}
			if r.Rejection.Code != domain.CodeInvalid || r.Rejection.Field != c.field || len(r.Rejection.Detail) < 5 || len(r.Rejection.Detail) > 400 {
				t.Errorf("%v, not in field %q", r.Rejection, c.field)
			}
			if !strings.Contains(c.unread, "source") && r.Source != "/web" || !strings.Contains(c.unread, "id") && r.ID != "e-1" {
				t.Errorf("the message is %q", r.Message)
			}
		})
	}
}

// Identifiers: each character that may stand in one, and what may not.
func TestIdentifiers(t *testing.T) {
	good := []string{"a", "Z", "0", "...", "a.b", "Treasury", "treasury1", "-", "~:@_.-", strings.Repeat("x", 128)}
	bad := []string{"", ".", "..", "treasury", "a b", "a/b", `a\\b`, "ä", "a%20", "a+b", "a\\u0000", "a\\n", "a?b", "a#b", "a\\\"b", strings.Repeat("x", 129)}
	for c := range rune(256) {
		if s := string(c); strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-", c) != domain.ValidID("x"+s) {
			t.Errorf("%q in an identifier: %t", c, domain.ValidID("x"+s))
		}
	}
	for _, member := range []string{"post_id", "comment_id", "account_id"} {
		text := func(id string) []byte {
			values := map[string]string{"post_id": "p1", "comment_id": "c1", "account_id": "ann", member: id}
			return fmt.Appendf(nil, `{"specversion":"1.0","type":"tweiledger.comment.added.v1","source":"/web","id":"e-1","time":"2026-01-29T12:00:00Z",`+
				`"data":{"post_id":"%s","comment_id":"%s","account_id":"%s","level":0}}`, values["post_id"], values["comment_id"], values["account_id"])
		}
		for _, id := range good {
			if r := domain.ParseEngagement(text(id)); r.Rejection != nil {
				t.Errorf("%s %q: %v", member, id, r.Rejection)
			}
		}
		for _, id := range bad {
			if r := domain.ParseEngagement(text(id)); r.Rejection == nil || r.Rejection.Field != "data."+member {
				t.Errorf("%s %q: %v", member, id, r.Rejection)
			}
		}
	}
}

// Times: what they read as, and what is none.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-29T12:00:00Z":                "2026-01-29T12:00:00Z",
		"2026-01-29T12:00:00.000000000Z":      "2026-01-29T12:00:00Z",
		"2026-01-29T12:00:00.120Z":            "2026-01-29T12:00:00.12Z",
		"2026-01-29T12:00:00.123456789Z":      "2026-01-29T12:00:00.123456789Z",
		"2026-01-29T14:30:00+02:30":           "2026-01-29T12:00:00Z",
		"2026-01-29T12:00:00-00:00":           "2026-01-29T12:00:00Z",
		"2026-01-28T12:01:00-23:59":           "2026-01-29T12:00:00Z",
		"0001-01-01T00:00:00Z":                "0001-01-01T00:00:00Z",
		"0000-12-31T23:00:00-01:00":           "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999Z":      "9999-12-31T23:59:59.999999999Z",
		"2024-02-29T00:00:00Z":                "2024-02-29T00:00:00Z",
		"2026-01-29T12:00:00.000000001+00:00": "2026-01-29T12:00:00.000000001Z",
	} {
		if got, err := domain.ParseTime(text); err != nil || domain.FormatTime(got) != want || got.Location() != time.UTC {
			t.Errorf("%s reads as %s: %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "2026-01-29", "2026-01-29T12:00Z", "2026-01-29 12:00:00Z", "2026-01-29t12:00:00Z", "2026-01-29T12:00:00z", "2026-01-29T12:00:00",
		"2026-01-29T12:00:00,5Z", "2026-01-29T12:00:00.Z", "2026-01-29T12:00:00.0000000001Z", "2026-01-29T23:59:60Z", "2016-12-31T23:59:60Z",
		"2026-01-29T24:00:00Z", "2026-01-29T12:60:00Z", "2026-02-29T12:00:00Z", "2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z", "2026-01-00T12:00:00Z",
		"2026-01-29T12:00:00+24:00", "2026-01-29T12:00:00+12:60", "2026-01-29T12:00:00+1200", "2026-01-29T12:00:00+12", "2026-01-29T12:00:00 Z", " 2026-01-29T12:00:00Z",
		"0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "+2026-01-29T12:00:00Z", "-001-01-29T12:00:00Z", "12026-01-29T12:00:00Z",
		"2026-1-29T12:00:00Z", "2026-01-29T1:00:00Z", "2026-01-29T12:00:00ZZ", "2026-01-29T12:00:00+0٠:00",
	} {
		if got, err := domain.ParseTime(text); err == nil {
			t.Errorf("%q reads as %s", text, got)
		}
	}
}

// What is just allowed, and what does not count: other attributes, order, spaces, escapes, media types.
func TestGoodInput(t *testing.T) {
	for _, c := range []struct {
		name, text, old, new string
		same                 bool
	}{
		{name: "spaces", text: postText, old: `{"spec`, new: " {\n\t\"spec", same: true},
		{name: "spaces behind it", text: postText, old: `}}`, new: "}} \r\n", same: true},
		{name: "an extension", text: postText, old: `"id"`, new: `"traceparent":{"a":[1,null]},"id"`, same: true},
		{name: "a subject", text: postText, old: `"id"`, new: `"subject":"p1","dataschema":"https://x/","id"`, same: true},
		{name: "a null extension", text: postText, old: `"id"`, new: `"subject":null,"id"`, same: true},
		{name: "escapes", text: postText, old: `"A title"`, new: `"\u0041 titl\u0065"`, same: true},
		{name: "an escaped name", text: postText, old: `"post_id"`, new: `"post\u005fid"`, same: true},
		{name: "an offset", text: postText, old: `12:00:00Z`, new: `13:00:00.000+01:00`, same: true},
		{name: "JSON", text: postText, old: `"id"`, new: `"datacontenttype":"application/json","id"`, same: true},
		{name: "JSON with parameters", text: postText, old: `"id"`, new: `"datacontenttype":"Application/JSON; charset=utf-8","id"`, same: true},
		{name: "JSON of a kind", text: postText, old: `"id"`, new: `"datacontenttype":"application/vnd.example+json","id"`, same: true},
		{name: "a null content type", text: postText, old: `"id"`, new: `"datacontenttype":null,"id"`, same: true},
		{name: "another source", text: postText, old: `/web`, new: `report`},
		{name: "a source like the ledger's", text: postText, old: `/web`, new: `tweiledger/`},
		{name: "a long source", text: postText, old: `/web`, new: strings.Repeat("s", 2048)},
		{name: "a long id", text: postText, old: `e-1`, new: strings.Repeat("ü", 128)},
		{name: "a long title", text: postText, old: `A title`, new: strings.Repeat("ü", 512)},
		{name: "a title of one space", text: postText, old: `A title`, new: ` `},
		{name: "a long url", text: postText, old: `https://example.org/`, new: `https://example.org/` + strings.Repeat("a", 2028)},
		{name: "the other scheme", text: postText, old: `https://`, new: `http://`},
		{name: "no url", text: postText, old: `,"url":"https://example.org/"`, new: ``},
		{name: "the largest number", text: readText, old: `60`, new: `9007199254740991`},
		{name: "nothing read", text: readText, old: `60`, new: `0`},
		{name: "a withdrawal from a comment", text: withdrawText, old: `post_id`, new: `comment_id`},
		{name: "a change of the time to read", text: changeText, old: `"title":"Another"`, new: `"time_to_read_seconds":1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := domain.ParseEngagement([]byte(c.text))
			r := domain.ParseEngagement([]byte(strings.Replace(c.text, c.old, c.new, 1)))
			if before.Rejection != nil || r.Rejection != nil {
				t.Fatal(before.Rejection, r.Rejection)
			}
			if (r.Engagement == before.Engagement) != c.same {
				t.Errorf("it reads as %+v, before as %+v", r.Engagement, before.Engagement)
			}
			if again := domain.ParseEngagement(cloudEvent(r.Engagement)); again != r {
				t.Errorf("written again it reads as %+v, not %+v", again, r)
			}
		})
	}
}

// Binary mode reads the same engagements and refuses the same.
func TestBinaryEngagement(t *testing.T) {
	attributes := func(change ...string) map[string]string {
		a := map[string]string{"specversion": "1.0", "type": "tweiledger.post.read.v1", "source": "/web", "id": "e-1",
			"time": "2026-01-29T12:00:00Z", "datacontenttype": "application/json", "subject": "kept nowhere"}
		for i := 0; i < len(change); i += 2 {
			a[change[i]] = change[i+1]
		}
		return a
	}
	const data = `{"post_id":"p1","account_id":"ann","seconds_read":60}`
	if got, want := domain.ParseBinaryEngagement(attributes(), []byte(data)), domain.ParseEngagement([]byte(readText)); got != want {
		t.Errorf("%+v is not %+v", got, want)
	}
	for _, c := range []struct {
		name       string
		attributes map[string]string
		data       string
		field      string
	}{
		{"no specversion", attributes("specversion", ""), data, "specversion"},
		{"unknown type", attributes("type", "x"), data, "type"},
		{"the ledger's source", attributes("source", "tweiledger"), data, "source"},
		{"no id", attributes("id", ""), data, "id"},
		{"no time", attributes("time", ""), data, "time"},
		{"bad time", attributes("time", "today"), data, "time"},
		{"another content type", attributes("datacontenttype", "application/cbor"), data, "datacontenttype"},
		{"no data", attributes(), ``, "data"},
		{"null data", attributes(), `null`, "data"},
		{"an array", attributes(), `[]`, "data"},
		{"cut off", attributes(), data[:20], "data"},
		{"more behind it", attributes(), data + `{}`, "data"},
		{"a member twice", attributes(), `{"post_id":"p1","post_id":"p1"}`, "data.post_id"},
		{"an unknown field", attributes(), `{"post_id":"p1","account_id":"ann","seconds_read":60,"x":1}`, "data.x"},
		{"invalid UTF-8", attributes(), "{\"post_id\":\"\xff\"}", "data.post_id"},
		{"invalid UTF-8 in a header", attributes("id", "\xff"), data, "id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := domain.ParseBinaryEngagement(c.attributes, []byte(c.data))
			if r.Rejection == nil || r.Rejection.Code != domain.CodeInvalid || r.Rejection.Field != c.field || len(r.Rejection.Detail) < 5 {
				t.Errorf("%v, not in field %q", r.Rejection, c.field)
			}
			if r.Source != c.attributes["source"] || r.ID != c.attributes["id"] {
				t.Errorf("the message is %q", r.Message)
			}
		})
	}
}

// What came with a rejection is answered with it, in its place.
func TestRejectedOnArrival(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	batch := received(published("p1", "ann"), liked("p 1", "bob"), liked("p1", "bob"))
	outcomes := f.Record(t.Context(), batch)
	for i, want := range []domain.Result{domain.Recorded, domain.Rejected, domain.Recorded} {
		if outcomes[i].Result != want || outcomes[i].Message != batch[i].Message {
			t.Errorf("%d: %s", i, outcomes[i].AppendJSON(nil, "index", i))
		}
	}
	if outcomes := f.Record(t.Context(), nil); len(outcomes) != 0 {
		t.Errorf("of nothing came %v", outcomes)
	}
}
