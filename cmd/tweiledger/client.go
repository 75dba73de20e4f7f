package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

const (
	// maxAnswerBytes bounds an answer that is read as a whole.
	maxAnswerBytes = 16 << 20

	jsonType   = "application/json"
	csvType    = "text/csv"
	ndjsonType = "application/x-ndjson"
)

// client speaks to a serving process. It is used by one goroutine.
type client struct {
	base *url.URL
	http *http.Client
	// token is the secret that it shows, "" for none.
	token string
	// last is the highest position that it was told of.
	last domain.Position
}

// newClient returns a client of the process that serves at an address such as http://127.0.0.1:8080.
func newClient(address string) (*client, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" {
		return nil, &usageError{fmt.Sprintf("%q is no address of a serving process", address),
			"give one like http://127.0.0.1:8080"}
	}
	return &client{base: base, http: &http.Client{}}, nil
}

// trust makes the client trust the certificates of a file, and no others.
func (c *client) trust(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return &usageError{fmt.Sprintf("--ca: %v", err), ""}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return &usageError{fmt.Sprintf("--ca: %s holds no certificate in PEM", file), ""}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	c.http.Transport = transport
	return nil
}

// note keeps the position of what was recorded.
func (c *client) note(a *answer) {
	if a.Position.Compare(c.last) > 0 {
		c.last = a.Position
	}
}

// settle waits, as long as the server does, until its statements show what was recorded.
func (c *client) settle(ctx context.Context, out console) {
	if c.last.IsStart() {
		return
	}
	_, err := c.read(ctx, "/v1/pnl", url.Values{"min_position": {c.last.String()}})
	if isForbidden(err) {
		// Who may not read sees no statements.
		return
	}
	if err != nil {
		fmt.Fprintln(out.notes, "statements do not show everything yet:", err)
	}
}

func (c *client) close() error {
	c.http.CloseIdleConnections()
	return nil
}

// problem is an error that the server answered with (RFC 9457).
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Code   string `json:"code"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
	// Outcome is there where an engagement or an operator's request was decided; text then is its outcome.
	Outcome string `json:"outcome"`
	text    []byte
}

func (p *problem) Error() string {
	said := fmt.Sprintf("the server says %d %s", p.Status, p.Title)
	for _, part := range []string{p.Code, p.Field, p.Detail} {
		if part != "" {
			said += ": " + part
		}
	}
	return said
}

// isForbidden reports whether a server says that who asks may not.
func isForbidden(err error) bool {
	var p *problem
	return errors.As(err, &p) && p.Status == http.StatusForbidden
}

// do sends a request and returns the answer, whose body is to be closed. An answer that is an error comes as a
// *problem.
func (c *client) do(
	ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader,
) (*http.Response, error) {
	request, err := c.request(ctx, method, path, query, contentType, body)
	if err != nil {
		return nil, err
	}
	return c.send(request)
}

// request returns a request, with the token.
func (c *client) request(
	ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader,
) (*http.Request, error) {
	address := c.base.JoinPath(path)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return request, nil
}

func (c *client) send(request *http.Request) (*http.Response, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, readProblem(response)
}

func readProblem(response *http.Response) error {
	p := &problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err == nil && strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		err = json.Unmarshal(text, p)
	}
	p.text = text
	if err != nil {
		p.Detail = fmt.Sprintf("its reason cannot be read: %v", err)
	}
	return p
}

// read returns the whole answer to a GET.
func (c *client) read(ctx context.Context, path string, query url.Values) ([]byte, error) {
	response, err := c.do(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return nil, err
	}
	return readAnswer(response)
}

func readAnswer(response *http.Response) ([]byte, error) {
	text, err := readWhole(response)
	return bytes.TrimSpace(text), err
}

// readWhole returns the whole answer as it is.
func readWhole(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err == nil && len(text) > maxAnswerBytes {
		err = fmt.Errorf("it has more than %d bytes", maxAnswerBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return text, nil
}

// ask posts what an operator asks for, and returns the outcome.
func (c *client) ask(ctx context.Context, path string, body []byte) (answer, error) {
	request, err := c.request(ctx, http.MethodPost, path, nil, jsonType, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return c.askFor(request)
}

// askFor sends a request that is answered with an outcome.
func (c *client) askFor(request *http.Request) (answer, error) {
	response, err := c.send(request)
	var p *problem
	if errors.As(err, &p) && p.Outcome != "" {
		return parseAnswer(p.text)
	}
	if err != nil {
		return answer{}, err
	}
	text, err := readAnswer(response)
	if err != nil {
		return answer{}, err
	}
	a, err := parseAnswer(text)
	c.note(&a)
	return a, err
}

func (c *client) publish(ctx context.Context, t *domain.Tariff) (answer, error) {
	return c.ask(ctx, "/v1/tariffs", t.AppendJSON(nil))
}

func (c *client) reverse(ctx context.Context, event domain.EventID, note string) (answer, error) {
	return c.askAbout(ctx, "/v1/reversals", event, note)
}

func (c *client) reinstate(ctx context.Context, reversal domain.EventID, note string) (answer, error) {
	return c.askAbout(ctx, "/v1/reinstatements", reversal, note)
}

func (c *client) askAbout(ctx context.Context, path string, event domain.EventID, note string) (answer, error) {
	body, err := json.Marshal(map[string]string{"event_id": event.String(), "note": note}, json.Deterministic(true))
	if err != nil {
		return answer{}, &usageError{fmt.Sprintf("the note cannot be sent: %v", err), ""}
	}
	return c.ask(ctx, path, body)
}

// tariffs returns the versions of the tariff.
func (c *client) tariffs(ctx context.Context) (domain.Tariffs, error) {
	text, err := c.read(ctx, "/v1/tariffs", nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Tariffs []jsontext.Value `json:"tariffs"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("reading the tariffs: %w", err)
	}
	var tariffs domain.Tariffs
	for _, text := range list.Tariffs {
		t, rej := domain.ParseTariff(text)
		if rej != nil {
			return nil, fmt.Errorf("reading the tariffs: %w", rej)
		}
		tariffs = append(tariffs, t)
	}
	return tariffs, nil
}
