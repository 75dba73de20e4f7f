package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeServer answers each request to a path with the next of its handlers.
func fakeServer(t *testing.T, path string, answers ...http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || len(answers) == 0 {
			http.NotFound(w, r)
			return
		}
		answer := answers[0]
		answers = answers[1:]
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// answering answers so many lines with an outcome, and keeps what it was sent; then it cuts the connection or ends.
func answering(seen *[][]string, outcomes []string, cut bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*seen = append(*seen, strings.Split(strings.TrimSuffix(string(body), "\n"), "\n"))
		for i, outcome := range outcomes {
			fmt.Fprintf(w, `{"outcome":%q,"position":"%d","line":%d}`+"\n", outcome, i, i+1)
		}
		if cut {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

// An import goes on where a connection was cut; what failed is sent again, and with it what was rejected behind it.
func TestImportResumes(t *testing.T) {
	var seen [][]string
	url := fakeServer(t, "/v1/events",
		answering(&seen, []string{"recorded", "failed", "rejected"}, true),
		answering(&seen, []string{"recorded", "rejected", "duplicate"}, false),
	)
	var out, notes bytes.Buffer
	err := run(t.Context(), []string{"import", "--url", url, writeLines(t, t.TempDir(), []string{`"a"`, `"b"`, `"c"`, `"d"`})}, &out, &notes)
	if err != nil {
		t.Errorf("%v\n%s", err, notes.String())
	}
	want := [][]string{{`"a"`, `"b"`, `"c"`, `"d"`}, {`"b"`, `"c"`, `"d"`}}
	if !slices.EqualFunc(seen, want, slices.Equal) {
		t.Errorf("sent %q, want %q", seen, want)
	}
	if got, want := out.String(), `{"engagements":4,"outcomes":{"recorded":2,"duplicate":1,"rejected":1,"failed":0}`; !strings.HasPrefix(got, want) {
		t.Errorf("summary %s, want %s…", got, want)
	}
}

// What a server refuses as a whole is not sent again.
func TestImportRefused(t *testing.T) {
	var requests int
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnsupportedMediaType)
		fmt.Fprint(w, `{"type":"about:blank","title":"Unsupported Media Type","status":415,"code":"unsupported_media_type","detail":"not here"}`)
	}
	_, err := tweiledger(t, "import", "--url", fakeServer(t, "/v1/events", refuse, refuse), writeLines(t, t.TempDir(), []string{`"a"`}))
	if err == nil || !strings.Contains(err.Error(), "415 Unsupported Media Type: unsupported_media_type: not here") || requests != 1 {
		t.Errorf("after %d requests: %v", requests, err)
	}
}

// A log that is cut off is neither exported nor verified as if it were whole.
func TestLogCutOff(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if _, err := tweiledger(t, "demo", "--once", "--data", data); err != nil {
		t.Fatal(err)
	}
	half := strings.Join(exported(t, data)[:5], "\n") + "\n"
	cut := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, half)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	whole := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, half) }
	shorter := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, half[:strings.Index(half, "\n")+1]) }

	out, err := tweiledger(t, "export", "--url", fakeServer(t, "/v1/log", cut))
	if err == nil || !strings.Contains(err.Error(), "the export is not whole") || out != half {
		t.Errorf("export: %v", err)
	}
	for name, second := range map[string]http.HandlerFunc{"cut": cut, "shorter": shorter} {
		out, err = tweiledger(t, "verify", "--url", fakeServer(t, "/v1/log", whole, second))
		if err == nil || !strings.Contains(err.Error(), "the log was not checked to its end") || out != "" {
			t.Errorf("verify, %s: %v", name, err)
		}
	}
}

// What is not a Tweiledger answers with errors, not with nonsense.
func TestOtherServer(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello</html>") }
	for path, args := range map[string][]string{
		"/v1/events":    {"import", writeLines(t, t.TempDir(), []string{`"a"`})},
		"/v1/pnl":       {"statement"},
		"/v1/reversals": {"reverse", "--note", "n", "00000000-0000-5000-8000-000000000000"},
	} {
		for name, url := range map[string]string{"page": fakeServer(t, path, page), "not found": fakeServer(t, "/else")} {
			if _, err := tweiledger(t, append(args, "--url", url)...); err == nil || exitCode(err, io.Discard) != exitNo {
				t.Errorf("%s, %s: %v", args[0], name, err)
			}
		}
	}
}
