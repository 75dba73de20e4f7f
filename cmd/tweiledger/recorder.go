package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tweiledger/tweiledger/domain"
)

// maxEngagementBytes is the length of the longest line that is taken for an engagement (DESIGN section 6).
const maxEngagementBytes = 64 << 10

// recorder takes engagements, one CloudEvent in JSON each, and answers each in order. With an error it answered the
// first ones only; the others may be recorded or not, and sending them again is safe.
type recorder interface {
	record(ctx context.Context, engagements [][]byte) ([]answer, error)
	settler
}

// settler is a place where something was recorded.
type settler interface {
	// settle waits until statements show what was recorded. That they do not is no error: it is told.
	settle(ctx context.Context, c console)
	close() error
}

// folderRecorder records in a folder. What was begun is finished also where ctx ends.
type folderRecorder struct{ service *service }

func (f folderRecorder) record(ctx context.Context, engagements [][]byte) ([]answer, error) {
	outcomes := f.service.ledger.Record(context.WithoutCancel(ctx), domain.ParseEngagements(engagements))
	answers := make([]answer, len(outcomes))
	for i := range outcomes {
		answers[i] = answerOf(outcomes[i])
	}
	return answers, nil
}

func (f folderRecorder) settle(ctx context.Context, c console) { f.service.settle(ctx, c) }

func (f folderRecorder) close() error { return f.service.Close() }

// record sends engagements as NDJSON, and reads the answers while it sends.
func (c *client) record(ctx context.Context, engagements [][]byte) (answers []answer, err error) {
	body := append(bytes.Join(engagements, []byte("\n")), '\n')
	response, err := c.do(ctx, http.MethodPost, "/v1/events", nil, ndjsonType, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	for line, err := range readLines(response.Body, maxAnswerBytes) {
		if err != nil {
			return answers, fmt.Errorf("reading outcomes: %w", err)
		}
		answer, err := parseAnswer(line.text)
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
		c.note(&answer)
	}
	if len(answers) != len(engagements) {
		return answers, fmt.Errorf("the server answered %d of %d engagements", len(answers), len(engagements))
	}
	return answers, nil
}

// recorder opens the place for engagements. A folder is made if it is not there, and its log begins with the tariffs or
// must have the same.
func (cmd *importCommand) recorder(ctx context.Context, c console, tariffs domain.Tariffs) (recorder, error) {
	if cmd.URL != "" {
		return cmd.client()
	}
	s, err := openService(ctx, cmd.home(), cmd.MinFree)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, c, tariffs); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return folderRecorder{s}, nil
}
