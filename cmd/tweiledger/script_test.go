package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

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
	_, address, _ := strings.Cut(p.url, "://")
	ts.Setenv(args[0]+"_ADDRESS", address)
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

func scriptLogged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: logged NAME PATTERN")
	}
	p := ts.Value(serversKey{}).(map[string]*process)[args[0]]
	if p == nil {
		ts.Fatalf("%s is not serving", args[0])
	}
	if !p.await(regexp.MustCompile(args[1])) {
		ts.Fatalf("it ended without having logged %q: %s", args[1], p.stderr())
	}
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
	if token := ts.Getenv("TWEILEDGER_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
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

func scriptHangUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hangup NAME")
	}
	ts.Check(ts.Value(serversKey{}).(map[string]*process)[args[0]].command.Process.Signal(syscall.SIGHUP))
}

func scriptCertificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certificate CERT KEY")
	}
	ts.Check(writeCertificate(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

// writeCertificate writes the files of a certificate for 127.0.0.1, the one of httptest, which is its own authority.
func writeCertificate(certificate, key string) error {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
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
