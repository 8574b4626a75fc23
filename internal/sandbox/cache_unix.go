//go:build unix

package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const (
	groupWrites   fs.FileMode = 0o020
	othersWrite   fs.FileMode = 0o002
	administrator             = 0
)

// checkPrivate says whether only this user writes to a folder.
func checkPrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the folder of the cache: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || (int(stat.Uid) != os.Geteuid() && stat.Uid != administrator) {
		return fmt.Errorf("the folder %s of the cache belongs to another user: remove it, or name another one", dir)
	}
	if info.Mode().Perm()&(groupWrites|othersWrite) != 0 {
		return fmt.Errorf("other users can write to the folder %s of the cache: remove it, or name another one", dir)
	}
	return nil
}

// checkAbove says whether others can put another folder in the place of one that
// is in dir.
func checkAbove(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at what the folder of the cache is in: %w", err)
	}
	if info.Mode().Perm()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("everybody can write to %s, where the folder of the cache is: name another one", dir)
	}
	return nil
}
