package deploy

import (
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"
)

// prometheusFolder is where Prometheus's image has its configuration, from which the paths in it go.
const prometheusFolder = "/etc/prometheus"

// prometheusFile is prometheus/prometheus.yml, as far as it is used here: any other member is an error.
type prometheusFile struct {
	Global struct {
		ScrapeInterval     model.Duration `yaml:"scrape_interval"`
		EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	} `yaml:"global"`
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		Authorization struct {
			CredentialsFile string `yaml:"credentials_file"`
		} `yaml:"authorization"`
		FileSD []struct {
			Files []string `yaml:"files"`
		} `yaml:"file_sd_configs"`
		Static []targetGroup `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

type targetGroup struct {
	Targets []string `yaml:"targets"`
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(readFile(t, file)))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readPrometheus(t *testing.T) (f prometheusFile) {
	t.Helper()
	readYAML(t, "prometheus/prometheus.yml", &f)
	if len(f.ScrapeConfigs) != 2 || f.ScrapeConfigs[0].JobName != "tweiledger" || len(f.ScrapeConfigs[0].FileSD) != 1 {
		t.Fatalf("Prometheus scrapes %+v", f.ScrapeConfigs)
	}
	return f
}

// credentialsFile is where Prometheus has its token.
func credentialsFile(t *testing.T) string {
	t.Helper()
	return path.Join(prometheusFolder, readPrometheus(t).ScrapeConfigs[0].Authorization.CredentialsFile)
}

// scraped are the addresses of the job tweiledger in a compose file.
func scraped(t *testing.T, project *types.Project) (targets []string) {
	t.Helper()
	for _, file := range readPrometheus(t).ScrapeConfigs[0].FileSD[0].Files {
		var groups []targetGroup
		readYAML(t, mounted(t, project.Services["prometheus"], path.Join(prometheusFolder, file)), &groups)
		for _, g := range groups {
			targets = append(targets, g.Targets...)
		}
	}
	return targets
}

// The rules that Prometheus reads are those of alerts.yml.
func TestPrometheusReadsTheAlerts(t *testing.T) {
	for file, project := range projects(t) {
		for _, rules := range readPrometheus(t).RuleFiles {
			from := mounted(t, project.Services["prometheus"], path.Join(prometheusFolder, rules))
			if path.Base(from) != "alerts.yml" {
				t.Errorf("%s: Prometheus reads %s", file, from)
			}
		}
	}
}

func readAlerts(t *testing.T) (alerts []rulefmt.Rule) {
	t.Helper()
	groups, errs := rulefmt.ParseFile("prometheus/alerts.yml", false, model.LegacyValidation, promQL, slog.Default())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups.Groups {
		alerts = append(alerts, g.Rules...)
	}
	return alerts
}

// Prometheus takes the alerts, and each can fire: its metrics and their labels are there.
func TestAlerts(t *testing.T) {
	served := scrapeProgram(t)
	names := map[string]bool{}
	for _, alert := range readAlerts(t) {
		if names[alert.Alert] || alert.For == 0 || alert.Labels["severity"] == "" {
			t.Errorf("%s stands twice, or says not how long or how severe", alert.Alert)
		}
		names[alert.Alert] = true
		served.check(t, alert.Alert, alert.Expr)
	}
}

// What alerts.yml says and what docs/operations.md says is the same.
func TestAlertsAreDocumented(t *testing.T) {
	var documented, alerts [][]string
	link := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
	for _, row := range tableRows(t, "alert", "it says", "PromQL", "for", "what to do") {
		for i := range row {
			row[i] = strings.ReplaceAll(link.ReplaceAllString(row[i], "$1"), "`", "")
		}
		documented = append(documented, row)
	}
	for _, alert := range readAlerts(t) {
		alerts = append(alerts, []string{alert.Alert, alert.Annotations["summary"], alert.Expr, alert.For.String(),
			alert.Annotations["description"]})
	}
	if !slices.EqualFunc(documented, alerts, slices.Equal) {
		t.Errorf("docs/operations.md has\n%q\nalerts.yml has\n%q", documented, alerts)
	}
}
