package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/domain"
)

// reportShop sells reports and shows them.
type reportShop interface {
	statementReader
	// buy buys a report of a post for an account, or finds the one that was bought with the key. With an error it may be
	// bought or not; the same again is safe.
	buy(ctx context.Context, post, account, key string) (answer, error)
}

// shop opens the place to buy a report.
func (p *place) shop(ctx context.Context, c console) (reportShop, error) {
	if p.URL != "" {
		return p.client()
	}
	s, err := p.openService(ctx)
	if err != nil {
		return nil, err
	}
	err = s.ledger.Start(ctx, nil)
	if err == nil {
		// What is sold is what the views have.
		err = s.caughtUp(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return folderShop{folderStatements{s}}, nil
}

// folderShop sells the reports of a folder. What was begun is finished also where ctx ends.
type folderShop struct{ folderStatements }

func (f folderShop) buy(ctx context.Context, post, account, key string) (answer, error) {
	return answerOf(f.service.ledger.IssueReport(context.WithoutCancel(ctx), post, account, key)), nil
}

func (f folderStatements) report(ctx context.Context, id, media string) ([]byte, error) {
	e, err := domain.ReadReport(ctx, f.service.log, id)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, fmt.Errorf("there is no report %s", id)
	case media == csvType:
		return httpapi.AppendReportCSV(nil, e)
	}
	return httpapi.AppendReport(nil, e)
}

func (c *client) buy(ctx context.Context, post, account, key string) (answer, error) {
	body, err := json.Marshal(map[string]string{"account_id": account})
	if err != nil {
		return answer{}, err
	}
	request, err := c.request(ctx, http.MethodPost, "/v1/posts/"+post+"/reports", nil, jsonType, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Idempotency-Key", quoted(key))
	return c.askFor(request)
}

func (c *client) report(ctx context.Context, id, media string) ([]byte, error) {
	request, err := c.request(ctx, http.MethodGet, "/v1/reports/"+id, nil, "", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", media)
	response, err := c.send(request)
	if err != nil {
		return nil, err
	}
	return readWhole(response)
}

// isKey reports whether a text may be a purchase's key, here and in the header: printable ASCII.
func isKey(text string) bool {
	printable := func(c rune) bool { return c >= ' ' && c <= '~' }
	return text != "" && len(text) <= domain.MaxMessageIDBytes &&
		strings.IndexFunc(text, func(c rune) bool { return !printable(c) }) < 0
}

// quoted writes a key as a string of structured fields (RFC 9651).
func quoted(key string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}
