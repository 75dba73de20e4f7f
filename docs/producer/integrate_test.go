package main

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// update has the answers in docs/integrate.md written anew from a run.
var update = flag.Bool("update", false, "write the answers in docs/integrate.md anew")

const integrateDoc = "../integrate.md"

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(integrateDoc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// example is a command of the page with the answer under it. Behind "needs=" stands a path that a server must have for
// it.
var example = regexp.MustCompile("(?ms)^(```sh(?: needs=(\\S+))?\n)(.*?)(^```\n\n```(?:json|text)\n)(.*?)^```\n")

// TestIntegrateDocRuns: every command of the page works, one after the other, and answers what stands under it.
func TestIntegrateDocRuns(t *testing.T) {
	for _, needed := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("no %s: not tested", needed)
		}
	}
	doc := readDoc(t)
	if blocks, examples := strings.Count(doc, "\n```sh"), len(example.FindAllString(doc, -1)); blocks != examples || blocks < 15 {
		t.Fatalf("%d commands, %d of them with an answer", blocks, examples)
	}
	shell := newShell(t)
	ran := example.ReplaceAllStringFunc(doc, func(block string) string {
		m := example.FindStringSubmatch(block)
		opening, needed, script, middle, want := m[1], m[2], m[3], m[4], m[5]
		if !shell.has(needed) {
			t.Logf("the server has no %s yet: not tested\n%s", needed, script)
			return block
		}
		answer := shell.run(script)
		if comparable(answer) != comparable(want) && !*update {
			t.Errorf("%sanswers\n%s\nnot\n%s", script, answer, want)
		}
		return opening + script + middle + folded(answer) + "```\n"
	})
	if *update {
		if err := os.WriteFile(integrateDoc, []byte(ran), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shell runs the page's commands in a folder of their own, on a server of their own.
type shell struct {
	*testing.T
	folder, url string
	// path is $PATH, places has where things are here.
	path   string
	places *strings.Replacer
}

// has reports whether the server has a path, "" among them.
func (s *shell) has(path string) bool {
	s.Helper()
	response, err := http.Get(s.url + path)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	return path == "" || response.StatusCode != http.StatusNotFound
}

func newShell(t *testing.T) *shell {
	folder := t.TempDir()
	docs, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(docs, filepath.Join(folder, "docs")); err != nil {
		t.Fatal(err)
	}
	url := startServer(t, filepath.Join(folder, "data"))
	return &shell{
		T: t, folder: folder, url: url, path: filepath.Dir(tweiledgerPath(t)) + ":" + os.Getenv("PATH"),
		places: strings.NewReplacer(
			"http://127.0.0.1:8080", url,
			"go run ./docs/producer", "env "+asProducer+"=1 "+os.Args[0],
		),
	}
}

func (s *shell) run(script string) string {
	s.Helper()
	command := exec.CommandContext(s.Context(), "bash", "-euo", "pipefail", "-c", s.places.Replace(script))
	command.Dir = s.folder
	command.Env = append(os.Environ(), "PATH="+s.path)
	var notes strings.Builder
	command.Stderr = &notes
	out, err := command.Output()
	if err != nil {
		s.Errorf("%s%v\n%s", script, err, notes.String())
	}
	return string(out)
}

// nowadays is a time of a run, with a fraction, which no time of an example has, or the id of a request.
var nowadays = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z|"request_id":"[0-9a-f]{16}"`)

// comparable returns an answer without what differs from run to run, and without white space, for lines are folded.
func comparable(answer string) string {
	return strings.Join(strings.Fields(nowadays.ReplaceAllString(answer, "<now>")), "")
}

// folded returns an answer with its long lines broken behind commas.
func folded(answer string) string {
	const longest = 118
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(answer, "\n") + "\n") {
		for len(line) > longest+1 {
			at := strings.LastIndex(line[:longest], `,"`)
			if at < 1 {
				break
			}
			b.WriteString(line[:at+1] + "\n")
			line = " " + line[at+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// cells returns the rows of a table whose first cell is one name in back-quotes, the name apart and without its quotes.
func cells(t *testing.T, doc, header string) map[string][]string {
	t.Helper()
	_, table, found := strings.Cut(doc, "\n"+header+"\n")
	if !found {
		t.Fatalf("there is no table %s", header)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		var row []string
		for _, cell := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		name := strings.Trim(row[0], "`")
		if rows[name] != nil {
			t.Errorf("%s stands twice under %s", name, header)
		}
		rows[name] = row[1:]
	}
	return rows
}

// TestIntegrateDocCodes: the tables of codes hold the closed set and no more, and say what the producer does.
func TestIntegrateDocCodes(t *testing.T) {
	const header = "| code | status | do | what it means |"
	doc := readDoc(t)
	sent := cells(t, doc, header)
	_, rest, _ := strings.Cut(doc, "These are only given to an operator's requests")
	operators := cells(t, rest, header)
	var listed, want []string
	for _, table := range []map[string][]string{sent, operators} {
		for code, row := range table {
			listed = append(listed, code)
			if do := row[1]; !slices.Contains([]string{"retry", "fix", "drop", "alert"}, do) || row[2] == "" {
				t.Errorf("%s says %q", code, row)
			}
		}
	}
	for _, code := range domain.Codes {
		want = append(want, string(code))
	}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("the tables have %q, the set is %q", listed, want)
	}
	says := map[string]string{}
	for code, row := range sent {
		says[code] = row[1]
	}
	if !maps.Equal(says, remedies) {
		t.Errorf("the table says %v, the producer does %v", says, remedies)
	}
	if remedy("a_code_of_later") != "alert" {
		t.Error("a code that is not known is not for a person")
	}
}

// TestIntegrateDocSets: the tables of reasons and outcomes hold their closed sets and no more.
func TestIntegrateDocSets(t *testing.T) {
	doc := readDoc(t)
	var reasons []string
	for _, reason := range domain.Reasons {
		reasons = append(reasons, string(reason))
	}
	outcomes := []string{string(domain.Recorded), string(domain.Duplicate), string(domain.Rejected), string(domain.Failed)}
	for header, want := range map[string][]string{
		"| reason | what it means | |": reasons,
		"| outcome | what to do |":     outcomes,
	} {
		got := slices.Sorted(maps.Keys(cells(t, doc, header)))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s holds %q, the set is %q", header, got, want)
		}
	}
}

// TestIntegrateDocEvents: the table of events has a row for each type that may be sent, with the members that its data
// has, and with what the default tariff gives for it.
func TestIntegrateDocEvents(t *testing.T) {
	rows := map[string][]string{}
	for what, row := range cells(t, readDoc(t), "| what happened | `type` | `data` | what it moves by the default tariff |") {
		rows[strings.Trim(row[0], "`")] = append(row[1:], what)
	}
	sent := 0
	for typ := domain.PostPublished; typ.Valid(); typ++ {
		if typ.CloudEvent() == "" {
			continue
		}
		sent++
		row := rows[typ.CloudEvent()]
		if row == nil {
			t.Errorf("no row for %s", typ.CloudEvent())
			continue
		}
		checkMembers(t, typ, strings.Fields(strings.ReplaceAll(row[0], "`", "")))
		if want := moves(typ); want != "" && row[1] != want {
			t.Errorf("%s moves %q, says the page, %q, says the tariff", typ, row[1], want)
		}
	}
	if sent != len(rows) {
		t.Errorf("%d rows for %d types", len(rows), sent)
	}
}

// moves returns what the default tariff's rows give the parties of a type, "" for a type without rows.
func moves(typ domain.EventType) string {
	var parts []string
	tariff := domain.DefaultTariff()
	for _, row := range tariff.Rows {
		if row.Engagement != typ {
			continue
		}
		for _, side := range []struct {
			sign string
			domain.TariffSide
		}{{"−", row.Debit}, {"+", row.Credit}} {
			if side.Line.Valid() {
				parts = append(parts, fmt.Sprintf("%s %s%s `%s`", side.Party, side.sign, row.Amount, side.Line))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// checkMembers holds that data with just the members that the page gives a type is read, that none can be left out but
// those with a "?", and that there are no others.
func checkMembers(t *testing.T, typ domain.EventType, members []string) {
	t.Helper()
	values := map[string]string{
		"post_id": `"p"`, "comment_id": `"c"`, "account_id": `"a"`, "title": `"t"`, "url": `"https://example.org/"`,
		"time_to_read_seconds": "1", "seconds_read": "1", "level": "1",
	}
	// A change and a withdrawal need one of what may be left out each.
	var required []string
	for _, m := range members {
		name, optional := strings.CutSuffix(m, "?")
		if values[name] == "" {
			t.Errorf("%s: %s is no member", typ, m)
		}
		if !optional {
			required = append(required, name)
		}
	}
	read := func(names []string) bool {
		var data []string
		for _, name := range names {
			data = append(data, fmt.Sprintf("%q:%s", name, values[name]))
		}
		return domain.ParseEngagement(fmt.Appendf(nil, `{"specversion":"1.0","type":%q,"source":"s","id":"1","time":%q,"data":{%s}}`,
			typ.CloudEvent(), time.Unix(0, 0).UTC().Format(time.RFC3339), strings.Join(data, ","))).Rejection == nil
	}
	needsOne := typ == domain.PostChanged || typ == domain.ReactionWithdrawn
	if read(required) == needsOne {
		t.Errorf("%s with %q: %t", typ, required, !needsOne)
	}
	for name := range values {
		listed := slices.Contains(members, name+"?")
		if more := append(slices.Clone(required), name); !slices.Contains(required, name) && read(more) != listed {
			t.Errorf("%s with %q is read: %t", typ, more, !listed)
		}
	}
	for i, name := range required {
		fewer := slices.Delete(slices.Clone(required), i, i+1)
		if needsOne {
			fewer = append(fewer, strings.TrimSuffix(members[len(members)-1], "?"))
		}
		if read(fewer) {
			t.Errorf("%s is read without %s", typ, name)
		}
	}
}
