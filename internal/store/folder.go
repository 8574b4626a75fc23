package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/linkspan/linkspan"
)

// lockFile is locked by the server that uses a data folder. It stays behind,
// empty: only the lock on it means something, and that ends with the process.
const lockFile = "linkspan.lock"

// errLocked means that another process holds the lock of a file.
var errLocked = errors.New("the file is locked")

// LockFolder makes this process the only server on a data folder until release
// is called or the process ends, however it ends. Tools that work beside a
// running server don't take the lock. The error is of KindConflict when another
// server has it.
func LockFolder(dir string) (release func() error, err error) {
	const op = "store.LockFolder"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusableFolder(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusableFolder(dir, err)
	}
	err = lockExclusively(f)
	if err == nil {
		return sync.OnceValue(f.Close), nil
	}
	if closeErr := f.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	if errors.Is(err, errLocked) {
		return nil, linkspan.E(op, linkspan.KindConflict, "data_folder_in_use", nil,
			"Another server is using the data folder %s.", dir).
			WithHint("Stop it, or give this one another folder with --data. Several servers on the same data need --database.")
	}
	return nil, fmt.Errorf("%s: locking the data folder: %w", op, err)
}

func unusableFolder(dir string, err error) error {
	return linkspan.E("store.LockFolder", linkspan.KindInvalid, "", err, "The data folder %s can't be made or written.", dir).
		WithHint("Make it writable, or give another one with --data.")
}
