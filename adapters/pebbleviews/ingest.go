package pebbleviews

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/projections"
)

// ingestBytes is the size from which a commit's rows are written as tables that Pebble takes over, and not by way of
// its log and memtable: a commit as large comes from views that catch up, where that takes half the time. Tests set it
// lower.
var ingestBytes = 4 << 20

// ingest writes rows as tables, which Pebble takes all or none. Rows of one prefix whose keys only grow are a table of
// their own, so that it lies below all others at once and is never written again.
func (s *Store) ingest(rows []projections.Row) error {
	var paths []string
	for begin := 0; begin < len(rows); {
		end := begin + 1
		for end < len(rows) && growing(rows[end].Key) == growing(rows[begin].Key) {
			end++
		}
		path := s.fs.PathJoin(s.dir, fmt.Sprintf("rows-%d.sst", len(paths)))
		if err := s.writeTable(path, rows[begin:end]); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		paths, begin = append(paths, path), end
	}
	return s.db.Ingest(context.Background(), paths)
}

func growing(key []byte) bool { return len(key) > 0 && key[0] == projections.GrowingPrefix }

func (s *Store) writeTable(path string, rows []projections.Row) (err error) {
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	options := s.tables
	if growing(rows[0].Key) {
		options = s.bottomTables
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), options)
	defer func() { err = errors.Join(err, w.Close()) }()
	for i := range rows {
		if rows[i].Value == nil {
			err = w.Delete(rows[i].Key)
		} else {
			err = w.Set(rows[i].Key, rows[i].Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
