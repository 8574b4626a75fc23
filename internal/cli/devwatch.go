package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchQuiet is how long nothing must happen before changes are acted on: editors
// write a file in several steps, Git many files.
const watchQuiet = 80 * time.Millisecond

// everything is what is said to have changed when it is not known what did.
const everything = "index.ts"

// watchLongest is how long changes wait at most, when they do not cease.
const watchLongest = 2 * time.Second

// watchFolder sends the files below a folder that changed, relative to it and with
// slashes, a little after the last of them did. Nothing is lost while nobody
// receives. The channel is closed when ctx has ended.
func watchFolder(ctx context.Context, dir string) (<-chan []string, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	f := newFolderWatch(root, w.Add, w.Remove)
	if err := f.enter(root, false); err != nil {
		_ = w.Close() // nothing was watched
		return nil, fmt.Errorf("watching %s: %w", dir, err)
	}
	changes := make(chan []string)
	go func() {
		defer close(changes)
		defer func() { _ = w.Close() }() // the process is about to end
		f.loop(ctx, w.Events, w.Errors, changes)
	}()
	return changes, nil
}

// folderWatch collects changes of a folder.
type folderWatch struct {
	dir         string
	add, remove func(dir string) error
	folders     map[string]bool // that are watched, relative to dir
	pending     map[string]bool
}

func newFolderWatch(dir string, add, remove func(dir string) error) *folderWatch {
	return &folderWatch{dir: dir, add: add, remove: remove, folders: map[string]bool{}, pending: map[string]bool{}}
}

// loop collects events until ctx ends.
func (f *folderWatch) loop(ctx context.Context, events <-chan fsnotify.Event, failures <-chan error, changes chan<- []string) {
	quiet, longest := time.NewTimer(watchQuiet), time.NewTimer(watchLongest)
	defer quiet.Stop()
	defer longest.Stop()
	ready, overdue := false, false
	note := func(before int) {
		ready = overdue
		quiet.Reset(watchQuiet)
		if before == 0 {
			longest.Reset(watchLongest)
		}
	}
	for {
		var out chan<- []string
		if ready && len(f.pending) > 0 {
			out = changes
		}
		before := len(f.pending)
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			if f.take(e) {
				note(before)
			}
		case _, ok := <-failures: // events were dropped
			if !ok {
				return
			}
			f.pending[everything] = true
			note(before)
		case <-quiet.C:
			ready = true
		case <-longest.C:
			ready, overdue = true, len(f.pending) > 0
		case out <- slices.Sorted(maps.Keys(f.pending)):
			f.pending, ready, overdue = map[string]bool{}, false, false
		}
	}
}

// take notes an event and reports whether it matters.
func (f *folderWatch) take(e fsnotify.Event) bool {
	name, ok := f.local(e.Name)
	if !ok || e.Op == fsnotify.Chmod {
		return false
	}
	if e.Has(fsnotify.Create) && isFolder(e.Name) {
		// What came with the folder, or before it was watched, makes no event.
		before := len(f.pending)
		if f.enter(e.Name, true) != nil {
			f.pending[everything] = true // it is gone again, or there are too many
		}
		return len(f.pending) > before
	}
	if f.folders[name] && (e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)) {
		f.leave(name)
		f.pending[everything] = true // nobody says what was in it
		return true
	}
	if !watched(name) {
		return false
	}
	f.pending[name] = true
	return true
}

// leave stops to watch a folder with all below it: one that was renamed would go on
// telling of its files by their old names.
func (f *folderWatch) leave(name string) {
	for folder := range f.folders {
		if folder == name || strings.HasPrefix(folder, name+"/") {
			delete(f.folders, folder)
			_ = f.remove(filepath.Join(f.dir, filepath.FromSlash(folder))) // fails for those that are gone
		}
	}
}

// enter watches a folder with all below it, and notes the files there. Links to
// folders are followed, as imports do.
func (f *folderWatch) enter(dir string, note bool) error {
	return f.walk(dir, note, map[string]bool{})
}

// walk is enter. What was entered is known by its path without links.
func (f *folderWatch) walk(dir string, note bool, entered map[string]bool) error {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if entered[root] {
		return nil
	}
	// With the separator it is what a link leads to.
	return filepath.WalkDir(dir+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) && name != dir {
			return fs.SkipDir // nothing is made of what can't be read
		}
		if err != nil {
			return err
		}
		local, ok := f.local(name)
		switch {
		case d.IsDir() && !ok:
			return fs.SkipDir
		case d.IsDir():
			if at, err := filepath.EvalSymlinks(name); err == nil {
				entered[at] = true
			}
			f.folders[local] = true
			return f.add(filepath.Clean(name))
		case ok && d.Type()&fs.ModeSymlink != 0 && isFolder(name):
			return f.walk(name, note, entered)
		case note && ok && watched(local):
			f.pending[local] = true
		}
		return nil
	})
}

// local returns a path relative to the folder, and whether it is of interest as
// far as the folders in it go.
func (f *folderWatch) local(name string) (string, bool) {
	rel, err := filepath.Rel(f.dir, name)
	if err != nil {
		return "", false
	}
	rel = filepath.ToSlash(rel)
	for part := range strings.SplitSeq(rel, "/") {
		if part == "node_modules" || part == "build" || part == "dist" || part != "." && strings.HasPrefix(part, ".") {
			return rel, false
		}
	}
	return rel, true
}

// watched reports whether functions can be made of a file of that name.
func watched(name string) bool {
	switch path.Ext(name) {
	case ".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".graphql", ".gql", ".html", ".md", ".sql", ".xml", ".csv", ".txt":
		return true
	}
	return false
}
