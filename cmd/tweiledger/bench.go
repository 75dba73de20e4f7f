package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
)

// benchCommand measures the ratios of DESIGN section 8.
type benchCommand struct {
	Events int      `default:"2000000" help:"Events in the larger of the two logs that are compared (${default} by default); the smaller has a tenth."`
	Only   []string `placeholder:"KEY" help:"Measure only these keys."`
	Dir    string   `default:"." placeholder:"DIR" help:"Where the measured files lie while it runs: a folder on a disk (the current one by default)."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (benchCommand) Help() string {
	return `Each ratio is measured against a denominator in the same run, on the same file system, interleaved with it in at
least five rounds; the median counts. Nothing is remembered from an earlier run.

Example: tweiledger bench --only ingest_batch --only ingest_single --json`
}

// A benchmark measures one key. Where atMost is set, less is better.
type benchmark struct {
	key        string
	what       string
	floor, aim float64
	atMost     bool
	measure    func(context.Context, *benchRun) (figures, error)
}

// benchmarks are the keys of DESIGN section 8 that can be measured so far.
var benchmarks = []benchmark{
	{"ingest_batch", "engagements a second in batches of 1,000 ÷ lines a second appended to a bare Pebble", 0.25, 0.5, false, measureIngestBatch},
	{"ingest_single", "engagements a second from 32 goroutines ÷ lines a second written and synced by one", 2, 4, false, measureIngestSingle},
	{"memory_flat", "resident bytes of a serving process, large log ÷ small log", 1.5, 1.1, true, measureMemoryFlat},
	{"start_flat", "seconds to ready after kill -9, large log ÷ small log", 2, 1.2, true, measureStartFlat},
}

// figures are the rounds of one benchmark: what was measured, over what, and each round's ratio.
type figures struct {
	Numerators   []float64 `json:"numerators"`
	Denominators []float64 `json:"denominators"`
	Unit         string    `json:"unit"`
}

func (f *figures) add(numerator, denominator float64) {
	f.Numerators = append(f.Numerators, numerator)
	f.Denominators = append(f.Denominators, denominator)
}

// ratio returns the median of the rounds' ratios.
func (f *figures) ratio() float64 {
	ratios := make([]float64, len(f.Numerators))
	for i := range ratios {
		ratios[i] = f.Numerators[i] / f.Denominators[i]
	}
	return median(ratios)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// benchRounds is how often each side is measured; odd, so that the median is one of them.
const benchRounds = 7

// benchRun is one run of the command: where its files are and what was prepared for several keys.
type benchRun struct {
	dir    string
	events int
	notes  io.Writer
	// logs are the folders of the small and the large log, once they are made.
	small, large string
}

// benchResult is what the command prints.
type benchResult struct {
	Ratios  map[string]float64 `json:"ratios"`
	Figures map[string]figures `json:"figures"`
}

func (c *benchCommand) Run(ctx context.Context, out console) error {
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.Dir, "tweiledger-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := refuseMemory(dir); err != nil {
		return err
	}
	run := &benchRun{dir: dir, events: c.Events, notes: out.notes}
	result := benchResult{map[string]float64{}, map[string]figures{}}
	for _, b := range chosen {
		f, err := b.measure(ctx, run)
		if err != nil {
			return fmt.Errorf("%s: %w", b.key, err)
		}
		result.Ratios[b.key], result.Figures[b.key] = f.ratio(), f
	}
	if c.JSON {
		return json.MarshalWrite(out.out, result, json.Deterministic(true), jsontext.WithIndent("  "))
	}
	return result.write(out.out, chosen)
}

// leastBenchEvents is below what the figures mean nothing.
const leastBenchEvents = 20_000

func (c *benchCommand) choose() (chosen []benchmark, _ error) {
	if c.Events < leastBenchEvents {
		return nil, &usageError{fmt.Sprintf("--events must be at least %d", leastBenchEvents), "smaller logs measure nothing but the start"}
	}
	byKey := map[string]benchmark{}
	for _, b := range benchmarks {
		byKey[b.key] = b
	}
	for _, key := range c.Only {
		b, ok := byKey[key]
		if !ok {
			return nil, &usageError{fmt.Sprintf("there is no key %q", key), "the keys are " + strings.Join(slices.Sorted(maps.Keys(byKey)), ", ")}
		}
		chosen = append(chosen, b)
	}
	if len(c.Only) == 0 {
		chosen = benchmarks
	}
	return chosen, nil
}

// refuseMemory refuses a folder that is kept in memory: a sync costs nothing there.
func refuseMemory(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return &usageError{dir + " is kept in memory, so its syncs would measure nothing", "give --dir, a folder on a disk"}
	}
	return nil
}

// write prints the ratios as a table, for a person.
func (r *benchResult) write(w io.Writer, chosen []benchmark) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "key\tratio\tfloor\taim\tmeasured\tover\t\twhat")
	for _, b := range chosen {
		f := r.Figures[b.key]
		bound := "≥"
		if b.atMost {
			bound = "≤"
		}
		fmt.Fprintf(table, "%s\t%.3f\t%s %g\t%s %g\t%.6g\t%.6g\t%s\t%s\n", b.key, r.Ratios[b.key], bound, b.floor, bound, b.aim,
			median(f.Numerators), median(f.Denominators), f.Unit, b.what)
	}
	return table.Flush()
}
