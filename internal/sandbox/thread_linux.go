//go:build linux && !portable

package sandbox

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// thread is a thread of the operating system; 0: unknown.
type thread int32

func currentThread() thread { return thread(unix.Gettid()) }

// computed returns for how long the thread has had a processor; false: that is not
// known, or the thread is gone.
func (t thread) computed() (time.Duration, bool) {
	if t == 0 {
		return 0, false
	}
	// How Linux names the processor clock of a thread of this process.
	const perThread, scheduled = 4, 2
	clock := ^int32(t)<<3 | perThread | scheduled
	var at unix.Timespec
	// It does not wait, so that the scheduler of Go needs not to know.
	_, _, failed := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&at)), 0) //nolint:gosec // the kernel fills it in
	return time.Duration(at.Nano()), failed == 0
}
