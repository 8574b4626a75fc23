//go:build unix

package sandbox

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cached makes an engine with that cache, runs a program, and returns what it logs.
func cached(t *testing.T, dir string) (e *Engine, said string) {
	t.Helper()
	var log bytes.Buffer
	e = newEngine(t, Options{CacheDir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got := value(t, e, `return 1`); got != "1" {
		t.Errorf("got %s", got)
	}
	return e, log.String()
}

// What is in the cache is executed: an engine does not use what others could have
// written, and says so.
func TestCacheOfOthers(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(dir string) error{
		"writable":           func(dir string) error { return os.Chmod(dir, 0o777) },
		"writable for group": func(dir string) error { return os.Chmod(dir, 0o770) },
		"replaceable":        func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"modules": func(dir string) error {
			return errFirst(os.Mkdir(filepath.Join(dir, "modules"), 0o700), os.Chmod(filepath.Join(dir, "modules"), 0o777))
		},
		"snapshots": func(dir string) error {
			return errFirst(os.Mkdir(filepath.Join(dir, "snapshots"), 0o700), os.Chmod(filepath.Join(dir, "snapshots"), 0o777))
		},
		"of another user": func(dir string) error { return os.Chown(dir, 12345, -1) },
		"no folder":       func(dir string) error { return errFirst(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a", "cache")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := prepare(dir); err != nil {
				t.Skip(err)
			}
			e, said := cached(t, dir)
			if e.folder != (folder{}) || !strings.Contains(said, "the cache is not used") || !strings.Contains(said, "folder") {
				t.Errorf("it uses %v and says %q", e.folder, said)
			}
			files := 0
			_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && name != "no folder" {
					files++
				}
				return nil
			})
			if files > 0 {
				t.Errorf("%d files are kept", files)
			}
		})
	}
}

func errFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A module in the cache that is damaged is compiled again.
func TestDamagedModule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cached(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "modules", "*", "wazero-*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for _, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { return append([]byte("X"), b[1:]...) },
	} {
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		cached(t, dir)
		if _, said := cached(t, dir); said != "" {
			t.Errorf("it was not made again: %s", said)
		}
	}
}

// What no version has used for a month goes; what engines did not put there stays.
func TestCacheIsTidied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, _ := cached(t, dir)
	old := time.Now().Add(-unusedFor - time.Hour)
	hash := strings.Repeat("0123456789abcdef", 4)
	age := func(at time.Time, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := []string{"snapshots/" + hash, "snapshots/new-123", "modules/" + hash[:32], "modules/wazero-v1.12.0-amd64-linux"}
	stay := []string{"snapshots/" + strings.Repeat("a", 64), "snapshots/notes", "modules/mine", "other"}
	for _, name := range append(gone, stay...) {
		if err := os.MkdirAll(filepath.Join(dir, name, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	age(old, append(gone, stay[1:]...)...)
	age(old.Add(2*time.Hour), stay[0])
	// What this version uses is old, too, but used now.
	for _, used := range []string{e.folder.modules, e.folder.snapshot} {
		if err := os.Chtimes(used, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, said := cached(t, dir); said != "" {
		t.Error(said)
	}
	for _, name := range gone {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range stay {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, used := range []string{e.folder.modules, e.folder.snapshot} {
		if info, err := os.Stat(used); err != nil || info.ModTime().Before(time.Now().Add(-time.Hour)) {
			t.Errorf("%s is not marked as used: %v", used, err)
		}
	}
}
