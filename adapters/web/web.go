package web

import (
	"context"
	"html/template"
	"net/http"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// Access says who may see a page where there are tokens; without tokens everybody may.
type Access uint8

const (
	// Open is for everybody.
	Open Access = iota + 1
	// Public is for everybody where posts' statements are, else for the role read.
	Public
	// Read is for the role read.
	Read
)

// Config is what pages show.
type Config struct {
	// Views answer reads. Somebody else runs them.
	Views *projections.Views
	// Log is the log that the views follow.
	Log domain.EventLog
	// Tariffs returns the tariff's versions.
	Tariffs func(context.Context) (domain.Tariffs, error)
	// Open says that nobody is asked for a token, so that a page can buy.
	Open bool
	// MayRead reports whether who asks may read everything.
	MayRead func(*http.Request) bool
	// Fail answers a request with an error, for which it calls Problem.
	Fail func(http.ResponseWriter, *http.Request, error)
	// Demo, where it is not nil, is the publisher's page of the demo.
	Demo *Demo
}

// Pages are the pages of a ledger. They are safe for any number of goroutines.
type Pages struct {
	Config
	routes    []Route
	templates map[string]*template.Template
}

// Route is a path with what serves GET there. HEAD is served as well.
type Route struct {
	Path   string
	Access Access
	// Costly: it is one of the expensive requests.
	Costly  bool
	Handler http.HandlerFunc
}

// pages are all pages: the path, who may see it, what it costs, the template, and what reads what that shows.
var pages = []struct {
	path     string
	access   Access
	costly   bool
	template string
	show     func(*Pages, *request) (*page, error)
}{
	{"/posts/{post}", Public, true, "post.html", (*Pages).post},
	{"/posts/{post}/entries", Read, true, "entries.html", (*Pages).entries},
	{"/", Read, true, "platform.html", (*Pages).platform},
	{"/entries", Read, true, "entries.html", (*Pages).entries},
	{"/accounts", Read, true, "accounts.html", (*Pages).accounts},
	{"/accounts/{account}", Read, true, "account.html", (*Pages).account},
	{"/accounts/{account}/entries", Read, true, "entries.html", (*Pages).entries},
	{"/events/{event}", Read, false, "event.html", (*Pages).event},
	{"/reports/{report}", Read, false, "report.html", (*Pages).report},
	{"/tariff", Read, false, "tariff.html", (*Pages).tariff},
	{"/log", Read, true, "log.html", (*Pages).log},
}

// New returns the pages of a ledger.
func New(cfg Config) *Pages {
	p := &Pages{Config: cfg, templates: map[string]*template.Template{"problem.html": parse("problem.html")}}
	for _, row := range pages {
		if p.templates[row.template] == nil {
			p.templates[row.template] = parse(row.template)
		}
		p.routes = append(p.routes, Route{row.path, row.access, row.costly, p.showing(row.template, row.show)})
	}
	p.routes = append(p.routes,
		Route{"/posts/{post}/statement.svg", Public, false, p.showPicture},
		Route{"/assets/{version}/{name}", Open, false, p.serveAsset},
		Route{"/embed.js", Open, false, serveEmbed},
	)
	if cfg.Demo != nil {
		p.routes = append(p.routes, cfg.Demo.routes()...)
	}
	return p
}

// Routes returns what the pages serve.
func (p *Pages) Routes() []Route { return p.routes }
