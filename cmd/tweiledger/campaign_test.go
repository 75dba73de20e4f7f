package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"

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

// seeded returns a source of randomness, and logs its seed, so that a failure can be had again.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func campaignLoad(random *rand.Rand, engagements int) [][]byte {
	return slices.Collect(workload.Generate(workload.Options{Posts: 20, Accounts: 100, Engagements: engagements, Seed: random.Uint64()}))
}
