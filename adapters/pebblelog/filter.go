package pebblelog

import "sync/atomic"

// filterBlocks is how many blocks of 64 bytes a filter has: 16 MiB in all. With the 4 million keys of 2 million events
// it is hardly ever wrong, with 32 million keys one time in five, and beyond that it is of less and less use and does
// no harm.
const filterBlocks = 16 << 20 / 64

// filter tells that a key is in no index. Nearly every append is to a stream and of a message that are not there yet,
// and a database needs some microseconds to find nothing. Its size does not depend on the number of keys.
//
// It is a split block Bloom filter: a key has one bit in each of the eight words of one block, which is a cache line.
type filter struct {
	words []atomic.Uint64
	// complete is set once every key of the index is in.
	complete atomic.Bool
}

func newFilter(blocks uint64) *filter { return &filter{words: make([]atomic.Uint64, 8*blocks)} }

// block returns the words of a key's block. Keys are hashes, so their bits serve as they are.
func (f *filter) block(k key) []atomic.Uint64 {
	at := 8 * (k.hi % (uint64(len(f.words)) / 8))
	return f.words[at : at+8 : at+8]
}

// add puts a key in and reports whether it surely was not there.
func (f *filter) add(k key) (fresh bool) {
	bits := k.lo
	words := f.block(k)
	for i := range words {
		if bit := uint64(1) << (bits & 63); words[i].Load()&bit == 0 {
			words[i].Or(bit)
			fresh = true
		}
		bits >>= 6
	}
	return fresh
}

// lacks reports that a key is surely not in the index.
func (f *filter) lacks(k key) bool { return f.complete.Load() && !f.has(k) }

// has reports whether a key was put in, or looks as if.
func (f *filter) has(k key) bool {
	bits := k.lo
	words := f.block(k)
	for i := range words {
		if words[i].Load()&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 6
	}
	return true
}
