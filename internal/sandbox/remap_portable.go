//go:build !linux || portable

package sandbox

import "slices"

// base is the memory of the snapshot, which instances copy.
type base struct {
	bytes []byte
}

func newBase(snapshot []byte) (*base, error) { return &base{bytes: slices.Clone(snapshot)}, nil }

func (b *base) close() error { return nil }

// restore puts the snapshot at the start of fresh memory.
func (b *base) restore(m *memory) error {
	copy(m.bytes, b.bytes)
	return nil
}

// extend sees to it that there are size bytes.
func (m *memory) extend(size uint64) bool {
	if size <= uint64(len(m.bytes)) {
		return true
	}
	grown := make([]byte, min(m.limit, size+size/4))
	copy(grown, m.bytes)
	m.bytes = grown
	return true
}

func (m *memory) release() {}
