package deploy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustExist(t *testing.T, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// equalMaps reports each key whose values differ.
func equalMaps(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	keys := maps.Clone(got)
	maps.Copy(keys, want)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if got[key] != want[key] {
			t.Errorf("%s: %s: %q, not %q", what, key, got[key], want[key])
		}
	}
}

// tableRows returns the cells of the table in docs/operations.md whose head has these columns.
func tableRows(t *testing.T, columns ...string) (rows [][]string) {
	t.Helper()
	head := "| " + strings.Join(columns, " | ") + " |\n"
	_, rest, found := strings.Cut(readFile(t, "../docs/operations.md"), head)
	if !found {
		t.Fatalf("docs/operations.md has no table %s", head)
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if !strings.HasPrefix(line, "|-") {
			rows = append(rows, cells(line))
		}
	}
	return rows
}

func cells(line string) (of []string) {
	line = strings.Trim(strings.TrimSpace(line), "|")
	for cell := range strings.SplitSeq(line, "|") {
		of = append(of, strings.TrimSpace(cell))
	}
	return of
}
