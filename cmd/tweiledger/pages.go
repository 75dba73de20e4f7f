package main

import (
	"net/http"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/web"
)

// pageAccess is what the API calls what a page asks of its reader.
var pageAccess = map[web.Access]httpapi.PageAccess{
	web.Open: httpapi.PageOpen, web.Public: httpapi.PagePublic, web.Read: httpapi.PageRead,
}

// newAPIWithPages returns the API of a config with the pages on it, which its errors are shown as too.
func (s *service) newAPIWithPages(cfg httpapi.Config) *httpapi.API {
	var api *httpapi.API
	pages := web.New(web.Config{
		Views: s.views, Log: s.log, Tariffs: s.ledger.Tariffs, Open: cfg.Tokens == nil, Demo: s.publisher,
		MayRead: func(r *http.Request) bool { return api.Admits(r, httpapi.PageRead) },
		Fail:    func(w http.ResponseWriter, r *http.Request, err error) { api.Fail(w, r, err) },
	})
	cfg.ErrorPage = pages.Problem
	api = httpapi.New(cfg)
	for _, page := range pages.Routes() {
		api.Handle(http.MethodGet, page.Path, pageAccess[page.Access], page.Costly, page.Handler)
	}
	return api
}
