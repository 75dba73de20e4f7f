package esdbtest

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Rates are the probabilities of faults that are played at random, from 0 to 1.
type Rates struct {
	// Of each append and deletion: that it is refused, that it is taken and its connection dropped, that it is taken
	// and Aborted, that its answer is late, and that another node leads once it was stored.
	RefuseAppend, DropAppend, AbortAppend, LateAppend, ChangeLeader float64
	// Of each read forwards: that it ends half way.
	CutRead float64
	// Of each event that a subscription sends: that it is cut instead, that nothing is sent from there on, and that a
	// bogus checkpoint goes before it.
	CutSubscription, SilenceSubscription, BogusCheckpoint float64
	// Late is the longest delay of an answer, 10 ms by default.
	Late time.Duration
}

// random plays faults.
type random struct {
	rates Rates

	mu  sync.Mutex
	rng *rand.Rand
}

// PlayAtRandom plays faults by their rates from now on; with none it ends that. The same seed draws the same numbers,
// which become the same faults as far as requests come in the same order.
func (s *Server) PlayAtRandom(seed uint64, rates Rates) {
	if rates == (Rates{}) {
		s.random.Store(nil)
		return
	}
	if rates.Late <= 0 {
		rates.Late = 10 * time.Millisecond
	}
	s.random.Store(&random{rates: rates, rng: rand.New(rand.NewPCG(seed, 0))})
}

// happens draws for a fault. A nil random plays none.
func (r *random) happens(rate func(*Rates) float64) bool {
	if r == nil {
		return false
	}
	p := rate(&r.rates)
	if p <= 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Float64() < p
}

// below draws a number from 0 to n-1.
func (r *random) below(n int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Int64N(n)
}

// addTo adds to the fate of an append what is drawn.
func (r *random) addTo(f fate) fate {
	if r == nil {
		return f
	}
	f.refuse = f.refuse || r.happens(func(p *Rates) float64 { return p.RefuseAppend })
	f.drop = f.drop || r.happens(func(p *Rates) float64 { return p.DropAppend })
	f.abort = f.abort || r.happens(func(p *Rates) float64 { return p.AbortAppend })
	if f.delay == nil && r.happens(func(p *Rates) float64 { return p.LateAppend }) {
		f.delay = elapsed(1 + time.Duration(r.below(int64(r.rates.Late))))
	}
	return f
}

// otherLeader draws whether another node leads now, and which.
func (r *random) otherLeader(nodes, leader int) (int, bool) {
	if nodes < 2 || leader == noLeader || !r.happens(func(p *Rates) float64 { return p.ChangeLeader }) {
		return leader, false
	}
	return (leader + 1 + int(r.below(int64(nodes-1)))) % nodes, true
}

// playAtRandom plays what is drawn before an event.
func (s *subscription) playAtRandom() error {
	r := s.node.server.random.Load()
	switch {
	case r.happens(func(p *Rates) float64 { return p.CutSubscription }):
		return errClosing
	case r.happens(func(p *Rates) float64 { return p.SilenceSubscription }):
		return s.keepSilent()
	case r.happens(func(p *Rates) float64 { return p.BogusCheckpoint }):
		return s.send(checkpoint(math.MaxUint64, math.MaxUint64))
	default:
		return nil
	}
}
