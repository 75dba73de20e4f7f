package projections

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tweiledger/tweiledger/domain"
)

// Posts and accounts are listed by amounts that change all the time, so an index in their order would cost more than
// everything else of a fold. Instead each has a number, in the order in which the ledger saw them first, and its amounts
// stand in a block with those of its neighbours: a list reads all blocks, some ten bytes for each post or account, and
// keeps what belongs on its page.

// rankedRow is the row of a scope that lists show: a post or an account.
type rankedRow struct {
	scopeRow
	// number counts from 1, in the order in which the fold met them.
	number uint64
}

func encodeRanked(dst []byte, r *rankedRow) []byte {
	dst = binary.AppendUvarint(encodeStatement(dst, &r.statementRow), r.number)
	return appendRun(dst, &r.recent)
}

func decodeRanked(d *decoder, r *rankedRow) {
	decodeStatement(d, &r.statementRow)
	r.number = d.uvarint()
	r.recent = d.run()
}

// amounts is what a statement is sorted by.
type amounts struct{ profit, loss, reading domain.Twei }

// by returns the amount by which to sort.
func (a *amounts) by(s Sort) (value domain.Twei, err error) {
	switch s {
	case ByProfit:
		return a.profit, nil
	case ByLoss:
		return a.loss, nil
	}
	if value, err = a.profit.Sub(a.loss); err == nil && s == ByBalance {
		value, err = value.Add(a.reading)
	}
	return value, err
}

// blockAmounts is how many amounts a block has.
const blockAmounts = 64

// amountsBlock holds the amounts of the numbers of a block, as many as there are.
type amountsBlock struct {
	n       int
	amounts [blockAmounts]amounts
}

func encodeAmounts(dst []byte, b *amountsBlock) []byte {
	for i := range b.n {
		a := &b.amounts[i]
		dst = appendAmount(appendAmount(appendAmount(dst, a.profit), a.loss), a.reading)
	}
	return dst
}

func decodeAmounts(d *decoder, b *amountsBlock) {
	for b.n = 0; len(d.rest) > 0 && !d.failed; b.n++ {
		if b.n == blockAmounts {
			d.failed = true
			return
		}
		b.amounts[b.n] = amounts{d.amount(), d.amount(), d.amount()}
	}
}

// The tables of rankings: blocks of amounts by the block's number, ids by number, and how many numbers are given.
var (
	postAmounts    = &table[uint64, amountsBlock]{'d', binary.BigEndian.AppendUint64, encodeAmounts, decodeAmounts}
	accountAmounts = &table[uint64, amountsBlock]{'b', binary.BigEndian.AppendUint64, encodeAmounts, decodeAmounts}
	postNumbers    = &table[uint64, string]{'g', binary.BigEndian.AppendUint64, encodeID, decodeID}
	accountNumbers = &table[uint64, string]{'f', binary.BigEndian.AppendUint64, encodeID, decodeID}
	numberTable    = &table[byte, uint64]{'2', func(dst []byte, k byte) []byte { return append(dst, k) },
		func(dst []byte, n *uint64) []byte { return binary.AppendUvarint(dst, *n) },
		func(d *decoder, n *uint64) { *n = d.uvarint() }}
)

func encodeID(dst []byte, id *string) []byte { return append(dst, *id...) }

func decodeID(d *decoder, id *string) { *id = string(d.bytes(uint64(len(d.rest)))) }

// ranking is the fold of one kind's numbers and amounts.
type ranking struct {
	numbers *cache[byte, uint64]
	blocks  *cache[uint64, amountsBlock]
	ids     *list
	table   *table[uint64, string]
}

func newRanking(
	f *fold, numbers *cache[byte, uint64], amounts *table[uint64, amountsBlock], ids *table[uint64, string],
) *ranking {
	return &ranking{numbers, newCache(f, amounts, 2<<10), newList(f, ids.prefix), ids}
}

// fold notes the amounts of a post or an account after a touch, and numbers it where it is new.
func (r *ranking) fold(row *rankedRow, id string, t *touch) (err error) {
	if row.number == 0 {
		if err := r.number(row, id); err != nil {
			return err
		}
	} else if !t.moves(0) {
		return nil
	}
	block, err := r.blocks.row((row.number - 1) / blockAmounts)
	if err != nil {
		return err
	}
	at := int((row.number - 1) % blockAmounts)
	block.n = max(block.n, at+1)
	a := &block.amounts[at]
	a.profit, a.loss, _, err = row.sums.Subtotals()
	a.reading = row.sums.Of(domain.ReadToEarn)
	return err
}

func (r *ranking) number(row *rankedRow, id string) error {
	last, err := r.numbers.row(r.table.prefix)
	if err != nil {
		return err
	}
	*last++
	row.number = *last
	r.ids.add(func(dst []byte) []byte { return r.table.key(dst, row.number) },
		func(dst []byte) []byte { return append(dst, id...) })
	return nil
}

// Sort is the order of a list of posts or accounts.
type Sort uint8

// The orders. Equals come in the order in which the ledger saw them first.
const (
	// ByTotal is for posts and accounts, as is ByProfit.
	ByTotal Sort = iota + 1
	ByProfit
	// ByLoss is for posts, as is ByPublication, which is when it occurred.
	ByLoss
	ByPublication
	// ByBalance is for accounts.
	ByBalance
)

// rank is a place in an order: what is greater comes first, of equals what has the smaller number.
type rank struct {
	value  domain.Twei
	number uint64
}

// compare returns less than 0 where r comes before q.
func (r rank) compare(q rank, ascending bool) int {
	c := q.value.Cmp(r.value)
	if ascending {
		c = -c
	}
	if c == 0 && r.number != q.number {
		c = 1
		if r.number < q.number {
			c = -1
		}
	}
	return c
}

// ranked returns the ids of a page of all that have a number, and the cursor of the next page.
func (s *Snapshot) ranked(
	blocks *table[uint64, amountsBlock], ids *table[uint64, string], by Sort, ascending bool, p Page,
) (page []string, next string, err error) {
	if s.err != nil {
		return nil, "", s.err
	}
	list := fmt.Sprintf("%c%d%t", blocks.prefix, by, ascending)
	var after rank
	if p.Cursor != "" {
		if after, err = decodeRank(p.Cursor, list); err != nil {
			return nil, "", err
		}
	}
	best, err := s.best(blocks, by, ascending, after, p.Limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(best) > p.Limit {
		best = best[:p.Limit]
		last := best[p.Limit-1]
		next = encodeCursor(list, appendAmount(binary.AppendUvarint(nil, last.number), last.value))
	}
	for _, r := range best {
		var id string
		if err := ids.must(s.rows, r.number, &id); err != nil {
			return nil, "", err
		}
		page = append(page, id)
	}
	return page, next, nil
}

func decodeRank(cursor, list string) (rank, error) {
	d, err := decodeCursor(cursor, list)
	number := d.uvarint()
	r := rank{d.amount(), number}
	if err != nil || d.done() != nil || number == 0 {
		return rank{}, ErrBadCursor
	}
	return r, nil
}

// best returns the first n ranks behind one, in their order. The zero rank begins.
func (s *Snapshot) best(
	blocks *table[uint64, amountsBlock], by Sort, ascending bool, after rank, n int,
) (best []rank, _ error) {
	var block amountsBlock
	var number uint64
	full := false
	compare := func(a, b rank) int { return a.compare(b, ascending) }
	for row, err := range s.rows.Scan([]byte{blocks.prefix}, []byte{blocks.prefix + 1}) {
		if err != nil {
			return nil, err
		}
		if err := blocks.decodeRow(row.Key, row.Value, &block); err != nil {
			return nil, err
		}
		for i := range block.n {
			number++
			value, err := block.amounts[i].by(by)
			if err != nil {
				return nil, err
			}
			r := rank{value, number}
			if after.number != 0 && compare(after, r) >= 0 || full && compare(best[n-1], r) < 0 {
				continue
			}
			best = append(best, r)
		}
		// Now and then what is not among the first is forgotten, and what comes behind the last of them from then on.
		if len(best) >= 2*n+blockAmounts {
			slices.SortFunc(best, compare)
			best, full = best[:n], true
		}
	}
	slices.SortFunc(best, compare)
	return best[:min(n, len(best))], nil
}
