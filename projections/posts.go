package projections

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Post is what is known of a post beside its statement.
type Post struct {
	PostID, Author    string
	Title, URL        string
	TimeToReadSeconds uint64
	// PublishedAt is when the publication occurred, RecordedAt when it was recorded. Both in UTC.
	PublishedAt, RecordedAt time.Time
}

// postRow is what a post's own stream says.
type postRow struct {
	// events is the number of events on the stream, index that of its publication.
	events, index       uint64
	author, title, url  string
	timeToRead          uint64
	published, recorded instant
	// timed is 1 + the index of the event that set the time to read last, timedRecorded when that was recorded.
	timed         uint64
	timedRecorded instant
	// versions is how often it was published or changed.
	versions uint64
}

var postTable = &table[string, postRow]{'o', appendStringKey, encodePost, decodePost}

func encodePost(dst []byte, r *postRow) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, r.events), r.index)
	dst = appendText(appendText(appendText(dst, r.author), r.title), r.url)
	dst = binary.AppendUvarint(dst, r.timeToRead)
	dst = appendInstant(appendInstant(dst, r.published), r.recorded)
	return binary.AppendUvarint(appendInstant(binary.AppendUvarint(dst, r.timed), r.timedRecorded), r.versions)
}

func decodePost(d *decoder, r *postRow) {
	r.events, r.index = d.uvarint(), d.uvarint()
	r.author, r.title, r.url = d.text(), d.text(), d.text()
	r.timeToRead = d.uvarint()
	r.published, r.recorded = d.instant(), d.instant()
	r.timed, r.timedRecorded, r.versions = d.uvarint(), d.instant(), d.uvarint()
}

// versionRow is what one event set of a post: what it did not is "" and 0.
type versionRow struct {
	index      uint64
	recorded   instant
	occurred   instant
	title, url string
	timeToRead uint64
}

// versionKey names a version of a post: they count from 1.
type versionKey struct {
	post   string
	number uint64
}

var versionTable = &table[versionKey, versionRow]{'v',
	func(dst []byte, k versionKey) []byte {
		return binary.BigEndian.AppendUint64(append(append(dst, k.post...), 0), k.number)
	}, encodeVersion, decodeVersion}

func encodeVersion(dst []byte, r *versionRow) []byte {
	dst = appendInstant(appendInstant(binary.AppendUvarint(dst, r.index), r.recorded), r.occurred)
	return binary.AppendUvarint(appendText(appendText(dst, r.title), r.url), r.timeToRead)
}

func decodeVersion(d *decoder, r *versionRow) {
	r.index, r.recorded, r.occurred = d.uvarint(), d.instant(), d.instant()
	r.title, r.url, r.timeToRead = d.text(), d.text(), d.uvarint()
}

// publicationPrefix stands before the posts by when their publication occurred: the key is that time and the event's
// index, the value the post.
const publicationPrefix = 'q'

func appendPublication(dst []byte, at instant, index uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.seconds-firstInstant.seconds))
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, at.nanos), index)
}

// posts is the read model of the posts themselves.
type posts struct {
	rows                   *cache[string, postRow]
	versions, publications *list
}

func newPosts(f *fold) model {
	return &posts{newCache(f, postTable, 4<<10), newList(f, versionTable.prefix), newList(f, publicationPrefix)}
}

// want leaves posts out: few events are about one.
func (p *posts) want(*event) {}

func (p *posts) fold(e *event) error {
	if e.Type != domain.PostPublished && e.Type != domain.PostChanged && e.about.kind != domain.KindPost {
		return nil
	}
	row, err := p.rows.row(e.PostID)
	if err != nil {
		return err
	}
	if err := nextRevision(&row.events, e); err != nil {
		return err
	}
	if e.about.kind == domain.KindPost {
		return nil
	}
	if e.Type == domain.PostPublished {
		row.author, row.index = e.Author, e.index
		row.published, row.recorded = e.occurred, e.recorded
		p.publications.add(func(dst []byte) []byte { return appendPublication(dst, e.occurred, e.index) },
			func(dst []byte) []byte { return append(dst, e.PostID...) })
	}
	v := versionRow{e.index, e.recorded, e.occurred, e.Title, e.URL, e.TimeToReadSeconds}
	row.set(&v)
	p.versions.add(func(dst []byte) []byte { return versionTable.key(dst, versionKey{e.PostID, row.versions}) },
		func(dst []byte) []byte { return encodeVersion(dst, &v) })
	return nil
}

// set makes the post what it is after one more version.
func (r *postRow) set(v *versionRow) {
	r.versions++
	if v.title != "" {
		r.title = v.title
	}
	if v.url != "" {
		r.url = v.url
	}
	if v.timeToRead > 0 {
		r.timeToRead, r.timed, r.timedRecorded = v.timeToRead, v.index+1, v.recorded
	}
}

// dated is a post's row with what the post's own stream set, from which it is known as of any size or time.
type dated struct {
	postRow
	id string
	// set are all versions once one was asked for: few, whatever happened to the post.
	set []versionRow
}

// asOf returns the row as of a size or time.
func (p *dated) asOf(rows Reader, asOf AsOf) (postRow, error) {
	if asOf.isNow() {
		return p.postRow, nil
	}
	for n := uint64(len(p.set)); n < p.versions; n++ {
		var v versionRow
		if err := versionTable.must(rows, versionKey{p.id, n + 1}, &v); err != nil {
			return postRow{}, err
		}
		p.set = append(p.set, v)
	}
	then := postRow{author: p.author, index: p.index, published: p.published, recorded: p.recorded}
	for i := range p.set {
		if v := &p.set[i]; asOf.counts(v.index, v.occurred) {
			then.set(v)
		}
	}
	return then, nil
}

// Post returns a post, and whether somebody published it, by the size asked for. As of a time before its publication
// only its id is there. It wraps ErrNotFolded for a size beyond Size.
func (s *Snapshot) Post(id string, asOf AsOf) (Post, bool, error) {
	switch {
	case s.err != nil:
		return Post{}, false, s.err
	case asOf.Sized && asOf.Size > s.Size():
		return Post{}, false, fmt.Errorf("size %d: %w", asOf.Size, ErrNotFolded)
	}
	post := dated{id: id}
	found, err := postTable.read(s.rows, id, &post.postRow)
	if err != nil || !found || asOf.Sized && post.index >= asOf.Size {
		return Post{}, false, err
	}
	row, err := post.asOf(s.rows, asOf)
	if err != nil {
		return Post{}, false, err
	}
	if !asOf.counts(row.index, row.published) {
		return Post{PostID: id}, true, nil
	}
	return Post{
		PostID: id, Author: row.author, Title: row.title, URL: row.url, TimeToReadSeconds: row.timeToRead,
		PublishedAt: row.published.time(), RecordedAt: row.recorded.time(),
	}, true, nil
}

// PostStatement is a post with a statement of it.
type PostStatement struct {
	Post
	Statement *domain.Statement
}

// postStatement returns a post with the statement of a scope that it is in.
func (s *Snapshot) postStatement(scope domain.Scope) (p PostStatement, err error) {
	var found bool
	if p.Post, found, err = s.Post(scope.PostID, AsOf{}); err == nil && !found {
		err = fmt.Errorf("%s: %w", scope.PostID, ErrUnknownPost)
	}
	if err == nil {
		p.Statement, err = s.now(scope)
	}
	return p, err
}

// Posts returns posts in an order, ByTotal, ByProfit, ByLoss or ByPublication, the greatest or latest first unless
// ascending, and the cursor of the next page, "" at the end. Pages are of now: what changes its place between two of
// them may come twice or not at all; ByPublication neither skips nor repeats.
func (s *Snapshot) Posts(by Sort, ascending bool, p Page) (posts []PostStatement, next string, err error) {
	var ids []string
	if by == ByPublication {
		ids, next, err = s.publications(ascending, p)
	} else {
		ids, next, err = s.ranked(postAmounts, postNumbers, by, ascending, p)
	}
	for i := 0; i < len(ids) && err == nil; i++ {
		var post PostStatement
		post, err = s.postStatement(domain.Scope{PostID: ids[i]})
		posts = append(posts, post)
	}
	return posts, next, err
}

// publications returns the ids of a page of posts by their publication.
func (s *Snapshot) publications(ascending bool, p Page) (ids []string, next string, err error) {
	if s.err != nil {
		return nil, "", s.err
	}
	list := fmt.Sprintf("%c%t", publicationPrefix, ascending)
	from, to := []byte{publicationPrefix}, []byte{publicationPrefix + 1}
	if p.Cursor != "" {
		d, err := decodeCursor(p.Cursor, list)
		if err != nil || len(d.rest) != len(appendPublication(nil, firstInstant, 0)) {
			return nil, "", ErrBadCursor
		}
		last := append([]byte{publicationPrefix}, d.rest...)
		if ascending {
			from = append(last, 0)
		} else {
			to = last
		}
	}
	scan := s.rows.ScanBack
	if ascending {
		scan = s.rows.Scan
	}
	return page(scan(from, to), list, 1, p.Limit, func(row Row) (string, error) { return string(row.Value), nil })
}
