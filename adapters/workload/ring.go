package workload

import "math/rand/v2"

// ringSize is how many items each ring remembers.
const ringSize = 4_096

// ring remembers the newest ringSize of what was put into it.
type ring[T any] struct {
	items []T
	next  int
}

func (r *ring[T]) put(item T) {
	if len(r.items) < ringSize {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % ringSize
}

// any returns one of the items at random, nil if there is none. It stays the ring's.
func (r *ring[T]) any(rng *rand.Rand) *T {
	if len(r.items) == 0 {
		return nil
	}
	return &r.items[rng.IntN(len(r.items))]
}
