package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// benchServerCommand serves like serve, beside it the reference that statements are compared with, and collects its
// garbage for each line on its standard input: what bench measures reads and memory of.
type benchServerCommand struct {
	Data string `required:"" placeholder:"DIR" help:"Folder of the ledger."`
}

// Run runs the command.
func (cmd *benchServerCommand) Run(ctx context.Context, c console) error {
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			debug.FreeOSMemory()
			fmt.Fprintln(c.out, "collected")
		}
	}()
	serve := serveCommand{
		Data: cmd.Data, Listen: "127.0.0.1:0", logging: logging{LogLevel: "warn"}, extend: addReferences,
	}
	return serve.Run(ctx, c)
}

// child is a serving process of the run's program.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	origin string
}

// startChild starts a server on a folder and waits until it is ready.
func (r *benchRun) startChild(ctx context.Context, args ...string) (_ *child, err error) {
	c := &child{cmd: exec.CommandContext(ctx, r.program, args...)}
	var logs bytes.Buffer
	c.cmd.Stderr = &logs
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	origin, err := c.out.ReadString('\n')
	if err == nil {
		c.origin = strings.TrimSpace(origin)
		err = c.ready(ctx)
	}
	if err != nil {
		c.kill()
		return nil, fmt.Errorf("a serving process did not become ready: %w: %s", err, logs.String())
	}
	return c, nil
}

// ready waits until the process says that it is.
func (c *child) ready(ctx context.Context) error {
	for {
		response, err := http.Get(c.origin + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// kill ends the process as a crash would: kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// collect makes the process collect its garbage, and returns its resident bytes.
func (c *child) collect() (float64, error) {
	if _, err := io.WriteString(c.in, "collect\n"); err != nil {
		return 0, err
	}
	if _, err := c.out.ReadString('\n'); err != nil {
		return 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 64)
			return n * 1024, err
		}
	}
	return 0, errors.New("the kernel does not tell the resident memory")
}

// compare measures a large log over a small one, in turns.
func (r *benchRun) compare(
	ctx context.Context, key, unit string, measure func(dir string) (float64, error),
) (f figures, err error) {
	f.Unit = unit
	smallLog, err := r.small(ctx)
	if err != nil {
		return f, err
	}
	largeLog, err := r.large(ctx)
	if err != nil {
		return f, err
	}
	bar := newBar(r.notes, key, "rounds", int64(r.rounds))
	defer bar.Exit()
	for range r.rounds {
		large, err := measure(largeLog.dir)
		if err != nil {
			return f, err
		}
		small, err := measure(smallLog.dir)
		if err != nil {
			return f, err
		}
		f.add(large, small)
		_ = bar.Add(1)
	}
	return f, nil
}

func measureMemoryFlat(ctx context.Context, r *benchRun) (figures, error) {
	return r.compare(ctx, "memory_flat", "bytes", func(dir string) (float64, error) {
		c, err := r.startChild(ctx, "bench-server", "--data", dir)
		if err != nil {
			return 0, err
		}
		defer c.kill()
		if err := c.askAll(r.posts); err != nil {
			return 0, err
		}
		return c.collect()
	})
}

func measureStartFlat(ctx context.Context, r *benchRun) (figures, error) {
	seed := uint64(1)
	return r.compare(ctx, "start_flat", "s", func(dir string) (float64, error) {
		serve := []string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}
		crashed, err := r.startChild(ctx, serve...)
		if err != nil {
			return 0, err
		}
		seed++
		err = crashed.load(r, seed)
		crashed.kill()
		if err != nil {
			return 0, err
		}
		start := time.Now()
		c, err := r.startChild(ctx, serve...)
		if err != nil {
			return 0, err
		}
		defer c.kill()
		return time.Since(start).Seconds(), nil
	})
}

// load sends some engagements, so that a crash leaves something to recover.
func (c *child) load(r *benchRun, seed uint64) error {
	var body bytes.Buffer
	skip := r.posts
	for line := range workload.Generate(workload.Options{Posts: r.posts, Engagements: r.unflushed, Seed: seed}) {
		if skip--; skip < 0 {
			body.Write(line)
			body.WriteByte('\n')
		}
	}
	response, err := http.Post(c.origin+"/v1/events", "application/x-ndjson", &body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
