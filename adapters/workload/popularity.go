package workload

import (
	"math/rand/v2"
	"sort"
)

// popularity draws ranks from 0 by Zipf's law, flattened a little at the top: rank k has the weight 1/(k+5), so the
// first of 1,000 has 4 % of the draws and the first hundred nearly 60 %. It counts in integers, so that every machine
// draws the same.
type popularity struct {
	// upTo holds at k the weights of all ranks up to k together.
	upTo []uint64
}

func newPopularity(ranks int) popularity {
	p := popularity{make([]uint64, ranks)}
	sum := uint64(0)
	for k := range p.upTo {
		sum += 1 << 40 / uint64(k+5)
		p.upTo[k] = sum
	}
	return p
}

func (p popularity) draw(rng *rand.Rand) int {
	at := rng.Uint64N(p.upTo[len(p.upTo)-1])
	return sort.Search(len(p.upTo), func(k int) bool { return p.upTo[k] > at })
}
