package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tweiledger/tweiledger/domain"
)

// question is a GET that memory_flat sends. In its path stand {post} and {account} for each post and as many accounts,
// {size} for half of the log, and {at} for the middle of its time.
type question struct{ path, accept string }

// benchTime is the middle of what the generator's engagements last.
const benchTime = "2026-01-16T00:00:00Z"

// firstTariff is the event that every log begins with.
var firstTariff = domain.NewEventID(domain.Message{Source: domain.LedgerSource, ID: "tariff/1"}, domain.TariffStream)

// questions together ask every view.
var questions = []question{
	{path: "/v1/pnl"},
	{path: "/v1/statements?post=post-0&post=post-1"},
	{path: "/v1/events/" + firstTariff.String()},
	{path: "/v1/events?source=" + domain.LedgerSource + "&id=tariff/1"},
	{path: "/v1/tariffs"},
	{path: "/v1/tariffs/1"},
	{path: "/v1/log"},
	{path: "/v1/posts/{post}"},
	{path: "/v1/posts/{post}/pnl"},
	{path: "/v1/posts/{post}/pnl?account={account}"},
	{path: "/v1/accounts/{account}/pnl"},
	{path: "/v1/posts?sort=total"},
	{path: "/v1/posts?sort=profit"},
	{path: "/v1/posts?sort=loss"},
	{path: "/v1/posts?sort=published"},
	{path: "/v1/posts/{post}/pnl?size={size}"},
	{path: "/v1/posts/{post}/pnl?at={at}"},
	{path: "/v1/posts/{post}/pnl?account={account}&size={size}"},
	{path: "/v1/posts/{post}/pnl?account={account}&at={at}"},
	{path: "/v1/posts/post-0/pnl?size={size}&at={at}"},
	{path: "/v1/posts/{post}/entries"},
	{path: "/v1/posts/{post}/entries", accept: "text/csv"},
	{path: "/v1/posts/{post}/entries?line=likes_author&from={at}"},
	{path: "/v1/posts/{post}/comments"},
	{path: "/v1/posts/{post}/history?interval=hour"},
	{path: "/v1/posts/{post}/history?interval=day"},
	{path: "/v1/accounts?sort=balance"},
	{path: "/v1/accounts?sort=total"},
	{path: "/v1/accounts?sort=profit"},
	{path: "/v1/accounts?size={size}", accept: "application/x-ndjson"},
	{path: "/v1/accounts/{account}/pnl?size={size}"},
	{path: "/v1/accounts/{account}/pnl?at={at}"},
	{path: "/v1/accounts/{account}/entries"},
	{path: "/v1/accounts/{account}/posts"},
	{path: "/v1/accounts/{account}/reports"},
	{path: "/v1/accounts/{account}/history?interval=hour"},
	{path: "/v1/accounts/{account}/history?interval=day"},
	{path: "/v1/pnl?size={size}"},
	{path: "/v1/pnl?at={at}"},
	{path: "/v1/history?interval=hour"},
	{path: "/v1/history?interval=day"},
}

// askAll asks every view: every question, of each post, and of as many accounts.
func (c *child) askAll(posts int) error {
	size, err := c.size()
	if err != nil {
		return err
	}
	for _, q := range questions {
		times := 1
		if strings.Contains(q.path, "{post}") || strings.Contains(q.path, "{account}") {
			times = posts
		}
		for n := range times {
			path := strings.NewReplacer("{post}", fmt.Sprint("post-", n), "{account}", fmt.Sprint("account-", n),
				"{size}", fmt.Sprint(size/2), "{at}", benchTime).Replace(q.path)
			if err := c.get(path, q.accept); err != nil {
				return err
			}
		}
	}
	return nil
}

// size returns the size of the log that the server has.
func (c *child) size() (uint64, error) {
	response, err := http.Head(c.origin + "/v1/pnl")
	if err != nil {
		return 0, err
	}
	if err := response.Body.Close(); err != nil {
		return 0, err
	}
	return strconv.ParseUint(response.Header.Get("Ledger-Size"), 10, 64)
}

// get reads an answer, of a media type if one is given, to its end.
func (c *child) get(path, accept string) error {
	request, err := http.NewRequest(http.MethodGet, c.origin+path, nil)
	if err != nil {
		return err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}
