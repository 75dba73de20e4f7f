package projections

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// A time tree has the touches of a scope's blocks by when they occurred, so that those up to a time are added up without
// reading them all. A node is a stretch of time. It holds its touches, in log order, until there are more than
// leafTouches; then it is cut into stretches of the next level, of each of which it keeps what they add up to, and each of
// which is a node of its own. So a tree is as deep as there is much in it, late events cost no more than others, and its
// shape depends on the touches and their order alone.
//
//	node at depth   is            its children are
//	0               all times     4,096 days
//	1               4,096 days    64 days
//	2               64 days       days
//	3               a day         hours
//	4               an hour       minutes
//	5               a minute      seconds
//	6 … 10          a second …    10 ms, 100 µs, 1 µs, 10 ns, 1 ns
//
// The last ones are no nodes: what occurred at one nanosecond is not told apart.

// touchBytes is more than most touches have.
const touchBytes = 20

// leafTouches is how many touches a node holds at the most. Tests set it lower.
var leafTouches = 64

const day = 24 * time.Hour

// stretches are how long the children of a node are, by its depth.
var stretches = [...]time.Duration{4096 * day, 64 * day, day, time.Hour, time.Minute, time.Second,
	10 * time.Millisecond, 100 * time.Microsecond, time.Microsecond, 10 * time.Nanosecond, time.Nanosecond}

// The depths of the nodes whose children are days and hours.
const (
	daysDepth  = 2
	hoursDepth = 3
)

// firstInstant is the beginning of time, from where stretches are counted: so days are those of UTC.
var firstInstant = instantOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))

// start returns the beginning of the stretch of a depth's children that i lies in.
func (i instant) start(depth int) instant {
	length := stretches[depth]
	if length < time.Second {
		return instant{i.seconds, i.nanos - i.nanos%uint32(length)}
	}
	since := i.seconds - firstInstant.seconds
	return instant{i.seconds - since%int64(length/time.Second), 0}
}

// sum is what touches add up to.
type sum struct {
	// size is 1 + the index of the last of them.
	size   uint64
	sums   domain.Sums
	counts [counterCount]int64
}

func (s *sum) add(t *touch) (err error) {
	s.size = max(s.size, t.index+1)
	for _, c := range t.steps {
		s.counts[c.counter] += int64(c.by)
	}
	for i := range t.changes {
		line := &s.sums[t.changes[i].line-1]
		if *line, err = line.Add(t.changes[i].by); err != nil {
			return err
		}
	}
	return nil
}

func (s *sum) merge(t *sum) (err error) {
	s.size = max(s.size, t.size)
	for i := range t.counts {
		s.counts[i] += t.counts[i]
	}
	for i := range t.sums {
		if s.sums[i], err = s.sums[i].Add(t.sums[i]); err != nil {
			return err
		}
	}
	return nil
}

// statement returns the sum as a statement, which it is where it is of all touches up to a time.
func (s *sum) statement() (r statementRow, err error) {
	r.size, r.sums = s.size, s.sums
	for i, n := range s.counts {
		if n < 0 {
			return r, fmt.Errorf("the count of %s is %d: %w", counter(i), n, domain.ErrCorrupt)
		}
		r.counts[i] = uint64(n)
	}
	for i, sum := range s.sums {
		if sum.Sign() < 0 {
			return r, fmt.Errorf("line %s is %s: %w", domain.Line(i+1), sum, domain.ErrNegativeLine)
		}
	}
	return r, nil
}

func appendSum(dst []byte, s *sum) []byte {
	dst = binary.AppendUvarint(dst, s.size)
	at := len(dst)
	dst = append(dst, 0, 0, 0)
	var mask uint32
	for i, sum := range s.sums {
		if !sum.IsZero() {
			mask |= 1 << i
			dst = appendAmount(dst, sum)
		}
	}
	for i, n := range s.counts {
		if n != 0 {
			mask |= 1 << (domain.LineCount + i)
			dst = binary.AppendVarint(dst, n)
		}
	}
	dst[at], dst[at+1], dst[at+2] = byte(mask>>16), byte(mask>>8), byte(mask)
	return dst
}

func (d *decoder) sum(s *sum) {
	*s = sum{size: d.uvarint()}
	mask := uint32(d.byte())<<16 | uint32(d.byte())<<8 | uint32(d.byte())
	for i := range s.sums {
		if mask&(1<<i) != 0 {
			s.sums[i] = d.amount()
		}
	}
	for i := range s.counts {
		if mask&(1<<(domain.LineCount+i)) != 0 {
			s.counts[i] = d.varint()
		}
	}
}

// nodeKey names a node: the scope's tree, how deep it is, and the beginning of its stretch.
type nodeKey struct {
	scope string
	depth int
	start instant
}

func appendNodeKey(dst []byte, k nodeKey) []byte {
	dst = append(append(dst, k.scope...), byte(k.depth))
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.start.seconds-firstInstant.seconds))
	return binary.BigEndian.AppendUint32(dst, k.start.nanos)
}

// nodeRow is a node: it has touches, or children.
type nodeRow struct {
	leaf     run
	children []child
}

// child is a child of a node: the beginning of its stretch, and what it adds up to. A node may have many, and one that is
// read is mostly asked for few: total decodes a sum when it is asked for.
type child struct {
	start instant
	// sum is nil where nobody asked for it: then encoded is as it was read.
	sum     *sum
	encoded []byte
}

// total returns what the child adds up to, which changes with what is returned.
func (c *child) total() (*sum, error) {
	if c.sum != nil {
		return c.sum, nil
	}
	d, total := decoder{rest: c.encoded}, new(sum)
	d.sum(total)
	if err := d.done(); err != nil {
		return nil, &readError{fmt.Errorf("what a stretch from %s adds up to: %w", c.start.time(), err)}
	}
	c.sum, c.encoded = total, nil
	return total, nil
}

// addTo adds what the child adds up to.
func (c *child) addTo(to *sum) error {
	total, err := c.total()
	if err != nil {
		return err
	}
	return to.merge(total)
}

var treeTable = &table[nodeKey, nodeRow]{'t', appendNodeKey, encodeNode, decodeNode}

// encodeNode writes the number of children and these, each sum behind its length, else 0 and the leaf.
func encodeNode(dst []byte, r *nodeRow) []byte {
	var room [512]byte
	dst = binary.AppendUvarint(dst, uint64(len(r.children)))
	for i := range r.children {
		c := &r.children[i]
		encoded := c.encoded
		if c.sum != nil {
			encoded = appendSum(room[:0], c.sum)
		}
		dst = binary.AppendUvarint(appendInstant(dst, c.start), uint64(len(encoded)))
		dst = append(dst, encoded...)
	}
	if len(r.children) == 0 {
		dst = appendRun(dst, &r.leaf)
	}
	return dst
}

func decodeNode(d *decoder, r *nodeRow) {
	n := d.uvarint()
	if n == 0 {
		r.leaf = d.run()
		return
	}
	if n > uint64(len(d.rest)) {
		d.failed = true
		return
	}
	r.children = make([]child, n)
	for i := range r.children {
		r.children[i].start = d.instant()
		r.children[i].encoded = d.bytes(d.uvarint())
	}
}

// timeTrees is the time trees' part of the statements' fold.
type timeTrees struct {
	nodes *cache[nodeKey, nodeRow]
	// rooms are for the touches of a node that is cut up, by its depth.
	rooms [len(stretches)]touchRoom
}

func newTimeTrees(f *fold) *timeTrees { return &timeTrees{nodes: newCache(f, treeTable, 2<<10)} }

// add puts touches into a scope's tree, behind all that are in it.
func (t *timeTrees) add(scope string, touches []touch) error {
	return t.addBelow(nodeKey{scope, 0, firstInstant}, touches)
}

// addBelow puts touches into a node, or what is below it.
func (t *timeTrees) addBelow(k nodeKey, touches []touch) error {
	node, err := t.nodes.row(k)
	if err != nil {
		return err
	}
	if len(node.children) == 0 {
		node.leaf.touches = slices.Grow(node.leaf.touches, len(touches)*touchBytes)
		for i := range touches {
			node.leaf.add(0, &touches[i])
		}
		if node.leaf.n <= leafTouches {
			return nil
		}
		if touches, err = node.leaf.read(&t.rooms[k.depth]); err != nil {
			return err
		}
		*node = nodeRow{}
	}
	// What follows each other in the log mostly occurred in the same stretch, whose node is looked up once then.
	for begin := 0; begin < len(touches); {
		start, end := touches[begin].occurred.start(k.depth), begin+1
		for end < len(touches) && touches[end].occurred.start(k.depth) == start {
			end++
		}
		if err := t.addToChild(k, node, start, touches[begin:end]); err != nil {
			return err
		}
		begin = end
	}
	return nil
}

// addToChild puts touches into the child of a node that begins at start.
func (t *timeTrees) addToChild(k nodeKey, node *nodeRow, start instant, touches []touch) error {
	i, found := slices.BinarySearchFunc(node.children, start, func(c child, at instant) int { return c.start.compare(at) })
	if !found {
		node.children = slices.Insert(node.children, i, child{start: start, sum: new(sum)})
	}
	total, err := node.children[i].total()
	if err != nil {
		return err
	}
	for j := range touches {
		if err := total.add(&touches[j]); err != nil {
			return err
		}
	}
	if k.depth == len(stretches)-1 {
		return nil
	}
	return t.addBelow(nodeKey{k.scope, k.depth + 1, start}, touches)
}

// upTo adds to s what a scope's tree has up to a time.
func (s *Snapshot) upTo(scope string, at instant, to *sum) error {
	k := nodeKey{scope, 0, firstInstant}
	for {
		var node nodeRow
		found, err := treeTable.read(s.rows, k, &node)
		if err != nil || !found {
			return err
		}
		if len(node.children) == 0 {
			return node.leaf.upTo(at, to)
		}
		start := at.start(k.depth)
		i := 0
		for ; i < len(node.children) && node.children[i].start.compare(start) < 0; i++ {
			if err := node.children[i].addTo(to); err != nil {
				return err
			}
		}
		if i == len(node.children) || node.children[i].start != start {
			return nil
		}
		if k.depth == len(stretches)-1 {
			return node.children[i].addTo(to)
		}
		k = nodeKey{scope, k.depth + 1, start}
	}
}

// upTo adds the run's touches that occurred up to a time.
func (r *run) upTo(at instant, to *sum) error {
	var t touch
	reader := r.reader()
	for reader.next(&t) {
		if t.occurred.compare(at) <= 0 {
			if err := to.add(&t); err != nil {
				return err
			}
		}
	}
	return reader.err()
}
