package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Several dry runs that write one recording at the same time leave that of one of
// them, whole, and nobody reads a part.
func TestWriteFixtureAtTheSameTime(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a", "tests", "b.test.json")
	var all [][]byte
	for i := range 4 {
		all = append(all, bytes.Repeat([]byte{byte('a' + i)}, 300_000))
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			text, err := os.ReadFile(file)
			if whole := slices.ContainsFunc(all, func(x []byte) bool { return bytes.Equal(x, text) }); !whole && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("read %d bytes, %v", len(text), err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for _, text := range all {
		writers.Go(func() {
			for range 10 {
				if err := writeFixture(file, text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	onlyFile(t, file)
}

// onlyFile makes sure that there is nothing beside a file.
func onlyFile(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(file) {
		t.Errorf("there are %v, %v", entries, err)
	}
}

func TestWriteFixture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "b.test.json")
	write := func(text string, mode fs.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || string(text) != want {
			t.Errorf("it holds %q, %v", text, err)
		}
		onlyFile(t, file)
	}
	write("old", 0o640)
	if err := writeFixture(file, []byte("new")); err != nil {
		t.Error(err)
	}
	holds("new")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("it has another mode: %v, %v", info, err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := writeFixture(file, []byte("other")); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a read-only file: %v", err)
	}
	holds("new")
	// What is written next to it goes when it can't take its place.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFixture(file, []byte("new")); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
	if err := replaceFile(file, []byte("new"), 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	onlyFile(t, file)
}

// A recording that is a link is written where it leads to.
func TestWriteFixtureThroughLink(t *testing.T) {
	t.Parallel()
	to, link := filepath.Join(t.TempDir(), "to.json"), filepath.Join(t.TempDir(), "b.test.json")
	if err := os.WriteFile(to, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, link); err != nil {
		t.Skip("links can't be made here")
	}
	if err := writeFixture(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "new" {
		t.Errorf("it holds %q, %v", text, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}
