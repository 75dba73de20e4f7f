package web

import (
	"bytes"
	"encoding/json"
	"strings"
)

// stylePlace is the line of embed.js that its style takes.
const stylePlace = `const STYLE = "";`

// tightCSS takes the spaces out of declarations. No text in a style sheet of ours has such.
var tightCSS = strings.NewReplacer(
	"; }", "}", " { ", "{", " {", "{", "; ", ";", ": ", ":", ", ", ",", ";\n}", "}", "\n", "",
)

// embedScript returns the script of the block as it is served: with its style, whose tokens are those of the pages set
// for the element, and without indentation and comments, since it is loaded under every article.
func embedScript() []byte {
	var script, style bytes.Buffer
	for line := range bytes.Lines(mustRead(staticFiles, "static/embed.js")) {
		if line = bytes.TrimLeft(line, " "); !bytes.HasPrefix(line, []byte("//")) && len(line) > 1 {
			script.Write(line)
		}
	}
	for _, name := range []string{"tokens.css", "embed.css"} {
		for line := range bytes.Lines(mustRead(staticFiles, "static/"+name)) {
			if line = bytes.TrimLeft(line, " "); !bytes.HasPrefix(line, []byte("/*")) {
				style.Write(line)
			}
		}
	}
	tight := tightCSS.Replace(strings.ReplaceAll(style.String(), ":root", ":host"))
	// Without escapes: < and > of a style sheet do no harm in a script of its own.
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tight); err != nil {
		panic(err)
	}
	style.Reset()
	style.WriteString("const STYLE = ")
	style.Write(bytes.TrimRight(text.Bytes(), "\n"))
	style.WriteString(";")
	return bytes.Replace(script.Bytes(), []byte(stylePlace), style.Bytes(), 1)
}
