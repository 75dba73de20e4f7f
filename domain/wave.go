package domain

// waves groups the tasks that are not done: none of a wave reads what another one of it writes, also where it has to
// read again after a lost race; and none writes what an earlier one still has to read in a later wave.
func waves(tasks []task) (waves [][]*task) {
	written := make(map[Stream]int, len(tasks))
	read := make(map[Stream]int, len(tasks))
	messages := make(map[Message]int, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		if t.done {
			continue
		}
		// The maps hold the first wave that may build on a write, and the first one that may write what was read.
		n := max(written[t.own], written[t.about], messages[t.Message], read[t.own])
		written[t.own], messages[t.Message] = n+1, n+1
		if t.about != "" {
			read[t.about] = max(read[t.about], n+1)
		}
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], t)
	}
	return waves
}

// A splitWave is a wave in two parts, of which the second has nothing that a later wave waits for: it can be decided
// while the first is appended, and be appended together with the first part of the next wave. So the processors work
// while the log syncs, and a batch has no more appends than waves, or two.
type splitWave struct{ first, second []*task }

// leastSplit is the number of tasks of the smallest wave that is split: fewer are decided in less than a sync takes.
// Tests set it, to see with few engagements what takes many.
var leastSplit = 128

// split splits the waves in halves, or as near to that as what later waves wait for allows.
func split(waves [][]*task) []splitWave {
	parts := make([]splitWave, len(waves))
	later := dependents{written: map[Stream]bool{}, read: map[Stream]bool{}, messages: map[Message]bool{}}
	for i := len(waves) - 1; i >= 0; i-- {
		wave := waves[i]
		at := len(wave)
		if at >= leastSplit {
			at = max(later.waitFor(wave), at/2)
		}
		parts[i] = splitWave{wave[:at], wave[at:]}
		if i > 0 {
			later.add(wave)
		}
	}
	return parts
}

// dependents are what tasks of later waves write and read, and their messages.
type dependents struct {
	written, read map[Stream]bool
	messages      map[Message]bool
}

func (d *dependents) add(wave []*task) {
	for _, t := range wave {
		d.written[t.own], d.messages[t.Message] = true, true
		if t.about != "" {
			d.read[t.about] = true
		}
	}
}

// waitFor returns how many tasks of a wave there are up to the last one that has to be over before the dependents.
func (d *dependents) waitFor(wave []*task) int {
	for i := len(wave); i > 0; i-- {
		t := wave[i-1]
		if d.written[t.own] || d.read[t.own] || d.written[t.about] || d.messages[t.Message] {
			return i
		}
	}
	return 0
}
