//go:build !windows

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockExclusively locks the file until it is closed, without waiting.
func lockExclusively(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
