package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestProgram drives the program as it is released.
func TestProgram(t *testing.T) {
	program := buildProgram(t)
	t.Run("kill", func(t *testing.T) { testKill(t, program) })
	t.Run("kill purchases", func(t *testing.T) { testKillPurchases(t, program) })
	for range 3 {
		t.Run("terminate", func(t *testing.T) { testTerminate(t, program) })
	}
	t.Run("backup", func(t *testing.T) { testBackup(t, program) })
	t.Run("backup killed", func(t *testing.T) { testBackupKilled(t, program) })
	t.Run("second signal", func(t *testing.T) { testSecondSignal(t, program) })
}

// testKill: whenever the process is killed under load, it loses nothing whose outcome was given out, shows nothing
// twice, and starts again by itself. The statements are what the log's postings add up to.
func testKill(t *testing.T, program string) {
	rounds := 3
	if long() {
		rounds = 50
	}
	c, random := newCampaign(t, program), seeded(t)
	wait := c.send(campaignLoad(random, 500*rounds))
	for range rounds {
		if !c.untilAnswered(1 + random.IntN(400)) {
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
	c, random := newCampaign(t, program), seeded(t)
	wait := c.send(campaignLoad(random, 20_000))
	if !c.untilAnswered(500 + random.IntN(1000)) {
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
