package sandbox

const (
	wasmPage = 64 << 10
	// The unit in which images differ from the snapshot.
	imagePage = 4 << 10
)

// memory is the linear memory of one instance, which refuses to grow above its
// limit.
type memory struct {
	bytes   []byte // what there is of it; where memory can't move: all of it
	limit   uint64
	size    uint64 // bytes in use
	refused bool   // growing was refused: the program is out of memory
}

// Reallocate implements experimental.LinearMemory.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	if !m.extend(size) {
		m.refused = true
		return nil
	}
	m.size = size
	return m.bytes[:size:len(m.bytes)]
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	if m.bytes != nil {
		m.release()
		m.bytes = nil
	}
}
