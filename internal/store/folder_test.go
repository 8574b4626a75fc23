package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
)

func TestLockFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	release, err := store.LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.LockFolder(dir); linkspan.KindOf(err) != linkspan.KindConflict || linkspan.CodeOf(err) != "data_folder_in_use" {
		t.Fatalf("a second server got %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	again, err := store.LockFolder(dir)
	if err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}

// A folder that can't be made is named, with what to do.
func TestLockFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(file, "data")
	_, err := store.LockFolder(dir)
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Kind != linkspan.KindInvalid || !strings.Contains(e.Msg, dir) || !strings.Contains(e.Hint, "--data") || e.Err == nil {
		t.Errorf("got %v", err)
	}
}
