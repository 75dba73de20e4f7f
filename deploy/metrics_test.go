package deploy

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"
)

var promQL = parser.NewParser(parser.Options{})

// metric is one name that the program serves.
type metric struct {
	kind model.MetricType
	// values are those of each label that were seen.
	values map[string][]string
}

// metrics are what the program serves, and what Prometheus adds.
type metrics map[string]*metric

// given are the labels that Prometheus adds to what it scrapes; a client chooses none of their values.
var given = map[string][]string{"instance": nil, "job": {"tweiledger"}}

// scrapeProgram returns what the program serves after some traffic.
func scrapeProgram(t *testing.T) metrics {
	t.Helper()
	url := serve(t, "TWEILEDGER_DATA="+filepath.Join(t.TempDir(), "data"), "TWEILEDGER_LISTEN=127.0.0.1:0",
		"TWEILEDGER_MIN_FREE=1MiB")
	engagements, err := run(t, nil, nil, "generate", "--posts", "3", "--accounts", "10", "--engagements", "100")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, nil, strings.NewReader(engagements), "import", "--url", url, "-"); err != nil {
		t.Fatal(err)
	}
	get(t, url+"/v1/pnl", "")
	return parseMetrics(t, get(t, url+"/metrics", ""))
}

func parseMetrics(t *testing.T, text string) metrics {
	t.Helper()
	served := metrics{"up": {kind: model.MetricTypeGauge}}
	const kind = "text/plain; version=0.0.4"
	p, err := textparse.New([]byte(text), kind, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]model.MetricType{}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return served
		}
		if err != nil {
			t.Fatal(err)
		}
		switch entry {
		case textparse.EntryType:
			name, kind := p.Type()
			kinds[string(name)] = kind
		case textparse.EntrySeries:
			var series labels.Labels
			p.Labels(&series)
			served.add(series, kinds)
		}
	}
}

// add adds a series. What a histogram or a summary counts and sums is a counter.
func (served metrics) add(series labels.Labels, kinds map[string]model.MetricType) {
	name := series.Get(model.MetricNameLabel)
	kind, known := kinds[name]
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		family, found := strings.CutSuffix(name, suffix)
		if _, of := kinds[family]; found && of && !known {
			kind = model.MetricTypeCounter
		}
	}
	m := served[name]
	if m == nil {
		m = &metric{kind, map[string][]string{}}
		served[name] = m
	}
	series.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel && !slices.Contains(m.values[l.Name], l.Value) {
			m.values[l.Name] = append(m.values[l.Name], l.Value)
		}
	})
}

// check parses an expression as Prometheus does and reports what in it the program does not serve. It returns the
// labels that the answer has.
func (served metrics) check(t *testing.T, what, text string) (has []string) {
	t.Helper()
	expr, err := promQL.ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return nil
	}
	parser.Inspect(expr, func(node parser.Node, above []parser.Node) error {
		if problem := served.problem(node, above); problem != "" {
			t.Errorf("%s: %s: %s", what, text, problem)
		}
		return nil
	})
	return served.labels(expr)
}

// problem says what is wrong with one node of an expression, "" if nothing is.
func (served metrics) problem(node parser.Node, above []parser.Node) string {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return served.selectorProblem(n, above)
	case *parser.AggregateExpr:
		for _, label := range n.Grouping {
			if !slices.Contains(served.labels(n.Expr), label) {
				return "there is no label " + label
			}
		}
	case *parser.Call:
		if n.Func.Name == "histogram_quantile" && !slices.Contains(served.labels(n.Args[1]), "le") {
			return "the buckets are gone"
		}
	}
	return ""
}

func (served metrics) selectorProblem(n *parser.VectorSelector, above []parser.Node) string {
	m := served[n.Name]
	if m == nil {
		return fmt.Sprintf("the program serves no %q", n.Name)
	}
	for _, matcher := range n.LabelMatchers {
		values, known := m.values[matcher.Name]
		if !known {
			values, known = given[matcher.Name]
		}
		switch {
		case matcher.Name == model.MetricNameLabel:
		case !known:
			return fmt.Sprintf("%s has no label %s", n.Name, matcher.Name)
		case matcher.Name != "instance" && !slices.ContainsFunc(values, matcher.Matches):
			return fmt.Sprintf("no %s has %s: there are %q", n.Name, matcher, values)
		}
	}
	function := ""
	for _, node := range above {
		if call, ok := node.(*parser.Call); ok {
			function = call.Func.Name
		}
	}
	counted := function == "rate" || function == "increase"
	if counted != (m.kind == model.MetricTypeCounter) {
		return fmt.Sprintf("%s is a %s, and so not asked for by %q", n.Name, m.kind, function)
	}
	return ""
}

// labels are those that the answer to an expression may have.
func (served metrics) labels(expr parser.Expr) (has []string) {
	switch e := expr.(type) {
	case *parser.VectorSelector:
		for label := range given {
			has = append(has, label)
		}
		if m := served[e.Name]; m != nil {
			for label := range m.values {
				has = append(has, label)
			}
		}
	case *parser.AggregateExpr:
		return e.Grouping
	case *parser.BinaryExpr:
		has = served.labels(e.LHS)
		if e.LHS.Type() == parser.ValueTypeScalar {
			has = served.labels(e.RHS)
		}
		if e.VectorMatching != nil {
			has = append(has, e.VectorMatching.Include...)
		}
	default:
		for node := range parser.ChildrenIter(expr) {
			if child, ok := node.(parser.Expr); ok {
				has = append(has, served.labels(child)...)
			}
		}
		if call, ok := expr.(*parser.Call); ok && call.Func.Name == "histogram_quantile" {
			has = slices.DeleteFunc(has, func(label string) bool { return label == "le" })
		}
	}
	return has
}

// The check refuses what would show nothing, and what would show something else than it says.
func TestCheckRefuses(t *testing.T) {
	served := parseMetrics(t, `# TYPE a_total counter
a_total{outcome="failed"} 1
# TYPE b gauge
b 1
# TYPE c_seconds histogram
c_seconds_bucket{le="+Inf"} 1
c_seconds_sum 1
c_seconds_count 1
`)
	for text, right := range map[string]bool{
		`sum by (outcome) (rate(a_total[5m]))`: true, `rate(a_total{outcome="failed"}[5m]) > 0`: true, `b`: true,
		`up{job="tweiledger"} == 0`: true, `rate(c_seconds_sum[5m]) / rate(c_seconds_count[5m])`: true,
		`histogram_quantile(0.5, sum by (le) (rate(c_seconds_bucket[5m])))`: true,
		`a`: false, `a_total`: false, `rate(b[5m])`: false, `b{outcome="failed"}`: false,
		`rate(a_total{outcome="fails"}[5m])`: false, `sum by (code) (rate(a_total[5m]))`: false,
		`up{job="tweiledgers"}`: false,
		`histogram_quantile(0.5, sum(rate(c_seconds_bucket[5m])))`: false,
	} {
		expr, err := promQL.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		problems := 0
		parser.Inspect(expr, func(node parser.Node, above []parser.Node) error {
			if served.problem(node, above) != "" {
				problems++
			}
			return nil
		})
		if right != (problems == 0) {
			t.Errorf("%s: %d problems", text, problems)
		}
	}
}
