package domain

import "slices"

// SplitWavesOf has waves of n engagements and more decided in two parts.
func SplitWavesOf(n int) { leastSplit = n }

// StatementsOf returns the statements of a post and of an account under it as Check works them out of a whole log; nil
// where nobody published the post.
func StatementsOf(lines [][]byte, post, account string) (whole, own *Statement, err error) {
	c := newChecker()
	size := uint64(len(lines))
	c.reports.expect(&Event{PostID: post, AccountID: account, Size: size})
	err = c.survey(func(yield func([]byte, error) bool) {
		slices.Values(lines)(func(line []byte) bool { return yield(line, nil) })
	})
	for _, line := range lines {
		if err == nil {
			err = c.check(line)
			c.index++
		}
	}
	if _, published := c.streams[PostStream(post)]; err != nil || !published {
		return nil, nil, err
	}
	c.reports.reached(size)
	of := func(account string) *Statement { return c.reports.worked[reportStatement{Scope{post, account}, size}] }
	return of(""), of(account), nil
}
