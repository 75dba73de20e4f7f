package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/tweiledger/tweiledger/adapters/workload"
	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// The posts of the log that statements as of then are asked of: the generator's only post, and another one that as much
// happens to in kind, but seldom.
const (
	hotPost   = "post-0"
	quietPost = "quiet"
)

// asOfLog is the folder of a ledger with a post that much happened to and one that little happened to, both over the
// same time.
type asOfLog struct {
	dir string
	// from and to are the sizes, since and until the times, between which things happened to both posts.
	from, to     uint64
	since, until time.Time
}

// asOfPost feeds one post's engagements to a ledger, and counts the entries that they become.
type asOfPost struct {
	benchFeed
	// rename makes the generator's names those of another post.
	rename  func([]byte) []byte
	entries int
	// last is when what was recorded last occurred.
	last time.Time
}

// An engagement of the generator becomes 1.35 entries on average. A feed is a little longer than it has to be.
const (
	entriesPerEngagement = 1.3
	spareEngagements     = 20
)

// newAsOfPost returns the feed of a post, which becomes a number of entries at least.
func newAsOfPost(seed uint64, entries int, rename func([]byte) []byte) *asOfPost {
	p := &asOfPost{rename: rename}
	p.benchFeed = startFeed(workload.Options{
		Posts: 1, Seed: seed,
		// Each account reacts once to a post: there must be enough of them.
		Accounts:    max(entries, workload.DefaultAccounts),
		Engagements: spareEngagements + int(float64(entries)/entriesPerEngagement),
	})
	return p
}

// quietName gives the generator's post and comments names of their own.
func quietName(line []byte) []byte {
	line = bytes.ReplaceAll(line, []byte(`"`+hotPost+`"`), []byte(`"`+quietPost+`"`))
	return bytes.ReplaceAll(line, []byte(`"comment-`), []byte(`"quiet-comment-`))
}

// record records the next n engagements, fewer at the end.
func (p *asOfPost) record(ctx context.Context, ledger *domain.Ledger, n int) error {
	lines := p.take(n)
	if len(lines) == 0 {
		return fmt.Errorf("the generator ended at %d entries", p.entries)
	}
	for i := range lines {
		lines[i] = p.rename(lines[i])
	}
	for _, outcome := range ledger.Record(ctx, domain.ParseEngagements(lines)) {
		switch outcome.Result {
		case domain.Recorded:
			p.entries += entriesOf(outcome.Recorded.Event) + entriesOf(outcome.Also.Event)
			p.last = outcome.Recorded.OccurredAt
		case domain.Failed:
			return errors.New(outcome.Detail)
		}
	}
	return nil
}

// entriesOf counts the entries of an event, none where there is no event.
func entriesOf(e *domain.Event) (n int) {
	if e == nil {
		return 0
	}
	for _, p := range e.Postings {
		_, sides := p.Entries()
		n += sides
	}
	return n
}

// prepareAsOf makes the log, once for the keys that ask it.
func (r *benchRun) prepareAsOf(ctx context.Context) (_ *asOfLog, err error) {
	if r.asOf != nil {
		return r.asOf, nil
	}
	log := &asOfLog{dir: filepath.Join(r.dir, "as-of")}
	s, err := openService(ctx, home{dir: log.dir}, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.ledger.Start(ctx, nil); err != nil {
		return nil, err
	}
	if err := r.fillAsOf(ctx, s, log); err != nil {
		return nil, err
	}
	head, err := s.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.views.Wait(ctx, head); err != nil {
		return nil, err
	}
	log.to = s.views.Status().Size
	r.asOf = log
	return log, nil
}

// fillAsOf publishes both posts, and then records what happens to them side by side: whenever another hundredth of the
// hot post's entries is there, so is another one of the quiet post's.
func (r *benchRun) fillAsOf(ctx context.Context, s *service, log *asOfLog) error {
	hot := newAsOfPost(1, r.hotEntries, func(line []byte) []byte { return line })
	defer hot.stop()
	quiet := newAsOfPost(2, r.quietEntries, quietName)
	defer quiet.stop()
	bar := newBar(r.notes, fmt.Sprintf("a post of %d", r.hotEntries), "entries", int64(r.hotEntries))
	defer bar.Exit()
	for _, post := range []*asOfPost{hot, quiet} {
		if err := post.record(ctx, s.ledger, 1); err != nil {
			return err
		}
		log.since = post.last
	}
	var err error
	if log.from, err = s.embedded.Size(ctx); err != nil {
		return err
	}
	for hot.entries < r.hotEntries {
		if err := hot.record(ctx, s.ledger, min(benchBatch, r.hotEntries/r.quietEntries)); err != nil {
			return err
		}
		for quiet.entries < hot.entries/(r.hotEntries/r.quietEntries) && quiet.entries < r.quietEntries {
			if err := quiet.record(ctx, s.ledger, 1); err != nil {
				return err
			}
		}
		_ = bar.Set(min(hot.entries, r.hotEntries))
	}
	log.until = quiet.last
	return nil
}

func measureAsOfFlat(ctx context.Context, r *benchRun) (figures, error) {
	return r.measureAsOf(ctx, "as_of_flat", func(log *asOfLog, rng *rand.Rand) projections.AsOf {
		return projections.AsOf{Size: log.from + rng.Uint64N(log.to-log.from+1), Sized: true}
	})
}

func measureAsOfTimeFlat(ctx context.Context, r *benchRun) (figures, error) {
	return r.measureAsOf(ctx, "as_of_time_flat", func(log *asOfLog, rng *rand.Rand) projections.AsOf {
		return projections.AsOf{At: log.since.Add(time.Duration(rng.Int64N(int64(log.until.Sub(log.since)))))}
	})
}

// drawAsOf draws a random size or time.
type drawAsOf func(*asOfLog, *rand.Rand) projections.AsOf

// measureAsOf measures statements of the hot post over those of the quiet one, in turns, as of the same random places.
// The first round counts for nothing: from then on blocks of the views are in Pebble's cache and the kernel's, but no
// answer is kept anywhere.
func (r *benchRun) measureAsOf(ctx context.Context, key string, draw drawAsOf) (f figures, err error) {
	f.Unit = "s"
	log, err := r.prepareAsOf(ctx)
	if err != nil {
		return f, err
	}
	s, err := openService(ctx, home{dir: log.dir}, 0)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	bar := newBar(r.notes, key, "rounds", int64(r.rounds))
	defer bar.Exit()
	rng := rand.New(rand.NewPCG(1, 0))
	for round := range r.rounds + 1 {
		if err := settle(); err != nil {
			return f, err
		}
		var hot, quiet time.Duration
		for range r.queries {
			asOf := draw(log, rng)
			err := errors.Join(timeStatement(s.views, hotPost, asOf, &hot), timeStatement(s.views, quietPost, asOf, &quiet))
			if err != nil {
				return f, err
			}
		}
		if round > 0 {
			f.add(hot.Seconds(), quiet.Seconds())
			_ = bar.Add(1)
		}
	}
	return f, nil
}

// timeStatement adds the time that a post's statement takes, from a snapshot of its own, as a server takes one for each
// request.
func timeStatement(views *projections.Views, post string, asOf projections.AsOf, took *time.Duration) error {
	start := time.Now()
	snapshot := views.Snapshot()
	_, err := snapshot.Statement(context.Background(), domain.Scope{PostID: post}, asOf)
	err = errors.Join(err, snapshot.Close())
	*took += time.Since(start)
	return err
}
