//go:build linux && !portable

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// frozen is memory in a file that exists only in memory, so that instances can map
// it privately: they share the pages they don't write to. The file goes when nobody
// refers to it any more.
type frozen struct {
	file *os.File
	size int
}

// freeze keeps what the snapshot and, over it, the image are; nil: no image.
func freeze(snapshot []byte, over *image) (*frozen, error) {
	fd, err := unix.MemfdCreate("snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making the memory of the snapshot: %w", err)
	}
	f := &frozen{file: os.NewFile(uintptr(fd), "snapshot"), size: len(snapshot)}
	_, err = f.file.Write(snapshot)
	if err == nil && over != nil {
		f.size = int(over.size)
		err = errors.Join(f.file.Truncate(int64(f.size)), over.runs(func(at int, b []byte) error {
			_, err := f.file.WriteAt(b, int64(at))
			return err
		}))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filling the memory of the snapshot: %w", err), f.file.Close())
	}
	// Nothing can change or shorten it any more: a shorter file would kill the
	// process at the next read.
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(fmt.Errorf("sealing the memory of the snapshot: %w", err), f.file.Close())
	}
	return f, nil
}

// restore puts it at the start of fresh memory.
func (f *frozen) restore(m *memory) error {
	start := unsafe.Pointer(&m.bytes[0]) //nolint:gosec // the memory was mapped and is larger
	_, err := unix.MmapPtr(int(f.file.Fd()), 0, start, uintptr(f.size),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	runtime.KeepAlive(f)
	if err != nil {
		return fmt.Errorf("mapping the snapshot: %w", err)
	}
	return nil
}

// base is the memory of the snapshot.
type base struct {
	*frozen

	bytes []byte // the same, mapped for reading
}

func newBase(snapshot []byte) (*base, error) {
	f, err := freeze(snapshot, nil)
	if err != nil {
		return nil, err
	}
	mapped, err := unix.Mmap(int(f.file.Fd()), 0, len(snapshot), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mapping the snapshot: %w", err), f.file.Close())
	}
	return &base{frozen: f, bytes: mapped}, nil
}

func (b *base) close() error {
	if err := unix.Munmap(b.bytes); err != nil {
		return fmt.Errorf("unmapping the snapshot: %w", err)
	}
	return b.file.Close()
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
