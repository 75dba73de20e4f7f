package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tweiledger/tweiledger/domain"
)

// Limits of a batch (DESIGN section 6).
const (
	maxBatchEvents = 10_000
	maxBatchBytes  = 10 << 20
)

// recordBatch records a JSON array of engagements and answers with one outcome for each.
func (a *API) recordBatch(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, maxBatchBytes)
	if err != nil {
		return err
	}
	events, err := splitBatch(body)
	if err != nil {
		return err
	}
	outcomes := a.Ledger.Record(context.WithoutCancel(r.Context()), domain.ParseEngagements(events))
	// It may have taken long, and is recorded: the client gets the whole time for the answer.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	answer := append(make([]byte, 0, 512*len(outcomes)+32), `{"outcomes":[`...)
	for i := range outcomes {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = outcomes[i].AppendJSON(answer, "index", i)
	}
	answer = append(answer, `]}`...)
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(answer))}
	// Who does not read the answer sends again, and gets duplicates.
	_, _ = w.Write(answer)
	return nil
}

// splitBatch returns the elements of a JSON array, parts of text. It asks only for the grammar of JSON to the text's
// end: a name that stands twice and bytes that are not UTF-8 are the element's own fault.
func splitBatch(text []byte) (elements [][]byte, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	switch token, err := dec.ReadToken(); {
	case err != nil:
		return nil, notJSONBatch(err)
	case token.Kind() != '[':
		return nil, problemf(codeBadRequest, "", "a batch is a JSON array")
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, notJSONBatch(err)
		}
		if len(elements) == maxBatchEvents {
			return nil, problemf(codeTooLarge, "", "the batch has more than %d events", maxBatchEvents)
		}
		end := dec.InputOffset()
		elements = append(elements, text[end-int64(len(value)):end])
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, notJSONBatch(err)
	}
	if rest := bytes.TrimLeft(text[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, problemf(codeBadRequest, "", "there is more behind the JSON array, at byte %d", len(text)-len(rest))
	}
	return elements, nil
}

func notJSONBatch(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return problemf(codeBadRequest, "", "the batch is not valid JSON at byte %d: %v", syntax.ByteOffset, syntax.Err)
	}
	return problemf(codeBadRequest, "", "the batch is not valid JSON: %v", err)
}
