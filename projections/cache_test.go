package projections

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCacheHoldsEveryRow: whatever is dropped and read again, a cache's rows are those that were put, in a fold that
// began with empty views and in one that did not, and after a batch was forgotten. It does not grow with what passes
// through.
func TestCacheHoldsEveryRow(t *testing.T) {
	for _, empty := range []bool{true, false} {
		t.Run(fmt.Sprintf("empty=%t", empty), func(t *testing.T) {
			store := NewMemoryStore(t)
			f := &fold{store: store}
			if empty {
				f.written = newFilter()
			}
			const size, batches, steps = 20, 50, 60
			numbers := newCache(f, numberTable, size)
			random := rand.New(rand.NewPCG(1, 2))
			want := map[byte]uint64{}
			// step adds 1 to most rows of a part that moves, and to others: so they are asked for again soon, late, and
			// never.
			step := func(from int) {
				k := byte(from + random.IntN(size))
				if random.IntN(4) == 0 {
					k = byte(random.IntN(256))
				}
				if random.IntN(2) == 0 {
					numbers.want(k)
					if err := numbers.load(); err != nil {
						t.Fatal(err)
					}
				}
				row, err := numbers.row(k)
				if err != nil {
					t.Fatal(err)
				}
				if *row != want[k] {
					t.Fatalf("row %d is %d, not %d", k, *row, want[k])
				}
				*row++
				want[k]++
			}
			for i := range batches {
				before := maps.Clone(want)
				for range steps {
					step(7 * i)
				}
				if i == batches/2 {
					f.reset()
					want = before
				}
				var w write
				f.flush(&w)
				w.sort()
				if err := store.Commit(w.rows); err != nil {
					t.Fatal(err)
				}
			}
			if places := len(numbers.blocks) * rowsInBlock; places > size+2*steps+rowsInBlock {
				t.Errorf("there are places for %d rows", places)
			}
		})
	}
}

// TestSortsRows: rows are sorted by their whole keys, also where one begins another, or ends before the eighth byte.
func TestSortsRows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, common := range []string{"", "a", "a long prefix of all keys"} {
		var w write
		w.column(0)
		seen := map[string]bool{}
		for range 3000 {
			key := []byte(common)
			for range random.IntN(12) {
				key = append(key, byte(random.IntN(3)))
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				w.add(key, []byte("value of "+string(key)))
			}
		}
		w.sort()
		if len(w.rows) != len(seen) {
			t.Fatalf("%d rows are left of %d", len(w.rows), len(seen))
		}
		if !slices.IsSortedFunc(w.rows, func(a, b Row) int { return bytes.Compare(a.Key, b.Key) }) {
			t.Errorf("rows whose keys begin with %q are not sorted", common)
		}
		for _, row := range w.rows {
			if string(row.Value) != "value of "+string(row.Key) || !seen[string(row.Key)] {
				t.Errorf("row %q has %q", row.Key, row.Value)
			}
		}
	}
}
