package domain_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

// streamPattern is the pattern alone.
var streamPattern = regexp.MustCompile("^" + domain.StreamPattern())

func TestStreamPattern(t *testing.T) {
	long := strings.Repeat("a", domain.MaxIDBytes)
	for name, want := range map[string]bool{
		"tariff": true, "tariffs": false, "tariff-test": false, "tariff\n": false, "atariff": false, "": false,
		"post-p": true, "post-": false, "post": false, "post-a-b": true, "post-a/b": false, "post-test-result/1": false,
		"post-a\n": false, "post-\xff": false, "post-é": false, "Post-p": false, "post-" + long: true,
		"post-" + long + "a": false, "post-" + long[2:] + "tt": true, "post-treasury" + long[8:]: true,
		"post-treasury" + long[7:]: false, "post-." + long: false, "post-..." + long[3:]: true, "post-..." + long[2:]: false,
		"post-.": false, "post-..": false, "post-...": true, "post-.a": true, "post-..a": true, "post-a.": true,
		"post-treasury": false, "post-treasur": true, "post-treasury2": true, "post-Treasury": true, "post-treasurer": true,
		"post-t": true, "comment-c": true, "comment-c/a": false, "report-r": true, "report-nightly run": false,
		"reading-p/a": true, "reading-x": false, "reading-p/": false, "reading-/a": false, "reading-p/a/b": false,
		"reading-p/treasury": false, "reading-treasury/a": false, "reading-" + long + "/" + long: true,
		"reaction-post/p/a": true, "reaction-post/p": false, "reaction-post-p/a": false, "reaction-comment/c/a": true,
		"reaction-report/r/a": false, "reaction-comment/c/..": false,
	} {
		if _, _, _, ok := domain.Stream(name).Parse(); ok != want {
			t.Errorf("%q is taken apart: %v", name, ok)
		}
		if got := streamPattern.MatchString(name); got != want {
			t.Errorf("%q matches: %v", name, got)
		}
	}
}

// The pattern matches the names that can be taken apart, and no others.
func TestStreamPatternAgrees(t *testing.T) {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"tariff", "post-", "comment-", "reading-", "reaction-post/", "reaction-comment/",
			"report-", "/", ".", "..", "treasury", "treasure", "t", "\n", " ", ""}),
		rapid.StringMatching(`[A-Za-z0-9._~:@/-]{0,20}`),
		rapid.StringMatching(`[a.t]{120,130}`),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(part, 1, 5).Draw(t, "parts"), "")
		if _, _, _, ok := domain.Stream(name).Parse(); ok != streamPattern.MatchString(name) {
			t.Errorf("%q is taken apart: %v, matches: %v", name, ok, !ok)
		}
	})
}
