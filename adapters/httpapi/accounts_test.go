package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tweiledger/tweiledger/adapters/pebbleviews"
	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// balanceLine is a line of a listing of balances, the last one too.
type balanceLine struct {
	AccountID  string      `json:"account_id"`
	Balance    domain.Twei `json:"balance"`
	Total      domain.Twei `json:"total"`
	ReadToEarn domain.Twei `json:"read_to_earn"`
	Size       uint64      `json:"size"`
	Accounts   *int        `json:"accounts"`
	Treasury   domain.Twei `json:"treasury"`
}

func balanceLines(t *testing.T, body []byte) (lines []balanceLine) {
	t.Helper()
	for line := range bytes.Lines(body) {
		var l balanceLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// load records what workload generates for a crowd.
func (w *world) load(accounts, engagements int) {
	w.t.Helper()
	for line := range workload.Generate(workload.Options{Posts: 20, Accounts: accounts, Engagements: engagements}) {
		w.ledger.Record(w.t.Context(), []domain.Received{domain.ParseEngagement(line)})
	}
	w.settle()
}

// TestBalances: as of each of several sizes, every account comes once, by its id, with what its own statement says, and
// all of them together are minus the treasury.
func TestBalances(t *testing.T) {
	w := openWorld(t)
	w.load(600, 3_000)
	log := w.events()
	for _, size := range []int{0, 1, 25, len(log) / 2, len(log)} {
		path := fmt.Sprintf("/v1/accounts?size=%d", size)
		a := w.get(path, header("Accept", mediaLines)).want(t, 200)
		lines := balanceLines(t, a.body)
		accounts, end := lines[:len(lines)-1], lines[len(lines)-1]
		if end.Accounts == nil || *end.Accounts != len(accounts) || end.Size != uint64(size) {
			t.Fatalf("%d accounts end with %+v", len(accounts), end)
		}
		var sum domain.Twei
		for i, l := range accounts {
			if i > 0 && l.AccountID <= accounts[i-1].AccountID || l.Size != uint64(size) {
				t.Errorf("%+v stands behind %+v", l, accounts[i-1])
			}
			var err error
			if sum, err = sum.Add(l.Balance); err != nil {
				t.Fatal(err)
			}
		}
		treasury := w.get(fmt.Sprintf("/v1/pnl?size=%d", size)).want(t, 200).members(t)["treasury"]
		if opposite, _ := (domain.Twei{}).Sub(sum); opposite.String() != treasury || end.Treasury != opposite {
			t.Errorf("as of %d the balances are %s, the treasury is %v, said to be %s", size, sum, treasury, end.Treasury)
		}
		compareBalances(t, log[:size], accounts)
		if again := w.get(path, header("Accept", mediaLines)); !bytes.Equal(again.body, a.body) || a.header.Get("ETag") != "" {
			t.Error("asked again, it is another answer")
		}
	}
	now := w.get("/v1/accounts", header("Accept", mediaLines+", */*;q=0.1")).want(t, 200, fmt.Sprintf(`"size":%d}`, len(log)))
	if now.header.Get("Content-Type") != mediaLines || now.header.Get("Vary") != "Accept-Encoding, Accept" {
		t.Errorf("headers %v", now.header)
	}
}

// compareBalances compares balances with what a log's events moved.
func compareBalances(t *testing.T, log naive, listed []balanceLine) {
	t.Helper()
	sums := map[string]*domain.Sums{}
	for _, e := range log {
		if e.AccountID != "" && sums[e.AccountID] == nil {
			sums[e.AccountID] = new(domain.Sums)
		}
		for _, entry := range entriesIn(e, domain.Scope{}) {
			if sums[entry.Account] == nil {
				sums[entry.Account] = new(domain.Sums)
			}
			if err := sums[entry.Account].Add(entry.Line, entry.Change); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, l := range listed {
		s := &domain.Statement{}
		if sums[l.AccountID] != nil {
			s.Sums = *sums[l.AccountID]
		}
		_, _, total, _ := s.Sums.Subtotals()
		balance, _ := s.Balance()
		if sums[l.AccountID] == nil || l.Balance != balance || l.Total != total || l.ReadToEarn != s.Sums.Of(domain.ReadToEarn) {
			t.Errorf("as of %d %+v has %s", len(log), l, balance)
		}
	}
	if len(listed) != len(sums) {
		t.Errorf("as of %d there are %d accounts, %d are listed", len(log), len(sums), len(listed))
	}
}

// breakingStore is a store whose snapshots cannot read the rows of accounts to their end. It is told after how many.
type breakingStore struct {
	projections.Store
	after int
}

// breakingGenerations makes such stores.
type breakingGenerations struct {
	projections.Generations
	after int
}

func (g *breakingGenerations) Create() (projections.Store, error) {
	store, err := g.Generations.Create()
	return &breakingStore{store, g.after}, err
}

func (s *breakingStore) Snapshot() projections.StoreSnapshot {
	return &breakingSnapshot{s.Store.Snapshot(), s.after}
}

type breakingSnapshot struct {
	projections.StoreSnapshot
	after int
}

func (s *breakingSnapshot) Scan(from, to []byte) iter.Seq2[projections.Row, error] {
	return func(yield func(projections.Row, error) bool) {
		n := 0
		for row, err := range s.StoreSnapshot.Scan(from, to) {
			if n++; len(from) == 1 && from[0] == 'a' && n > s.after {
				yield(projections.Row{}, errors.New("the disk is gone"))
				return
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// TestBalancesThatBreak: a listing that has begun is cut off where it breaks, so that nobody takes it for whole; before
// that it is a problem.
func TestBalancesThatBreak(t *testing.T) {
	for _, after := range []int{0, 1_000} {
		w := openWorld(t, func(c *Config) {
			inner, err := pebbleviews.Open("breaking", pebbleviews.Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			if c.Views, err = projections.Open(t.Context(), &breakingGenerations{inner, after}, c.Log); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = c.Views.Run(ctx)
			}()
			t.Cleanup(func() {
				cancel()
				<-ended
				if err := inner.Close(); err != nil {
					t.Error(err)
				}
			})
		})
		w.load(2_000, 4_000)
		head, err := w.log.Head(t.Context())
		if err == nil {
			err = w.api.Views.Wait(t.Context(), head)
		}
		if err != nil {
			t.Fatal(err)
		}
		status, text, err := w.listBalances()
		if after == 0 {
			if status != 500 || err != nil {
				t.Errorf("a listing that cannot begin is %d %.200s %v", status, text, err)
			}
			continue
		}
		if status != 200 || err == nil || bytes.Contains(text, []byte(`"treasury"`)) || len(text) < balanceChunk {
			t.Errorf("%d: %d bytes ended with %v: …%s", status, len(text), err, text[max(0, len(text)-200):])
		}
		if !strings.Contains(w.logged.String(), "the disk is gone") {
			t.Errorf("logged: %s", w.logged)
		}
	}
}

func (w *world) listBalances() (status int, text []byte, err error) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", w.server.URL+"/v1/accounts", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", mediaLines)
	res, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// drainingWriter is an answer during whose first write the service begins to shut down.
type drainingWriter struct {
	*httptest.ResponseRecorder
	api *API
}

func (w *drainingWriter) Write(b []byte) (int, error) {
	w.api.Drain()
	return w.ResponseRecorder.Write(b)
}

// TestBalancesWhileTheServiceEnds: a listing that is under way is cut off, and none begins any more.
func TestBalancesWhileTheServiceEnds(t *testing.T) {
	w := openWorld(t)
	w.load(2_000, 4_000)
	r := httptest.NewRequest("GET", "/v1/accounts", nil)
	r.Host = "localhost"
	r.Header.Set("Accept", mediaLines)
	answer := &drainingWriter{httptest.NewRecorder(), w.api}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("the answer ends with %v", p)
			}
		}()
		w.api.ServeHTTP(answer, r)
	}()
	if n := answer.Body.Len(); n < balanceChunk || n > 2*balanceChunk || strings.Contains(answer.Body.String(), `"treasury"`) {
		t.Errorf("%d bytes were written", n)
	}
	status, text, err := w.listBalances()
	if status != 503 || err != nil || !bytes.Contains(text, []byte(`"failed"`)) {
		t.Errorf("while the service ends: %d %s %v", status, text, err)
	}
}

// TestBalancesThatDoNotAddUp: a listing whose sum is not the platform's does not end as if it were whole.
func TestBalancesThatDoNotAddUp(t *testing.T) {
	w := openWorld(t)
	w.publish("p1")
	s := w.views.Snapshot()
	defer s.Close()
	asOf := projections.AsOf{Size: s.Size(), Sized: true}
	list := &balanceList{size: s.Size(), accounts: 1, sum: domain.Wei(1)}
	if err := list.end(t.Context(), s, asOf); !errors.Is(err, domain.ErrCorrupt) || slices.Contains(list.lines, '\n') {
		t.Errorf("%v: %s", err, list.lines)
	}
}
