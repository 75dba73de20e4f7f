package projections

import (
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// Change is what happened to a statement meanwhile: its sums and counts may be negative.
type Change struct {
	Sums          domain.Sums
	RewardedReads int64
	Counts        domain.CountsOf[int64]
}

func (s *sum) change() Change {
	return Change{s.sums, s.counts[rewardedReads], domain.CountsOf[int64]{
		Reads: s.counts[reads], Likes: s.counts[likes], Dislikes: s.counts[dislikes], Comments: s.counts[comments],
		CommentLikes: s.counts[commentLikes], CommentDislikes: s.counts[commentDislikes], Reports: s.counts[reports],
	}}
}

// Interval is an hour or a day, in UTC, in which something occurred in a scope.
type Interval struct {
	Start time.Time
	// Change is what occurred in it; Statement is the scope's as of its last nanosecond.
	Change    Change
	Statement *domain.Statement
}

// HistoryQuery asks for the intervals of a scope that begin at From or later and before To; zero is no bound.
type HistoryQuery struct {
	Scope domain.Scope
	// Days has days, else hours.
	Days     bool
	From, To time.Time
	Page
}

// list names the history in its cursors.
func (q *HistoryQuery) list() string {
	if q.Days {
		return scopedList("h+", q.Scope)
	}
	return scopedList("h", q.Scope)
}

// History returns the intervals in which something occurred, oldest first, and the cursor of the next page, "" at the
// end. It wraps ErrUnknownPost for a post that nobody published.
func (s *Snapshot) History(q HistoryQuery) (intervals []Interval, next string, err error) {
	row, err := s.scope(q.Scope, AsOf{})
	if err != nil {
		return nil, "", err
	}
	w := walk{snapshot: s, depth: hoursDepth, from: firstInstant, to: instant{1<<63 - 1, 0}, limit: q.Limit + 1}
	if q.Days {
		w.depth = daysDepth
	}
	if !q.From.IsZero() {
		w.from = instantOf(q.From).next(w.depth)
	}
	if !q.To.IsZero() {
		w.to = instantOf(q.To)
	}
	if q.Cursor != "" {
		d, err := decodeCursor(q.Cursor, q.list())
		if w.from = d.instant(); err != nil || d.done() != nil {
			return nil, "", ErrBadCursor
		}
	}
	if err := w.walk(row.key, &row.recent); err != nil {
		return nil, "", err
	}
	if len(w.found) > q.Limit {
		next = encodeCursor(q.list(), appendInstant(nil, w.found[q.Limit].start))
		w.found = w.found[:q.Limit]
	}
	intervals, err = s.intervals(q.Scope, &row, &w)
	return intervals, next, err
}

// next returns the beginning of the first stretch of a depth's children that begins at i or later.
func (i instant) next(depth int) instant {
	start := i.start(depth)
	if start == i {
		return i
	}
	return instant{start.seconds + int64(stretches[depth]/time.Second), 0}
}

// intervals returns what a walk found, with the statements at the intervals' ends.
func (s *Snapshot) intervals(scope domain.Scope, row *scoped, w *walk) (intervals []Interval, err error) {
	if len(w.found) == 0 {
		return nil, nil
	}
	// What occurred before the first one.
	var running sum
	before := instantOf(w.found[0].start.time().Add(-1))
	if err := s.upTo(row.key, before, &running); err != nil {
		return nil, err
	}
	if err := row.recent.upTo(before, &running); err != nil {
		return nil, err
	}
	for i := range w.found {
		c := &w.found[i]
		if err := running.merge(c.sum); err != nil {
			return nil, err
		}
		statement, err := running.statement()
		if err != nil {
			return nil, err
		}
		start := c.start.time()
		in := Interval{Start: start, Change: c.sum.change()}
		asOf := AsOf{At: start.Add(stretches[w.depth] - 1)}
		if in.Statement, err = s.complete(scope, row, statement, asOf); err != nil {
			return nil, err
		}
		intervals = append(intervals, in)
	}
	return intervals, nil
}

// walk goes over the stretches of a depth's children in a scope's tree and recent touches, in order.
type walk struct {
	snapshot *Snapshot
	depth    int
	// Stretches that begin at from or later, and before to.
	from, to instant
	limit    int
	// found and recent have their sums decoded. recent are those of the recent touches, by stretch, that are not yet merged
	// into found.
	found  []child
	recent []child
}

func (w *walk) walk(scope string, recent *run) (err error) {
	if w.recent, err = w.cut(recent); err != nil {
		return err
	}
	if err := w.node(nodeKey{scope, 0, firstInstant}); err != nil {
		return err
	}
	for len(w.found) < w.limit && len(w.recent) > 0 {
		w.found, w.recent = append(w.found, w.recent[0]), w.recent[1:]
	}
	return nil
}

// node walks a node.
func (w *walk) node(k nodeKey) error {
	var node nodeRow
	found, err := treeTable.read(w.snapshot.rows, k, &node)
	if err != nil || !found {
		return err
	}
	if len(node.children) == 0 {
		if node.children, err = w.cut(&node.leaf); err != nil {
			return err
		}
		k.depth = w.depth
	}
	for i := range node.children {
		c := &node.children[i]
		switch {
		case len(w.found) >= w.limit || c.start.compare(w.to) >= 0:
			return nil
		case k.depth == w.depth:
			err = w.add(c)
		case c.end(k.depth).compare(w.from) > 0:
			err = w.node(nodeKey{k.scope, k.depth + 1, c.start})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *child) end(depth int) instant {
	return instant{c.start.seconds + int64(stretches[depth]/time.Second), 0}
}

// cut adds a run's touches up by stretch.
func (w *walk) cut(r *run) (cut []child, err error) {
	var t touch
	reader := r.reader()
	for reader.next(&t) {
		start := t.occurred.start(w.depth)
		if start.compare(w.from) < 0 || start.compare(w.to) >= 0 {
			continue
		}
		i, found := slices.BinarySearchFunc(cut, start, func(c child, at instant) int { return c.start.compare(at) })
		if !found {
			cut = slices.Insert(cut, i, child{start: start, sum: new(sum)})
		}
		if err := cut[i].sum.add(&t); err != nil {
			return nil, err
		}
	}
	return cut, reader.err()
}

// add adds a stretch of the tree, and before it what only recent touches are in.
func (w *walk) add(c *child) error {
	if c.start.compare(w.from) < 0 {
		return nil
	}
	total, err := c.total()
	if err != nil {
		return err
	}
	for len(w.recent) > 0 && w.recent[0].start.compare(c.start) <= 0 {
		first := w.recent[0]
		w.recent = w.recent[1:]
		if first.start == c.start {
			if err := total.merge(first.sum); err != nil {
				return err
			}
			break
		}
		w.found = append(w.found, first)
	}
	w.found = append(w.found, *c)
	return nil
}
