package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// fakeBackup is a backup of some text, or one that fails behind it.
type fakeBackup struct {
	text   string
	err    error
	closed *int
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
	*b.closed++
	return nil
}

const backupBody = "{}"

// TestBackup: the archive comes with its length; one that fails on the way is cut off, one that cannot be taken is 503;
// each is closed.
func TestBackup(t *testing.T) {
	closed := 0
	var next fakeBackup
	var refused error
	w := openWorld(t, func(c *Config) {
		c.Backup = func() (Backup, error) {
			next.closed = &closed
			return next, refused
		}
	})
	next.text = "an archive"
	a := w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 200, "an archive")
	if a.header.Get("Content-Length") != fmt.Sprint(len(next.text)) || closed != 1 {
		t.Errorf("%v, closed %d times", a.header, closed)
	}
	for _, cause := range []error{errors.New("a bad disk"), fmt.Errorf("%w: no room", domain.ErrUnavailable)} {
		closed = 0
		next.err = cause
		res, err := http.Post(w.server.URL+"/v1/backups", "application/json", strings.NewReader(backupBody))
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if err == nil || closed != 1 || !strings.Contains(w.logged.String(), cause.Error()) {
			t.Errorf("%v: the answer ended with %v; closed %d times; logged %s", cause, err, closed, w.logged)
		}
	}
	refused = errors.New("another backup is under way")
	a = w.do("POST", "/v1/backups", "application/json", backupBody).want(t, 503, "another backup")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// A form of another page cannot ask for one.
	w.do("POST", "/v1/backups", "application/x-www-form-urlencoded", backupBody, malformed).want(t, 415)
	w.do("POST", "/v1/backups", "application/json", `{"a":1}`, malformed).want(t, 400)
	w.do("POST", "/v1/backups?a=1", "application/json", backupBody, malformed).want(t, 400)

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
