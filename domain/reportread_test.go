package domain

import (
	"context"
	"errors"
	"iter"
	"os"
	"strings"
	"testing"
)

// TestParseReportRequest has a row for each way to ask wrongly.
func TestParseReportRequest(t *testing.T) {
	if account, rej := ParseReportRequest([]byte(` {"account_id":"u:2@x"} `)); rej != nil || account != "u:2@x" {
		t.Errorf("%q %v", account, rej)
	}
	for text, field := range map[string]string{
		``: "", `{`: "", `[]`: "", `"u2"`: "", `{"account_id":"u2"} {}`: "", "{\"account_id\":\"\xff\"}": "",
		`{}`: "account_id", `{"account_id":null}`: "account_id", `{"account_id":2}`: "account_id",
		`{"account_id":["u2"]}`: "account_id", `{"account_id":""}`: "account_id", `{"account_id":"a/b"}`: "account_id",
		`{"account_id":"treasury"}`: "account_id", `{"account_id":".."}`: "account_id",
		`{"account_id":"u2","account_id":"u2"}`: "account_id", `{"account_id":"u2","post_id":"p1"}`: "post_id",
		`{"account_id":"u2","time":null}`: "time", `{"Account_ID":"u2"}`: "Account_ID",
		`{"account_id":"` + strings.Repeat("u", MaxIDBytes+1) + `"}`: "account_id",
	} {
		account, rej := ParseReportRequest([]byte(text))
		if rej == nil || rej.Code != CodeInvalid || account != "" {
			t.Errorf("%s is of %q, %v", text, account, rej)
		} else if field != "" && rej.Field != field || rej.Detail == "" {
			t.Errorf("%s: the field is %q: %v", text, rej.Field, rej)
		}
	}
}

// oneStream is a log with one stream, or with an error.
type oneStream struct {
	EventLog
	stream Stream
	line   []byte
	err    error
}

func (l oneStream) ReadStream(_ context.Context, stream Stream, _ Revision) iter.Seq2[LogEvent, error] {
	return func(yield func(LogEvent, error) bool) {
		switch {
		case l.err != nil:
			yield(LogEvent{}, l.err)
		case stream != l.stream:
			yield(LogEvent{}, ErrStreamNotFound)
		default:
			yield(LogEvent{Canonical: l.line}, nil)
		}
	}
}

func TestReadReport(t *testing.T) {
	golden, err := os.ReadFile("../docs/golden/events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		line := strings.TrimSuffix(line, "\n")
		want, err := DecodeEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		log := oneStream{stream: ReportStream("r-1"), line: []byte(line)}
		e, err := ReadReport(t.Context(), log, "r-1")
		if want.Type != PnLReportIssued {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("a %s is a report: %v", want.Type, err)
			}
			continue
		}
		if err != nil || e.ReportID != want.ReportID {
			t.Errorf("%v %v", e, err)
		}
		if price, err := e.ReportPrice(); err != nil || price.String() != "1" {
			t.Errorf("it cost %s, %v", price, err)
		}
		if e, err := ReadReport(t.Context(), log, "r-2"); e != nil || err != nil {
			t.Errorf("a report that is not there: %v %v", e, err)
		}
		log.err = ErrUnavailable
		if _, err := ReadReport(t.Context(), log, "r-1"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a log that is away: %v", err)
		}
	}
	if price, err := new(Event).ReportPrice(); err != nil || price.Sign() != 0 {
		t.Errorf("nothing costs %s, %v", price, err)
	}
}
