package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// operator does what an operator asks for, in a folder or at a serving process.
type operator interface {
	publish(ctx context.Context, t *domain.Tariff) (answer, error)
	reverse(ctx context.Context, event domain.EventID, note string) (answer, error)
	reinstate(ctx context.Context, reversal domain.EventID, note string) (answer, error)
	settler
}

// operator opens the place for an operator.
func (p *place) operator(ctx context.Context, c console) (operator, error) {
	if p.URL != "" {
		return p.client()
	}
	s, err := p.openService(ctx)
	if err != nil {
		return nil, err
	}
	err = s.ledger.Start(ctx, nil)
	if err == nil {
		// Events are found in the views.
		err = s.caughtUp(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return folderOperator{s}, nil
}

// folderOperator works in a folder. What was begun is finished also where ctx ends.
type folderOperator struct{ service *service }

func (f folderOperator) publish(ctx context.Context, t *domain.Tariff) (answer, error) {
	return answerOf(f.service.ledger.PublishTariff(context.WithoutCancel(ctx), *t, domain.OperatorName)), nil
}

func (f folderOperator) reverse(ctx context.Context, event domain.EventID, note string) (answer, error) {
	return answerOf(f.service.ledger.Reverse(context.WithoutCancel(ctx), event, note, domain.OperatorName)), nil
}

func (f folderOperator) reinstate(ctx context.Context, reversal domain.EventID, note string) (answer, error) {
	return answerOf(f.service.ledger.Reinstate(context.WithoutCancel(ctx), reversal, note, domain.OperatorName)), nil
}

func (f folderOperator) settle(ctx context.Context, c console) { f.service.settle(ctx, c) }

func (f folderOperator) close() error { return f.service.Close() }

// request is what reverse and reinstate are given.
type request struct {
	place
	Event []string `arg:"" help:"Ids of events."`
	Note  string   `required:"" placeholder:"TEXT" help:"Why; it is kept in the log."`
}

// run asks do for each event and prints each outcome. Where one is refused the others are still asked for.
func (r *request) run(
	ctx context.Context, c console, do func(operator, context.Context, domain.EventID, string) (answer, error),
) (err error) {
	ids := make([]domain.EventID, len(r.Event))
	for i, text := range r.Event {
		if ids[i], err = domain.ParseEventID(text); err != nil {
			return &usageError{fmt.Sprintf("%q is no event's id", text), "an id is printed in each outcome as event_id"}
		}
	}
	at, err := r.operator(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.close()) }()
	var refused []error
	for _, id := range ids {
		answer, err := do(at, ctx, id, r.Note)
		if err := c.show(answer, err); err != nil {
			refused = append(refused, fmt.Errorf("event %s: %w", id, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	at.settle(ctx, c)
	return errors.Join(refused...)
}
