package store_test

import (
	"path/filepath"
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
