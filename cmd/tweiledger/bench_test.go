package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
)

// miniature is a scale at which figures mean nothing, and everything is done nevertheless.
var miniature = benchScale{
	events:   2_000,
	posts:    10,
	rounds:   1,
	ingest:   benchBatch,
	requests: 60,

	unflushed: 100,

	hotEntries: 1_000, quietEntries: 20, queries: 50,
}

// Every key can be measured, and what is printed has all of them.
func TestBenchMeasuresEveryKey(t *testing.T) {
	program, err := exec.LookPath("tweiledger")
	if err != nil {
		t.Fatal(err)
	}
	run := &benchRun{benchScale: miniature, dir: t.TempDir(), program: program, notes: io.Discard}
	result, err := run.measure(t.Context(), benchmarks)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range benchmarks {
		f := result.Figures[b.key]
		if len(f.Numerators) != run.rounds || len(f.Denominators) != run.rounds || f.Unit == "" {
			t.Errorf("%s: %+v", b.key, f)
		}
		if ratio := result.Ratios[b.key]; !(ratio > 0) || math.IsInf(ratio, 0) {
			t.Errorf("%s: the ratio is %v", b.key, ratio)
		}
	}
	var table bytes.Buffer
	if err := result.write(&table, benchmarks); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(table.String(), "\n"); lines != 1+len(benchmarks) {
		t.Errorf("the table has %d lines:\n%s", lines, &table)
	}
}

// The keys and what they have to reach are those of DESIGN section 8.
func TestBenchBounds(t *testing.T) {
	want := map[string]benchBound{
		"ingest_batch":    {Floor: 0.25, Aim: 0.5},
		"ingest_folded":   {Floor: 0.12, Aim: 0.25},
		"ingest_single":   {Floor: 2, Aim: 4},
		"rebuild":         {Floor: 0.25, Aim: 0.5},
		"read_statement":  {Floor: 0.5, Aim: 0.8},
		"as_of_flat":      {Floor: 2, Aim: 1.2, AtMost: true},
		"as_of_time_flat": {Floor: 5, Aim: 2, AtMost: true},
		"memory_flat":     {Floor: 1.5, Aim: 1.1, AtMost: true},
		"start_flat":      {Floor: 2, Aim: 1.2, AtMost: true},
	}
	if len(benchmarks) != len(want) {
		t.Errorf("there are %d keys, want %d", len(benchmarks), len(want))
	}
	for _, b := range benchmarks {
		got := b.bound(1)
		if got.Met = false; got != want[b.key] {
			t.Errorf("%s: %+v, want %+v", b.key, got, want[b.key])
		}
	}
}

// Every read route that the document has is asked before memory is measured, but for those that read no view, and
// the stream, which has no end.
func TestBenchAsksEveryReadRoute(t *testing.T) {
	noView := []string{"/livez", "/readyz", "/metrics", "/openapi.yaml", "/v1/reports/{report}", "/v1/stream"}
	text, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\{[^}]*\}`)

	for route, methods := range document.Paths {
		asked := regexp.MustCompile("^" + variable.ReplaceAllString(route, "[^/]+") + `(\?|$)`)
		if methods["get"] == nil || slices.Contains(noView, route) {
			continue
		}
		if !slices.ContainsFunc(questions, func(q question) bool { return asked.MatchString(q.path) }) {
			t.Errorf("no question asks %s", route)
		}
	}
}

// A ratio is the median of the rounds', and a script is told on which side of the floor it is.
func TestBenchRatio(t *testing.T) {
	f := figures{Numerators: []float64{1, 9, 4}, Denominators: []float64{1, 3, 2}}
	if got := f.ratio(); got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
	atLeast, atMost := benchmark{floor: 2, aim: 4}, benchmark{floor: 2, aim: 1, atMost: true}
	for _, c := range []struct {
		b     benchmark
		ratio float64
		met   bool
	}{
		{atLeast, 1.9, false}, {atLeast, 2, true}, {atLeast, 2.1, true},
		{atMost, 1.9, true}, {atMost, 2, true}, {atMost, 2.1, false},
	} {
		if got := c.b.bound(c.ratio); got.Met != c.met {
			t.Errorf("%v where %+v: met is %v", c.ratio, c.b.bound(c.ratio), got.Met)
		}
	}
	text, err := json.Marshal(&benchResult{
		map[string]float64{"k": 3}, map[string]benchBound{"k": atLeast.bound(3)},
		map[string]figures{"k": {[]float64{3}, []float64{1}, "1/s"}},
	})
	const want = `{"ratios":{"k":3},"bounds":{"k":{"floor":2,"aim":4,"at_most":false,"met":true}},` +
		`"figures":{"k":{"numerators":[3],"denominators":[1],"unit":"1/s"}}}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}
