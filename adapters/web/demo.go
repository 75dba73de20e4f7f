package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed demo
var demoFiles embed.FS

// demoArticle is the publisher's page. It has a look of its own, as a publisher's has, and takes nothing of the ledger's
// pages but the block.
var demoArticle = template.Must(template.ParseFS(demoFiles, "demo/article.html"))

// Demo is the page of a publisher to play with: the sample article with the embedded block, on which whoever opens it
// acts as any account. What one does there is sent as the CloudEvents that a platform would send. It needs a service that
// asks for no token.
type Demo struct {
	// Post is the article, Author who wrote it, Reader one who has bought a report of it.
	Post, Author, Reader string
	// Accounts are those to choose from.
	Accounts []string
}

func (d *Demo) routes() []Route {
	return []Route{
		{"/demo", Open, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/demo/", http.StatusFound)
		}},
		{"/demo/", Open, false, d.article()},
		{"/demo/demo.css", Open, false, demoFile("demo.css", "text/css; charset=utf-8")},
		{"/demo/demo.js", Open, false, demoFile("demo.js", "text/javascript; charset=utf-8")},
	}
}

// article serves the page, which is the same for all: what changes in it comes from the API.
func (d *Demo) article() http.HandlerFunc {
	var body bytes.Buffer
	if err := demoArticle.Execute(&body, struct {
		*Demo
		Icon, PostPath, ReaderPath string
	}{d, assetPath("icon.svg"), pathOf("posts", d.Post), pathOf("accounts", d.Reader)}); err != nil {
		// It is of the program: what is wrong with it is found by any test.
		panic(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		writePage(w, r, http.StatusOK, body.Bytes())
	}
}

// demoFile serves a file that the page loads, by a name that does not change with its bytes.
func demoFile(name, mediaType string) http.HandlerFunc {
	body := mustRead(demoFiles, "demo/"+name)
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", mediaType)
		writeTagged(w, r, http.StatusOK, body)
	}
}
