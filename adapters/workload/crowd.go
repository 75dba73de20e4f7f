package workload

import "math/rand/v2"

// crowd says which accounts turn up at a post or a comment, and in which order, without keeping anything but their
// number: each target has a start of its own, drawn at random, and its k-th visitor follows from that. All visitors of
// a target are different, and the same start gives the same visitors.
//
// A tenth of the accounts are the regulars: every second visitor is one of them as long as there are any left.
type crowd struct {
	// Accounts 0 … regulars-1 are the regulars, the others come after them.
	regulars, others uint64
	// The steps have no divisor in common with the numbers, so that walking in steps, around and around, meets
	// everybody once.
	regularStep, otherStep uint64
}

func newCrowd(rng *rand.Rand, accounts uint64) crowd {
	c := crowd{regulars: accounts / 10}
	c.others = accounts - c.regulars
	c.regularStep, c.otherStep = coprime(rng, c.regulars), coprime(rng, c.others)
	return c
}

// size returns the number of accounts.
func (c *crowd) size() uint64 { return c.regulars + c.others }

// visitor returns the account that comes as the k-th of all, from 0, to a target with that start.
func (c *crowd) visitor(start uint32, k uint64) uint64 {
	switch {
	case k >= 2*c.regulars:
		k -= c.regulars
	case k%2 == 0:
		return (uint64(start) + k/2*c.regularStep) % c.regulars
	default:
		k /= 2
	}
	return c.regulars + (uint64(start)+k*c.otherStep)%c.others
}

// coprime returns a number up to n that has no divisor in common with n.
func coprime(rng *rand.Rand, n uint64) uint64 {
	for n > 1 {
		step := 1 + rng.Uint64N(n)
		a, b := n, step
		for b > 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return step
		}
	}
	return 1
}
