package esdbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority has signed the certificate of the nodes.
type authority struct {
	file string // its own certificate, PEM
	node tls.Certificate
}

// newAuthority makes an authority, and a certificate for 127.0.0.1, or for another host with wrongName.
func newAuthority(tb testing.TB, wrongName bool) *authority {
	tb.Helper()
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "esdbtest authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "eventstoredb-node"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	if wrongName {
		node.IPAddresses, node.DNSNames = nil, []string{"elsewhere.example"}
	}
	caKey, caDER := newCertificate(tb, ca, ca, nil)
	nodeKey, nodeDER := newCertificate(tb, node, ca, caKey)
	file := filepath.Join(tb.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		tb.Fatalf("esdbtest: %v", err)
	}
	return &authority{file: file, node: tls.Certificate{Certificate: [][]byte{nodeDER}, PrivateKey: nodeKey}}
}

// newCertificate makes a key and a certificate for it, signed with the parent's key, or with itself if that is nil.
func newCertificate(
	tb testing.TB, template, parent *x509.Certificate, signer *ecdsa.PrivateKey,
) (*ecdsa.PrivateKey, []byte) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("esdbtest: %v", err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		tb.Fatalf("esdbtest: %v", err)
	}
	return key, der
}
