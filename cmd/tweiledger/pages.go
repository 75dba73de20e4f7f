package main

import (
	"errors"
	"net/http"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/web"
)

// pageAccess is what the API's routes call what pages ask of their reader.
var pageAccess = map[web.Access]httpapi.PageAccess{
	web.Open: httpapi.PageOpen, web.Public: httpapi.PagePublic, web.Read: httpapi.PageRead,
}

// newAPIWithPages returns the API of a config that serves the pages too, and with demo the publisher's. Errors of pages
// are pages.
func (s *service) newAPIWithPages(cfg httpapi.Config, demo *web.Demo) *httpapi.API {
	var api *httpapi.API
	var pages *web.Pages
	pages = web.New(web.Config{
		Views: s.views, Log: s.log, Tariffs: s.ledger.Tariffs, Open: cfg.Tokens == nil, Demo: demo,
		MayRead: func(r *http.Request) bool { return api.Admits(r, httpapi.PageRead) },
		Fail: func(w http.ResponseWriter, r *http.Request, err error) {
			if own := (*web.Error)(nil); errors.As(err, &own) {
				pages.Problem(w, r, own.Status, own.Code, own.Detail)
				return
			}
			api.Fail(w, r, err)
		},
	})
	cfg.ErrorPage = pages.Problem
	api = httpapi.New(cfg)
	for _, page := range pages.Routes() {
		api.Handle(http.MethodGet, page.Path, pageAccess[page.Access], page.Costly, page.Handler)
	}
	return api
}
