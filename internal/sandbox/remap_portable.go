//go:build !linux || portable

package sandbox

import "slices"

// base is the memory of the snapshot, which instances copy.
type base struct {
	bytes []byte
}

func newBase(snapshot []byte) (*base, error) { return &base{bytes: slices.Clone(snapshot)}, nil }

func (b *base) close() error { return nil }

// frozen is a whole memory that can be had without copying it, which is not
// possible here.
type frozen struct{ size int }

// freeze returns nil: putting an image over the snapshot is as fast as it gets.
func freeze([]byte, *image) (*frozen, error) { return nil, nil } //nolint:nilnil // says so

func (*frozen) restore(*memory) error { return nil }

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
