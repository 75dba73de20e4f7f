package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/go-json-experiment/json"

	"github.com/tweiledger/tweiledger/domain"
)

// The pages in a real browser: Debian's chromium, and axe-core, which .ci/run fetches. Without them the tests are
// skipped, but fail where CI is true. With TWEILEDGER_SCREENSHOTS=1 pictures of all pages are left in .cache/screenshots.

const cacheFolder = "../../.cache"

// patience ends what hangs.
const patience = time.Minute

// browser is a browser that tests open tabs of.
type browser struct {
	ctx context.Context
	axe string
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	lacking := t.Skip
	if os.Getenv("CI") == "true" {
		lacking = t.Fatal
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		lacking("skipped: no browser")
	}
	axe, err := os.ReadFile(filepath.Join(cacheFolder, "browser/node_modules/axe-core/axe.min.js"))
	if err != nil {
		lacking("skipped: no axe-core")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx, string(axe)}
}

// tab is a tab of the browser, which looks at one server.
type tab struct {
	t      *testing.T
	ctx    context.Context
	axe    string
	origin string
}

func (b *browser) tab(t *testing.T, origin string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	t.Cleanup(end)
	p := &tab{t, ctx, b.axe, origin}
	p.do()
	p.looks(1280, "light")
	return p
}

// do runs steps one after the other, none of which may hang.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if len(steps) == 0 {
		if err := chromedp.Do(p.ctx); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// open goes to a path of the server.
func (p *tab) open(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.origin + path))
}

// eval evaluates JavaScript and returns what it, or the promise that it returns, comes to.
func eval[T any](p *tab, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%.200s: %v", script, err)
	}
	return value
}

// until waits until an expression is true.
func (p *tab) until(expression string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !eval[bool](p, "Boolean("+expression+")"); {
		if time.Now().After(end) {
			p.t.Fatalf("it never was: %s\n%s", expression, eval[string](p, "document.body.innerText"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// looks sets the window's width, and the scheme of colours.
func (p *tab) looks(width int64, scheme string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// prints shows the page as it is printed.
func (p *tab) prints() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
}

// withoutScripts switches JavaScript off, for the pages that are opened from then on.
func (p *tab) withoutScripts() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// accessible checks the page by axe-core.
func (p *tab) accessible(what string) {
	p.t.Helper()
	eval[any](p, p.axe+"; 0")
	found := eval[[]string](p, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v =>
		v.id + ": " + v.nodes.map(n => n.target.join(" ") + " " + (n.any[0] || n.all[0] || n.none[0] || {message: ""}).message).join("; ")))`)
	for _, violation := range found {
		p.t.Errorf("%s: %s", what, violation)
	}
}

// fits checks that nothing is wider than the window.
func (p *tab) fits(what string) {
	p.t.Helper()
	if wide := eval[string](p, `document.documentElement.scrollWidth <= innerWidth ? "" : [...document.querySelectorAll("body *")]
		.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.getAttribute("class")).slice(0, 8).join(" ")`); wide != "" {
		p.t.Errorf("%s: wider than the window: %s", what, wide)
	}
}

// picture leaves a picture of the page where those are asked for.
func (p *tab) picture(name string) {
	p.t.Helper()
	if os.Getenv("TWEILEDGER_SCREENSHOTS") != "1" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		folder := filepath.Join(cacheFolder, "screenshots")
		err = errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// serveDemo serves the demo and returns where.
func serveDemo(t *testing.T) (origin string) {
	t.Helper()
	s, srv := serveIn(t)
	if err := (&demoCommand{}).send(t.Context(), console{io.Discard, io.Discard}, s, srv); err != nil {
		t.Fatal(err)
	}
	return srv.origin
}

// serveIn serves an empty ledger with tariffs, the default one for none.
func serveIn(t testing.TB, tariffs ...domain.Tariff) (*service, *server) {
	t.Helper()
	s, err := openService(t.Context(), home{dir: filepath.Join(t.TempDir(), "data")}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.ledger.Start(t.Context(), tariffs); err != nil {
		t.Fatal(err)
	}
	listener, err := listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s.publisher = demoPublisher()
	srv := startServer(s, listener, guards{}, nil)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, srv
}

// send sends engagements as a platform would, all of which must be recorded.
func send(t *testing.T, origin string, engagements ...string) {
	t.Helper()
	answer, err := http.Post(origin+"/v1/events", "application/cloudevents-batch+json",
		strings.NewReader("["+strings.Join(engagements, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || bytes.Count(text, []byte(`"outcome":"recorded"`)) != len(engagements) {
		t.Fatalf("%d %v %s", answer.StatusCode, err, text)
	}
}

var sent int

// engagement is one that occurs now.
func engagement(kind, data string) string {
	sent++
	return fmt.Sprintf(`{"specversion":"1.0","type":"tweiledger.%s.v1","source":"/browser","id":"%d","time":%q,"data":%s}`,
		kind, sent, time.Now().UTC().Format(time.RFC3339Nano), data)
}

// statementJSON is a statement as far as tests compare it.
type statementJSON struct {
	Profit map[string]string `json:"profit"`
	Loss   map[string]string `json:"loss"`
	Total  string            `json:"total"`
	Counts map[string]uint64 `json:"counts"`
}

// numbers returns the numbers under the keys that pages give them.
func (s *statementJSON) numbers() map[string]string {
	numbers := map[string]string{"total": s.Total}
	for line, amount := range s.Profit {
		numbers["profit."+line] = amount
	}
	for line, amount := range s.Loss {
		numbers["loss."+line] = amount
	}
	return numbers
}

func readStatementJSON(t *testing.T, address string) (s statementJSON) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.UnmarshalRead(answer.Body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// reportOf returns the newest report of an account.
func reportOf(t *testing.T, origin, account string) string {
	t.Helper()
	answer, err := http.Get(origin + "/v1/accounts/" + url.PathEscape(account) + "/reports")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct {
		Reports []struct {
			ReportID string `json:"report_id"`
		} `json:"reports"`
	}
	if err := json.UnmarshalRead(answer.Body, &list); err != nil || len(list.Reports) == 0 {
		t.Fatalf("%v: %d reports", err, len(list.Reports))
	}
	return list.Reports[0].ReportID
}
