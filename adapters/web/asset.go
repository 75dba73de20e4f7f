package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"

	"github.com/gorilla/mux"
)

//go:embed static
var staticFiles embed.FS

// asset is a file that pages load.
type asset struct {
	mediaType string
	body      []byte
	// version changes with the bytes, and stands in the path, so that a reader may keep them.
	version string
}

// assets are what pages load, by name. style.css is all of the style: tokens first.
var assets = func() map[string]asset {
	files := map[string]asset{}
	add := func(name, mediaType string, parts ...string) {
		var body []byte
		for _, part := range parts {
			body = append(body, mustRead(staticFiles, "static/"+part)...)
		}
		sum := sha256.Sum256(body)
		files[name] = asset{mediaType, body, hex.EncodeToString(sum[:6])}
	}
	add("style.css", "text/css; charset=utf-8", "tokens.css", "style.css", "chart.css")
	add("page.js", "text/javascript; charset=utf-8", "page.js")
	add("icon.svg", "image/svg+xml", "icon.svg")
	return files
}()

// mustRead returns a file of the program.
func mustRead(files embed.FS, name string) []byte {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return body
}

// assetPath returns where an asset is served.
func assetPath(name string) string { return path.Join("/assets", assets[name].version, name) }

// serveAsset serves GET /assets/{version}/{name}: for good where the version is that of the bytes.
func (p *Pages) serveAsset(w http.ResponseWriter, r *http.Request) {
	vars := mux.Vars(r)
	a, known := assets[vars["name"]]
	if !known {
		p.Fail(w, r, notFound("there is no such file"))
		return
	}
	keep := "no-cache"
	if vars["version"] == a.version {
		keep = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Content-Type", a.mediaType)
	writeTagged(w, r, http.StatusOK, a.body)
}

// embedBody is the block's script.
var embedBody = embedScript()

// serveEmbed serves GET /embed.js, which publishers load from their own pages.
func serveEmbed(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	writeTagged(w, r, http.StatusOK, embedBody)
}
