package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// asProducer makes a process of the tests' own program be the producer.
const asProducer = "TWEILEDGER_TEST_AS_PRODUCER"

func TestMain(m *testing.M) {
	if os.Getenv(asProducer) != "" {
		main()
		os.Exit(0)
	}
	code := m.Run()
	if program.folder != "" {
		_ = os.RemoveAll(program.folder)
	}
	os.Exit(code)
}

// program is the ledger's program, built once for all tests.
var program struct {
	once         sync.Once
	folder, path string
	err          error
}

// tweiledgerPath returns the path of the ledger's program.
func tweiledgerPath(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.folder, program.err = os.MkdirTemp("", "tweiledger"); program.err != nil {
			return
		}
		program.path = filepath.Join(program.folder, "tweiledger")
		build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program.path, "../../cmd/tweiledger")
		build.Stderr = os.Stderr
		program.err = build.Run()
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// tweiledger runs a command to its end and returns what it prints.
func tweiledger(t *testing.T, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), tweiledgerPath(t), args...)
	var notes bytes.Buffer
	command.Stderr = &notes
	out, err := command.Output()
	if err != nil {
		t.Fatalf("tweiledger %s: %v\n%s", strings.Join(args, " "), err, notes.Bytes())
	}
	return out
}

// startServer serves a folder until the test ends, and returns the URL.
func startServer(t *testing.T, data string, more ...string) string {
	t.Helper()
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--min-free", "0"}, more...)
	command := exec.Command(tweiledgerPath(t), args...)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	command.Stderr = &notes
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, notes.Bytes())
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server prints no address: %v", err)
	}
	return strings.TrimSpace(url)
}

// producerCommand returns the producer, ready to start.
func producerCommand(args ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asProducer+"=1")
	return command
}

// get returns the body of an answer that must be 200.
func get(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, response.Status, err, body)
	}
	return body
}

// writeOutbox writes lines as an outbox in a folder of its own.
func writeOutbox(t *testing.T, lines [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.jsonl")
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decode[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return v
}
