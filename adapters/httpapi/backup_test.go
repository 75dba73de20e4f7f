package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// fakeBackup is a backup of some text, or one that fails behind it.
type fakeBackup struct {
	text string
	err  error
	// closed takes a value when it is closed, where somebody waits for that.
	closed chan struct{}
}

func (b fakeBackup) Len() (int64, error) {
	if b.err != nil {
		return int64(len(b.text)) + 1, nil
	}
	return int64(len(b.text)), nil
}

func (b fakeBackup) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, b.text)
	return int64(n), errors.Join(err, b.err)
}

func (b fakeBackup) Close() error {
	if b.closed != nil {
		b.closed <- struct{}{}
	}
	return nil
}

const backupBody = "{}"

// TestBackup: the archive comes with its length; one that fails on the way is cut off, one that cannot be taken is 503;
// each is closed.
func TestBackup(t *testing.T) {
	closed := make(chan struct{}, 10)
	var next atomic.Pointer[fakeBackup]
	w := openWorld(t, func(c *Config) {
		c.Backup = func() (Backup, error) {
			if b := next.Load(); b != nil {
				return *b, nil
			}
			return nil, errors.New("another backup is under way")
		}
	})
	next.Store(&fakeBackup{text: "an archive", closed: closed})
	a := w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 200, "an archive")
	if got := a.header.Get("Content-Length"); got != "10" {
		t.Errorf("Content-Length %s", got)
	}
	<-closed
	for _, cause := range []error{errors.New("a bad disk"), fmt.Errorf("%w: no room", domain.ErrUnavailable)} {
		next.Store(&fakeBackup{text: "an archive", err: cause, closed: closed})
		res, err := http.Post(w.server.URL+"/v1/backups", "application/json", strings.NewReader(backupBody))
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		<-closed
		if err == nil || !strings.Contains(w.logged.String(), cause.Error()) {
			t.Errorf("%v: the answer ended with %v; logged %s", cause, err, w.logged)
		}
	}
	next.Store(nil)
	a = w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 503, "another backup")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// A form of another page cannot ask for one.
	w.do("POST", "/v1/backups", "application/x-www-form-urlencoded", backupBody, malformed).want(t, 415)
	w.do("POST", "/v1/backups", "application/json", `{"a":1}`, malformed).want(t, 400)
	w.do("POST", "/v1/backups?a=1", "application/json", backupBody, malformed).want(t, 400)

	if len(closed) > 0 {
		t.Errorf("%d were closed twice, or without having been taken", len(closed))
	}
	w = openWorld(t)
	w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 404, "own store")
}

// endlessBackup writes until it may not.
type endlessBackup struct{ begun, closed chan struct{} }

func (endlessBackup) Len() (int64, error) { return 1 << 50, nil }

func (b endlessBackup) WriteTo(w io.Writer) (n int64, err error) {
	close(b.begun)
	for err == nil {
		_, err = w.Write(bytes.Repeat([]byte("x"), 1<<16))
	}
	return 0, err
}

func (b endlessBackup) Close() error {
	close(b.closed)
	return nil
}

// TestBackupEnds: a backup ends, and is closed, when its reader goes and when the service ends.
func TestBackupEnds(t *testing.T) {
	for name, end := range map[string]func(*world, *http.Response){
		"client":  func(_ *world, res *http.Response) { res.Body.Close() },
		"service": func(w *world, res *http.Response) { w.api.Drain() },
	} {
		t.Run(name, func(t *testing.T) {
			b := endlessBackup{make(chan struct{}), make(chan struct{})}
			w := openWorld(t, func(c *Config) { c.Backup = func() (Backup, error) { return b, nil } })
			res, err := http.Post(w.server.URL+"/v1/backups", "application/json", strings.NewReader(backupBody))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			<-b.begun
			end(w, res)
			<-b.closed
		})
	}
}
