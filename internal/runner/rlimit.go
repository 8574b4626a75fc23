//go:build linux || darwin

package runner

import (
	"fmt"
	"syscall"
)

const (
	maxFiles    = 256       // the connection, snapshots and hot images, caches
	maxFileSize = 512 << 20 // of one in the cache, and of a snapshot
)

// limitResources bounds what this process can take from the machine beside memory
// and time, which its parent watches.
func limitResources() error {
	for _, l := range []struct {
		what  string
		which int
		most  uint64
	}{
		{"core dumps", syscall.RLIMIT_CORE, 0},
		{"open files", syscall.RLIMIT_NOFILE, maxFiles},
		{"the size of files", syscall.RLIMIT_FSIZE, maxFileSize},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.which, &now); err != nil {
			return fmt.Errorf("reading the limit of %s: %w", l.what, err)
		}
		most := min(l.most, now.Max)
		if err := syscall.Setrlimit(l.which, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limiting %s: %w", l.what, err)
		}
	}
	return nil
}
