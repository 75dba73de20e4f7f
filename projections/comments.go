package projections

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Comment is a comment with what it and the reactions to it moved.
type Comment struct {
	CommentID, Commenter string
	Level                uint64
	// OccurredAt and RecordedAt are those of its CommentAdded; RemovedAt is when its removal occurred, zero where it was
	// not removed.
	OccurredAt, RecordedAt, RemovedAt time.Time
	// Sums are of all parties. Earned is what of it is its commenter's: profit lines and read_to_earn less loss lines of
	// that account.
	Sums   domain.Sums
	Earned domain.Twei
	// Likes and Dislikes are those that stand.
	Likes, Dislikes uint64
}

// commentRow is a Comment without its id, which is its key.
type commentRow struct {
	// events is the number of events on the comment's stream.
	events                      uint64
	commenter                   string
	level                       uint64
	occurred, recorded, removed instant
	isRemoved                   bool
	sums                        domain.Sums
	earned                      domain.Twei
	likes, dislikes             uint64
}

var commentTable = &table[string, commentRow]{'k', appendStringKey, encodeComment, decodeComment}

func encodeComment(dst []byte, r *commentRow) []byte {
	dst = binary.AppendUvarint(appendText(binary.AppendUvarint(dst, r.events), r.commenter), r.level)
	dst = appendInstant(appendInstant(dst, r.occurred), r.recorded)
	if r.isRemoved {
		dst = appendInstant(append(dst, 1), r.removed)
	} else {
		dst = append(dst, 0)
	}
	dst = appendSum(dst, &sum{sums: r.sums})
	dst = appendAmount(dst, r.earned)
	return binary.AppendUvarint(binary.AppendUvarint(dst, r.likes), r.dislikes)
}

func decodeComment(d *decoder, r *commentRow) {
	r.events, r.commenter, r.level = d.uvarint(), d.text(), d.uvarint()
	r.occurred, r.recorded = d.instant(), d.instant()
	if r.isRemoved = d.byte() != 0; r.isRemoved {
		r.removed = d.instant()
	}
	var s sum
	d.sum(&s)
	r.sums, r.earned = s.sums, d.amount()
	r.likes, r.dislikes = d.uvarint(), d.uvarint()
}

// commentsPrefix stands before the comments of posts: the key is the post and the index of the event that added the
// comment, the value its id.
const commentsPrefix = 'l'

func appendCommentKey(dst []byte, post string, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append(dst, post...), 0), index)
}

// commentModel is the read model of comments.
type commentModel struct {
	rows   *cache[string, commentRow]
	byPost *list
}

func newComments(f *fold) model {
	return &commentModel{newCache(f, commentTable, 8<<10), newList(f, commentsPrefix)}
}

// comment returns the comment that an event is about, "" for none.
func (e *event) comment() string {
	switch e.about.kind {
	case domain.KindComment, domain.KindCommentReaction:
		return e.about.subject
	}
	return e.CommentID
}

func (c *commentModel) want(e *event) {
	if id := e.comment(); id != "" && e.Type != domain.CommentAdded {
		c.rows.want(id)
	}
}

func (c *commentModel) fold(e *event) error {
	id := e.comment()
	if id == "" {
		return nil
	}
	row, err := c.rows.row(id)
	if err != nil {
		return err
	}
	if e.Type == domain.CommentAdded || e.Type == domain.CommentRemoved || e.about.kind == domain.KindComment {
		if err := nextRevision(&row.events, e); err != nil {
			return err
		}
	}
	switch e.Type {
	case domain.CommentAdded:
		row.commenter, row.level, row.occurred, row.recorded = e.Commenter, e.Level, e.occurred, e.recorded
		c.byPost.add(func(dst []byte) []byte { return appendCommentKey(dst, e.PostID, e.index) },
			func(dst []byte) []byte { return append(dst, id...) })
	case domain.CommentRemoved:
		row.removed, row.isRemoved = e.occurred, true
	}
	if row.commenter == "" {
		return fmt.Errorf("comment %s was not added: %w", id, domain.ErrCorrupt)
	}
	if err := row.fold(e); err != nil {
		return fmt.Errorf("comment %s: %w", id, err)
	}
	return nil
}

func (r *commentRow) fold(e *event) (err error) {
	for _, s := range e.effect.counts {
		switch s.counter {
		case commentLikes:
			r.likes += uint64(int64(s.by))
		case commentDislikes:
			r.dislikes += uint64(int64(s.by))
		}
	}
	for i := range e.entries {
		entry := &e.entries[i]
		if err := r.sums.Add(entry.Line, entry.Change); err != nil {
			return err
		}
		switch {
		case entry.Account != r.commenter:
		case entry.Line.Side() == domain.LossSide:
			r.earned, err = r.earned.Sub(entry.Change)
		default:
			r.earned, err = r.earned.Add(entry.Change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Comments returns a post's comments in log order, and the cursor of the next page, "" at the end. Its cursors neither
// skip nor repeat while events are folded. It wraps ErrUnknownPost for a post that nobody published.
func (s *Snapshot) Comments(post string, p Page) (comments []Comment, next string, err error) {
	if _, err := s.scope(domain.Scope{PostID: post}, AsOf{}); err != nil {
		return nil, "", err
	}
	list := scopedList(string(commentsPrefix), domain.Scope{PostID: post})
	from, end := appendCommentKey([]byte{commentsPrefix}, post, 0), appendCommentKey([]byte{commentsPrefix}, post, 1<<64-1)
	prefix := len(from) - 8
	if p.Cursor != "" {
		d, err := decodeCursor(p.Cursor, list)
		if err != nil || len(d.rest) != len(from)-prefix {
			return nil, "", ErrBadCursor
		}
		from = append(append(from[:prefix], d.rest...), 0)
	}
	take := func(row Row) (Comment, error) { return s.comment(string(row.Value)) }
	return page(s.rows.Scan(from, end), list, prefix, p.Limit, take)
}

func (s *Snapshot) comment(id string) (Comment, error) {
	var row commentRow
	if err := commentTable.must(s.rows, id, &row); err != nil {
		return Comment{}, err
	}
	c := Comment{
		CommentID: id, Commenter: row.commenter, Level: row.level,
		OccurredAt: row.occurred.time(), RecordedAt: row.recorded.time(),
		Sums: row.sums, Earned: row.earned, Likes: row.likes, Dislikes: row.dislikes,
	}
	if row.isRemoved {
		c.RemovedAt = row.removed.time()
	}
	return c, nil
}
