package sandbox

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

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
	size    uint64       // bytes in use
	held    atomic.Int64 // the same as size, for others than the owner
	refused bool         // growing was refused: the program is out of memory

	// mu guards replacing bytes, because others than the owner store words.
	mu sync.Mutex
}

// Reallocate implements experimental.LinearMemory.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.extend(size) {
		m.refused = true
		return nil
	}
	m.size = size
	m.held.Store(int64(size))
	return m.bytes[:size:len(m.bytes)]
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes != nil {
		m.release()
		m.bytes = nil
		m.held.Store(0)
	}
}

// store sets a word that goroutines other than the owner set as well.
func (m *memory) store(at uint64, v int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at+4 <= uint64(len(m.bytes)) {
		// The module reads it at the same time.
		atomic.StoreInt32((*int32)(unsafe.Pointer(&m.bytes[at])), v) //nolint:gosec // the four bytes are there
	}
}
