package httpapi

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// getPost serves GET /v1/posts/{post}: the post and its statement, which holds its counts.
func (a *API) getPost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "post")
	if err != nil {
		return err
	}
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		post, found, err := s.Post(id, projections.AsOf{})
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%w %s", projections.ErrUnknownPost, id)
		}
		dst = appendPost(append(dst, `{"post":`...), &post)
		dst, err = appendStatement(s, append(dst, `,"statement":`...), domain.Scope{PostID: id})
		return append(dst, '}'), err
	})
}

func appendPost(dst []byte, p *projections.Post) []byte {
	dst = appendText(append(dst, `{"post_id":`...), p.PostID)
	dst = appendText(append(dst, `,"author":`...), p.Author)
	dst = appendText(append(dst, `,"title":`...), p.Title)
	if p.URL != "" {
		dst = appendText(append(dst, `,"url":`...), p.URL)
	}
	dst = append(dst, `,"time_to_read_seconds":`...)
	dst = strconv.AppendUint(dst, p.TimeToReadSeconds, 10)
	dst = domain.AppendTime(append(dst, `,"published_at":"`...), p.PublishedAt)
	dst = domain.AppendTime(append(dst, `","recorded_at":"`...), p.RecordedAt)
	return append(dst, `"}`...)
}
