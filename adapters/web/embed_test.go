package web

import (
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// maxEmbedBytes is what the block's script may weigh: it stands under every article.
const maxEmbedBytes = 15_000

func TestEmbedScript(t *testing.T) {
	script := string(embedScript())
	if len(script) > maxEmbedBytes {
		t.Errorf("the script has %d bytes, want %d at most", len(script), maxEmbedBytes)
	}
	if strings.Contains(script, stylePlace) || strings.Contains(script, ":root") {
		t.Error("the tokens are not those of the element")
	}
	for _, token := range []string{`const STYLE = ":host{`, "--tw-ink:#1d1c1a",
		"--tw-ink:#ece9e2", "color-scheme:light dark", ".block{"} {
		if !strings.Contains(script, token) {
			t.Errorf("the script has no %q", token)
		}
	}
}

// What a publisher's policy or a hostile title could turn against the page is not in the script.
func TestEmbedScriptBuildsNodesOnly(t *testing.T) {
	script := string(embedScript())
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write",
		"new Function", "createElement(\"style\"", ".style.", "import ", "import(", "import.meta"} {
		if strings.Contains(script, word) {
			t.Errorf("the script has %q", word)
		}
	}
}

// The labels of the block are those of the statement.
func TestEmbedScriptHasTheLabels(t *testing.T) {
	script := string(embedScript())
	at := 0
	for _, label := range labelsInOrder() {
		next := strings.Index(script[at:], `: "`+label+`"`)
		if next < 0 {
			t.Fatalf("the script has no label %q behind those before it", label)
		}
		at += next
	}
}

func labelsInOrder() (labels []string) {
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		if side := l.Side(); side == domain.ProfitSide || side == domain.LossSide {
			labels = append(labels, l.Label())
		}
	}
	return labels
}
