package httpapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
)

// Certificate is what a server shows of itself, from files that are read again when they change. It is safe for any
// number of goroutines.
type Certificate struct {
	files reloaded[*tls.Certificate]
}

// OpenCertificate reads a certificate's chain and its key, both PEM.
func OpenCertificate(certificate, key string, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{reloaded[*tls.Certificate]{what: "certificate", paths: []string{certificate, key}, logger: logger}}
	c.files.parse = func(contents [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(contents[0], contents[1])
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", certificate, key, err)
		}
		return &pair, nil
	}
	return c, c.files.open()
}

// Watch reads the files again when they change, until ctx ends. Files with an error, or a key that is not the
// certificate's, leave in force what was before, and the log says so once.
func (c *Certificate) Watch(ctx context.Context) { c.files.watch(ctx) }

// Reload reads the files now.
func (c *Certificate) Reload() { c.files.look(false) }

// config returns how connections are secured. Those that are open keep the certificate that they began with.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.files.current.Load().value, nil
		},
	}
}
