package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/tweiledger/tweiledger/docs"
)

// document returns the OpenAPI document and a router over it.
var document = sync.OnceValues(func() (*openapi3.T, routers.Router) {
	openapi3filter.RegisterBodyDecoder(mediaLines, decodeLines)
	openapi3filter.RegisterBodyDecoder("application/x-tar", openapi3filter.FileBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI)
	if err != nil {
		panic(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return doc, router
})

// decodeLines decodes NDJSON: a line is an item of an array.
func decodeLines(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for line := range bytes.Lines(text) {
		var item any
		if err := json.Unmarshal(line, &item); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(items)+1, err)
		}
		items = append(items, item)
	}
	return items, nil
}

// conforming is a transport that holds requests and answers to the document: every answer, and every request that was
// served, unless it is marked malformed.
type conforming struct {
	t    testing.TB
	base http.RoundTripper

	mu sync.Mutex
	// seen are the answers by method, path of the document and status. Guarded by mu.
	seen map[string]*exchange
}

// exchange is a request and its answer, to be validated again.
type exchange struct {
	request *openapi3filter.RequestValidationInput
	answer  *answer
}

func (c *conforming) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	if r.GetBody != nil {
		sent.Body, _ = r.GetBody()
	}
	res, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(sent, &answer{res.StatusCode, res.Header, body}); err != nil {
		c.t.Errorf("%s %s: %d %.300s\ncontradicts the document: %.1000v", r.Method, r.URL, res.StatusCode, body, err)
	}
	return res, nil
}

func (c *conforming) check(sent *http.Request, a *answer) error {
	if sent.Method == http.MethodOptions {
		return nil
	}
	_, router := document()
	asked := sent
	if sent.Method == http.MethodHead {
		asked = sent.Clone(sent.Context())
		asked.Method = http.MethodGet
	}
	route, vars, err := router.FindRoute(asked)
	if err != nil {
		return checkProblem(sent, a)
	}
	for name, text := range vars {
		// The router leaves them as they stand in the path.
		if vars[name], err = url.PathUnescape(text); err != nil {
			return err
		}
	}
	request := &openapi3filter.RequestValidationInput{Request: sent, PathParams: vars, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	if sent.Context().Value(malformedKey{}) == nil && a.status < 400 {
		if err := openapi3filter.ValidateRequest(context.Background(), request); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	x := &exchange{request, a}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]*exchange{}
	}
	c.seen[fmt.Sprintf("%s %s %d of %s as %s", sent.Method, route.Path, a.status, sent.Header.Get("Content-Type"), a.header.Get("Content-Type"))] = x
	if strings.HasSuffix(a.header.Get("Content-Type"), "ndjson") && len(a.body) > 0 && a.body[len(a.body)-1] != '\n' {
		return errors.New("the last line does not end")
	}
	return x.validate(a.body)
}

// validate holds a body to what the document says of the answer.
func (x *exchange) validate(body []byte) error {
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: x.request, Status: x.answer.status, Header: x.answer.header, Options: x.request.Options,
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		return err
	}
	// The filter does not look at these.
	if x.answer.status == http.StatusNotModified || x.request.Request.Method == http.MethodHead {
		if len(body) > 0 {
			return fmt.Errorf("a body where there is none: %s", body)
		}
		return x.checkHeaders()
	}
	return nil
}

func (x *exchange) checkHeaders() error {
	op := x.request.Route.PathItem.Get
	response := op.Responses.Status(x.answer.status)
	if response == nil {
		return fmt.Errorf("status %d is not documented", x.answer.status)
	}
	for name, header := range response.Value.Headers {
		if !header.Value.Required {
			continue
		}
		if _, there := x.answer.header[http.CanonicalHeaderKey(name)]; !there {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	return nil
}

// checkProblem holds an answer that no route gave to the document's Problem.
func checkProblem(r *http.Request, a *answer) error {
	if !slices.Contains([]int{404, 405, 421}, a.status) {
		return fmt.Errorf("status %d", a.status)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("content type %q", got)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		return err
	}
	return schema("Problem").VisitJSON(value, openapi3.EnableJSONSchema2020())
}

// schema returns a schema of the document.
func schema(name string) *openapi3.Schema {
	doc, _ := document()
	return doc.Components.Schemas[name].Value
}
