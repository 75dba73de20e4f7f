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

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// benchCommand measures the ratios of DESIGN section 8.
type benchCommand struct {
	Events int      `default:"2000000" help:"Events in the larger of the two logs that are compared (${default} by default); all other sizes follow from it."`
	Only   []string `placeholder:"KEY" help:"Measure only these keys."`
	Dir    string   `default:"." placeholder:"DIR" help:"Where the measured files lie while it runs: a folder on a disk (the current one by default)."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (benchCommand) Help() string {
	return `Each ratio is measured against a denominator in the same run, on the same file system, interleaved with it in
at least five rounds; the median counts. Nothing is remembered from an earlier run. The design's bounds are meant for
the default --events: fewer events only show that it works.

JSON has under "bounds" what each ratio has to reach, and whether it does.

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

// bound returns what a ratio has to reach, and whether it does.
func (b *benchmark) bound(ratio float64) benchBound {
	met := ratio >= b.floor
	if b.atMost {
		met = ratio <= b.floor
	}
	return benchBound{b.floor, b.aim, b.atMost, met}
}

// benchmarks are the keys of DESIGN section 8. Those that start serving processes again and again come last: what they
// send makes the logs longer.
var benchmarks = []benchmark{
	{"ingest_batch", "engagements a second in batches of 1,000 ÷ lines a second appended to a bare Pebble",
		0.25, 0.5, false, measureIngestBatch},
	{"ingest_folded", "the same until every view has caught up ÷ the same", 0.12, 0.25, false, measureIngestFolded},
	{"ingest_single", "engagements a second from 32 goroutines ÷ lines a second written and synced by one",
		2, 4, false, measureIngestSingle},
	{"rebuild", "events a second folded from zero into views on the disk ÷ events a second read and decoded",
		0.25, 0.5, false, measureRebuild},
	{"read_statement", "statements a second over 16 connections ÷ answers a second of a handler that writes as many bytes",
		0.5, 0.8, false, measureReadStatement},
	{"as_of_flat", "time of statements as of random sizes, post of 1,000,000 entries ÷ post of 100",
		2, 1.2, true, measureAsOfFlat},
	{"as_of_time_flat", "the same as of random times", 5, 2, true, measureAsOfTimeFlat},
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

// benchScale says how much is measured. Tests measure less than the command.
type benchScale struct {
	// events are the engagements in the larger of the two logs that are compared; the smaller has a tenth.
	events int
	// posts are those of each log.
	posts int
	// rounds is how often each side is measured; odd, so that the median is one of them.
	rounds int
	// ingest is how many engagements a round of ingest takes, whole batches.
	ingest int
	// requests is how many statements a round of reads asks for.
	requests int
	// unflushed is how many engagements a process gets before it is killed.
	unflushed int
	// hotEntries and quietEntries are the entries of the two posts that statements as of then are asked of, queries how
	// many of each post's statements a round asks for.
	hotEntries, quietEntries, queries int
}

// scaleOf returns the command's scale for a number of events.
func scaleOf(events int) benchScale {
	return benchScale{
		events:   events,
		posts:    workload.DefaultPosts,
		rounds:   7,
		ingest:   min(events/20, 50_000) / benchBatch * benchBatch,
		requests: min(events/10, 30_000),

		unflushed:  5_000,
		hotEntries: min(events/2, 1_000_000), quietEntries: 100, queries: 1_000,
	}
}

// benchRun is one run of the command: where its files are, and what was prepared for several keys.
type benchRun struct {
	benchScale
	dir string
	// program is the binary that is started to serve: this very one.
	program string
	notes   io.Writer
	// logs are those that were filled, by the number of engagements in them.
	logs map[int]*filledLog
	asOf *asOfLog
}

// benchResult is what the command prints.
type benchResult struct {
	Ratios  map[string]float64    `json:"ratios"`
	Bounds  map[string]benchBound `json:"bounds"`
	Figures map[string]figures    `json:"figures"`
}

// benchBound is what a ratio has to reach: at least, or at most.
type benchBound struct {
	Floor  float64 `json:"floor"`
	Aim    float64 `json:"aim"`
	AtMost bool    `json:"at_most"`
	// Met says that the ratio keeps the floor.
	Met bool `json:"met"`
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
	program, err := os.Executable()
	if err != nil {
		return err
	}
	run := &benchRun{benchScale: scaleOf(c.Events), dir: dir, program: program, notes: out.notes}
	result, err := run.measure(ctx, chosen)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.MarshalWrite(out.out, result, json.Deterministic(true), jsontext.WithIndent("  "))
	}
	return result.write(out.out, chosen)
}

// measure measures the chosen keys, one after the other.
func (r *benchRun) measure(ctx context.Context, chosen []benchmark) (*benchResult, error) {
	result := &benchResult{map[string]float64{}, map[string]benchBound{}, map[string]figures{}}
	for _, b := range chosen {
		f, err := b.measure(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.key, err)
		}
		ratio := f.ratio()
		result.Ratios[b.key], result.Bounds[b.key], result.Figures[b.key] = ratio, b.bound(ratio), f
	}
	return result, nil
}

// leastBenchEvents is below what the figures mean nothing.
const leastBenchEvents = 20_000

func (c *benchCommand) choose() (chosen []benchmark, _ error) {
	if c.Events < leastBenchEvents {
		return nil, &usageError{fmt.Sprintf("--events must be at least %d", leastBenchEvents),
			"smaller logs measure nothing but the start"}
	}
	byKey := map[string]benchmark{}
	for _, b := range benchmarks {
		byKey[b.key] = b
	}
	for _, key := range c.Only {
		b, ok := byKey[key]
		if !ok {
			return nil, &usageError{fmt.Sprintf("there is no key %q", key),
				"the keys are " + strings.Join(slices.Sorted(maps.Keys(byKey)), ", ")}
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
		fmt.Fprintf(table, "%s\t%.3f\t%s %g\t%s %g\t%.6g\t%.6g\t%s\t%s\n", b.key, r.Ratios[b.key],
			bound, b.floor, bound, b.aim, median(f.Numerators), median(f.Denominators), f.Unit, b.what)
	}
	return table.Flush()
}
