package projections

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tweiledger/tweiledger/domain"
)

func drawInstant(t *rapid.T) instant {
	seconds := rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")
	return instant{seconds, rapid.Uint32Range(0, 999_999_999).Draw(t, "nanos")}
}

func drawStatement(t *rapid.T) (r statementRow) {
	r.size, r.recorded = rapid.Uint64().Draw(t, "size"), drawInstant(t)
	for i := range r.sums {
		if rapid.Bool().Draw(t, "line") {
			b := rapid.SliceOfN(rapid.Byte(), domain.TweiBytes, domain.TweiBytes).Draw(t, "amount")
			b[0] &= 0x7f
			r.sums[i] = domain.TweiFromBinary(b)
		}
	}
	for i := range r.counts {
		r.counts[i] = rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64()).Draw(t, "count")
	}
	return r
}

// drawRun draws touches behind a mark: a run of them, and what they are.
func drawRun(t *rapid.T) (r run, touches []touch) {
	before := rapid.Uint64Range(0, 1<<40).Draw(t, "base")
	for range rapid.IntRange(0, 5).Draw(t, "touches") {
		next := drawTouch(t, before)
		r.add(before, &next)
		touches, before = append(touches, next), next.index+1
	}
	return r, touches
}

func drawTouch(t *rapid.T, before uint64) (next touch) {
	next = touch{index: before + rapid.Uint64Range(0, 1<<30).Draw(t, "gap"), occurred: drawInstant(t)}
	for i := range rapid.IntRange(0, len(next.steps)).Draw(t, "steps") {
		next.steps[i] = step{counter(rapid.IntRange(0, int(counterCount)-1).Draw(t, "counter")), rapid.SampledFrom([]int8{-1, 1}).Draw(t, "by")}
	}
	for range rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(60, 66)).Draw(t, "changes") {
		next.changes = append(next.changes, change{domain.Line(rapid.IntRange(1, domain.LineCount).Draw(t, "line")), drawAmount(t)})
	}
	return next
}

func drawAmount(t *rapid.T) domain.Twei {
	b := rapid.SliceOfN(rapid.Byte(), domain.TweiBytes, domain.TweiBytes).Draw(t, "amount")
	for i := range rapid.IntRange(0, domain.TweiBytes).Draw(t, "short") {
		b[i] = 0xff * rapid.SampledFrom([]byte{0, 1}).Draw(t, "sign")
	}
	return domain.TweiFromBinary(b)
}

// TestTouchesComeBack: a run of touches is read as it was written, and a run that was cut off is not read.
func TestTouchesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, want := drawRun(t)
		got, err := r.read(new(touchRoom))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d touches: %v", len(got), len(want), err)
		}
		for i := range want {
			if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
				t.Errorf("%+v came back as %+v", want[i], got[i])
			}
		}
		if len(want) > 0 {
			r.touches = r.touches[:len(r.touches)-1]
			if _, err := r.read(new(touchRoom)); !errors.Is(err, ErrDamaged) {
				t.Errorf("cut off: %v", err)
			}
		}
	})
}

func drawReaction(t *rapid.T) reactionRow {
	return reactionRow{rapid.Uint64().Draw(t, "events"), domain.EventType(rapid.Byte().Draw(t, "standing"))}
}

// comesBack checks that a row is read as it was written, and that nothing that was cut off is read.
func comesBack[K comparable, R any](t *rapid.T, table *table[K, R], row R) {
	value := table.encode(nil, &row)
	if got, err := comeBack(table, value); err != nil || !reflect.DeepEqual(got, row) {
		t.Errorf("%+v came back as %+v, %v", row, got, err)
	}
	cut := rapid.IntRange(0, len(value)-1).Draw(t, "cut")
	if got, err := comeBack(table, value[:cut]); err == nil {
		t.Errorf("%d of %d bytes of %+v were read as %+v", cut, len(value), row, got)
	}
	if got, err := comeBack(table, append(bytes.Clone(value), 0)); err == nil {
		t.Errorf("a byte more than %+v was read as %+v", row, got)
	}
}

func drawNode(t *rapid.T) (r nodeRow) {
	for range rapid.IntRange(0, 3).Draw(t, "children") {
		r.children = append(r.children, child{start: drawInstant(t), encoded: appendSum(nil, drawSum(t))})
	}
	return r
}

func drawSum(t *rapid.T) *sum {
	s := &sum{size: rapid.Uint64().Draw(t, "size")}
	for i := range s.sums {
		s.sums[i] = rapid.OneOf(rapid.Just(domain.Twei{}), rapid.Custom(drawAmount)).Draw(t, "sum")
	}
	for i := range s.counts {
		s.counts[i] = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "count")
	}
	return s
}

func TestSumsOfChildrenComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSum(t)
		c := child{encoded: appendSum(nil, want)}
		if got, err := c.total(); err != nil || *got != *want {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
		c = child{encoded: append(appendSum(nil, want), 0)}
		for range 2 { // neither the first time nor when it is asked for again
			if got, err := c.total(); !errors.Is(err, ErrDamaged) {
				t.Errorf("a byte more than %+v was read as %+v, %v", want, got, err)
			}
		}
	})
}

func comeBack[K comparable, R any](table *table[K, R], value []byte) (got R, err error) {
	d := decoder{rest: value}
	table.decode(&d, &got)
	return got, d.done()
}

func TestRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		whole := func() scopeRow {
			r, _ := drawRun(t)
			return scopeRow{drawStatement(t), r}
		}
		uncut := func() scopeRow { return scopeRow{statementRow: drawStatement(t)} }
		comesBack(t, accountTable, rankedRow{uncut(), rapid.Uint64().Draw(t, "number")})
		ranked := rankedRow{whole(), 1}
		if got, err := comeBack(accountTable, encodeRanked(nil, &ranked)); err != nil || !reflect.DeepEqual(got, ranked) {
			t.Errorf("%+v came back as %+v, %v", ranked, got, err)
		}
		pair := pairRow{scopeRow: uncut(), reaction: drawReaction(t), read: rapid.Uint64().Draw(t, "read")}
		if pair.reward = reward(rapid.IntRange(0, 2).Draw(t, "reward")); pair.reward != noReward {
			pair.rewarded = drawInstant(t)
		}
		comesBack(t, pairTable, pair)
		comesBack(t, commentReactionTable, drawReaction(t))
		comesBack(t, postTable, postRow{
			events: rapid.Uint64().Draw(t, "events"), author: text.Draw(t, "author"), title: text.Draw(t, "title"), url: text.Draw(t, "url"),
			timeToRead: rapid.Uint64().Draw(t, "time"), published: drawInstant(t), recorded: drawInstant(t),
			timed: rapid.Uint64().Draw(t, "timed"), timedRecorded: drawInstant(t), versions: rapid.Uint64().Draw(t, "versions"),
		})
		position := domain.NewPosition(rapid.Uint64().Draw(t, "commit"), rapid.Uint64().Draw(t, "prepare"))
		comesBack(t, placeTable, placeRow{position, text.Draw(t, "stream"), rapid.Uint64().Draw(t, "revision")})
		var times timesRow
		for range rapid.IntRange(1, timesBlock).Draw(t, "times") {
			times.add(drawInstant(t))
		}
		comesBack(t, timesTable, times)
		comesBack(t, versionTable, versionRow{rapid.Uint64().Draw(t, "index"), drawInstant(t), drawInstant(t), text.Draw(t, "title"), text.Draw(t, "url"), rapid.Uint64().Draw(t, "time")})
		c1 := commentRow{events: rapid.Uint64().Draw(t, "events"), commenter: text.Draw(t, "commenter"), level: 13, occurred: drawInstant(t), recorded: drawInstant(t),
			isRemoved: rapid.Bool().Draw(t, "is removed"), sums: drawStatement(t).sums, earned: drawAmount(t), likes: 1, dislikes: 2}
		if c1.isRemoved {
			c1.removed = drawInstant(t)
		}
		comesBack(t, commentTable, c1)
		comesBack(t, treeTable, drawNode(t))
		comesBack(t, eventTable, rapid.Uint64().Draw(t, "index"))
		comesBack(t, reportTable, rapid.Uint64Min(1).Draw(t, "events"))
		comesBack(t, &table[string, Report]{encode: encodeReport, decode: decodeReport}, Report{ReportID: text.Draw(t, "report"),
			PostID: text.Draw(t, "post"), Size: rapid.Uint64().Draw(t, "size"), Price: drawAmount(t), IssuedAt: drawInstant(t).time()})
		c := checkpoint{format: viewFormat, size: rapid.Uint64().Draw(t, "size"), position: position}
		c.last[0], c.first[1] = 1, 2
		comesBack(t, checkpointTable, c)
	})
}

func TestInstants(t *testing.T) {
	for _, text := range []string{"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.5Z", "2026-01-29T12:00:00Z"} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := instantOf(at).time(); got != at {
			t.Errorf("%s came back as %s", at, got)
		}
	}
}

// FuzzRows: bytes that can be read as a row are read as the same row after they were written again.
func FuzzRows(f *testing.F) {
	row := pairRow{reaction: reactionRow{2, domain.PostLiked}, read: 1, reward: rewardStands, rewarded: instant{5, 6}}
	row.size, row.sums[3], row.counts[reads] = 7, domain.Wei(8), 9
	f.Add(encodePair(nil, &row))
	f.Add(encodePost(nil, &postRow{events: 1, author: "u", title: "t", timed: 2}))
	f.Add(encodeCheckpoint(nil, &checkpoint{format: viewFormat, size: 3}))
	f.Fuzz(func(t *testing.T, value []byte) {
		stays(t, pairTable, value)
		stays(t, postTable, value)
		stays(t, placeTable, value)
	})
}

func stays[K comparable, R any](t *testing.T, table *table[K, R], value []byte) {
	var row, again R
	d := decoder{rest: value}
	if table.decode(&d, &row); d.done() != nil {
		return
	}
	d = decoder{rest: table.encode(nil, &row)}
	if table.decode(&d, &again); d.done() != nil || !reflect.DeepEqual(again, row) {
		t.Errorf("%x is %+v, written again %+v", value, row, again)
	}
}

// TestPrefixes: no two tables share a prefix, and the checkpoint's is the first.
func TestPrefixes(t *testing.T) {
	seen := map[byte]bool{checkpointTable.prefix: true}
	for _, c := range newFold(nil, false).columns {
		if seen[c.prefix] || c.prefix < checkpointTable.prefix {
			t.Errorf("prefix %c", c.prefix)
		}
		seen[c.prefix] = true
	}
}

// TestRowsThatAreNothing: a row that is encoded as nothing is removed, one with an empty value on a list is kept.
func TestRowsThatAreNothing(t *testing.T) {
	store := NewMemoryStore(t)
	f := &fold{store: store}
	set := newCache(f, &table[string, bool]{'s', appendStringKey,
		func(dst []byte, there *bool) []byte {
			if *there {
				dst = append(dst, 1)
			}
			return dst
		},
		func(d *decoder, there *bool) { *there = d.byte() == 1 }}, 1)
	names := newList(f, 't')
	commit := func(change func()) {
		var w write
		change()
		f.flush(&w)
		w.sort()
		if err := store.Commit(w.rows); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string, there bool) {
		row, err := set.row(name)
		if err != nil {
			t.Fatal(err)
		}
		*row = there
	}
	nothing := func(dst []byte) []byte { return dst }
	commit(func() { put("a", true); put("b", true); names.add(nothing, nothing) })
	commit(func() { put("a", false); put("c", false) })
	if got, want := Dump(t, store), "\"sb\" 01\n\"t\" \n"; got != want {
		t.Errorf("%s is left, not %s", got, want)
	}
	commit(func() {})
	commit(func() { put("a", true); put("b", true) })
	if got, want := Dump(t, store), "\"sa\" 01\n\"sb\" 01\n\"t\" \n"; got != want {
		t.Errorf("%s is there, not %s", got, want)
	}
}
