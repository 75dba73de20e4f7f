package main

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

type serversKey struct{}

func scriptServing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serving NAME ARG…")
	}
	program, err := exec.LookPath("tweiledger")
	ts.Check(err)
	env := []string{"TMPDIR=" + ts.Getenv("TMPDIR"), "PATH=" + ts.Getenv("PATH")}
	p, err := startProcess(program, ts.MkAbs("."), env, args[1:]...)
	ts.Check(err)
	ts.Value(serversKey{}).(map[string]*process)[args[0]] = p
	ts.Defer(p.kill)
	ts.Setenv(args[0], p.url)
	ts.Setenv(args[0]+"_ADDRESS", strings.TrimPrefix(p.url, "http://"))
}

func scriptStopping(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stopping NAME")
	}
	p := ts.Value(serversKey{}).(map[string]*process)[args[0]]
	if p == nil {
		ts.Fatalf("%s is not serving", args[0])
	}
	err := p.terminate()
	_, _ = io.WriteString(ts.Stderr(), p.stderr())
	ts.Check(err)
}

func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 && len(args) != 5 {
		ts.Fatalf("usage: http METHOD STATUS URL [FILE TYPE]")
	}
	var body io.Reader
	if len(args) == 5 {
		body = bytes.NewReader([]byte(ts.ReadFile(args[3])))
	}
	request, err := http.NewRequest(args[0], args[2], body)
	ts.Check(err)
	if len(args) == 5 {
		request.Header.Set("Content-Type", args[4])
	}
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ts.Check(err)
	_, _ = ts.Stdout().Write(text)
	if strconv.Itoa(response.StatusCode) != args[1] {
		ts.Fatalf("status %d, want %s: %s", response.StatusCode, args[1], text)
	}
}

func scriptSetting(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setting NAME PATTERN FILE")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if len(found) < 2 {
		ts.Fatalf("%q is not in %s", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}
