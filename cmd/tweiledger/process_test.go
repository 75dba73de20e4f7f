package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a serving process of the program.
type process struct {
	url string

	command *exec.Cmd
	mu      sync.Mutex // guards notes
	notes   bytes.Buffer
	noted   *sync.Cond // on mu: there are more notes, or the process has ended
	ended   chan struct{}
	err     error // once ended is closed
}

func newProcess(command *exec.Cmd) *process {
	p := &process{command: command, ended: make(chan struct{})}
	p.noted = sync.NewCond(&p.mu)
	return p
}

// startProcess starts the program and waits until it prints the address that it serves on.
func startProcess(program, dir string, env []string, args ...string) (*process, error) {
	p := newProcess(exec.Command(program, args...))
	p.command.Dir, p.command.Env = dir, env
	p.command.Stderr = p
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "Statement: ")
		if at, err := url.Parse(line); err == nil && at.Host != "" {
			p.url = at.Scheme + "://" + at.Host
			break
		}
	}
	go func() {
		defer p.end()
		for lines.Scan() {
		}
		p.err = p.command.Wait()
	}()
	if p.url == "" {
		<-p.ended
		return nil, fmt.Errorf("no address was printed: %v: %s", p.err, p.stderr())
	}
	return p, nil
}

// Write takes what the process writes to its standard error.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.noted.Broadcast()
	return p.notes.Write(text)
}

// await returns once the process has written what matches to its standard error. It reports false where it ended
// before.
func (p *process) await(pattern *regexp.Regexp) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !pattern.Match(p.notes.Bytes()) {
		select {
		case <-p.ended:
			return false
		default:
			p.noted.Wait()
		}
	}
	return true
}

// end tells who waits that the process has ended.
func (p *process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.ended)
	p.noted.Broadcast()
}

func (p *process) stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.notes.String()
}

// terminate sends SIGTERM and returns how the process ended, which it must in the 10 s of DESIGN's promise.
func (p *process) terminate() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(10 * time.Second):
		p.kill()
		return fmt.Errorf("still there 10 s after SIGTERM: %s", p.stderr())
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// maxProgramBytes is what the one static binary may have.
const maxProgramBytes = 40 << 20

// buildProgram builds the program: in the long campaigns as it is released, else with what the tests have compiled
// already.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := t.TempDir() + "/tweiledger"
	command := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", program)
	if long() {
		command.Args = append(command.Args, "-trimpath")
		command.Env = append(command.Environ(), "CGO_ENABLED=0")
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil || info.Size() > maxProgramBytes {
		t.Fatalf("the program: %+v, %v", info, err)
	}
	t.Logf("the program has %d bytes", info.Size())
	return program
}
