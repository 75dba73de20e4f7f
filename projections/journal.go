package projections

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// recentTouches is how many touches a scope's own row holds at the most. When there are as many they become a block of
// the scope's journal, and go into its time tree: so a scope that little happens to has one row, and is read as of any
// size or time from that alone. Tests set it lower.
var recentTouches = 32

// scopeRow is the running statement of a scope, with the touches behind its last block.
type scopeRow struct {
	statementRow
	recent run
}

// scopeKey identifies a scope in the keys of its journal and its time tree, as no other scope's begins.
func scopeKey(s domain.Scope) string {
	switch {
	case s.PostID != "" && s.AccountID != "":
		return string(pairTable.prefix) + s.AccountID + "\x00" + s.PostID + "\x00"
	case s.PostID != "":
		return string(postStatementTable.prefix) + s.PostID + "\x00"
	case s.AccountID != "":
		return string(accountTable.prefix) + s.AccountID + "\x00"
	}
	return string(platformTable.prefix)
}

// journalPrefix stands before the blocks of journals: the key is the scope's and the size that the block goes up to, the
// value a scopeRow, the scope as of that size with the touches that led to it.
const journalPrefix = 'j'

func appendBlockKey(dst []byte, scope string, size uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, scope...), size)
}

// journals is the journals' part of the statements' fold.
type journals struct {
	blocks *list
	times  *timeTrees
	// room is for the touches of a block, first for those that scopes begin with.
	room  touchRoom
	first touchMemory
}

func newJournals(f *fold) *journals {
	return &journals{blocks: newList(f, journalPrefix), times: newTimeTrees(f)}
}

// fold folds a touch into a scope.
func (j *journals) fold(row *scopeRow, t *touch, scope domain.Scope) error {
	before := row.size
	if err := row.apply(t); err != nil {
		return err
	}
	if row.recent.touches == nil {
		row.recent.touches = j.first.room()
	}
	row.recent.add(before, t)
	if row.recent.n < recentTouches {
		return nil
	}
	return j.close(row, scopeKey(scope))
}

// close makes a block of a scope's recent touches.
func (j *journals) close(row *scopeRow, scope string) error {
	j.blocks.add(func(dst []byte) []byte { return appendBlockKey(dst, scope, row.size) },
		func(dst []byte) []byte { return encodeScope(dst, row) })
	touches, err := row.recent.read(&j.room)
	if err != nil {
		return err
	}
	row.recent = run{touches: row.recent.touches[:0]}
	return j.times.add(scope, touches)
}

func encodeScope(dst []byte, r *scopeRow) []byte {
	return appendRun(encodeStatement(dst, &r.statementRow), &r.recent)
}

func decodeScope(d *decoder, r *scopeRow) {
	decodeStatement(d, &r.statementRow)
	r.recent = d.run()
}

// at returns the statement of a scope, whose row is given, as of a size: the touches behind it are taken back from the
// row, or from the first block that goes as far.
func (s *Snapshot) at(row *scopeRow, scope string, size uint64) (statementRow, error) {
	if size >= row.size {
		return row.statementRow, nil
	}
	if size < row.recent.base || row.recent.n == 0 {
		var block scopeRow
		if found, err := s.blockAt(scope, size, &block); err != nil || !found {
			return statementRow{}, err
		}
		row = &block
	}
	touches, err := row.recent.read(new(touchRoom))
	if err != nil {
		return statementRow{}, err
	}
	statement := row.statementRow
	for i := len(touches) - 1; i >= 0 && touches[i].index >= size; i-- {
		if err := statement.takeBack(&touches[i]); err != nil {
			return statementRow{}, err
		}
		statement.size = row.recent.base
		if i > 0 {
			statement.size = touches[i-1].index + 1
		}
	}
	return statement, nil
}

// blockAt sets block to the first one of a scope's journal that goes up to a size or further.
func (s *Snapshot) blockAt(scope string, size uint64, block *scopeRow) (found bool, err error) {
	from := appendBlockKey([]byte{journalPrefix}, scope, size)
	for row, err := range s.rows.Scan(from, appendBlockKey([]byte{journalPrefix}, scope, 1<<64-1)) {
		if err != nil {
			return false, err
		}
		return true, decodeBlock(row, block)
	}
	return false, nil
}

// decodeBlock reads a block, which does not keep the row's bytes.
func decodeBlock(row Row, block *scopeRow) error {
	d := decoder{rest: bytes.Clone(row.Value)}
	decodeScope(&d, block)
	return rowError(row.Key, &d)
}

// JournalQuery asks for a part of a scope's journal.
type JournalQuery struct {
	Scope domain.Scope
	// Line, where it is valid, leaves only events that move it, within the scope.
	Line domain.Line
	// From and To, where they are not zero, leave events that occurred at From or later, and before To.
	From, To time.Time
	// Size, where it is not zero, leaves only the first Size events of the log.
	Size uint64
	// Newest has the last events first.
	Newest bool
	Page
}

// mostExamined is how many touches one page of a journal looks at.
const mostExamined = 20_000

// Journal returns the places of the events that touched a scope, each once, whether or not it moved anything, in log
// order or the newest first, and the cursor of the next page, "" at the end. A page may hold fewer than its limit, even
// none, where filters leave much out. Its cursors neither skip nor repeat while events are folded. It wraps
// ErrUnknownPost for a post that nobody published, and ErrNotFolded for a cursor of views that went further.
func (s *Snapshot) Journal(q JournalQuery) (events []Place, next string, err error) {
	row, err := s.scope(q.Scope, AsOf{})
	if err != nil {
		return nil, "", err
	}
	kind := string(journalPrefix)
	if q.Newest {
		kind += "-"
	}
	list := scopedList(kind, q.Scope)
	// from is the index at which to go on: up from it, or down from the one before it.
	from := uint64(0)
	if q.Newest {
		from = row.size
	}
	if q.Cursor != "" {
		d, err := decodeCursor(q.Cursor, list)
		if from = d.uvarint(); err != nil || d.done() != nil {
			return nil, "", ErrBadCursor
		}
		if from > s.Size() {
			return nil, "", fmt.Errorf("the cursor, of size %d: %w", from, ErrNotFolded)
		}
	}
	if q.Newest && q.Size > 0 {
		from = min(from, q.Size)
	}
	touches := s.touches(&row.scopeRow, row.key, from)
	if q.Newest {
		touches = s.touchesBack(&row.scopeRow, row.key, from)
	}
	examined := 0
	for t, err := range touches {
		if err != nil {
			return nil, "", err
		}
		if !q.Newest && q.Size > 0 && t.index >= q.Size {
			break
		}
		if len(events) == q.Limit || examined == mostExamined {
			at := t.index
			if q.Newest {
				at++
			}
			return events, encodeCursor(list, binary.AppendUvarint(nil, at)), nil
		}
		examined++
		if !q.has(t) {
			continue
		}
		place, err := s.Place(t.index)
		if err != nil {
			return nil, "", err
		}
		events = append(events, place)
	}
	return events, "", nil
}

// has reports whether a touch passes the query's filters.
func (q *JournalQuery) has(t *touch) bool {
	return (q.Line == 0 || t.moves(q.Line)) &&
		(q.From.IsZero() || t.occurred.compare(instantOf(q.From)) >= 0) &&
		(q.To.IsZero() || t.occurred.compare(instantOf(q.To)) < 0)
}

// touches yields the touches of a scope, whose row is given, from an index on. Each holds until the next one.
func (s *Snapshot) touches(row *scopeRow, scope string, from uint64) iter.Seq2[*touch, error] {
	return func(yield func(*touch, error) bool) {
		for run, err := range s.runs(row, scope, from) {
			if err != nil {
				yield(nil, err)
				return
			}
			var t touch
			reader := run.reader()
			for reader.next(&t) {
				if t.index >= from && !yield(&t, nil) {
					return
				}
			}
			if err := reader.err(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// runs yields the runs of a scope's journal that go beyond an index, in log order. Each holds until the next one.
func (s *Snapshot) runs(row *scopeRow, scope string, from uint64) iter.Seq2[*run, error] {
	return func(yield func(*run, error) bool) {
		start := appendBlockKey([]byte{journalPrefix}, scope, from+1)
		for row, err := range s.rows.Scan(start, appendBlockKey([]byte{journalPrefix}, scope, 1<<64-1)) {
			var block scopeRow
			if err == nil {
				err = decodeBlock(row, &block)
			}
			if !yield(&block.recent, err) || err != nil {
				return
			}
		}
		yield(&row.recent, nil)
	}
}

// touchesBack yields the touches of a scope, whose row is given, from the last one before an index back.
func (s *Snapshot) touchesBack(row *scopeRow, scope string, before uint64) iter.Seq2[*touch, error] {
	return func(yield func(*touch, error) bool) {
		for run, err := range s.runsBack(row, scope, before) {
			var touches []touch
			if err == nil {
				touches, err = run.read(new(touchRoom))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, t := range slices.Backward(touches) {
				if t.index < before && !yield(&t, nil) {
					return
				}
			}
		}
	}
}

// runsBack yields the runs of a scope's journal that begin before an index, the last one first.
func (s *Snapshot) runsBack(row *scopeRow, scope string, before uint64) iter.Seq2[*run, error] {
	return func(yield func(*run, error) bool) {
		if row.recent.n > 0 && row.recent.base < before && !yield(&row.recent, nil) {
			return
		}
		end := appendBlockKey([]byte{journalPrefix}, scope, 1<<64-1)
		// The first block that goes as far as before is the last one that is asked for.
		var last scopeRow
		found, err := s.blockAt(scope, before, &last)
		if err == nil && found {
			end = appendBlockKey([]byte{journalPrefix}, scope, last.size+1)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for row, err := range s.rows.ScanBack(appendBlockKey([]byte{journalPrefix}, scope, 0), end) {
			var block scopeRow
			if err == nil {
				err = decodeBlock(row, &block)
			}
			if !yield(&block.recent, err) || err != nil {
				return
			}
		}
	}
}
