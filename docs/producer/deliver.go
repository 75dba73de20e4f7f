package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// maxPause is the longest pause between two tries that the ledger did not ask for.
const maxPause = 30 * time.Second

// deliverer brings the outbox to the ledger.
type deliverer struct {
	ledger ledger
	outbox *outbox
	// pause is the longest one before the second try.
	pause time.Duration
	log   *slog.Logger
}

// deliverAll delivers the outbox to its end. It returns nil when everything is settled.
func (d *deliverer) deliverAll(ctx context.Context, most int) error {
	for {
		batch, err := d.outbox.next(most)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := d.deliver(ctx, batch); err != nil {
			return err
		}
	}
}

// deliver sends a batch again and again until all of it is settled. Nothing behind it is sent before: that might build
// on what failed, a comment on its post, and be rejected for want of it.
func (d *deliverer) deliver(ctx context.Context, batch []entry) error {
	for failures := 0; ; failures++ {
		outcomes, err := d.ledger.send(ctx, events(batch))
		var later *unavailable
		if err != nil && !errors.As(err, &later) {
			return err
		}
		n := settled(outcomes)
		if n > 0 {
			if err := d.outbox.settle(batch[:n], outcomes[:n]); err != nil {
				return err
			}
			failures, batch = 0, batch[n:]
		}
		if len(batch) == 0 {
			return nil
		}
		if later == nil {
			later = &unavailable{why: fmt.Errorf("the outcome is %q: %s", outcomes[n].Outcome, outcomes[n].Detail)}
		}
		wait := pauseAfter(failures, d.pause, later.after, rand.Float64())
		d.log.Warn("not delivered, to be sent again", "engagements", len(batch), "first", batch[0].ID, "in", wait, "why",
			later)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("stopped with engagements in the outbox (start again, which is safe): %w", context.Cause(ctx))
		}
	}
}

func events(batch []entry) []cloudevents.Event {
	events := make([]cloudevents.Event, len(batch))
	for i := range batch {
		events[i] = batch[i].event
	}
	return events
}

// settled returns how many outcomes stand before the first that is to be sent again: "failed", or nothing that is
// known.
func settled(outcomes []outcome) int {
	for i := range outcomes {
		switch outcomes[i].Outcome {
		case "recorded", "duplicate", "rejected":
		default:
			return i
		}
	}
	return len(outcomes)
}

// pauseAfter returns how long to wait after a failure that came behind so many others in a row: a share, drawn from
// [0, 1), of a time that doubles with each, so that many senders do not come back at the same moment; and at least what
// was asked for.
func pauseAfter(failures int, first, asked time.Duration, share float64) time.Duration {
	longest := maxPause
	if failures < 16 {
		longest = min(first<<failures, maxPause)
	}
	return asked + time.Duration(share*float64(longest))
}
