package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// testKillPurchases: whenever the process is killed while reports are bought, each key of an account is one report and
// one charge. Every purchase is asked for until it is answered, and then once more.
func testKillPurchases(t *testing.T, program string) {
	rounds := 3
	if long() {
		rounds = 50
	}
	const buyers = 4
	c, random := newCampaign(t, program), seeded(t)
	c.sendAll(campaignLoad(random, 200), true)
	c.senders = buyers
	keys := 60 * rounds
	var all sync.WaitGroup
	for n := range buyers {
		all.Go(func() {
			// Two share an account and its keys.
			c.buyAll(fmt.Sprint("buyer-", n/2), keys)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.senders--
			c.changed.Broadcast()
		})
	}
	for range rounds {
		if !c.untilAnswered(1 + random.IntN(80)) {
			t.Fatal("all was bought before the last kill")
		}
		c.process.kill()
		c.start()
	}
	all.Wait()
	if err := c.process.terminate(); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	c.check()
	for n := range buyers / 2 {
		c.checkSpent(fmt.Sprint("buyer-", n), keys)
	}
}

// buyAll buys a report for each key, each twice.
func (c *campaign) buyAll(account string, keys int) {
	api, at := c.next(nil)
	for i := 0; api != nil && i < 2*keys; {
		key := fmt.Sprint("k-", i/2)
		bought, err := api.buy(context.Background(), fmt.Sprint("post-", i/2%20), account, key)
		var p *problem
		switch {
		case err == nil:
			if !bought.done() || bought.ReportID == "" {
				c.t.Errorf("%s %s: %s", account, key, bought.text)
			}
			c.keep([]answer{bought})
			i++
		case errors.As(err, &p) && p.Status == http.StatusServiceUnavailable:
			time.Sleep(10 * time.Millisecond)
		default:
			_ = api.close()
			api, at = c.next(at)
		}
	}
}

// checkSpent compares what an account was charged with how many reports it bought.
func (c *campaign) checkSpent(account string, reports int) {
	c.t.Helper()
	text, err := tweiledger(c.t, "statement", "--data", c.data, "--account", account, "--json")
	var s domain.Statement
	if err == nil {
		err = s.UnmarshalJSON([]byte(text))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if spent := s.Sums.Of(domain.PnLReports).String(); spent != fmt.Sprint(reports) || s.Counts.Reports != uint64(reports) {
		c.t.Errorf("%s was charged %s for %d of %d reports", account, spent, s.Counts.Reports, reports)
	}
}
