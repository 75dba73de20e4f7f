package projections

import (
	"encoding/binary"
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
	// events is the number of events on the stream.
	events              uint64
	author, title, url  string
	timeToRead          uint64
	published, recorded instant
	// timed is 1 + the index of the event that set the time to read last, timedRecorded when that was recorded.
	timed         uint64
	timedRecorded instant
}

var postTable = &table[string, postRow]{'o', appendStringKey, encodePost, decodePost}

func encodePost(dst []byte, r *postRow) []byte {
	dst = binary.AppendUvarint(dst, r.events)
	dst = appendText(appendText(appendText(dst, r.author), r.title), r.url)
	dst = binary.AppendUvarint(dst, r.timeToRead)
	dst = appendInstant(appendInstant(dst, r.published), r.recorded)
	return appendInstant(binary.AppendUvarint(dst, r.timed), r.timedRecorded)
}

func decodePost(d *decoder, r *postRow) {
	r.events = d.uvarint()
	r.author, r.title, r.url = d.text(), d.text(), d.text()
	r.timeToRead = d.uvarint()
	r.published, r.recorded = d.instant(), d.instant()
	r.timed, r.timedRecorded = d.uvarint(), d.instant()
}

// posts is the read model of the posts themselves.
type posts struct {
	rows *cache[string, postRow]
}

func newPosts(f *fold) model { return &posts{newCache(f, postTable)} }

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
	if e.Type == domain.PostPublished {
		row.author = e.Author
		row.published, row.recorded = instantOf(e.OccurredAt), instantOf(e.RecordedAt)
	}
	if e.Title != "" {
		row.title = e.Title
	}
	if e.URL != "" {
		row.url = e.URL
	}
	if e.TimeToReadSeconds > 0 {
		row.timeToRead = e.TimeToReadSeconds
		row.timed, row.timedRecorded = e.index+1, instantOf(e.RecordedAt)
	}
	return nil
}

// Post returns a post, and whether somebody published it.
func (s *Snapshot) Post(id string) (Post, bool, error) {
	if s.err != nil {
		return Post{}, false, s.err
	}
	var row postRow
	found, err := postTable.read(s.rows, id, &row)
	if err != nil || !found {
		return Post{}, false, err
	}
	return Post{
		PostID: id, Author: row.author, Title: row.title, URL: row.url, TimeToReadSeconds: row.timeToRead,
		PublishedAt: row.published.time(), RecordedAt: row.recorded.time(),
	}, true, nil
}
