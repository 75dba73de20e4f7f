package httpapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// gzipped makes a request one that takes gzip, and does not decode it.
var gzipped = header("Accept-Encoding", "gzip")

// unzipped returns the text of a gzip stream that ends as it should.
func unzipped(t testing.TB, body []byte) string {
	t.Helper()
	from, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompressedAnswers of each kind have the same text, another validator, and no length.
func TestCompressedAnswers(t *testing.T) {
	w := openWorld(t, func(c *Config) {
		c.Backup = func() (Backup, error) { return fakeBackup{text: strings.Repeat("an archive", 1000)}, nil }
		c.ErrorPage = shownProblem
	})
	w.publish("p1")
	for i := range 10 {
		w.post(liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i))).want(t, 201)
	}
	w.settle()
	w.api.Handle("GET", "/page", PageOpen, true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, strings.Repeat("<p>A page", 1000))
	}))
	for path, compressed := range map[string]bool{
		"/v1/posts/p1/entries": true, "/v1/log": true, "/openapi.yaml": true, "/page": true, "/livez": false,
		"/v1/pnl?unheard=of": false, "/nowhere": false,
	} {
		plain := w.look(path, header("Accept-Encoding", "identity"))
		a := w.look(path, gzipped)
		if got := a.header.Get("Content-Encoding") == "gzip"; got != compressed || !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: compressed %t, %v", path, got, a.header)
			continue
		}
		if !compressed {
			continue
		}
		if unzipped(t, a.body) != string(plain.body) || len(a.body) >= len(plain.body) || a.header.Get("Content-Length") == fmt.Sprint(len(plain.body)) {
			t.Errorf("%s: %d bytes of %d, %v", path, len(a.body), len(plain.body), a.header)
		}
		tag := plain.header.Get("ETag")
		if tag == "" {
			continue
		}
		if a.header.Get("ETag") != suffixed(tag) {
			t.Errorf("%s: %s and %s", path, tag, a.header.Get("ETag"))
		}
		for _, given := range []string{suffixed(tag), `"x", W/` + suffixed(tag), tag} {
			again := w.look(path, gzipped, header("If-None-Match", given))
			if want := given[strings.LastIndex(given[:len(given)-1], `"`):]; again.status != 304 || again.header.Get("ETag") != want || len(again.body) > 0 {
				t.Errorf("%s: %s is answered %d %v", path, given, again.status, again.header)
			}
		}
		w.look(path, header("Accept-Encoding", "identity"), header("If-None-Match", suffixed(tag))).want(t, 200)
	}
	if a := w.do("POST", "/v1/backups", "application/json", backupBody, gzipped); a.status != 200 || a.header.Get("Content-Encoding") != "" {
		t.Errorf("a backup: %d %v", a.status, a.header)
	}
	head := w.do("HEAD", "/v1/posts/p1/entries", "", "", gzipped).want(t, 200)
	full := w.look("/v1/posts/p1/entries", gzipped)
	for _, name := range []string{"Content-Encoding", "ETag", "Content-Type"} {
		if head.header.Get(name) != full.header.Get(name) {
			t.Errorf("HEAD has %s %s, GET %s", name, head.header.Get(name), full.header.Get(name))
		}
	}
}

// TestCompressedStreams go on both ways, line by line.
func TestCompressedStreams(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	body, lines := io.Pipe()
	r, _ := http.NewRequest("POST", w.server.URL+"/v1/events", body)
	r.Header.Set("Content-Type", mediaLines)
	res, err := w.server.Client().Do(r)
	if err != nil || !res.Uncompressed {
		t.Fatal(err, res)
	}
	defer res.Body.Close()
	follow, err := w.server.Client().Get(w.server.URL + "/v1/log?follow=true&from=2")
	if err != nil || !follow.Uncompressed {
		t.Fatal(err, follow)
	}
	defer follow.Body.Close()
	outcomes, events := bufio.NewReader(res.Body), bufio.NewReader(follow.Body)
	for i := range 20 {
		fmt.Fprintln(lines, liked(fmt.Sprint("e-", i), "p1", fmt.Sprint("u-", i)))
		for _, from := range []*bufio.Reader{outcomes, events} {
			if line, err := from.ReadString('\n'); err != nil || !strings.Contains(line, fmt.Sprintf(`"e-%d"`, i)) {
				t.Fatal(line, err)
			}
		}
	}
	lines.Close()
	if rest, err := io.ReadAll(outcomes); err != nil || len(rest) > 0 {
		t.Errorf("the end is %q %v", rest, err)
	}
	w.api.Drain()
	if rest, err := io.ReadAll(events); err != nil || len(rest) > 0 {
		t.Errorf("the end is %q %v", rest, err)
	}
}

// TestCutOffIsNoWholeGzip: what breaks in the middle must not look as if it were whole.
func TestCutOffIsNoWholeGzip(t *testing.T) {
	a := New(Config{Logger: discarded()})
	a.Handle("GET", "/broken", PageOpen, false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10*minCompressed))
		panic("broken")
	}))
	answer := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/broken", nil)
	gzipped(r)
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("it is not cut off")
			}
		}()
		a.ServeHTTP(answer, r)
	}()
	from, err := gzip.NewReader(answer.Body)
	if err == nil {
		_, err = io.ReadAll(from)
	}
	if err == nil {
		t.Error("it looks whole")
	}
}

// TestTakesGzip has a row for each way to say so.
func TestTakesGzip(t *testing.T) {
	for field, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip": true, "br": false, "*": true, "*;q=0": false, "gzip;q=0": false,
		"gzip; q=0.5": true, "gzip;q=0, *": false, "*;q=0, gzip": true, "identity": false, "gzip;q=nonsense": false, "gzip;Q=1": true,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", field)
		if got := takesGzip(r); got != want {
			t.Errorf("%q: %t", field, got)
		}
	}
}
