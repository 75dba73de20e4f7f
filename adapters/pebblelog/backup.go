package pebblelog

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"regexp"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
)

// An archive of a checkpoint is a tar file (POSIX ustar):
//
//	events/<name>   each file of the database
//	manifest.json   always the last one: {"format":1,"events":N,"files":[{"name":"events/…","size":N,"sha256":"…"},…]}
//
// events is how many events there are at least, files has the others in their order. What ends before the manifest was
// cut off.
const (
	archiveFormat    = 1
	archivedEvents   = "events/"
	archivedManifest = "manifest.json"

	tarBlock = 512
	// maxManifestBytes bounds what is read of a manifest: some hundred thousand files.
	maxManifestBytes = 64 << 20
)

// ErrBackupDamaged is why an archive is not restored: it was cut off, or changed on its way.
var ErrBackupDamaged = errors.New("the backup is not whole")

type backupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type backupManifest struct {
	Format int          `json:"format"`
	Events uint64       `json:"events"`
	Files  []backupFile `json:"files"`
}

func (c *Checkpoint) manifest() ([]byte, error) {
	return json.Marshal(backupManifest{archiveFormat, c.events, c.files}, json.Deterministic(true))
}

// Len returns the length of the archive in bytes.
func (c *Checkpoint) Len() (int64, error) {
	sized := *c
	sized.files = slices.Clone(c.files)
	length := int64(2 * tarBlock) // what ends it
	for i := range sized.files {
		length += tarBlock + padded(sized.files[i].Size)
		sized.files[i].SHA256 = hex.EncodeToString(make([]byte, sha256.Size))
	}
	manifest, err := sized.manifest()
	return length + tarBlock + padded(int64(len(manifest))), err
}

func padded(bytes int64) int64 { return (bytes + tarBlock - 1) / tarBlock * tarBlock }

// WriteTo writes the archive. It stops, with an error that wraps domain.ErrUnavailable, where the log needs the space
// that the checkpoint keeps from being freed.
func (c *Checkpoint) WriteTo(w io.Writer) (n int64, err error) {
	counted := &countingWriter{Writer: w}
	archive := tar.NewWriter(counted)
	for i := range c.files {
		if err := c.writeFile(archive, &c.files[i]); err != nil {
			return counted.n, fmt.Errorf("backing up %s: %w", c.files[i].Name, err)
		}
	}
	manifest, err := c.manifest()
	if err == nil {
		err = writeHeader(archive, archivedManifest, int64(len(manifest)))
	}
	if err == nil {
		_, err = archive.Write(manifest)
	}
	if err == nil {
		err = archive.Close()
	}
	return counted.n, err
}

// writeFile writes a file into the archive, and notes its hash for the manifest.
func (c *Checkpoint) writeFile(archive *tar.Writer, f *backupFile) error {
	if err := c.room(0); err != nil {
		return err
	}
	from, err := c.log.fs.Open(c.log.fs.PathJoin(c.dir, f.Name), vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := writeHeader(archive, f.Name, f.Size); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(archive, hash), from, f.Size); err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return nil
}

func writeHeader(archive *tar.Writer, name string, size int64) error {
	return archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatUSTAR,
	})
}

type countingWriter struct {
	io.Writer
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	return n, err
}

// Restore makes the log that an archive holds in a folder, which must not be there or be empty, and returns how many
// events it has. It checks the archive against its manifest, and the log as Open does. Everything is durable when it
// returns. Until the archive was read to its end and is whole, the folder holds no log, whatever happens; after an
// error the folder is removed. Errors wrap ErrBackupDamaged where it is the archive's fault.
func Restore(dir string, archive io.Reader, o Options) (events uint64, err error) {
	o.setDefaults()
	names, err := o.FS.List(dir)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return 0, err
	}
	if len(names) > 0 {
		return 0, fmt.Errorf("%s is not empty", dir)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.FS.RemoveAll(dir))
		}
	}()
	unpacked := o.FS.PathJoin(dir, "unpacked")
	manifest, err := unpack(o.FS, unpacked, archive)
	if err != nil {
		return 0, err
	}
	if err := o.FS.Rename(o.FS.PathJoin(unpacked, "events"), o.FS.PathJoin(dir, "events")); err != nil {
		return 0, err
	}
	if err := errors.Join(o.FS.RemoveAll(unpacked), syncFolder(o.FS, dir)); err != nil {
		return 0, err
	}
	return openRestored(dir, manifest.Events, o)
}

// openRestored opens a log, which has its index made, and sees that it has as many events as it should.
func openRestored(dir string, least uint64, o Options) (events uint64, err error) {
	l, err := Open(dir, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if events, err = l.Size(context.Background()); err != nil {
		return 0, err
	}
	if events < least {
		return 0, fmt.Errorf("%w: %w: it has %d events, and had %d when it was made", ErrBackupDamaged, domain.ErrCorrupt,
			events, least)
	}
	return events, nil
}

// unpack writes the files of an archive, durably.
func unpack(fs vfs.FS, dir string, archive io.Reader) (m backupManifest, err error) {
	events := fs.PathJoin(dir, "events")
	if err := fs.MkdirAll(events, 0o777); err != nil {
		return m, err
	}
	var files []backupFile
	for from := tar.NewReader(archive); ; {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return m, damagedArchive(err)
		}
		if header.Name == archivedManifest {
			m, err = readManifest(from, files)
			return m, errors.Join(err, syncFolder(fs, events), syncFolder(fs, dir))
		}
		f, err := unpackFile(fs, dir, header, from, files)
		if err != nil {
			return m, err
		}
		files = append(files, f)
	}
}

// damagedArchive is the error of an archive that cannot be read.
func damagedArchive(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it was cut off: %w", ErrBackupDamaged, err)
	}
	if errors.Is(err, tar.ErrHeader) {
		return fmt.Errorf("%w: %w", ErrBackupDamaged, err)
	}
	return fmt.Errorf("reading the backup: %w", err)
}

// archivedName is what a file in an archive may be called: no name leads out of the folder.
var archivedName = regexp.MustCompile(`^events/[A-Za-z0-9][A-Za-z0-9._-]*$`)

func unpackFile(
	fs vfs.FS, dir string, header *tar.Header, from io.Reader, before []backupFile,
) (f backupFile, err error) {
	twice := slices.ContainsFunc(before, func(b backupFile) bool { return b.Name == header.Name })
	if header.Typeflag != tar.TypeReg || !archivedName.MatchString(header.Name) || twice {
		return f, fmt.Errorf("%w: it has no place for %q", ErrBackupDamaged, header.Name)
	}
	to, err := fs.Create(fs.PathJoin(dir, header.Name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	hash := sha256.New()
	written := &countingWriter{Writer: to}
	// The hash comes first: a vfs.File may change the bytes that it is given.
	if _, err := io.Copy(io.MultiWriter(hash, written), from); err != nil {
		if written.n < header.Size && errors.Is(err, io.ErrUnexpectedEOF) {
			err = damagedArchive(err)
		}
		return f, fmt.Errorf("unpacking %s: %w", header.Name, err)
	}
	return backupFile{header.Name, written.n, hex.EncodeToString(hash.Sum(nil))}, to.Sync()
}

// readManifest reads the manifest, which must be of just these files.
func readManifest(from io.Reader, files []backupFile) (m backupManifest, err error) {
	text, err := io.ReadAll(io.LimitReader(from, maxManifestBytes))
	if err != nil {
		return m, damagedArchive(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: its manifest: %w", ErrBackupDamaged, err)
	}
	if m.Format != archiveFormat {
		return m, fmt.Errorf("%w: the backup has format %d, this program reads format %d", domain.ErrUnsupported, m.Format,
			archiveFormat)
	}
	if !slices.Equal(m.Files, files) {
		return m, fmt.Errorf("%w: its files are not those of its manifest", ErrBackupDamaged)
	}
	return m, nil
}
