// Package web shows people the ledger: the statement under a post and everything that it opens into, as pages that are
// rendered here and read without JavaScript (DESIGN sections 1 and 6).
//
//	request ──► page ──► Snapshot of the views, events of the log ──► template ──► answer
//	            post.go, accounts.go, …                              templates/
//
// A page is one file: the path and the template that it has in the table of web.go, and a method that reads what the
// template shows, all of it as of one snapshot. One place does the rest (page.go): headers, the validator, the layout.
//
// # Design
//
// static/tokens.css has the colours and the type of pages and embedded block alike, static/style.css what pages are
// made of. Nothing is fetched from elsewhere, and the Content-Security-Policy allows no inline script or style, so no
// template has any.
//
// # Amounts
//
// An amount shows at most 4 decimals, cut off, never rounded, with "…" where there are more, and stands on its point
// above and below others. Its exact text is what a screen reader says, what is copied, and what shows on hover
// (amount.go). Pictures have the exact amounts in their titles.
//
// # Live
//
// Pages name the part of GET /v1/stream that changes them (page.Live). static/page.js listens to it and reads the page
// anew, so what changes is what the server would show, and marks the numbers that changed.
//
// # Who may see it
//
// A page says what it asks of its reader (Access). Where there are tokens, only posts and what they need are for
// everybody, if their statements are, and links lead only to what the reader may see.
package web
