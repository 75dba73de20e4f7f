package deploy

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// panel is one of a dashboard's panels, as far as it is looked at here.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  source
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		RefID        string
		Datasource   source
		Expr         string
		LegendFormat string
	}
}

type source struct{ Type, UID string }

type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct {
			Name       string
			Definition string
			Datasource source
		}
	}
	Panels []panel
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readFile(t, "grafana/dashboards/tweiledger.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// rates puts in what Grafana does for its variables: the range that a rate needs, and the chosen processes.
var rates = strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")

// Each panel shows metrics that the program serves, by labels that they have.
func TestDashboardMetrics(t *testing.T) {
	served := scrapeProgram(t)
	legend := regexp.MustCompile(`\{\{ *([a-z_]+) *\}\}`)
	for _, p := range readDashboard(t).Panels {
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("%s shows %d metrics", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			has := served.check(t, p.Title, rates.Replace(target.Expr))
			if !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("%s: the choice of a process does not change %s", p.Title, target.Expr)
			}
			for _, found := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(has, found[1]) {
					t.Errorf("%s: %q names a label that the answer has not: %q", p.Title, target.LegendFormat, has)
				}
			}
		}
	}
}

// units are those of Grafana's that are used.
var units = []string{"none", "short", "s", "dtdurations", "bytes", "Bps", "cps", "eps", "reqps"}

// The rows are the questions, and whoever looks at a panel is told what it shows and in which unit.
func TestDashboardPanels(t *testing.T) {
	var rows []string
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("%s has another one's id", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%s lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Description == "" || !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%s has the unit %q and says %q", p.Title, p.FieldConfig.Defaults.Unit, p.Description)
		}
	}
	want := []string{
		"Engagements", "Append and fold latency", "Fold lag", "Log size", "HTTP", "Disk", "Go and the process",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %q", rows)
	}
}

// Grafana finds the dashboard and the source that it names, where docker-compose.yml puts them.
func TestGrafanaIsProvisioned(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool           `yaml:"isDefault"`
			JSONData                     map[string]any `yaml:"jsonData"`
		}
	}
	readYAML(t, "grafana/provisioning/datasources/prometheus.yml", &sources)
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type     string
			AllowUIUpdates bool `yaml:"allowUiUpdates"`
			Options        struct{ Path string }
		}
	}
	readYAML(t, "grafana/provisioning/dashboards/tweiledger.yml", &dashboards)
	if len(sources.Datasources) != 1 || len(dashboards.Providers) != 1 {
		t.Fatalf("%+v, %+v", sources, dashboards)
	}
	given := sources.Datasources[0]
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			for _, named := range []source{p.Datasource, target.Datasource} {
				if named != (source{given.Type, given.UID}) {
					t.Errorf("%s asks %+v", p.Title, named)
				}
			}
		}
	}
	for file, project := range projects(t) {
		grafana := project.Services["grafana"]
		mustExist(t, mounted(t, grafana, "/etc/grafana/provisioning/datasources/prometheus.yml"))
		mustExist(t, mounted(t, grafana, "/etc/grafana/provisioning/dashboards/tweiledger.yml"))
		mustExist(t, mounted(t, grafana, path.Join(dashboards.Providers[0].Options.Path, "tweiledger.json")))
		mustExist(t, mounted(t, grafana, environment(grafana)["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]))
		if _, ok := project.Services["prometheus"]; !ok || given.URL != "http://prometheus:9090" {
			t.Errorf("%s: Grafana asks %s", file, given.URL)
		}
	}
}
