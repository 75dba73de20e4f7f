package main

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// testBackup: a backup of the released program, taken while many senders append, agrees with the rules, holds every
// engagement that was answered before it began, and is a beginning of the log that is there in the end.
func testBackup(t *testing.T, program string) {
	c, random := newCampaign(t, program), seeded(t)
	rounds := 2
	if long() {
		rounds = 20
	}
	wait := c.send(campaignLoad(random, 5_000*rounds))
	folders := make([]string, rounds)
	for i := range folders {
		if !c.untilAnswered(200 + random.IntN(1_000)) {
			if i == 0 {
				t.Fatal("the load ended before the backup")
			}
			// Where everything else is slow, as under the race detector, it ends before the last one.
			folders = folders[:i]
			break
		}
		answered := c.given()
		folders[i] = filepath.Join(t.TempDir(), "backup")
		if out, err := tweiledger(t, "backup", "--url", c.process.url, folders[i]); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		holds(t, folders[i], answered)
	}
	c.end()
	if err := c.process.terminate(); err != nil {
		t.Fatal(err)
	}
	wait()
	whole := strings.Join(exported(t, c.data), "\n")
	for _, folder := range folders {
		if part := strings.Join(exported(t, folder), "\n"); !strings.HasPrefix(whole, part) {
			t.Error("a backup is no beginning of the log")
		}
	}
}

// given returns the events whose outcomes were given out.
func (c *campaign) given() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := map[string]bool{}
	for _, given := range c.recorded {
		events[given.EventID] = true
	}
	return events
}

// holds verifies a folder, and sees that it has these events.
func holds(t *testing.T, data string, events map[string]bool) {
	t.Helper()
	if out, err := tweiledger(t, "verify", "--data", data); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	missing := len(events)
	for _, line := range exported(t, data) {
		e, err := domain.DecodeEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if events[e.ID.String()] {
			missing--
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d events that were answered before are not in the backup", missing, len(events))
	}
}

// testBackupKilled kills the command, and then the process, in the middle of a backup: neither leaves what looks like a
// backup, and the next one is made all the same.
func testBackupKilled(t *testing.T, program string) {
	c := newCampaign(t, program)
	c.send(campaignLoad(seeded(t), 2_000))()
	dir := t.TempDir()
	for name, kill := range map[string]func(*process){"command": func(p *process) { p.kill() }, "process": func(*process) { c.process.kill() }} {
		t.Run(name, func(t *testing.T) {
			halfway := make(chan struct{})
			url := c.slowly(t, halfway)
			backup := filepath.Join(dir, name)
			p := startCommand(t, program, "backup", "--url", url, backup)
			<-halfway
			kill(p)
			<-p.ended
			if p.err == nil {
				t.Error("a backup that was cut off succeeded")
			}
			if _, err := os.Stat(backup); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is %s: %v", backup, err)
			}
			if out, err := tweiledger(t, "verify", "--data", backup+".partial"); err == nil {
				t.Errorf("what was left is taken for a ledger: %s", out)
			}
			if name == "process" {
				c.start()
			}
			if _, err := os.Stat(filepath.Join(logFolder(c.data), "checkpoint")); name == "process" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the checkpoint is still there: %v", err)
			}
			out, err := tweiledger(t, "backup", "--url", c.process.url, backup)
			// The process may not have noticed yet that who read the first one has gone.
			for err != nil && strings.Contains(err.Error(), "another backup") && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond)
				out, err = tweiledger(t, "backup", "--url", c.process.url, backup)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			holds(t, backup, c.given())
		})
	}
}

// slowly returns the address of a proxy that hands the first part of a backup on, closes halfway, and then nothing more
// until the client or the process has gone.
func (c *campaign) slowly(t *testing.T, halfway chan struct{}) string {
	t.Helper()
	return fakeServer(t, "/v1/backups", func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), "POST", c.process.url+"/v1/backups", strings.NewReader("{}"))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Content-Type", jsonType)
		response, err := (&http.Transport{ReadBufferSize: 512}).RoundTrip(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		part := make([]byte, 2_000)
		n, _ := response.Body.Read(part)
		w.Header().Set("Content-Length", response.Header.Get("Content-Length"))
		_, _ = w.Write(part[:n])
		_ = http.NewResponseController(w).Flush()
		close(halfway)
		select {
		case <-r.Context().Done():
		case <-c.process.ended:
		}
		panic(http.ErrAbortHandler)
	})
}

// startCommand starts a command of the program that prints no address.
func startCommand(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := newProcess(exec.Command(program, args...))
	p.command.Stderr = p
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer p.end()
		p.err = p.command.Wait()
	}()
	return p
}
