package domain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Position is an event's place in a log, given by the log itself. Positions of one log are ordered like its events and
// may have gaps; those of different logs mean nothing to each other. The zero Position lies before the first event.
//
// Positions are comparable with == and safe to copy.
type Position struct {
	commit, prepare uint64
	set             bool
}

// NewPosition returns the position that a log numbers with a commit and a prepare number (EventStoreDB); a log that
// counts with one number gives it twice.
func NewPosition(commit, prepare uint64) Position {
	return Position{commit: commit, prepare: prepare, set: true}
}

// IsStart reports whether p is the zero Position, which lies before the first event.
func (p Position) IsStart() bool { return !p.set }

// Numbers returns what NewPosition was given; both are 0 for the zero Position.
func (p Position) Numbers() (commit, prepare uint64) { return p.commit, p.prepare }

// Compare returns -1, 0 or +1 as p lies before, at or after q.
func (p Position) Compare(q Position) int {
	if p.set != q.set {
		if p.set {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(p.commit, q.commit), cmp.Compare(p.prepare, q.prepare))
}

// String returns the text form: "1042", "1042/1040" where the two numbers differ, "" for the zero Position.
func (p Position) String() string { return string(p.append(nil)) }

func (p Position) append(dst []byte) []byte {
	if !p.set {
		return dst
	}
	dst = strconv.AppendUint(dst, p.commit, 10)
	if p.prepare != p.commit {
		dst = append(dst, '/')
		dst = strconv.AppendUint(dst, p.prepare, 10)
	}
	return dst
}

// ParsePosition reads the text form that String gives, and nothing else.
func ParsePosition(s string) (Position, error) {
	commit, prepare, two := strings.Cut(s, "/")
	if !two {
		prepare = commit
	}
	c, err1 := strconv.ParseUint(commit, 10, 64)
	p, err2 := strconv.ParseUint(prepare, 10, 64)
	pos := NewPosition(c, p)
	if err1 != nil || err2 != nil || pos.String() != s {
		return Position{}, fmt.Errorf("%q is not a position", s)
	}
	return pos, nil
}
