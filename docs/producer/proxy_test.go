package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// fault is what becomes of a request on its way.
type fault string

// The faults. Where the ledger has the request, it has recorded what is in it.
const (
	none fault = "none"
	// refused: the connection ends before the ledger has the request.
	refused fault = "refused"
	// busy: 503 instead of the ledger's answer, which never had the request.
	busy fault = "busy"
	// lost: the ledger has it, and the connection ends before the answer.
	lost fault = "lost"
	// cut: the connection ends in the middle of the answer.
	cut fault = "cut"
	// late: the answer does not come in the time that the producer waits.
	late fault = "late"
	// failing: the ledger has it, and the answer says "failed" of the second half, as where a store did not say.
	failing fault = "failing"
	// halved: the ledger has the first half, and the answer says "failed" of the second, as where a store is away.
	halved fault = "halved"
	// garbled: the answer is 200 and of somebody else, as from a wrong gateway.
	garbled fault = "garbled"
	// killedBefore, killedAfter and killedAnswered are kill -9 of the producer: before the ledger has it, before the
	// answer, and at some moment behind the answer.
	killedBefore   fault = "killed before"
	killedAfter    fault = "killed after"
	killedAnswered fault = "killed answered"
)

// faultyProxy stands before a server, and gives one request after the other the faults of its schedule, over and over.
type faultyProxy struct {
	t        *testing.T
	to       string
	schedule []fault

	mu     sync.Mutex // guards what follows
	count  map[fault]int
	n      int
	victim *exec.Cmd
}

// startProxy starts a proxy before a server until the test ends, and returns it with its URL.
func startProxy(t *testing.T, to string, schedule []fault) (*faultyProxy, string) {
	p := &faultyProxy{t: t, to: to, schedule: schedule, count: map[fault]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

// start starts a command that is killed by the faults that kill.
func (p *faultyProxy) start(command *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.victim = command
	return command.Start()
}

func (p *faultyProxy) next() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.schedule[p.n%len(p.schedule)]
	p.n++
	p.count[f]++
	return f
}

// kill is kill -9; who ended already is left alone.
func (p *faultyProxy) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.victim.Process.Kill()
}

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.next()
	request, err := io.ReadAll(r.Body)
	if err != nil {
		// Its producer was killed.
		panic(http.ErrAbortHandler)
	}
	switch f {
	case refused:
		panic(http.ErrAbortHandler)
	case busy:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case killedBefore:
		p.kill()
		panic(http.ErrAbortHandler)
	}
	whole := p.split(request)
	if f == halved {
		whole = whole[:len(whole)/2]
	}
	answer := p.forward(r, whole)
	switch f {
	case lost:
		panic(http.ErrAbortHandler)
	case killedAfter:
		p.kill()
		panic(http.ErrAbortHandler)
	case late:
		<-r.Context().Done()
		return
	case failing, halved:
		answer = p.fail(answer, len(p.split(request)))
	case garbled:
		answer = []byte("<html>welcome</html>")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	if f == cut {
		answer = answer[:len(answer)/2]
	}
	_, _ = w.Write(answer)
	_ = http.NewResponseController(w).Flush()
	if f == killedAnswered {
		p.kill()
	}
	if f == cut {
		panic(http.ErrAbortHandler)
	}
}

// split returns the elements of a JSON array.
func (p *faultyProxy) split(array []byte) (elements []json.RawMessage) {
	if err := json.Unmarshal(array, &elements); err != nil {
		p.t.Errorf("%v: %s", err, array)
	}
	return elements
}

// forward returns the server's answer to a batch of events.
func (p *faultyProxy) forward(r *http.Request, events []json.RawMessage) []byte {
	response, err := http.Post(p.to+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(p.joined(events)))
	if err != nil {
		p.t.Errorf("the server: %v", err)
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Errorf("the server: %s, %v: %s", response.Status, err, answer)
	}
	return answer
}

// fail returns an answer about so many events whose second half failed.
func (p *faultyProxy) fail(answer []byte, events int) []byte {
	var batch struct {
		Outcomes []json.RawMessage `json:"outcomes"`
	}
	if err := json.Unmarshal(answer, &batch); err != nil {
		p.t.Errorf("%v: %s", err, answer)
	}
	outcomes := batch.Outcomes[:events/2]
	for i := events / 2; i < events; i++ {
		outcomes = append(outcomes, fmt.Appendf(nil, `{"outcome":"failed","detail":"the log did not say","index":%d}`, i))
	}
	return fmt.Appendf(nil, `{"outcomes":%s}`, p.joined(outcomes))
}

// joined returns elements as a JSON array.
func (p *faultyProxy) joined(elements []json.RawMessage) []byte {
	array, err := json.Marshal(elements)
	if err != nil {
		p.t.Error(err)
	}
	return array
}
