//go:build linux && !portable

package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// base is the memory of the snapshot, in a file that exists only in memory, so
// that instances can map it privately: they share the pages they don't write to.
type base struct {
	file  *os.File
	bytes []byte // the same, mapped for reading
}

func newBase(snapshot []byte) (*base, error) {
	fd, err := unix.MemfdCreate("snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making the memory of the snapshot: %w", err)
	}
	file := os.NewFile(uintptr(fd), "snapshot")
	if _, err := file.Write(snapshot); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("filling the memory of the snapshot: %w", err)
	}
	// Nothing can change or shorten it any more: a shorter file would kill the
	// process at the next read.
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("sealing the memory of the snapshot: %w", err)
	}
	mapped, err := unix.Mmap(fd, 0, len(snapshot), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("mapping the snapshot: %w", err)
	}
	return &base{file: file, bytes: mapped}, nil
}

func (b *base) close() error {
	if err := unix.Munmap(b.bytes); err != nil {
		return fmt.Errorf("unmapping the snapshot: %w", err)
	}
	return b.file.Close()
}

// restore puts the snapshot at the start of fresh memory.
func (b *base) restore(m *memory) error {
	start := unsafe.Pointer(&m.bytes[0]) //nolint:gosec // the memory was mapped and is larger than the snapshot
	_, err := unix.MmapPtr(int(b.file.Fd()), 0, start, uintptr(len(b.bytes)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("mapping the snapshot: %w", err)
	}
	return nil
}

// extend sees to it that there are size bytes. All that the limit allows are
// reserved at once, and take memory when they are written to.
func (m *memory) extend(uint64) bool {
	if m.bytes != nil {
		return true
	}
	b, err := unix.Mmap(-1, 0, int(m.limit), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return false
	}
	m.bytes = b
	return true
}

func (m *memory) release() {
	// It was mapped by extend, and unmapping fails for nothing else.
	_ = unix.Munmap(m.bytes)
}
