package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// The campaign's senders, and what those that send many at a time send at once.
const (
	campaignSenders = 16
	campaignChunk   = 60
)

// campaign sends engagements to a process that is killed again and again, and keeps every outcome that was given out.
type campaign struct {
	t       *testing.T
	program string
	data    string

	mu sync.Mutex // guards what follows
	// changed is on mu: answers came, or process changed.
	changed *sync.Cond
	process *process
	// over: the process will not be started again.
	over bool
	// answers counts the outcomes given out.
	answers int
	// recorded holds the event of each message that was recorded or duplicate, rejected the others.
	recorded map[domain.Message]outcomeGiven
	rejected map[domain.Message]bool
	// senders is how many are not done.
	senders int
}

// outcomeGiven is what an outcome said.
type outcomeGiven struct {
	Source   string `json:"source"`
	ID       string `json:"id"`
	EventID  string `json:"event_id"`
	Position string `json:"position"`
}

func newCampaign(t *testing.T, program string) *campaign {
	c := &campaign{
		t: t, program: program, data: filepath.Join(t.TempDir(), "data"),
		recorded: map[domain.Message]outcomeGiven{}, rejected: map[domain.Message]bool{},
	}
	c.changed = sync.NewCond(&c.mu)
	c.start()
	t.Cleanup(func() { c.process.kill() })
	return c
}

// start starts the process on the campaign's folder.
func (c *campaign) start() {
	c.t.Helper()
	p, err := startProcess(c.program, c.t.TempDir(), nil, "serve", "--data", c.data, "--listen", "127.0.0.1:0", "--min-free", "0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process = p
	c.changed.Broadcast()
}

// end says that the process is not started again.
func (c *campaign) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.changed.Broadcast()
}

// next returns a client of a process other than last, and waits for one; nil when there will be none.
func (c *campaign) next(last *process) (*client, *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.process == last && !c.over {
		c.changed.Wait()
	}
	if c.over {
		return nil, nil
	}
	api, err := newClient(c.process.url)
	if err != nil {
		c.t.Error(err)
		return nil, nil
	}
	// Each client has connections of its own, so that none outlives its process.
	api.http.Transport = &http.Transport{}
	return api, c.process
}

// untilAnswered waits until that many more outcomes were given out. It reports false when nobody sends any more.
func (c *campaign) untilAnswered(more int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for goal := c.answers + more; c.answers < goal; {
		if c.senders == 0 {
			return false
		}
		c.changed.Wait()
	}
	return true
}

// send deals the engagements out to concurrent senders. wait returns when all are answered, or the campaign has ended.
func (c *campaign) send(engagements [][]byte) (wait func()) {
	var all sync.WaitGroup
	c.senders = campaignSenders
	for n := range campaignSenders {
		var own [][]byte
		for i := n; i < len(engagements); i += campaignSenders {
			own = append(own, engagements[i])
		}
		all.Go(func() {
			c.sendAll(own, n%2 == 0)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.senders--
			c.changed.Broadcast()
		})
	}
	return all.Wait
}

// sendAll sends engagements in order, again and again until each has an outcome.
func (c *campaign) sendAll(engagements [][]byte, chunks bool) {
	api, at := c.next(nil)
	for api != nil && len(engagements) > 0 {
		var answers []answer
		var err error
		if chunks {
			answers, err = api.record(context.Background(), engagements[:min(campaignChunk, len(engagements))])
		} else {
			answers, err = recordOne(api, engagements[0])
		}
		c.keep(answers)
		engagements = engagements[len(answers):]
		if err != nil {
			_ = api.close()
			api, at = c.next(at)
		}
	}
}

// recordOne sends one engagement by itself.
func recordOne(api *client, engagement []byte) ([]answer, error) {
	response, err := api.do(context.Background(), http.MethodPost, "/v1/events", nil, "application/cloudevents+json", bytes.NewReader(engagement))
	var refused *problem
	var text []byte
	switch {
	case errors.As(err, &refused) && refused.Outcome == string(domain.Rejected):
		text = refused.text
	case err != nil:
		return nil, err
	default:
		if text, err = readAnswer(response); err != nil {
			return nil, err
		}
	}
	a, err := parseAnswer(text)
	if err != nil {
		return nil, err
	}
	return []answer{a}, nil
}

// keep keeps outcomes that were given out. Two of one message must name the same event.
func (c *campaign) keep(answers []answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range answers {
		var given outcomeGiven
		if err := json.Unmarshal(answers[i].text, &given); err != nil {
			c.t.Error(err)
		}
		m := domain.Message{Source: given.Source, ID: given.ID}
		switch before, known := c.recorded[m]; {
		case answers[i].Result == domain.Failed:
			c.t.Errorf("an engagement failed: %s", answers[i].text)
		case !answers[i].done():
			c.rejected[m] = true
		case known && before != given:
			c.t.Errorf("message %v was recorded as %+v and as %+v", m, before, given)
		default:
			c.recorded[m] = given
		}
	}
	c.answers += len(answers)
	c.changed.Broadcast()
}

// TestProgram drives the program as it is released.
func TestProgram(t *testing.T) {
	program := buildProgram(t)
	t.Run("kill", func(t *testing.T) { testKill(t, program) })
	for range 3 {
		t.Run("terminate", func(t *testing.T) { testTerminate(t, program) })
	}
	t.Run("second signal", func(t *testing.T) { testSecondSignal(t, program) })
}

// testKill: whenever the process is killed under load, it loses nothing whose outcome was given out, shows nothing twice,
// and starts again by itself. The statements are what the log's postings add up to.
func testKill(t *testing.T, program string) {
	rounds := 3
	if long() {
		rounds = 50
	}
	c := newCampaign(t, program)
	wait := c.send(campaignLoad(500 * rounds))
	for range rounds {
		if !c.untilAnswered(1 + rand.IntN(400)) {
			t.Fatal("the load ended before the last kill")
		}
		c.process.kill()
		c.start()
	}
	wait()
	if err := c.process.terminate(); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	c.check()
	c.checkStatements()
}

// testTerminate: SIGTERM under load finishes what was accepted, answers it, and exits with 0: nothing is in the
// log whose outcome nobody was given.
func testTerminate(t *testing.T, program string) {
	c := newCampaign(t, program)
	wait := c.send(campaignLoad(20_000))
	if !c.untilAnswered(500 + rand.IntN(1000)) {
		t.Fatal("the load ended before SIGTERM")
	}
	err := c.process.terminate()
	c.end()
	wait()
	if err != nil {
		t.Fatalf("SIGTERM: %v\n%s", err, c.process.stderr())
	}
	if c.answers == 20_000 {
		t.Fatal("all was answered before SIGTERM")
	}
	c.check()
}

// testSecondSignal: who does not want to wait until a request has ended sends a second signal.
func testSecondSignal(t *testing.T, program string) {
	c := newCampaign(t, program)
	request, err := net.Dial("tcp", strings.TrimPrefix(c.process.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer request.Close()
	// The server says 100 Continue when it begins to read a body, whose end it then waits for.
	_, err = io.WriteString(request, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"+
		"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(request).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	// The first one is taken at some moment after it was sent, and so not told from the second one before.
	for again := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-c.process.ended:
			status, ok := c.process.command.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %v", c.process.err)
			}
			return
		case <-again.C:
			_ = c.process.command.Process.Signal(syscall.SIGTERM)
		}
	}
}

func campaignLoad(engagements int) [][]byte {
	return slices.Collect(workload.Generate(workload.Options{Posts: 20, Accounts: 100, Engagements: engagements, Seed: rand.Uint64()}))
}

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
	s, err := openService(c.t.Context(), c.data, 0)
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
		statement, err := views.Statement(scope)
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
