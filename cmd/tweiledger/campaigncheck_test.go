package main

import (
	"context"
	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// loggedEvent is what the checks look at in an event's line.
type loggedEvent struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Source   string `json:"source"`
	SourceID string `json:"source_id"`
	PostID   string `json:"post_id"`
	Postings []struct {
		Debit, Credit struct{ Account, Line string }
		Amount        domain.Twei
		Reversal      bool
	} `json:"postings"`
}

func (c *campaign) log() (events []loggedEvent) {
	c.t.Helper()
	for _, line := range exported(c.t, c.data) {
		var e loggedEvent
		if err := json.Unmarshal([]byte(line), &e, json.MatchCaseInsensitiveNames(true)); err != nil {
			c.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// check compares the log with the outcomes that were given out.
func (c *campaign) check() {
	c.t.Helper()
	if out, err := tweiledger(c.t, "verify", "--data", c.data); err != nil {
		c.t.Errorf("verify: %v\n%s", err, out)
	}
	at := map[string]int{}
	messages := map[domain.Message]bool{}
	for i, e := range c.log() {
		if _, twice := at[e.ID]; twice {
			c.t.Errorf("event %s is in the log twice", e.ID)
		}
		at[e.ID] = i
		messages[domain.Message{Source: e.Source, ID: e.SourceID}] = e.Type != "TariffPublished"
	}
	for m, given := range c.recorded {
		position, err := domain.ParsePosition(given.Position)
		index, _ := position.Numbers()
		if i, there := at[given.EventID]; err != nil || !there || uint64(i) != index {
			c.t.Errorf("message %v was given out as event %s at %s; in the log: %t, at %d", m, given.EventID, given.Position, there, i)
		}
	}
	for m, engagement := range messages {
		if _, given := c.recorded[m]; engagement && !given {
			c.t.Errorf("message %v is in the log, and nobody was told (rejected: %t)", m, c.rejected[m])
		}
	}
}

// checkStatements compares each statement with a naive sum over the log.
func (c *campaign) checkStatements() {
	c.t.Helper()
	type cell struct {
		scope domain.Scope
		line  string
	}
	sums := map[cell]domain.Twei{}
	add := func(e *loggedEvent, account, line string, change domain.Twei) {
		for _, scope := range []domain.Scope{{}, {PostID: e.PostID}, {AccountID: account}, {PostID: e.PostID, AccountID: account}} {
			sum, err := sums[cell{scope, line}].Add(change)
			if err != nil {
				c.t.Fatal(err)
			}
			sums[cell{scope, line}] = sum
		}
	}
	scopes := map[domain.Scope]bool{{}: true}
	for _, e := range c.log() {
		for _, p := range e.Postings {
			change := p.Amount
			if p.Reversal {
				change, _ = domain.Twei{}.Sub(p.Amount)
			}
			for _, side := range []struct{ Account, Line string }{p.Debit, p.Credit} {
				if side.Line != "" {
					add(&e, side.Account, side.Line, change)
					scopes[domain.Scope{PostID: e.PostID}] = true
					scopes[domain.Scope{AccountID: side.Account}] = true
					scopes[domain.Scope{PostID: e.PostID, AccountID: side.Account}] = true
				}
			}
		}
	}
	s, err := openService(c.t.Context(), home{dir: c.data}, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	if err := s.caughtUp(c.t.Context(), console{}); err != nil {
		c.t.Fatal(err)
	}
	views := s.views.Snapshot()
	defer views.Close()
	for scope := range scopes {
		statement, err := views.Statement(context.Background(), scope, projections.AsOf{})
		if err != nil {
			c.t.Fatal(err)
		}
		for l := domain.EarnedForPluses; l.Valid(); l++ {
			if got, want := statement.Sums.Of(l), sums[cell{scope, l.String()}]; got != want {
				c.t.Errorf("%+v %s: %s, the log adds up to %s", scope, l, got, want)
			}
		}
	}
}
