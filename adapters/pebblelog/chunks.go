package pebblelog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/domain"
)

// Pebble reads its newest write-ahead log and its manifest up to the first chunk that it cannot read, and takes that
// for the torn end that a crash leaves, unless a later block of 32 KiB proves that it was synced. What follows in the
// same block, and all that follows in a manifest, it drops in silence. The checks here read both files before Pebble
// does, and refuse them where anything shows that what cannot be read was once whole.
//
// A file is a row of blocks, a block a row of chunks, none of which crosses into the next block:
//
//	CRC-32C, masked  4 bytes, little endian as all numbers; of all that follows
//	length           2 bytes, of the payload
//	kind             1 byte: full, first, middle or last part of a record, in three forms
//	log              4 bytes, the low half of the file's number (kinds 5 to 12)
//	synced           8 bytes, how far the file was synced when the chunk was written (kinds 9 to 12)
//	payload
const (
	chunkBlock   = 32 << 10
	plainChunk   = 7
	loggedChunk  = 11
	syncedChunk  = 19
	lastPlain    = 4
	endOfLogKind = 5 // with a CRC and a length of 0 and the log's number plus one, a file that was closed in order
	lastLogged   = 8
	lastSynced   = 12
)

type chunk struct {
	len    int  // of the whole chunk
	starts bool // it begins a record
	synced uint64
	inLog  bool // it has the log's number
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readChunk reads the chunk at the beginning of b, which is the rest of a block.
func readChunk(b []byte, log uint32) (c chunk, ok bool) {
	if len(b) < plainChunk {
		return chunk{}, false
	}
	kind, header := b[6], plainChunk
	switch {
	case kind == 0 || kind > lastSynced:
		return chunk{}, false
	case kind > lastLogged:
		header = syncedChunk
	case kind > lastPlain:
		header = loggedChunk
	}
	c.len = header + int(binary.LittleEndian.Uint16(b[4:]))
	if c.len > len(b) {
		return chunk{}, false
	}
	if c.inLog = header > plainChunk; c.inLog && binary.LittleEndian.Uint32(b[7:]) != log {
		return chunk{}, false
	}
	if header == syncedChunk {
		c.synced = binary.LittleEndian.Uint64(b[11:])
	}
	c.starts = (kind-1)%4 < 2
	crc := crc32.Checksum(b[6:c.len], castagnoli)
	masked := (crc>>15 | crc<<17) + 0xa282ead8
	return c, masked == binary.LittleEndian.Uint32(b)
}

// endsLog reports whether b begins with what is written when a log is closed in order.
func endsLog(b []byte, log uint32) bool {
	var end [loggedChunk]byte
	end[6] = endOfLogKind
	binary.LittleEndian.PutUint32(end[7:], log+1)
	return bytes.HasPrefix(b, end[:])
}

// restOfBlock returns what the block that an offset lies in has from there on.
func restOfBlock(file []byte, at int) []byte {
	return file[at:min(len(file), (at/chunkBlock+1)*chunkBlock)]
}

// readable returns how far a file can be read, and whether it ends there as it should.
func readable(file []byte, log uint32) (end int, ok bool) {
	for end < len(file) {
		rest := restOfBlock(file, end)
		if c, ok := readChunk(rest, log); ok {
			end += c.len
		} else if len(rest) < syncedChunk && len(bytes.Trim(rest, "\x00")) == 0 {
			end += len(rest) // too short for a chunk
		} else {
			return end, endsLog(rest, log)
		}
	}
	return end, true
}

// checkChunks refuses a file that cannot be read to its end although what cannot be read was once whole.
func checkChunks(file []byte, log uint32) error {
	end, ok := readable(file, log)
	if ok {
		return nil
	}
	for at := end + 1; at+plainChunk <= len(file); at++ {
		if kind := file[at+6]; kind == 0 || kind > lastSynced {
			continue
		}
		rest := restOfBlock(file, at)
		c, ok := readChunk(rest, log)
		switch {
		case endsLog(rest, log):
			return fmt.Errorf("%w: what is at offset %d cannot be read, and the file was closed in order at %d",
				domain.ErrCorrupt, end, at)
		case ok && c.inLog && c.synced > uint64(end):
			return fmt.Errorf("%w: what is at offset %d cannot be read, and was synced before %d was written",
				domain.ErrCorrupt, end, at)
		case ok && !c.inLog && c.starts:
			// A manifest is synced after each record.
			return fmt.Errorf("%w: what is at offset %d cannot be read, and another record follows at %d",
				domain.ErrCorrupt, end, at)
		}
	}
	return nil
}

// checkFiles checks every manifest among a folder's files, and the write-ahead logs that it is asked for.
func checkFiles(fs vfs.FS, dir string, names []string, logs func(number uint64) bool) error {
	for _, name := range names {
		number, isLog := logNumber(name)
		if isLog && !logs(number) || !isLog && !strings.HasPrefix(name, "MANIFEST-") {
			continue
		}
		file, err := readFile(fs, fs.PathJoin(dir, name))
		if err == nil {
			err = checkChunks(file, uint32(number)) // a manifest's chunks have no number
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// newestLog returns the number of the newest write-ahead log, the only one whose end Pebble does not insist on. Older
// ones may no longer be needed, and then it does not matter what is in them.
func newestLog(names []string) (newest uint64) {
	for _, name := range names {
		number, _ := logNumber(name)
		newest = max(newest, number)
	}
	return newest
}

func logNumber(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file := make([]byte, info.Size())
	_, err = io.ReadFull(f, file)
	return file, err
}
