package deploy

import (
	"context"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	oneFile     = "../docker-compose.yml"
	clusterFile = "../docker-compose.cluster.yml"
)

// load reads a compose file as compose does, in an environment of its own.
func load(file string, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(env))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

// projects are both files, by name.
func projects(t *testing.T) map[string]*types.Project {
	t.Helper()
	loaded := map[string]*types.Project{}
	for _, file := range []string{oneFile, clusterFile} {
		project, err := load(file, "EVENTSTORE_PASSWORD=secret")
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		loaded[file] = project
	}
	return loaded
}

func isTweiledger(s types.ServiceConfig) bool { return s.Build != nil }
func isEventStore(s types.ServiceConfig) bool {
	return strings.HasPrefix(s.Image, "eventstore/eventstore:")
}

// serves reports whether a service is a process of tweiledger serve.
func serves(s types.ServiceConfig) bool { return isTweiledger(s) && s.Command == nil }

// environment is what a service is given.
func environment(s types.ServiceConfig) map[string]string {
	values := map[string]string{}
	for name, value := range s.Environment {
		if value != nil {
			values[name] = *value
		}
	}
	return values
}

// Every image but ours has a version that stays what it is, the same one in both files.
func TestImagesArePinned(t *testing.T) {
	version := regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z-]+)?$`)
	tags := map[string]string{}
	for file, project := range projects(t) {
		for _, s := range project.Services {
			image, tag, _ := strings.Cut(s.Image, ":")
			if !isTweiledger(s) && !version.MatchString(tag) {
				t.Errorf("%s: %s is not pinned by version: %s", file, s.Name, s.Image)
			}
			if known, ok := tags[image]; ok && known != tag {
				t.Errorf("%s: %s is %s here, and %s elsewhere", file, image, tag, known)
			}
			tags[image] = tag
		}
	}
	if tags["eventstore/eventstore"] != "23.10.0-bookworm-slim" {
		t.Errorf("EventStoreDB's tag is %s", tags["eventstore/eventstore"])
	}
}

// What is reached from outside, by this machine alone. EventStoreDB is not.
func TestPorts(t *testing.T) {
	want := map[string]map[string]string{
		oneFile:     {"tweiledger": "127.0.0.1:8080", "prometheus": "127.0.0.1:9090", "grafana": "127.0.0.1:3000"},
		clusterFile: {"proxy": "127.0.0.1:8080", "prometheus": "127.0.0.1:9090", "grafana": "127.0.0.1:3000"},
	}
	for file, project := range projects(t) {
		got := map[string]string{}
		for _, s := range project.Services {
			for _, port := range s.Ports {
				got[s.Name] += port.HostIP + ":" + port.Published
			}
		}
		equalMaps(t, file+": ports", got, want[file])
	}
}

// EventStoreDB is on a network of its own without a way out, and nobody is there but it and who must be.
func TestNobodyElseReachesTheLog(t *testing.T) {
	for file, project := range projects(t) {
		if !project.Networks["log"].Internal {
			t.Errorf("%s: the network log has a way out", file)
		}
		for _, s := range project.Services {
			networks := s.NetworksByPriority()
			onLog := slices.Contains(networks, "log")
			switch {
			case isEventStore(s) && !slices.Equal(networks, []string{"log"}):
				t.Errorf("%s: %s is on %v", file, s.Name, networks)
			case serves(s) && !onLog, !serves(s) && !isEventStore(s) && onLog:
				t.Errorf("%s: %s is on %v", file, s.Name, networks)
			}
		}
	}
}

// Whatever stays has a health check that needs no shell, and what runs once has none and is waited for.
func TestHealthChecks(t *testing.T) {
	want := map[string]string{
		"eventstore":  "curl … http://localhost:2113/health/live",
		"node1":       "curl … https://localhost:2113/health/live",
		"node2":       "curl … https://localhost:2113/health/live",
		"node3":       "curl … https://localhost:2113/health/live",
		"tweiledger":  "/usr/local/bin/tweiledger … ready",
		"tweiledger1": "/usr/local/bin/tweiledger … ready",
		"tweiledger2": "/usr/local/bin/tweiledger … ready",
		"proxy":       "wget … http://127.0.0.1:8404/healthy",
		"prometheus":  "wget … http://localhost:9090/-/ready",
		"grafana":     "wget … http://localhost:3000/api/health",
	}
	for file, project := range projects(t) {
		for _, s := range project.Services {
			if s.Restart != "unless-stopped" {
				if s.Restart != "no" || s.HealthCheck != nil {
					t.Errorf("%s: %s is restarted %q and asked %v", file, s.Name, s.Restart, s.HealthCheck)
				}
				continue
			}
			if s.HealthCheck == nil || len(s.HealthCheck.Test) < 3 || s.HealthCheck.Test[0] != "CMD" {
				t.Errorf("%s: %s has no health check without a shell: %+v", file, s.Name, s.HealthCheck)
				continue
			}
			test := s.HealthCheck.Test
			if got := test[1] + " … " + test[len(test)-1]; got != want[s.Name] {
				t.Errorf("%s: %s is asked by %q, not %q", file, s.Name, got, want[s.Name])
			}
		}
	}
}

// Who waits for whom: nothing that needs a file begins before it is made, and Tweiledger not before the log.
func TestOrder(t *testing.T) {
	for file, project := range projects(t) {
		for _, s := range project.Services {
			for name, on := range s.DependsOn {
				other := project.Services[name]
				want := types.ServiceConditionHealthy
				if other.Restart == "no" {
					want = types.ServiceConditionCompletedSuccessfully
				} else if s.Name == "grafana" {
					want = types.ServiceConditionStarted
				}
				if on.Condition != want {
					t.Errorf("%s: %s waits until %s %s, not %s", file, s.Name, name, on.Condition, want)
				}
				// One of three nodes may be away.
				if on.Required == (file == clusterFile && isEventStore(other)) {
					t.Errorf("%s: %s cannot do without %s: %t", file, s.Name, name, on.Required)
				}
			}
			if !serves(s) {
				continue
			}
			for _, other := range project.Services {
				_, waits := s.DependsOn[other.Name]
				if (isEventStore(other) || other.Name == "tokens") && !waits {
					t.Errorf("%s: %s does not wait for %s", file, s.Name, other.Name)
				}
			}
		}
	}
}

// Each volume, who writes to it and who only reads it.
func TestVolumes(t *testing.T) {
	want := map[string]map[string]string{
		oneFile: {
			"events": "eventstore", "views": "tweiledger", "tokens": "tokens, tweiledger reads",
			"scrape": "tokens, prometheus reads", "metrics": "prometheus", "dashboards": "grafana",
		},
		clusterFile: {
			"events1": "node1", "events2": "node2", "events3": "node3", "authority": "certificates",
			"trust":        "certificates, node1 reads, node2 reads, node3 reads, tweiledger1 reads, tweiledger2 reads",
			"certificate1": "certificates, node1 reads", "certificate2": "certificates, node2 reads",
			"certificate3": "certificates, node3 reads", "views1": "tweiledger1", "views2": "tweiledger2",
			"tokens": "tokens, tweiledger1 reads, tweiledger2 reads",
			"scrape": "tokens, prometheus reads", "metrics": "prometheus", "dashboards": "grafana",
		},
	}
	for file, project := range projects(t) {
		users := map[string][]string{}
		for name := range project.Volumes {
			users[name] = nil
		}
		for _, s := range project.Services {
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					if !v.ReadOnly {
						t.Errorf("%s: %s may write to %s", file, s.Name, v.Source)
					}
					mustExist(t, v.Source)
					continue
				}
				user := s.Name
				if v.ReadOnly {
					user += " reads"
				}
				users[v.Source] = append(users[v.Source], user)
			}
		}
		got := map[string]string{}
		for name, of := range users {
			// Who writes stands first.
			slices.SortFunc(of, func(a, b string) int {
				aReads, bReads := strings.HasSuffix(a, " reads"), strings.HasSuffix(b, " reads")
				if aReads != bReads {
					return map[bool]int{true: 1, false: -1}[aReads]
				}
				return strings.Compare(a, b)
			})
			got[name] = strings.Join(of, ", ")
		}
		equalMaps(t, file+": volumes", got, want[file])
	}
}

// Tweiledger's containers can write to their volumes and to nothing else, as a user that is not root.
func TestTweiledgerIsConfined(t *testing.T) {
	image := readDockerfile(t)
	for file, project := range projects(t) {
		for _, s := range project.Services {
			if !isTweiledger(s) {
				continue
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged ||
				!slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.User != "" {
				t.Errorf("%s: %s is not confined", file, s.Name)
			}
			for _, v := range s.Volumes {
				if !v.ReadOnly && !slices.Contains(image.folders, v.Target) {
					t.Errorf("%s: %s writes to %s, of which the image knows no owner", file, s.Name, v.Target)
				}
			}
		}
		group := strings.SplitN(image.user, ":", 2)[1]
		if prometheus := project.Services["prometheus"]; !slices.Contains(prometheus.GroupAdd, group) {
			t.Errorf("%s: Prometheus cannot read the token of the group %s: %v", file, group, prometheus.GroupAdd)
		}
	}
}

// The three nodes know each other by the addresses that they have, and whoever speaks to them by their names; each has
// a certificate for both.
func TestCluster(t *testing.T) {
	project := projects(t)[clusterFile]
	subnet := netip.MustParsePrefix(project.Networks["log"].Ipam.Config[0].Subnet)
	var nodes []types.ServiceConfig
	addresses := map[string]string{}
	for _, name := range project.ServiceNames() {
		if s := project.Services[name]; isEventStore(s) {
			nodes = append(nodes, s)
			addresses[name] = s.Networks["log"].Ipv4Address
			if !subnet.Contains(netip.MustParseAddr(addresses[name])) {
				t.Errorf("%s is not in %s", addresses[name], subnet)
			}
		}
	}
	if len(nodes) != 3 {
		t.Fatalf("%d nodes", len(nodes))
	}
	certificates, hosts := []string{"/certificates"}, []string{}
	for _, s := range nodes {
		certificates = append(certificates, s.Name+"="+addresses[s.Name])
		hosts = append(hosts, s.Name+":2113")
		var others []string
		for _, other := range nodes {
			if other.Name != s.Name {
				others = append(others, addresses[other.Name]+":2113")
			}
		}
		env := environment(s)
		for name, want := range map[string]string{
			"EVENTSTORE_CLUSTER_SIZE": "3", "EVENTSTORE_REPLICATION_IP": addresses[s.Name],
			"EVENTSTORE_GOSSIP_SEED":                 strings.Join(others, ","),
			"EVENTSTORE_ADVERTISE_HOST_TO_CLIENT_AS": s.Name,
		} {
			if env[name] != want {
				t.Errorf("%s: %s is %q, not %q", s.Name, name, env[name], want)
			}
		}
	}
	if got := project.Services["certificates"].Command; !slices.Equal(got, types.ShellCommand(certificates)) {
		t.Errorf("certificates are made for %v, not for %v", got, certificates)
	}
	for _, name := range []string{"tweiledger1", "tweiledger2"} {
		log := environment(project.Services[name])["TWEILEDGER_LOG"]
		if want := "@" + strings.Join(hosts, ",") + "?tls=true&tlsCaFile=/trust/ca.crt"; !strings.Contains(log, want) {
			t.Errorf("%s has its log at %q, without %q", name, log, want)
		}
	}
}

// Nobody's password is one that stands in the file.
func TestClusterNeedsAPassword(t *testing.T) {
	if _, err := load(clusterFile); err == nil || !strings.Contains(err.Error(), "EVENTSTORE_PASSWORD") {
		t.Errorf("without a password: %v", err)
	}
}

// Who stands for the processes of a file: what Prometheus scrapes, and where the proxy sends.
func TestEveryProcessIsKnown(t *testing.T) {
	server := regexp.MustCompile(`(?m)^ +server \S+ (\S+)$`)
	backends := strings.Split(readFile(t, "haproxy/haproxy.cfg"), "\nbackend ")[1:]
	for file, project := range projects(t) {
		var processes []string
		for _, name := range project.ServiceNames() {
			if s := project.Services[name]; serves(s) {
				processes = append(processes, name+":8080")
			}
		}
		if got := scraped(t, project); !slices.Equal(got, processes) {
			t.Errorf("%s: Prometheus scrapes %v, not %v", file, got, processes)
		}
		if file != clusterFile {
			continue
		}
		if len(backends) != 3 {
			t.Errorf("the proxy has %d backends", len(backends))
		}
		for _, backend := range backends {
			var servers []string
			for _, found := range server.FindAllStringSubmatch(backend, -1) {
				servers = append(servers, found[1])
			}
			if !slices.Equal(servers, processes) {
				t.Errorf("the proxy sends to %v, not to %v", servers, processes)
			}
		}
	}
}

// mounted returns the file in this repository that a service has at a path.
func mounted(t *testing.T, s types.ServiceConfig, target string) string {
	t.Helper()
	for _, v := range s.Volumes {
		if v.Target == target {
			return v.Source
		}
		if rest, ok := strings.CutPrefix(target, v.Target+"/"); ok && v.Type == types.VolumeTypeBind {
			return path.Join(v.Source, rest)
		}
	}
	t.Fatalf("%s has nothing at %s", s.Name, target)
	return ""
}
