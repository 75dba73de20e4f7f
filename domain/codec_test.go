package domain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// taken reports whether bytes are taken as an event's line. What is taken must be written the same, byte for byte; what
// is not must say so.
func taken(t testing.TB, line []byte) bool {
	t.Helper()
	e, err := domain.DecodeEvent(line)
	if err != nil {
		if !errors.Is(err, domain.ErrNotCanonical) && !errors.Is(err, domain.ErrUnsupported) && !errors.Is(err, domain.ErrAppendTooLarge) {
			t.Errorf("%q is refused by the error %v", line, err)
		}
		return false
	}
	if again, err := e.AppendCanonical(nil); err != nil || !bytes.Equal(again, line) {
		t.Errorf("%q is taken, and written as %q: %v", line, again, err)
	}
	return true
}

// Whatever byte of a golden line is changed, left out or doubled: no two lines are one event (I1).
func TestEveryByteOfALineCounts(t *testing.T) {
	flips := []byte{1, 2, 4, 16, 32, 128}
	for _, line := range goldenLines(t) {
		if len(line) > 1500 {
			flips = flips[:2]
		}
		for i := range line {
			for _, flip := range flips {
				changed := bytes.Clone(line)
				changed[i] ^= flip
				taken(t, changed)
			}
			taken(t, bytes.Join([][]byte{line[:i], line[i+1:]}, nil))
			taken(t, bytes.Join([][]byte{line[:i+1], line[i:]}, nil))
		}
		for i := 0; i < len(line); i += 7 {
			if taken(t, line[:i]) {
				t.Errorf("taken without its end: %s", line[:i])
			}
		}
	}
}

// refused are changes to a line after which it must not be an event's line any more (I1, I4).
var refused = []struct{ name, old, new string }{
	{"a space", `,"`, `, "`},
	{"a space after a colon", `":`, `": `},
	{"a space in front", `{`, ` {`},
	{"a line feed behind", "$", "\n"},
	{"something behind", "$", "{}"},
	{"an escaped letter", `"type":"P`, `"type":"\u0050`},
	{"an escaped slash", `https:/`, `https:\/`},
	{"an escaped quote by number", `\"`, `\u0022`},
	{"an escaped letter beyond ASCII", `ü`, `\u00fc`},
	{"a surrogate pair", `🪨`, `\ud83e\udea8`},
	{"half a surrogate pair", `🪨`, `\ud83e`},
	{"invalid UTF-8", `ü`, "\xfc"},
	{"an overlong form", `ü`, "\xc1\xbc"},
	{"a control character", `Ties`, "Ti\x00es"},
	{"a control character of C1", `Ties`, "Ti\u0085es"},
	{"DEL", `Ties`, "Ti\x7fes"},
	{"a byte order mark", `{`, "\ufeff{"},
	{"the first member missing", `"account_id":"ann",`, ``},
	{"the last member missing", `,"type":"PostPublished","url":"https://example.org/minerals?a=1&b=<2>"`, ``},
	{"a member twice", `"author":"ann",`, `"author":"ann","author":"ann",`},
	{"members swapped", `"account_id":"ann","author":"ann"`, `"author":"ann","account_id":"ann"`},
	{"an unknown member", `"author":"ann",`, `"author":"ann","authors":"ann",`},
	{"another type's member", `"author":"ann",`, `"author":"ann","comment_id":"c-1",`},
	{"another case", `"author"`, `"Author"`},
	{"null", `"url":"https://example.org/minerals?a=1&b=<2>"`, `"url":null`},
	{"null for a string", `"author":"ann"`, `"author":null`},
	{"null for a number", `"revision":0`, `"revision":null`},
	{"null for an array", `"postings":[`, `"postings":null,"x":[`},
	{"a number for a string", `"author":"ann"`, `"author":5`},
	{"a string for a number", `"revision":0`, `"revision":"0"`},
	{"a fraction", `"revision":0`, `"revision":0.0`},
	{"an exponent", `"time_to_read_seconds":240`, `"time_to_read_seconds":24e1`},
	{"a leading zero", `"time_to_read_seconds":240`, `"time_to_read_seconds":0240`},
	{"minus zero", `"revision":0`, `"revision":-0`},
	{"a negative number", `"revision":0`, `"revision":-1`},
	{"2^53", `"time_to_read_seconds":240`, `"time_to_read_seconds":9007199254740992`},
	{"2^64 and more", `"time_to_read_seconds":240`, `"time_to_read_seconds":18446744073709551856`},
	{"a time to read of nothing", `"time_to_read_seconds":240`, `"time_to_read_seconds":0`},
	{"an amount as a number", `"amount":"10"`, `"amount":10`},
	{"an amount with zeros", `"amount":"10"`, `"amount":"10.0"`},
	{"an amount with an exponent", `"amount":"10"`, `"amount":"1e1"`},
	{"an amount of nothing", `"amount":"10"`, `"amount":"0"`},
	{"a negative amount", `"amount":"10"`, `"amount":"-10"`},
	{"13 decimals", `"amount":"10"`, `"amount":"0.0000000000001"`},
	{"an amount beyond 128 bits", `"amount":"10"`, `"amount":"999999999999999999999999999"`},
	{"reversal false", `"line":"post_publish_tribute"}}`, `"line":"post_publish_tribute"},"reversal":false}`},
	{"treasury with a line", `{"account":"treasury"}`, `{"account":"treasury","line":"likes_own"}`},
	{"a party without a line", `,"line":"post_publish_tribute"`, ``},
	{"an unknown line", `post_publish_tribute`, `post_tribute`},
	{"an offset", `12:01:00Z`, `12:01:00+00:00`},
	{"another offset", `12:01:00Z`, `14:01:00+02:00`},
	{"trailing zeros", `12:01:00Z`, `12:01:00.0Z`},
	{"trailing zeros behind decimals", `12:01:01.5Z`, `12:01:01.50Z`},
	{"a leap second", `12:01:00Z`, `23:59:60Z`},
	{"a small t", `29T12:01:00Z`, `29t12:01:00Z`},
	{"ten decimals", `12:01:01.5Z`, `12:01:01.5000000001Z`},
	{"an id in upper case", `6d154ac8`, `6D154AC8`},
	{"an id without hyphens", `6d154ac8-63f1-5063-b8a1-b78d54d296de`, `6d154ac863f15063b8a1b78d54d296de`},
	{"an id in braces", `6d154ac8-63f1-5063-b8a1-b78d54d296de`, `{6d154ac8-63f1-5063-b8a1-b78d54d296de}`},
	{"an identifier with a slash", `"author":"ann"`, `"author":"a/n"`},
	{"the identifier treasury", `"author":"ann"`, `"author":"treasury"`},
	{"the identifier ..", `"author":"ann"`, `"author":".."`},
	{"an empty identifier", `"author":"ann"`, `"author":""`},
	{"an empty title", `"Deeper \"Mining\" Ties — Türkiye \\ Özbekistan 🪨"`, `""`},
	{"an unknown reason", `"recorded_at"`, `"reason":"because","recorded_at"`},
	{"an unknown type", `"PostPublished"`, `"PostPublishedV2"`},
	{"an address without a host", `https://example.org/minerals?a=1&b=<2>`, `https:///`},
	{"another scheme", `https://example.org/minerals?a=1&b=<2>`, `ftp://example.org/`},
}

func TestRefusedLines(t *testing.T) {
	line := string(goldenLines(t)[1])
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(line, c.old, c.new, 1)
			if c.old == "$" {
				changed = line + c.new
			}
			if changed == line {
				t.Fatal("the row changes nothing")
			}
			if taken(t, []byte(changed)) {
				t.Errorf("taken: %s", changed)
			}
		})
	}
	for _, text := range []string{"", "{}", "[]", "null", `""`, "{", `{"`, `{"id`, `{"id":`, `{"statement":`, `{"statement":{`, `{"postings":[`} {
		if taken(t, []byte(text)) {
			t.Errorf("taken: %q", text)
		}
	}
	long := strings.Replace(line, `"source":"/web"`, `"source":"`+strings.Repeat("a", domain.MaxEventBytes)+`"`, 1)
	if taken(t, []byte(long)) {
		t.Error("a line of more than 65,535 bytes is taken")
	}
	if _, err := domain.DecodeEvent([]byte(strings.Replace(line, "PostPublished", "PostPinned", 1))); !errors.Is(err, domain.ErrUnsupported) {
		t.Errorf("a type of a newer program is refused by %v", err)
	}
}

// Every golden line without any one of its members, with each of its members null, and with one of each other type.
func TestMembersOfEveryType(t *testing.T) {
	optional := map[string]bool{"reason": true, "url": true, "by": true, "note": true, "effective_from": true}
	extra := regexp.MustCompile(`"(aa|zz|account_id|level|size|version|withdraws|reverses|reinstates|report_id)":`)
	for i, line := range goldenLines(t) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			member := fmt.Sprintf("%q:%s", name, value)
			lacks := strings.Replace(strings.Replace(string(line), ","+member, "", 1), member+",", "", 1)
			may := optional[name] || strings.Contains(string(members["type"]), "Withdrawn") && strings.HasPrefix(name, "comment") ||
				strings.Contains(string(members["type"]), "Event") && name == "commenter" || string(members["type"]) == `"PostChanged"` && (name == "title" || name == "time_to_read_seconds")
			if ok := taken(t, []byte(lacks)); ok && !may {
				t.Errorf("line %d is taken without %s", i, name)
			}
			if taken(t, bytes.Replace(line, []byte(member), []byte(fmt.Sprintf("%q:null", name)), 1)) {
				t.Errorf("line %d is taken with %s null", i, name)
			}
			for _, wrong := range []string{`""`, `[]`, `{}`, `true`, `1.5`, `"x/y\\z"`} {
				changed := bytes.Replace(line, []byte(member), []byte(fmt.Sprintf("%q:%s", name, wrong)), 1)
				known := wrong == `"x/y\\z"` || wrong == `[]` || wrong == `true` && strings.HasSuffix(name, "pays")
				if !bytes.Equal(changed, line) && taken(t, changed) && !known {
					t.Errorf("line %d is taken with %s being %s", i, name, wrong)
				}
			}
		}
		for _, m := range extra.FindAllStringSubmatch(`"aa":"zz":"account_id":"level":"size":"version":"withdraws":"reverses":"reinstates":"report_id":`, -1) {
			if _, has := members[m[1]]; has {
				continue
			}
			for _, value := range []string{`"a"`, `1`, `"6d154ac8-63f1-5063-b8a1-b78d54d296de"`} {
				if changed := withMember(t, line, m[1], value); taken(t, changed) {
					t.Errorf("line %d is taken with %s: %s", i, m[1], changed)
				}
			}
		}
	}
}

// withMember adds a member at its place.
func withMember(t *testing.T, line []byte, name, value string) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatal(err)
	}
	members[name] = json.RawMessage(value)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// A change has at least one changed field.
func TestAChangeChangesSomething(t *testing.T) {
	line := string(goldenLines(t)[2])
	for _, member := range []string{`"time_to_read_seconds":180,`, `"title":"Turkey and Uzbekistan Forge Deeper Mining Ties",`} {
		line = strings.Replace(line, member, ``, 1)
	}
	if taken(t, []byte(line)) {
		t.Errorf("taken: %s", line)
	}
}

// What does not fit one line, or is no event, is not written.
func TestEventsThatCannotBeWritten(t *testing.T) {
	golden := goldenLines(t)
	for name, change := range map[string]func(*domain.Event){
		"no type":                     func(e *domain.Event) { e.Type = 0 },
		"an unknown type":             func(e *domain.Event) { e.Type = domain.EventReinstated + 1 },
		"another type with a tariff":  func(e *domain.Event) { e.Published = new(domain.Tariff) },
		"a tariff without its tariff": func(e *domain.Event) { e.Type = domain.TariffPublished },
		"a report without statements": func(e *domain.Event) { e.Type = domain.PnLReportIssued },
		"a title too long":            func(e *domain.Event) { e.Title = strings.Repeat("a", domain.MaxEventBytes) },
	} {
		e, err := domain.DecodeEvent(golden[1])
		if err != nil {
			t.Fatal(err)
		}
		change(e)
		if line, err := e.AppendCanonical(nil); err == nil {
			t.Errorf("%s: written as %.200s", name, line)
		}
	}
}
