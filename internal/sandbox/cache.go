package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"time"
)

// unusedFor is how long files of other versions stay in the cache: of the version
// before an upgrade, to which somebody may go back.
const unusedFor = 30 * 24 * time.Hour

// folder is where an engine keeps what it can make again. Empty: nowhere.
type folder struct{ modules, snapshot string }

// openFolder prepares the folder of the cache. An engine works without it, so that
// whatever is wrong with it is only said.
func (e *Engine) openFolder(ctx context.Context) folder {
	if e.options.CacheDir == "" {
		return folder{}
	}
	f, err := makeFolder(e.options.CacheDir, modulesKey(), e.snapshotKey())
	if err != nil {
		e.options.Log.WarnContext(ctx, "sandbox: the cache is not used, which makes starts slow", "error", err)
		return folder{}
	}
	return f
}

func makeFolder(dir, modules, snapshot string) (folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folder{}, fmt.Errorf("making the folder of the cache: %w", err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return folder{}, fmt.Errorf("finding the folder of the cache: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return folder{}, fmt.Errorf("finding the folder of the cache: %w", err)
	}
	// What is in it is executed: nobody else may be able to write it.
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if err := checkAbove(above); err != nil {
			return folder{}, err
		}
		if above == filepath.Dir(above) {
			break
		}
	}
	f := folder{modules: filepath.Join(dir, "modules", modules), snapshot: filepath.Join(dir, "snapshots", snapshot)}
	for _, part := range []string{dir, filepath.Dir(f.snapshot), filepath.Dir(f.modules), f.modules} {
		if err := os.MkdirAll(part, 0o700); err != nil {
			return folder{}, fmt.Errorf("making the folder of the cache: %w", err)
		}
		if err := checkPrivate(part); err != nil {
			return folder{}, err
		}
	}
	return f, nil
}

// modulesKey names the folder of the module as the compiler of this version
// compiles it.
func modulesKey() string {
	h := sha256.New()
	h.Write(moduleWASM)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/tetratelabs/wazero" {
				fmt.Fprintf(h, "%s %s", d.Version, d.Sum)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// keep marks what is in use and removes what no version has used for long.
func (f folder) keep(now time.Time) error {
	if f == (folder{}) {
		return nil
	}
	var errs []error
	for _, used := range []string{f.modules, f.snapshot} {
		if err := os.Chtimes(used, now, now); err != nil {
			errs = append(errs, fmt.Errorf("marking what the cache is used for: %w", err))
			continue
		}
		errs = append(errs, sweep(filepath.Dir(used), now.Add(-unusedFor)))
	}
	return errors.Join(errs...)
}

// ours are the names of what engines put into the cache.
var ours = regexp.MustCompile(`^([0-9a-f]{32}|[0-9a-f]{64}|new-\d+|wazero-[\w.()-]+)$`)

// sweep removes what was not used since a time. Removing what another process is
// about to use does no harm: it makes it again.
func sweep(dir string, since time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the cache: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.ModTime().After(since) || !ours.MatchString(entry.Name()) {
			continue // gone, in use, or of somebody else
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			errs = append(errs, fmt.Errorf("removing what is not used from the cache: %w", err))
		}
	}
	return errors.Join(errs...)
}
