package projections

import "hash/maphash"

// filterBlocks is how many blocks of 64 bytes a filter has: 16 MiB in all. With ten million keys it errs once in two
// hundred times; with many more it is of less and less use, and does no harm.
const (
	filterBlockBits = 18
	filterBlocks    = 1 << filterBlockBits
)

// filter tells that a row was never written. Most accounts under a post, and most reactions, are new when they are folded
// first, and a store takes some microseconds to find nothing. It knows only what it was told, so it is used where a fold
// begins with empty views.
//
// It is a blocked Bloom filter: a key has eight bits in one block, which is a cache line. It is for one goroutine.
type filter struct {
	seed   maphash.Seed
	blocks [][8]uint64
}

func newFilter() *filter {
	return &filter{maphash.MakeSeed(), make([][8]uint64, filterBlocks)}
}

// place returns the block of a key, and the bits that say which one of each word is the key's.
func (f *filter) place(key []byte) (block *[8]uint64, bits uint64) {
	h := maphash.Bytes(f.seed, key)
	// Its 18 highest bits choose the block, its 48 lowest the bits in it: two serve for both.
	return &f.blocks[h>>(64-filterBlockBits)], h
}

func (f *filter) add(key []byte) {
	block, bits := f.place(key)
	for i := range block {
		block[i] |= 1 << (bits & 63)
		bits >>= 6
	}
}

// lacks reports that a key was surely not added.
func (f *filter) lacks(key []byte) bool {
	block, bits := f.place(key)
	for i := range block {
		if block[i]&(1<<(bits&63)) == 0 {
			return true
		}
		bits >>= 6
	}
	return false
}
