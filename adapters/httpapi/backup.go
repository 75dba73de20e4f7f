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
	s, err := a.openStream(w, r, drainTimeout)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.why(); err != nil {
		return err
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
	return a.sendBackup(s, r, backup)
}

// sendBackup sends a backup to its end. It is cut off where the client takes nothing for backupPatience, where the log
// needs the space, and when the stream ends.
func (a *API) sendBackup(s *stream, r *http.Request, backup Backup) error {
	_, err := backup.WriteTo(&backupWriter{s, r.Context()})
	switch {
	case err != nil && s.why() != nil:
		return s.why()
	case errors.Is(err, domain.ErrUnavailable):
		a.Logger.WarnContext(r.Context(), "backup cut off", "error", err)
		return problemf(codeFailed, "", "the backup was ended: %v", err)
	}
	return err
}

// backupWriter gives each write backupPatience.
type backupWriter struct {
	*stream
	asked context.Context
}

func (p *backupWriter) Write(b []byte) (int, error) {
	// A writer without deadlines is a test's.
	_ = p.rc.SetWriteDeadline(time.Now().Add(backupPatience))
	// Looked at behind that, so that the end of the stream, which sets a shorter one, is not overlooked.
	if err := p.why(); err != nil {
		return 0, err
	}
	if err := p.asked.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", errClientGone, err)
	}
	n, err := p.w.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", errClientGone, err)
	}
	return n, err
}
