package httpapi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pollInterval is how often files are looked at. What changed is taken when two looks in a row found the same, so that
	// a file is not taken half-written.
	pollInterval = 500 * time.Millisecond
	// maxReloadedBytes bounds such a file.
	maxReloadedBytes = 1 << 20
)

// reloaded is what some files say, read again when their bytes change. A change that cannot be taken leaves in force
// what was before. It is safe for any number of goroutines.
type reloaded[T any] struct {
	// what names it in logs: "tokens" is told of as tokens_reloaded and tokens_refused.
	what  string
	paths []string
	// parse makes a value of the files' contents.
	parse  func(contents [][]byte) (T, error)
	logger *slog.Logger

	current atomic.Pointer[version[T]]

	mu sync.Mutex
	// seen is the digest of what the last look found, decided that of what was last taken or refused. Guarded by mu.
	seen, decided [sha256.Size]byte
	// err is why what was decided upon last was refused, nil if it was taken. Guarded by mu.
	err error
}

// version is a value in force.
type version[T any] struct {
	value T
	// at is when it was read.
	at time.Time
	// replaced is closed when another is in force.
	replaced chan struct{}
}

// open reads the files for the first time.
func (f *reloaded[T]) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	contents, digest, err := f.read()
	if err != nil {
		return err
	}
	value, err := f.parse(contents)
	if err != nil {
		return err
	}
	f.seen, f.decided = digest, digest
	f.current.Store(&version[T]{value, time.Now(), make(chan struct{})})
	return nil
}

// watch looks at the files until ctx ends.
func (f *reloaded[T]) watch(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look(true)
		}
	}
}

// look takes or refuses what the files hold now, unless that was done before; patiently, only if the look before found
// the same.
func (f *reloaded[T]) look(patiently bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	contents, digest, err := f.read()
	settled := digest == f.seen || !patiently
	f.seen = digest
	if digest == f.decided || !settled {
		return
	}
	f.decided = digest
	var value T
	if err == nil {
		value, err = f.parse(contents)
	}
	f.err = err
	if err != nil {
		f.logger.Error(f.what+"_refused", "error", err, "in_force_since", f.current.Load().at)
		return
	}
	replaced := f.current.Swap(&version[T]{value, time.Now(), make(chan struct{})})
	close(replaced.replaced)
	f.logger.Info(f.what+"_reloaded", "files", f.paths)
}

// read returns what the files hold, with a digest; of files that cannot be read, the digest is of the reason.
func (f *reloaded[T]) read() (contents [][]byte, digest [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, path := range f.paths {
		content, err := readBounded(path)
		if err != nil {
			return nil, sha256.Sum256([]byte(err.Error())), err
		}
		fmt.Fprintf(h, "%d\n%s", len(content), content)
		contents = append(contents, content)
	}
	return contents, [sha256.Size]byte(h.Sum(nil)), nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxReloadedBytes+1))
	if err == nil && len(content) > maxReloadedBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxReloadedBytes)
	}
	return content, err
}

// failure returns why the files as they are now are not in force, nil if they are.
func (f *reloaded[T]) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
