package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/adapters/workload"
)

// tampered is an export that somebody changed.
type tampered struct {
	t     *testing.T
	lines []string
}

// find returns the index of the nth line, from 0, that holds text.
func (x *tampered) find(nth int, text string) int {
	x.t.Helper()
	for i, line := range x.lines {
		if strings.Contains(line, text) {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	x.t.Fatalf("no line holds %s", text)
	return 0
}

// replace changes the first old to new in the first line that holds text, and returns its index.
func (x *tampered) replace(text, old, new string) int {
	x.t.Helper()
	at := x.find(0, text)
	if !strings.Contains(x.lines[at], old) {
		x.t.Fatalf("%s has no %s", x.lines[at], old)
	}
	x.lines[at] = strings.Replace(x.lines[at], old, new, 1)
	return at
}

func (x *tampered) drop(at int) int {
	x.lines = slices.Delete(x.lines, at, at+1)
	return at
}

const (
	liked       = `"type":"PostLiked"`
	commented   = `"type":"CommentAdded"`
	withdrawn   = `"type":"ReactionWithdrawn"`
	published   = `"type":"PostPublished"`
	read        = `"type":"PostRead"`
	commentLike = `"type":"CommentLiked"`
	ownComment  = `"reason":"self_reaction"`
	readAgain   = `"reason":"already_rewarded"`
	readShort   = `"reason":"too_short"`
	tariffLine  = `"type":"TariffPublished"`
	reversal    = `"type":"EventReversed"`
)

// tamperings change an export so that it contradicts the rules; each returns the index of the first event that does.
var tamperings = map[string]func(x *tampered) int{
	"an amount":                func(x *tampered) int { return x.replace(liked, `"amount":"0.5"`, `"amount":"0.6"`) },
	"an amount's text":         func(x *tampered) int { return x.replace(liked, `"amount":"0.5"`, `"amount":"0.50"`) },
	"who is credited":          func(x *tampered) int { return x.replace(liked, `"account":"raphael"`, `"account":"shredder"`) },
	"a line":                   func(x *tampered) int { return x.replace(liked, "earned_for_pluses", "likes_own") },
	"both sides":               func(x *tampered) int { return x.replace(withdrawn, `"reversal":true`, `"reversal":false`) },
	"an id":                    func(x *tampered) int { return x.replace(liked, `"id":"`, `"id":"0`) },
	"an id's digit":            func(x *tampered) int { return x.otherDigit(liked, `"id":"`) },
	"a source id":              func(x *tampered) int { return x.replace(liked, `"source_id":"`, `"source_id":"x`) },
	"a source":                 func(x *tampered) int { return x.replace(commented, `"source":"`, `"source":"x`) },
	"a revision":               func(x *tampered) int { return x.replace(commentLike, `"revision":0`, `"revision":1`) },
	"a stream":                 func(x *tampered) int { return x.replace(read, `"stream":"reading-`, `"stream":"report-`) },
	"an author":                func(x *tampered) int { return x.replace(liked, `"author":"leonardo"`, `"author":"raphael"`) },
	"a level":                  func(x *tampered) int { return x.replace(commented, `"level":14`, `"level":12`) },
	"a reason":                 func(x *tampered) int { return x.replace(ownComment, "self_reaction", "own_post") },
	"a reason taken away":      func(x *tampered) int { return x.replace(readShort, readShort+",", "") },
	"a reason added":           func(x *tampered) int { return x.replace(liked, `"recorded_at"`, `"reason":"no_row","recorded_at"`) },
	"seconds that are too few": func(x *tampered) int { return x.replace(read, `"seconds_read":262`, `"seconds_read":26`) },
	"seconds that suffice":     func(x *tampered) int { return x.replace(readShort, `"seconds_read":31`, `"seconds_read":310`) },
	"a time to read": func(x *tampered) int {
		return x.replace(read, `"time_to_read_seconds":240`, `"time_to_read_seconds":24`)
	},
	"a tariff's version":   func(x *tampered) int { return x.replace(liked, `"tariff":1`, `"tariff":2`) },
	"what is withdrawn":    func(x *tampered) int { return x.otherDigit(withdrawn, `"withdraws":"`) },
	"what is reversed":     func(x *tampered) int { return x.otherDigit(reversal, `"reverses":"`) },
	"a time in the future": func(x *tampered) int { return x.replace(liked, `"occurred_at":"2026`, `"occurred_at":"9026`) },
	"a time's text":        func(x *tampered) int { return x.replace(liked, `Z","post_id"`, `.0Z","post_id"`) },
	"no postings": func(x *tampered) int {
		at := x.find(0, liked)
		from, to := strings.Index(x.lines[at], `"postings":[`)+len(`"postings":[`), strings.Index(x.lines[at], `],"recorded_at"`)
		x.lines[at] = x.lines[at][:from] + x.lines[at][to:]
		return at
	},
	"a second reward": func(x *tampered) int {
		at := x.find(0, readAgain)
		x.lines[at] = strings.Replace(x.lines[at], readAgain+",", "", 1)
		x.lines[at] = strings.Replace(x.lines[at], `"postings":[]`,
			`"postings":[{"amount":"1","credit":{"account":"michelangelo","line":"read_to_earn"},"debit":{"account":"treasury"}}]`, 1)
		return at
	},
	"the tariff itself": func(x *tampered) int {
		// The tariff is in itself as good; but what was paid is another.
		x.replace(tariffLine, `{"amount":"1","credit":{"line":"read_to_earn"`, `{"amount":"2","credit":{"line":"read_to_earn"`)
		return x.find(0, read)
	},
	"a member too many": func(x *tampered) int { return x.replace(liked, `"author"`, `"a":1,"author"`) },
	"a member twice":    func(x *tampered) int { return x.replace(liked, `"author"`, `"author":"leonardo","author"`) },
	"a member missing":  func(x *tampered) int { return x.replace(liked, `"author":"leonardo",`, ``) },
	"white space":       func(x *tampered) int { return x.replace(liked, `{"account_id"`, `{ "account_id"`) },
	"an escape":         func(x *tampered) int { return x.replace(liked, `"raphael"`, `"\u0072aphael"`) },
	"a carriage return": func(x *tampered) int { x.lines[5] += "\r"; return 5 },
	"an empty line":     func(x *tampered) int { x.lines = slices.Insert(x.lines, 5, ""); return 5 },
	"a long line":       func(x *tampered) int { x.lines[5] += strings.Repeat(" ", 1<<20); return 5 },
	"half a line":       func(x *tampered) int { at := len(x.lines) - 1; x.lines[at] = x.lines[at][:40]; return at },
	"no JSON":           func(x *tampered) int { x.lines[5] = "\x00"; return 5 },
	"the tariff dropped": func(x *tampered) int {
		return x.drop(0)
	},
	"a post dropped": func(x *tampered) int {
		return x.drop(x.find(0, published))
	},
	"a comment dropped": func(x *tampered) int {
		x.drop(x.find(0, commented))
		return x.find(0, `"comment_id":"comment-raphael"`)
	},
	"a first read dropped": func(x *tampered) int {
		x.drop(x.find(0, readShort))
		return x.find(0, `"stream":"reading-turkey-uzbekistan-critical-minerals/michelangelo"`)
	},
	"a switch cut apart": func(x *tampered) int {
		x.drop(x.find(0, withdrawn) + 1)
		// What another writer appended may stand between the two, so only the end tells.
		return len(x.lines)
	},
	"a line twice": func(x *tampered) int {
		at := x.find(0, liked)
		x.lines = slices.Insert(x.lines, at, x.lines[at])
		return at + 1
	},
	"two lines swapped": func(x *tampered) int {
		comment, like := x.find(0, commented), x.find(0, `"comment_id":"comment-raphael","commenter":"raphael","id"`)
		like = max(like, x.find(1, `"comment_id":"comment-raphael"`))
		x.lines[comment], x.lines[like] = x.lines[like], x.lines[comment]
		return comment
	},
	"a withdrawal before its reaction": func(x *tampered) int {
		at := x.find(0, withdrawn)
		x.lines[at], x.lines[at+1] = x.lines[at+1], x.lines[at]
		return at
	},
}

// otherDigit changes the hexadecimal digit behind a mark.
func (x *tampered) otherDigit(text, mark string) int {
	x.t.Helper()
	at := x.find(0, text)
	line := []byte(x.lines[at])
	digit := strings.Index(x.lines[at], mark) + len(mark)
	line[digit] = "0123456789abcdef0"[strings.IndexByte("0123456789abcdef", line[digit])+1]
	x.lines[at] = string(line)
	return at
}

// TestVerifyFindsTampering: verify names the first event of an export that contradicts the rules, whatever was changed.
func TestVerifyFindsTampering(t *testing.T) {
	dir := t.TempDir()
	export := exportedArticle(t, dir)
	if _, err := tweiledger(t, "verify", "--file", writeLines(t, dir, export)); err != nil {
		t.Fatalf("the export as it was: %v", err)
	}
	for name, tamper := range tamperings {
		t.Run(name, func(t *testing.T) {
			x := &tampered{t, slices.Clone(export)}
			want := fmt.Sprintf("the log contradicts the rules: event %d (", tamper(x))
			out, err := tweiledger(t, "verify", "--file", writeLines(t, t.TempDir(), x.lines))
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s…", err, want)
			}
			if exitCode(err, io.Discard) != exitNo || out != "" {
				t.Errorf("exit code %d, printed %q", exitCode(err, io.Discard), out)
			}
		})
	}
}

// TestVerifyUnsupported: an event of a type that this program does not know is no difference, and no agreement either.
func TestVerifyUnsupported(t *testing.T) {
	dir := t.TempDir()
	x := &tampered{t, exportedArticle(t, dir)}
	x.replace(liked, liked, `"type":"PostPraised"`)
	_, err := tweiledger(t, "verify", "--file", writeLines(t, dir, x.lines))
	if err == nil || !strings.Contains(err.Error(), "unsupported version") || !strings.Contains(err.Error(), "not checked to its end") {
		t.Errorf("got %v", err)
	}
	if exitCode(err, io.Discard) != exitNo {
		t.Errorf("exit code %d", exitCode(err, io.Discard))
	}
}

// TestVerifyIncomplete: a file that is empty, or whose last line is cut off, is no whole export.
func TestVerifyIncomplete(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(writeLines(t, dir, exportedArticle(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string][]byte{"there is no event": nil, "cut off": bytes.TrimSuffix(whole, []byte("\n"))} {
		file := filepath.Join(dir, "incomplete.ndjson")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tweiledger(t, "verify", "--file", file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// exportedArticle returns the lines of a log of the sample article, with a reversal at the end.
func exportedArticle(t *testing.T, dir string) []string {
	t.Helper()
	data := filepath.Join(dir, "data")
	var article []string
	for _, line := range workload.Article() {
		article = append(article, string(line))
	}
	if _, err := tweiledger(t, "import", "--data", data, "--strict", writeLines(t, dir, article)); err != nil {
		t.Fatal(err)
	}
	id := strings.SplitN(strings.SplitN(exported(t, data)[3], `"id":"`, 2)[1], `"`, 2)[0]
	if _, err := tweiledger(t, "reverse", "--data", data, "--note", "a test", id); err != nil {
		t.Fatal(err)
	}
	return exported(t, data)
}

func exported(t *testing.T, data string) []string {
	t.Helper()
	out, err := tweiledger(t, "export", "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// tweiledger runs a command in this process.
func tweiledger(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, &out, io.Discard)
	return out.String(), err
}

func writeLines(t *testing.T, dir string, lines []string) string {
	t.Helper()
	path := filepath.Join(dir, "lines.ndjson")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
