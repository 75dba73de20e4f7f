package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// TestNothingLostNothingTwice: whatever happens to requests, answers and the producer itself, the ledger holds in the
// end what it holds after an undisturbed import, and the producer says what became of each engagement.
func TestNothingLostNothingTwice(t *testing.T) {
	lines := slices.Collect(workload.Generate(workload.Options{Posts: 20, Accounts: 100, Engagements: 1500, Seed: 7}))
	lines = withRejections(lines)
	faults := []fault{refused, busy, lost, cut, late, failing, halved, garbled, killedBefore, killedAfter, killedAnswered}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	var schedule []fault
	for _, f := range faults {
		schedule = append(schedule, f, none)
	}

	d := deliverThrough(t, lines, schedule, "--batch", "100", "--timeout", "500ms", "--pause", "20ms")
	for _, f := range faults {
		if d.proxy.count[f] == 0 {
			t.Errorf("no request was %s", f)
		}
	}
	if d.starts < 4 {
		t.Errorf("the producer was started %d times", d.starts)
	}
	reference := importOnce(t, lines)
	sameLog(t, d.server, reference.url)
	if want := reference.summary.Outcomes["rejected"]; d.summary.Outcomes["rejected"] != want || want != 87 {
		t.Errorf("%d engagements were rejected, the import rejects %d", d.summary.Outcomes["rejected"], want)
	}
	if !maps.Equal(d.summary.Codes, reference.summary.Codes) {
		t.Errorf("the codes are %v, the import's %v", d.summary.Codes, reference.summary.Codes)
	}
	d.checkRejected(t)
	tweiledger(t, "verify", "--url", d.server)
}

// withRejections puts engagements between the lines that are rejected whenever they come.
func withRejections(lines [][]byte) [][]byte {
	const like = `{"source":"/web","id":"r-%d","time":"%s","type":"tweiledger.post.liked.v1","data":{"post_id":"%s","account_id":"a"%s}}`
	var all [][]byte
	for i, line := range lines {
		all = append(all, line)
		if i%50 == 7 && len(all) < len(lines) {
			all = append(all,
				fmt.Appendf(nil, like, 3*i, "2026-02-01T00:00:00Z", "no-such-post", ""),
				fmt.Appendf(nil, like, 3*i+1, "2999-02-01T00:00:00+01:00", "post-0", ""),
				fmt.Appendf(nil, like, 3*i+2, "2026-02-01T00:00:00.5Z", "post-0", `,"colour":"<red> & blue"`))
		}
	}
	return all
}

// TestRealData delivers engagements that nobody here wrote, where there are any, on connections that fail.
func TestRealData(t *testing.T) {
	var lines [][]byte
	if dir := os.Getenv("TWEILEDGER_TEST_DATA"); dir == "" {
		lines = slices.Collect(workload.Generate(workload.Options{Posts: 100, Accounts: 2_000, Engagements: 10_000, Seed: 11}))
	} else {
		for line, err := range workload.Polis(filepath.Join(dir, "polis-vtaiwan.uberx")) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
	}
	schedule := []fault{none, lost, none, none, cut, failing, none, halved, busy, none, refused, none}
	d := deliverThrough(t, lines, schedule, "--batch", "1000", "--pause", "10ms")
	reference := importOnce(t, lines)
	sameLog(t, d.server, reference.url)
	// A rejection is not remembered: where its answer is lost, the next try may find another code, never another outcome.
	if got, want := d.summary.Outcomes["rejected"], reference.summary.Outcomes["rejected"]; got != want {
		t.Errorf("%d engagements were rejected, the import rejects %d", got, want)
	}
	t.Logf("delivered as %v, imported as %v", d.summary, reference.summary)
	d.checkRejected(t)
}

// delivery is what became of an outbox.
type delivery struct {
	proxy          *faultyProxy
	server, outbox string
	starts         int
	summary        summary
	lines          int
}

// deliverThrough has a producer deliver lines to a new server through a proxy with faults, and starts it again whenever
// it is killed.
func deliverThrough(t *testing.T, lines [][]byte, schedule []fault, flags ...string) *delivery {
	t.Helper()
	d := &delivery{server: startServer(t, filepath.Join(t.TempDir(), "data")), outbox: writeOutbox(t, lines), lines: len(lines)}
	var at string
	d.proxy, at = startProxy(t, d.server, schedule)
	for killed := true; killed; d.starts++ {
		command := producerCommand(append(flags, "--url", at, "--outbox", d.outbox)...)
		var out, notes bytes.Buffer
		command.Stdout, command.Stderr = &out, &notes
		if err := d.proxy.start(command); err != nil {
			t.Fatal(err)
		}
		err := command.Wait()
		if killed = wasKilled(err); killed {
			continue
		}
		if err != nil {
			t.Fatalf("the producer: %v\n%s", err, notes.Bytes())
		}
		d.summary = decode[summary](t, out.Bytes())
	}
	counted := 0
	for _, n := range d.summary.Outcomes {
		counted += n
	}
	if d.summary.Engagements != len(lines) || counted != len(lines) {
		t.Errorf("the summary of %d lines is %v", len(lines), d.summary)
	}
	return d
}

func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// checkRejected holds that each rejected engagement is put aside once, and that the file is an outbox: sent from there,
// each is rejected again.
func (d *delivery) checkRejected(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(d.outbox + ".rejected")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(text) {
		r := decode[struct {
			Source, ID, Do string
			Outcome        outcome
		}](t, line)
		if message := r.Source + "\n" + r.ID; seen[message] {
			t.Errorf("%q is put aside twice", message)
		} else {
			seen[message] = true
		}
		if r.Outcome.Outcome != "rejected" || r.Do != remedy(r.Outcome.Code) {
			t.Errorf("put aside: %s", line)
		}
	}
	if len(seen) != d.summary.Outcomes["rejected"] {
		t.Errorf("%d engagements are put aside, %d were rejected", len(seen), d.summary.Outcomes["rejected"])
	}
	if len(seen) == 0 {
		return
	}
	out, err := producerCommand("--url", d.server, "--outbox", d.outbox+".rejected").Output()
	if again := decode[summary](t, out); err != nil || again.Outcomes["rejected"] != len(seen) {
		t.Errorf("sent again, the rejected come to %v, %v", again, err)
	}
}

// imported is a server over what an undisturbed import recorded.
type imported struct {
	url     string
	summary summary
}

func importOnce(t *testing.T, lines [][]byte) imported {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	// What the SDK writes is what it read, with a specversion.
	for i, line := range lines {
		if !bytes.Contains(line, []byte(`"specversion"`)) {
			lines[i] = append([]byte(`{"specversion":"1.0",`), line[1:]...)
		}
	}
	out := tweiledger(t, "import", "--data", data, "--min-free", "0", writeOutbox(t, lines))
	return imported{startServer(t, data), decode[summary](t, out)}
}

// sameLog holds that two servers have the same events and the same statements, whatever the order in which events that
// do not depend on each other came, and when.
func sameLog(t *testing.T, server, reference string) {
	t.Helper()
	got, want := logOf(t, server), logOf(t, reference)
	if len(got.events) != len(want.events) {
		t.Errorf("the log has %d events, the import's %d", len(got.events), len(want.events))
	}
	for i := range min(len(got.events), len(want.events)) {
		if got.events[i] != want.events[i] {
			t.Fatalf("the logs differ:\n%s\n%s", got.events[i], want.events[i])
		}
	}
	for _, path := range want.paths {
		if g, w := statementAt(t, server, path), statementAt(t, reference, path); g != w {
			t.Errorf("%s is\n%s\nnot\n%s", path, g, w)
		}
	}
}

var (
	recordedAt  = regexp.MustCompile(`"recorded_at":"[^"]*",`)
	whenItWas   = regexp.MustCompile(`"size":\d+,"recorded_through":"[^"]*",`)
	postMember  = regexp.MustCompile(`"post_id":"([^"]*)"`)
	actorMember = regexp.MustCompile(`"account(?:_id)?":"([^"]*)"`)
)

// theLog is a whole log without what differs from run to run, and the paths of all statements that it is behind.
type theLog struct{ events, paths []string }

func logOf(t *testing.T, server string) theLog {
	t.Helper()
	var l theLog
	scopes := map[string]bool{"/v1/pnl": true}
	// The first event is the tariff, which occurs when it is recorded.
	_, text, _ := strings.Cut(string(get(t, server+"/v1/log")), "\n")
	for line := range strings.Lines(text) {
		l.events = append(l.events, recordedAt.ReplaceAllString(line, ""))
		for _, m := range postMember.FindAllStringSubmatch(line, -1) {
			scopes["/v1/posts/"+url.PathEscape(m[1])+"/pnl"] = true
		}
		for _, m := range actorMember.FindAllStringSubmatch(line, -1) {
			if m[1] != "treasury" {
				scopes["/v1/accounts/"+url.PathEscape(m[1])+"/pnl"] = true
			}
		}
	}
	slices.Sort(l.events)
	l.paths = slices.Sorted(maps.Keys(scopes))
	// From here on every read is of the whole log.
	get(t, fmt.Sprintf("%s/v1/pnl?min_position=%d", server, len(l.events)))
	return l
}

func statementAt(t *testing.T, server, path string) string {
	t.Helper()
	return whenItWas.ReplaceAllString(string(get(t, server+path)), "")
}

// TestPauses: pauses double up to their bound, are never shorter than what was asked for, and are drawn at random.
func TestPauses(t *testing.T) {
	for _, row := range []struct {
		what     string
		failures int
		asked    time.Duration
		share    float64
		want     time.Duration
	}{
		{"half of the first", 0, 0, 0.5, 50 * time.Millisecond},
		{"doubled three times", 3, 0, 0.5, 400 * time.Millisecond},
		{"the shortest", 3, 0, 0, 0},
		{"as long as asked for", 3, 2 * time.Second, 0, 2 * time.Second},
		{"bounded", 14, 0, 0.5, maxPause / 2},
		{"bounded, however often", 1 << 40, time.Second, 0.5, maxPause/2 + time.Second},
	} {
		if got := pauseAfter(row.failures, 100*time.Millisecond, row.asked, row.share); got != row.want {
			t.Errorf("%s: %s, not %s", row.what, got, row.want)
		}
	}
}
