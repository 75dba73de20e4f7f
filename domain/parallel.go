package domain

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// crew are goroutines whose panics become their caller's, who may be a request that ends with it; theirs would end the
// process.
type crew struct {
	wg       sync.WaitGroup
	panicked atomic.Value
}

func (c *crew) run(do func()) {
	c.wg.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				c.panicked.Store(fmt.Sprintf("%v\n%s", p, debug.Stack()))
			}
		}()
		do()
	})
}

func (c *crew) wait() {
	c.wg.Wait()
	if p := c.panicked.Load(); p != nil {
		panic(p)
	}
}

// inParallel calls do for 0 … n-1, in runs on each processor.
func inParallel(n int, do func(i int)) {
	const leastRun = 16
	workers := min(runtime.GOMAXPROCS(0), n/leastRun)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var c crew
	for w := range workers {
		c.run(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	c.wait()
}

// sideBySide returns when both are done.
func sideBySide(one, other func()) {
	var c crew
	c.run(one)
	c.run(other)
	c.wait()
}
