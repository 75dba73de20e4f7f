package httpapi

import (
	"net/http"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// getComments serves GET /v1/posts/{post}/comments: pages of a post's comments, oldest first, with what each moved.
func (a *API) getComments(w http.ResponseWriter, r *http.Request) error {
	post, values, page, err := pathPage(r, "post")
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		comments, next, err := s.Comments(post, page)
		if err != nil {
			return nil, err
		}
		dst, err = appendList(append(dst, `{"comments":`...), comments, appendComment)
		return appendNext(w, values, dst, next), err
	})
}

func appendComment(dst []byte, c *projections.Comment) ([]byte, error) {
	dst = appendText(append(dst, `{"comment_id":`...), c.CommentID)
	dst = appendText(append(dst, `,"commenter":`...), c.Commenter)
	dst = strconv.AppendUint(append(dst, `,"level":`...), c.Level, 10)
	dst = domain.AppendTime(append(dst, `,"occurred_at":"`...), c.OccurredAt)
	dst = domain.AppendTime(append(dst, `","recorded_at":"`...), c.RecordedAt)
	if !c.RemovedAt.IsZero() {
		dst = domain.AppendTime(append(dst, `","removed_at":"`...), c.RemovedAt)
	}
	dst, err := c.Sums.AppendMembers(append(dst, '"'))
	if err != nil {
		return nil, err
	}
	dst = appendText(append(dst, `,"read_to_earn":`...), c.Sums.Of(domain.ReadToEarn).String())
	dst = appendText(append(dst, `,"earned":`...), c.Earned.String())
	dst = strconv.AppendUint(append(dst, `,"likes":`...), c.Likes, 10)
	dst = strconv.AppendUint(append(dst, `,"dislikes":`...), c.Dislikes, 10)
	return append(dst, '}'), nil
}
