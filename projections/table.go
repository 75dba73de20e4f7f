package projections

import "fmt"

// table says how the rows of one kind are kept: where, and as which bytes. Equal rows have equal bytes. A row that is
// encoded as nothing is not kept.
type table[K comparable, R any] struct {
	prefix byte
	key    func(dst []byte, k K) []byte
	encode func(dst []byte, r *R) []byte
	decode func(d *decoder, r *R)
}

func (t *table[K, R]) appendKey(dst []byte, k K) []byte { return t.key(append(dst, t.prefix), k) }

// read sets r to the row of k and reports whether there is one.
func (t *table[K, R]) read(from Reader, k K, r *R) (found bool, err error) {
	return t.readRow(from, t.appendKey(make([]byte, 0, 64), k), r)
}

// readRow sets r to the row that a key with its prefix has, and reports whether there is one.
func (t *table[K, R]) readRow(from Reader, key []byte, r *R) (found bool, err error) {
	value, found, err := from.Get(key, make([]byte, 0, 256))
	if err != nil || !found {
		return false, err
	}
	return true, t.decodeRow(key, value, r)
}

// must sets r to the row of k, which another row speaks of: where it is missing, the views are damaged.
func (t *table[K, R]) must(from Reader, k K, r *R) error {
	found, err := t.read(from, k, r)
	if err == nil && !found {
		err = fmt.Errorf("row %q is missing: %w", t.appendKey(nil, k), ErrDamaged)
	}
	return err
}

// decodeRow reads a row. It may keep the value's bytes.
func (t *table[K, R]) decodeRow(key, value []byte, r *R) error {
	d := decoder{rest: value}
	t.decode(&d, r)
	return rowError(key, &d)
}

// rowError returns what was wrong with a row that d has read, nil for nothing.
func rowError(key []byte, d *decoder) error {
	if err := d.done(); err != nil {
		return fmt.Errorf("row %q: %w", key, err)
	}
	return nil
}
