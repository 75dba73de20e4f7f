package projections

// filterBlocks is how many blocks of 64 bytes a filter has: 16 MiB in all. With ten million keys it errs once in two
// hundred times; with many more it is of less and less use, and does no harm.
const (
	filterBlockBits = 18
	filterBlocks    = 1 << filterBlockBits
)

// filter tells that a row is not in the store, where a fold began with empty views: it knows those that were dropped
// from a cache, and the others are still there. Most accounts under a post, and most reactions, are new when they are
// folded first, and a store takes some microseconds to find nothing.
//
// It is a blocked Bloom filter of hashes: one has eight bits in one block, which is a cache line. It is for one
// goroutine.
type filter struct{ blocks [][8]uint64 }

func newFilter() *filter { return &filter{make([][8]uint64, filterBlocks)} }

// block returns the block of a hash. Its 18 highest bits choose the block, its 48 lowest the bits in it: two serve for
// both.
func (f *filter) block(hash uint64) *[8]uint64 { return &f.blocks[hash>>(64-filterBlockBits)] }

func (f *filter) add(hash uint64) {
	block := f.block(hash)
	for i := range block {
		block[i] |= 1 << (hash & 63)
		hash >>= 6
	}
}

// lacks reports that a hash was surely not added.
func (f *filter) lacks(hash uint64) bool {
	block := f.block(hash)
	for i := range block {
		if block[i]&(1<<(hash&63)) == 0 {
			return true
		}
		hash >>= 6
	}
	return false
}
