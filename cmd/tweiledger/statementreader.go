package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// statementReader reads statements and what stands beside them on a page.
type statementReader interface {
	// statement returns a statement as the route gives it. Of a post that nobody published, and as of a size that the log
	// has not got to, it is an error.
	statement(ctx context.Context, scope domain.Scope, asOf projections.AsOf) ([]byte, error)
	// post returns a post that was published.
	post(ctx context.Context, id string, asOf projections.AsOf) (*projections.Post, error)
	// report returns a report as the route gives it, as jsonType or csvType.
	report(ctx context.Context, id, media string) ([]byte, error)
	// tariffs returns the versions of the tariff, none for an empty log.
	tariffs(ctx context.Context) (domain.Tariffs, error)
	close() error
}

// statementReader opens the place to read statements. In a folder the views are brought to the log's end, which is all
// that is written.
func (p *place) statementReader(ctx context.Context, c console) (statementReader, error) {
	if p.URL != "" {
		return p.client()
	}
	s, err := p.openService(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.caughtUp(ctx, c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return folderStatements{s}, nil
}

// folderStatements reads the views of a folder.
type folderStatements struct{ service *service }

func (f folderStatements) statement(ctx context.Context, scope domain.Scope, asOf projections.AsOf) ([]byte, error) {
	snapshot := f.service.views.Snapshot()
	defer snapshot.Close()
	s, err := snapshot.Statement(ctx, scope, asOf)
	switch {
	case errors.Is(err, projections.ErrUnknownPost):
		return nil, fmt.Errorf("no post %s was published", scope.PostID)
	case errors.Is(err, projections.ErrNotFolded):
		return nil, fmt.Errorf("there is no size %d yet: the log has %d events", asOf.Size, snapshot.Size())
	case err != nil:
		return nil, err
	}
	return s.AppendJSON(nil)
}

func (f folderStatements) post(_ context.Context, id string, asOf projections.AsOf) (*projections.Post, error) {
	snapshot := f.service.views.Snapshot()
	defer snapshot.Close()
	post, found, err := snapshot.Post(id, asOf)
	if err == nil && !found {
		err = fmt.Errorf("no post %s was published", id)
	}
	return &post, err
}

func (f folderStatements) tariffs(ctx context.Context) (domain.Tariffs, error) {
	return f.service.ledger.Tariffs(ctx)
}

func (f folderStatements) close() error { return f.service.Close() }

func (c *client) statement(ctx context.Context, scope domain.Scope, asOf projections.AsOf) ([]byte, error) {
	path, query := statementRoute(scope, asOf)
	return c.read(ctx, path, query)
}

// statementRoute returns the route of a scope's statement (DESIGN section 6).
func statementRoute(scope domain.Scope, asOf projections.AsOf) (path string, query url.Values) {
	query = asOfQuery(asOf)
	switch {
	case scope.PostID != "" && scope.AccountID != "":
		query.Set("account", scope.AccountID)
		return "/v1/posts/" + scope.PostID + "/pnl", query
	case scope.PostID != "":
		return "/v1/posts/" + scope.PostID + "/pnl", query
	case scope.AccountID != "":
		return "/v1/accounts/" + scope.AccountID + "/pnl", query
	}
	return "/v1/pnl", query
}

// asOfQuery returns the parameters by which the routes are asked as of a size and a time.
func asOfQuery(asOf projections.AsOf) url.Values {
	query := url.Values{}
	if asOf.Sized {
		query.Set("size", strconv.FormatUint(asOf.Size, 10))
	}
	if !asOf.At.IsZero() {
		query.Set("at", domain.FormatTime(asOf.At))
	}
	return query
}

func (c *client) post(ctx context.Context, id string, asOf projections.AsOf) (*projections.Post, error) {
	text, err := c.read(ctx, "/v1/posts/"+id, asOfQuery(asOf))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Post struct {
			PostID            string    `json:"post_id"`
			Author            string    `json:"author"`
			Title             string    `json:"title"`
			URL               string    `json:"url"`
			TimeToReadSeconds uint64    `json:"time_to_read_seconds"`
			PublishedAt       time.Time `json:"published_at"`
			RecordedAt        time.Time `json:"recorded_at"`
		} `json:"post"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("reading the post: %w", err)
	}
	post := projections.Post(answer.Post)
	return &post, nil
}
