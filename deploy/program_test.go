package deploy

import (
	"bufio"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// program is the binary, built by the Dockerfile's own command.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tweiledger-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "tweiledger")
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	command := goBuild.FindStringSubmatch(string(text))
	if command == nil {
		fmt.Fprintln(os.Stderr, "the Dockerfile builds nothing")
		return 1
	}
	build := exec.Command("sh", "-c", command[1]+` -o "$0" `+command[2], program)
	build.Dir, build.Stdout, build.Stderr = "..", os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the program:", err)
		return 1
	}
	return m.Run()
}

// run runs the program in an environment of its own, and returns what it prints.
func run(t *testing.T, env []string, in io.Reader, args ...string) (stdout string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Env, command.Stdin = env, in
	var notes strings.Builder
	command.Stderr = &notes
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("tweiledger %s: %w: %s%s", strings.Join(args, " "), err, out, notes.String())
	}
	return string(out), err
}

// serve starts tweiledger serve and returns its address. It is stopped with the test, and must then end well.
func serve(t *testing.T, env ...string) (url string) {
	t.Helper()
	command := exec.Command(program, "serve")
	command.Env = env
	var notes strings.Builder
	command.Stderr = &notes
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		hung := time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() })
		defer hung.Stop()
		if err := command.Wait(); err != nil {
			t.Errorf("tweiledger serve: %v: %s", err, notes.String())
		}
	})
	if readErr != nil {
		t.Fatalf("no address was printed: %v", readErr)
	}
	return strings.TrimSpace(line)
}

// get returns the body of an answer with 200.
func get(t *testing.T, url, secret string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, response.Status, err, text)
	}
	return string(text)
}

// Each variable of Tweiledger's is a flag of serve: one that is not would be passed over in silence.
func TestVariablesAreFlags(t *testing.T) {
	help, err := run(t, nil, nil, "serve", "--help")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`\$TWEILEDGER_[A-Z_]+`).FindAllString(help, -1)
	for file, project := range projects(t) {
		for _, s := range project.Services {
			for name := range environment(s) {
				if serves(s) && !slices.Contains(flags, "$"+name) {
					t.Errorf("%s: %s: %s is no flag of serve", file, s.Name, name)
				}
			}
		}
	}
}

// The program takes the address of the log that a file gives it, up to trying to get there.
func TestAddressesAreTaken(t *testing.T) {
	authority := filepath.Join(t.TempDir(), "ca.crt")
	of := httptest.NewTLSServer(nil)
	defer of.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: of.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	host := regexp.MustCompile(`\b(eventstore|node[123]):2113`)
	for file, project := range projects(t) {
		for _, s := range project.Services {
			if !serves(s) {
				continue
			}
			log := strings.Replace(environment(s)["TWEILEDGER_LOG"], "/trust/ca.crt", authority, 1)
			_, err := run(t, nil, nil, "export", "--log", host.ReplaceAllString(log, "127.0.0.1:1"))
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s: %s: the log at %q: %v", file, s.Name, log, err)
			}
		}
	}
}

// serverVariables are what EventStoreDB 23.10 knows of what is needed here: a server does not start with one that it
// does not know.
var serverVariables = []string{
	"ADVERTISE_HOST_TO_CLIENT_AS", "CERTIFICATE_FILE", "CERTIFICATE_PRIVATE_KEY_FILE", "CLUSTER_SIZE",
	"DISCOVER_VIA_DNS", "GOSSIP_SEED", "INSECURE", "REPLICATION_IP", "RUN_PROJECTIONS",
	"TRUSTED_ROOT_CERTIFICATES_PATH",
}

// passwordVariables are known by EventStoreDB's documentation alone (docs/security.md in its repository, "Running with
// default admin and ops password"): the first start makes the users with them, and they can be set as variables only.
var passwordVariables = []string{"DEFAULT_ADMIN_PASSWORD", "DEFAULT_OPS_PASSWORD"}

// What is set of EventStoreDB is what the table in docs/operations.md says of each file.
func TestServerVariables(t *testing.T) {
	documented := map[string]map[string]string{oneFile: {}, clusterFile: {}}
	for _, row := range tableRows(t, "variable", "one node", "three nodes", "why") {
		for name := range strings.SplitSeq(strings.ReplaceAll(row[0], "`", ""), ", ") {
			if row[1] != "" {
				documented[oneFile][name] = "set"
			}
			if row[2] != "" {
				documented[clusterFile][name] = "set"
			}
		}
	}
	for file, project := range projects(t) {
		for _, s := range project.Services {
			if !isEventStore(s) {
				continue
			}
			set := map[string]string{}
			for name := range environment(s) {
				short, ok := strings.CutPrefix(name, "EVENTSTORE_")
				if !ok || !slices.Contains(serverVariables, short) && !slices.Contains(passwordVariables, short) {
					t.Errorf("%s: %s: EventStoreDB does not know %s", file, s.Name, name)
				}
				set[short] = "set"
			}
			equalMaps(t, file+": "+s.Name, set, documented[file])
		}
	}
}

// The first start of docker-compose.yml without an engine: tokens are made by the service's command, the program serves
// with the service's variables, the health check finds it ready, and what Prometheus has opens /metrics.
func TestFirstStart(t *testing.T) {
	project := projects(t)[oneFile]
	root := t.TempDir()
	// moved is a text with the paths of the container brought below root.
	moved := func(text string) string { return strings.ReplaceAll(text, "/var/lib/tweiledger", root) }
	for _, name := range []string{"tokens", "scrape"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	var args []string
	for _, arg := range project.Services["tokens"].Command {
		args = append(args, moved(arg))
	}
	printed, err := run(t, nil, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := run(t, nil, nil, args...); err != nil || again != "" {
		t.Errorf("the second start printed %q: %v", again, err)
	}

	env := environment(project.Services["tweiledger"])
	for name := range env {
		env[name] = moved(env[name])
	}
	// There is no EventStoreDB here, the port may be taken, and this machine may have less space.
	delete(env, "TWEILEDGER_LOG")
	env["TWEILEDGER_LISTEN"], env["TWEILEDGER_MIN_FREE"] = "127.0.0.1:0", "1MiB"
	url := serve(t, list(env)...)

	check := project.Services["tweiledger"].HealthCheck.Test
	if _, err := run(t, []string{"TWEILEDGER_URL=" + url}, nil, check[2:]...); err != nil {
		t.Errorf("the health check: %v", err)
	}
	prometheus := project.Services["prometheus"]
	secret := strings.TrimSpace(readFile(t, moved(shared(t, project, prometheus, credentialsFile(t)))))
	if !strings.Contains(get(t, url+"/metrics", secret), "tweiledger_log_events") {
		t.Error("Prometheus scrapes nothing")
	}
	for _, name := range []string{"web", "ops", "auditor"} {
		if !regexp.MustCompile(`(?m)^` + name + ` twl_\S+$`).MatchString(printed) {
			t.Errorf("the secret of %s is not in the log", name)
		}
	}
	if strings.Contains(printed, secret) {
		t.Error("the secret of Prometheus is in the log")
	}
}

// shared returns where the service tokens has a file that another service reads at a path.
func shared(t *testing.T, project *types.Project, s types.ServiceConfig, file string) string {
	t.Helper()
	for _, v := range s.Volumes {
		rest, ok := strings.CutPrefix(file, v.Target+"/")
		if !ok {
			continue
		}
		for _, of := range project.Services["tokens"].Volumes {
			if of.Source == v.Source {
				return filepath.Join(of.Target, rest)
			}
		}
	}
	t.Fatalf("%s has no volume with %s", s.Name, file)
	return ""
}

func list(env map[string]string) (of []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		of = append(of, name+"="+env[name])
	}
	return of
}
