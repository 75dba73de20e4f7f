package pebbleviews

import "testing"

// IngestFrom sets the size from which commits are ingested, until the test ends.
func IngestFrom(t testing.TB, bytes int) {
	before := ingestBytes
	t.Cleanup(func() { ingestBytes = before })
	ingestBytes = bytes
}
