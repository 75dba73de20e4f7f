package web

import (
	"bytes"
	"net/http"
)

// problemContent is what the page of an error shows.
type problemContent struct {
	Status int
	// Heading says what is wrong, Advice what to do, Detail what the API says of it.
	Heading, Advice, Detail string
	// Again: it is worth to ask again by itself.
	Again bool
}

// problems are the headings and the advice of errors by their code; "" is for all others.
var problems = map[string][2]string{
	"unknown_post": {"There is no such post",
		"Nobody published a post with this id, or not yet at that size. Look at its spelling, or find it in the list of posts."},
	"unknown_event": {"There is no such event", "Look at the id: it is the one that an entry or an outcome names."},
	"not_found":     {"There is nothing here", "The address is none of the ledger's. The list of posts is a good place to begin."},
	"unauthorized": {"This needs a token",
		"The service asks for tokens, which pages do not take: ask the platform, or read it through the API."},
	"forbidden":   {"This is not for you", "The token has no role for it: ask the platform, or read it through the API."},
	"bad_request": {"The address cannot be read", "Something behind the question mark is not what the page takes."},
	"failed": {"The ledger cannot answer now",
		"It is starting, catching up, or its store is away. Nothing is lost. The page asks again by itself."},
	"position_not_reached": {"The ledger is catching up",
		"It has not folded as much as was asked for. The page asks again by itself."},
	"too_busy": {"Too many ask at once", "The page asks again by itself in a moment."},
	"misdirected_request": {"Not under this name",
		"The service answers only to the names of this machine, such as localhost."},
	"": {"The page could not be shown", "The fault is the service's, and its log says why. Try again, or tell who runs it."},
}

// Problem shows an error as a page: its status, the code that the API gives it, and what it says of it.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
	text, known := problems[code]
	if !known {
		text = problems[""]
	}
	shown := &page{
		Title: text[0], Description: text[1], Open: p.Open,
		Content: problemContent{status, text[0], text[1], detail, status == http.StatusServiceUnavailable},
	}
	var body bytes.Buffer
	if err := p.templates["problem.html"].Execute(&body, shown); err != nil {
		http.Error(w, detail, status)
		return
	}
	writePage(w, r, status, body.Bytes())
}

// Error is an error that is answered with a status and one of the API's codes.
type Error struct {
	Status       int
	Code, Detail string
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Answer returns what the error is answered with.
func (e *Error) Answer() (status int, code, detail string) { return e.Status, e.Code, e.Detail }

// badRequest is the error for a parameter that cannot be read.
func badRequest(field, detail string) error {
	return &Error{http.StatusBadRequest, "bad_request", field + ": " + detail}
}

// notFound is the error for an address under which there is nothing.
func notFound(detail string) error { return &Error{http.StatusNotFound, "not_found", detail} }
