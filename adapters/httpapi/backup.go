package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// backupPatience is how long who reads a backup may take nothing of it: the backup keeps space from being freed.
const backupPatience = time.Minute

// Backup is a consistent copy of the log on its way to who asked for it. It is closed when it was written, or was not.
type Backup interface {
	// Len returns how many bytes WriteTo writes.
	Len() (int64, error)
	// WriteTo writes an archive that is told from one that was cut off.
	io.WriterTo
	io.Closer
}

var typeTar = []string{"application/x-tar"}

// postBackup serves POST /v1/backups: a backup is taken, sent and removed. A backup that cannot be taken now is 503.
func (a *API) postBackup(w http.ResponseWriter, r *http.Request) (err error) {
	body, err := operatorBody(w, r, maxLineBytes)
	if err != nil {
		return err
	}
	if string(bytes.Join(bytes.Fields(body), nil)) != "{}" {
		return problemf(codeBadRequest, "", "the body must be an empty object, {}")
	}
	if a.Backup == nil {
		return problemf(codeNotFound, "", "the log is not the embedded one: its own store backs it up")
	}
	if a.draining.Err() != nil {
		return errDraining
	}
	backup, err := a.Backup()
	if err != nil {
		a.Logger.WarnContext(r.Context(), "backup refused", "error", err)
		return problemf(codeFailed, "", "no backup can be taken now: %v", err)
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	length, err := backup.Len()
	if err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"] = typeTar
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	return a.sendBackup(w, r, backup)
}

// sendBackup sends a backup to its end. It is cut off where the client takes nothing for backupPatience, where the log
// needs the space, and when the service ends.
func (a *API) sendBackup(w http.ResponseWriter, r *http.Request, backup Backup) error {
	to := &backupWriter{to: w, rc: http.NewResponseController(w)}
	to.ctx, to.cancel = context.WithCancel(r.Context())
	defer to.cancel()
	defer context.AfterFunc(a.draining, to.stop)()
	_, err := backup.WriteTo(to)
	switch {
	case a.draining.Err() != nil && err != nil:
		return errDraining
	case errors.Is(err, domain.ErrUnavailable):
		a.Logger.WarnContext(r.Context(), "backup cut off", "error", err)
		return problemf(codeFailed, "", "the backup was ended: %v", err)
	}
	return err
}

// backupWriter gives each write backupPatience.
type backupWriter struct {
	to     io.Writer
	rc     *http.ResponseController
	ctx    context.Context
	cancel context.CancelFunc
}

func (p *backupWriter) Write(b []byte) (int, error) {
	// A writer without deadlines is a test's.
	_ = p.rc.SetWriteDeadline(time.Now().Add(backupPatience))
	if err := p.ctx.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", errClientGone, err)
	}
	n, err := p.to.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", errClientGone, err)
	}
	return n, err
}

// stop ends the write under way, and every later one.
func (p *backupWriter) stop() {
	p.cancel()
	_ = p.rc.SetWriteDeadline(time.Now().Add(drainTimeout))
}
