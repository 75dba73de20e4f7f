package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// postOrders are what a list of posts may be sorted by.
var postOrders = []order{
	{"total", projections.ByTotal}, {"profit", projections.ByProfit}, {"loss", projections.ByLoss},
	{"published", projections.ByPublication},
}

// tariffPatience bounds the wait for the tariff where the log is slow or away: an answer goes without what it says.
const tariffPatience = time.Second

// getPost serves GET /v1/posts/{post}: the post and its statement, which holds its counts. As of now it also says what
// the tariff in force asks of who buys a report and of who comments.
func (a *API) getPost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "post")
	if err != nil {
		return err
	}
	values, err := query(r, asOfParams...)
	if err != nil {
		return err
	}
	var terms []byte
	if !values.Has(paramAt.name) && !values.Has(paramSize.name) {
		terms = a.postTerms(r.Context())
	}
	return a.readAsOf(w, r, values, func(s *projections.Snapshot, dst []byte, asOf projections.AsOf) ([]byte, error) {
		post, found, err := s.Post(id, asOf)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%w %s", projections.ErrUnknownPost, id)
		}
		dst = appendPost(append(dst, `{"post":`...), &post)
		dst, err = appendStatement(r.Context(), s, append(dst, `,"statement":`...), domain.Scope{PostID: id}, asOf)
		return append(append(dst, terms...), '}'), err
	})
}

// postTerms returns the members that are by the tariff in force, none where there is none or it cannot be read now.
func (a *API) postTerms(ctx context.Context) (members []byte) {
	ctx, cancel := context.WithTimeout(ctx, tariffPatience)
	defer cancel()
	tariffs, err := a.Ledger.Tariffs(ctx)
	if err != nil {
		return nil
	}
	t := tariffs.InForce(time.Now())
	if t == nil {
		return nil
	}
	if price := t.ReportPrice(); price.Sign() > 0 {
		members = append(append(members, `,"report_price":"`...), price.String()...)
		members = append(members, '"')
	}
	return strconv.AppendUint(append(members, `,"comment_min_level":`...), t.CommentMinLevel, 10)
}

// getPosts serves GET /v1/posts: pages of posts in an order, as they are now.
func (a *API) getPosts(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition, paramSort, paramOrder, paramLimit, paramCursor)
	if err != nil {
		return err
	}
	by, fromLeast, page, err := querySorted(values, postOrders)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		posts, next, err := s.Posts(by, fromLeast, page)
		if err != nil {
			return nil, err
		}
		dst, err = appendList(append(dst, `{"posts":`...), posts, appendPostStatement)
		return appendNext(w, values, dst, next), err
	})
}

// getAccountPosts serves GET /v1/accounts/{account}/posts: pages of the posts that touched an account, by their ids,
// with its own statements.
func (a *API) getAccountPosts(w http.ResponseWriter, r *http.Request) error {
	account, values, page, err := pathPage(r, "account")
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		posts, next, err := s.AccountPosts(account, page)
		if err != nil {
			return nil, err
		}
		dst, err = appendList(append(dst, `{"posts":`...), posts, appendPostStatement)
		return appendNext(w, values, dst, next), err
	})
}

func appendPostStatement(dst []byte, p *projections.PostStatement) ([]byte, error) {
	dst = appendPost(append(dst, `{"post":`...), &p.Post)
	dst, err := p.Statement.AppendJSON(append(dst, `,"statement":`...))
	return append(dst, '}'), err
}

// appendPost appends a post. Before its publication only its id is known.
func appendPost(dst []byte, p *projections.Post) []byte {
	dst = appendText(append(dst, `{"post_id":`...), p.PostID)
	if p.Author == "" {
		return append(dst, '}')
	}
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
