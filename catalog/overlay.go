package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// watchInterval is how often the operator's directory is looked at. Polling
// works on every file system, network ones and mounted secrets included.
const watchInterval = 2 * time.Second

// maxLogoBytes bounds an operator's own logo.
const maxLogoBytes = 256 << 10

// overlay is one consistent state of the operator's directory. It is replaced as
// a whole and never changed.
type overlay struct {
	// names are those of all providers, built-in ones included, sorted.
	names     []string
	providers map[string]*Provider
	logos     map[string][]byte
	files     map[string]ownFile
	// dirErr says why the directory could not be read last time.
	dirErr     error
	generation uint64
}

// ownFile is what is known of one file.
type ownFile struct {
	size    int64
	modTime time.Time
	// err says what is wrong with the file; the last good version stays in use.
	err error
}

// Watch looks for changes in the operator's directory until ctx ends. It returns
// at once when there is no directory.
func (c *Catalog) Watch(ctx context.Context) {
	if c.dir == "" {
		return
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// The problem is logged, once, and kept for Errors.
			_ = c.Reload(ctx)
		}
	}
}

// Errors returns what is wrong in the operator's directory now: [FileError]
// values, possibly several of one file, or the reason why the directory cannot
// be read.
func (c *Catalog) Errors() []error {
	own := c.own.Load()
	var errs []error
	if own.dirErr != nil {
		errs = append(errs, own.dirErr)
	}
	for _, name := range slices.Sorted(maps.Keys(own.files)) {
		if err := own.files[name].err; err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Reload reads what changed in the operator's directory and tells subscribers.
// A file with mistakes leaves the last good version of its provider in use. The
// error says that the directory cannot be read; everything then stays as it was.
func (c *Catalog) Reload(ctx context.Context) error {
	c.reload.Lock()
	defer c.reload.Unlock()
	before := c.own.Load()
	files, err := scanDir(c.dir)
	if err != nil {
		if before.dirErr == nil {
			c.log.ErrorContext(ctx, "providers directory cannot be read; keeping what was loaded", "dir", c.dir, "error", err)
			kept := *before
			kept.dirErr = err
			c.own.Store(&kept)
		}
		return err
	}
	after, changed := c.nextOverlay(before, files)
	if after == nil {
		return nil
	}
	c.own.Store(after)
	c.report(ctx, before, after, changed)
	if len(changed) > 0 {
		c.notify(changed)
	}
	return nil
}

// nextOverlay builds the state that follows before. It is nil when no file
// changed. changed names the providers that differ.
func (c *Catalog) nextOverlay(before *overlay, files map[string]ownFile) (after *overlay, changed []string) {
	same := before.dirErr == nil && maps.EqualFunc(before.files, files, func(a, b ownFile) bool {
		return a.size == b.size && a.modTime.Equal(b.modTime)
	})
	if same {
		return nil, nil
	}
	after = &overlay{
		providers:  map[string]*Provider{},
		logos:      map[string][]byte{},
		files:      files,
		generation: before.generation + 1,
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		c.takeFile(before, after, file)
	}
	for name := range after.providers {
		if before.providers[name] != after.providers[name] {
			changed = append(changed, name)
		}
	}
	for name := range before.providers {
		if after.providers[name] == nil {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	after.names = slices.Concat(c.builtin, slices.Collect(maps.Keys(after.providers)))
	slices.Sort(after.names)
	after.names = slices.Compact(after.names)
	return after, changed
}

// takeFile brings one file into the new state: from the old state if it did not
// change, else from the disk.
func (c *Catalog) takeFile(before, after *overlay, file string) {
	extension := filepath.Ext(file)
	name := strings.TrimSuffix(file, extension)
	state := after.files[file]
	old, known := before.files[file]
	unchanged := known && old.size == state.size && old.modTime.Equal(state.modTime)
	if extension == ".svg" {
		logo, had := before.logos[name]
		if !unchanged || !had {
			logo, state.err = readLimited(filepath.Join(c.dir, file), maxLogoBytes)
		}
		if state.err == nil {
			after.logos[name] = logo
		}
		after.files[file] = state
		return
	}
	if after.providers[name] != nil {
		state.err = &FileError{File: file, Message: fmt.Sprintf("provider %q has two files; remove one", name)}
		after.files[file] = state
		return
	}
	p := before.providers[name]
	if unchanged {
		state.err = old.err
	} else if parsed, err := c.parseOwn(file, name); err != nil {
		state.err = err
	} else {
		p = parsed
	}
	if p != nil {
		after.providers[name] = p
	}
	after.files[file] = state
}

func (c *Catalog) parseOwn(file, name string) (*Provider, error) {
	path := filepath.Join(c.dir, file)
	if !IsValidName(name) {
		return nil, &FileError{File: path, Message: "the file must be called like its provider: lower-case letters, digits and hyphens, then .yaml"}
	}
	data, err := readLimited(path, maxFileBytes)
	if err != nil {
		return nil, err
	}
	return ParseProvider(path, name, data)
}

// report logs what a reload brought.
func (c *Catalog) report(ctx context.Context, before, after *overlay, changed []string) {
	if len(changed) > 0 {
		c.log.InfoContext(ctx, "providers changed", "dir", c.dir, "providers", changed)
	}
	for _, file := range slices.Sorted(maps.Keys(after.files)) {
		state, old := after.files[file], before.files[file]
		if state.err == nil || old.err != nil && old.modTime.Equal(state.modTime) && old.size == state.size {
			continue
		}
		c.log.ErrorContext(ctx, "provider file has mistakes; keeping the last good version", "file", file, "error", state.err)
	}
}

// scanDir lists the provider files and logos of a directory. Links are followed:
// mounted configuration is made of them.
func scanDir(dir string) (map[string]ownFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]ownFile{}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || !slices.Contains([]string{".yaml", ".yml", ".svg"}, filepath.Ext(name)) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files[name] = ownFile{size: info.Size(), modTime: info.ModTime()}
		}
	}
	return files, nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{File: path, Message: "the file cannot be read: " + err.Error()}
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, &FileError{File: path, Message: "the file cannot be read: " + err.Error()}
	}
	if int64(len(data)) > limit {
		return nil, &FileError{File: path, Message: fmt.Sprintf("the file has more than %d bytes", limit)}
	}
	return data, nil
}
