package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
)

// benchServerCommand serves like serve, and collects its garbage for each line on its standard input: what bench
// measures the memory of.
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
	serve := serveCommand{Data: cmd.Data, Listen: "127.0.0.1:0"}
	return serve.Run(ctx, c)
}

// child is a serving process of this very binary.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	origin string
}

// startChild starts a server on a folder and waits until it is ready.
func startChild(ctx context.Context, args ...string) (_ *child, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, args...)}
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

// get reads an answer to its end.
func (c *child) get(path string) error {
	response, err := http.Get(c.origin + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
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

// prepare makes the small and the large log, with their views, once for all keys that compare them.
func (r *benchRun) prepare(ctx context.Context) error {
	if r.large != "" {
		return nil
	}
	small, large := filepath.Join(r.dir, "small"), filepath.Join(r.dir, "large")
	if err := r.fill(ctx, small, r.events/10); err != nil {
		return err
	}
	if err := r.fill(ctx, large, r.events); err != nil {
		return err
	}
	r.small, r.large = small, large
	return nil
}

// fill makes a ledger of n engagements.
func (r *benchRun) fill(ctx context.Context, dir string, n int) (err error) {
	s, err := openService(ctx, dir, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.ledger.Start(ctx, nil); err != nil {
		return err
	}
	bar := newBar(r.notes, fmt.Sprintf("a log of %d", n), "events", int64(n))
	defer bar.Exit()
	next, stop := iter.Pull(workload.Generate(workload.Options{Posts: benchPosts, Engagements: n, Seed: 1}))
	defer stop()
	feed := benchLedger{Ledger: s.ledger, next: next}
	for batch := feed.take(benchBatch); len(batch) > 0; batch = feed.take(benchBatch) {
		if _, err := feed.record(ctx, batch); err != nil {
			return err
		}
		_ = bar.Add(len(batch))
	}
	head, err := s.log.Head(ctx)
	if err != nil {
		return err
	}
	return s.views.Wait(ctx, head)
}

// compare measures a large log over a small one, in turns.
func (r *benchRun) compare(ctx context.Context, key, unit string, measure func(dir string) (float64, error)) (f figures, err error) {
	f.Unit = unit
	if err := r.prepare(ctx); err != nil {
		return f, err
	}
	bar := newBar(r.notes, key, "rounds", benchRounds)
	defer bar.Exit()
	for range benchRounds {
		large, err := measure(r.large)
		if err != nil {
			return f, err
		}
		small, err := measure(r.small)
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
		c, err := startChild(ctx, "bench-server", "--data", dir)
		if err != nil {
			return 0, err
		}
		defer c.kill()
		if err := c.askAll(); err != nil {
			return 0, err
		}
		return c.collect()
	})
}

// askAll asks every view, and every post's statement.
func (c *child) askAll() error {
	paths := []string{"/v1/pnl", "/v1/tariffs", "/v1/tariffs/1"}
	for post := range benchPosts {
		id := fmt.Sprintf("post-%d", post)
		paths = append(paths, "/v1/posts/"+id, "/v1/posts/"+id+"/pnl",
			fmt.Sprintf("/v1/posts/%s/pnl?account=account-%d", id, post), fmt.Sprintf("/v1/accounts/account-%d/pnl", post))
	}
	paths = append(paths, "/v1/statements?post=post-0&post=post-1",
		"/v1/events/"+domain.NewEventID(domain.Message{Source: domain.LedgerSource, ID: "tariff/1"}, domain.TariffStream).String())
	for _, path := range paths {
		if err := c.get(path); err != nil {
			return err
		}
	}
	return nil
}

func measureStartFlat(ctx context.Context, r *benchRun) (figures, error) {
	seed := uint64(1)
	return r.compare(ctx, "start_flat", "s", func(dir string) (float64, error) {
		serve := []string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}
		crashed, err := startChild(ctx, serve...)
		if err != nil {
			return 0, err
		}
		seed++
		err = crashed.load(seed)
		crashed.kill()
		if err != nil {
			return 0, err
		}
		start := time.Now()
		c, err := startChild(ctx, serve...)
		if err != nil {
			return 0, err
		}
		defer c.kill()
		return time.Since(start).Seconds(), nil
	})
}

// load sends some engagements, so that a crash leaves something to recover.
func (c *child) load(seed uint64) error {
	var body bytes.Buffer
	skip := benchPosts
	for line := range workload.Generate(workload.Options{Posts: benchPosts, Engagements: 5 * benchBatch, Seed: seed}) {
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
