package httpapi

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateFiles are the files of a certificate that a test wrote.
type certificateFiles struct{ cert, key string }

// writeCertificate writes a new certificate for 127.0.0.1, by a name.
func (f certificateFiles) write(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{f.cert: {Type: "CERTIFICATE", Bytes: der}, f.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestTLS serves over HTTP/2, a stream in both directions too, and takes a new certificate for new connections; broken
// files leave the old in force.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files := certificateFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	first := files.write(t, "first")
	var logged lockedBuffer
	certificate, err := OpenCertificate(files.cert, files.key, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, func(c *Config) { c.Certificate, c.MaxConnections = certificate, 10 })
	w.publish("p1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "https://" + w.serving(listener)
	shown := func(trusted *x509.Certificate) string {
		t.Helper()
		pool := x509.NewCertPool()
		pool.AddCert(trusted)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		sendBothWays(t, transport, origin)
		res, err := (&http.Client{Transport: transport}).Get(origin + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.ProtoMajor != 2 || res.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s over TLS %x", res.Proto, res.TLS.Version)
		}
		return res.TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := shown(first); got != "first" {
		t.Errorf("%s is shown", got)
	}
	second := files.write(t, "second")
	certificate.files.look(false)
	if got := shown(second); got != "second" {
		t.Errorf("%s is shown", got)
	}
	if err := os.WriteFile(files.key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate.files.look(false)
	certificate.files.look(false)
	if got := shown(second); got != "second" || strings.Count(logged.String(), "certificate_refused") != 1 {
		t.Errorf("%s is shown: %s", got, logged.String())
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", listener.Addr().String(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// sendBothWays holds a conversation over a transport: each line is answered before the next is sent.
func sendBothWays(t *testing.T, transport *http.Transport, origin string) {
	t.Helper()
	body, to := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", origin+"/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaLines)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewScanner(res.Body)
	for _, id := range []string{"e-1", "e-2", "e-3"} {
		if _, err := io.WriteString(to, liked(id, "p1", id)+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !bytes.Contains(answers.Bytes(), []byte(`"id":"`+id+`"`)) {
			t.Fatalf("%s, %v", answers.Bytes(), answers.Err())
		}
	}
	to.Close()
	if answers.Scan() || answers.Err() != nil {
		t.Errorf("%s, %v", answers.Bytes(), answers.Err())
	}
}

// TestBadCertificates: what is no pair is refused at the start.
func TestBadCertificates(t *testing.T) {
	dir := t.TempDir()
	files := certificateFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	if _, err := OpenCertificate(files.cert, files.key, discarded()); !os.IsNotExist(err) {
		t.Errorf("no files: %v", err)
	}
	files.write(t, "first")
	other := certificateFiles{filepath.Join(dir, "other.pem"), filepath.Join(dir, "otherkey.pem")}
	other.write(t, "other")
	if _, err := OpenCertificate(files.cert, other.key, discarded()); err == nil {
		t.Error("another certificate's key is taken")
	}
}
