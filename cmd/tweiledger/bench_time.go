package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// perSecond runs do and returns how many of n were done a second.
func perSecond(n int, do func() error) (float64, error) {
	if err := settle(); err != nil {
		return 0, err
	}
	start := time.Now()
	err := do()
	return float64(n) / time.Since(start).Seconds(), err
}

// The process counts as idle when it worked for less than a tenth of a while; it is not waited for longer than
// patience.
const (
	settleWhile    = 50 * time.Millisecond
	settlePatience = 10 * time.Second
)

// settle comes before what is measured: what was measured before leaves it no garbage to collect and, in the
// background, no tables to compact. Otherwise a numerator that leaves much undone would slow its own denominator.
func settle() error {
	runtime.GC()
	before, err := processorTime()
	if err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < settlePatience; {
		time.Sleep(settleWhile)
		now, err := processorTime()
		if err != nil || now-before < settleWhile/10 {
			return err
		}
		before = now
	}
	return nil
}

// processorTime returns the time for which processors have worked for this process.
func processorTime() (time.Duration, error) {
	var used unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}
