package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quietWatch is a folderWatch at work, on events that the test makes.
type quietWatch struct {
	events   chan fsnotify.Event
	failures chan error
	changes  chan []string
}

// saved is told of a file of the folder.
func (f *quietWatch) saved(dir, name string) {
	f.events <- fsnotify.Event{Name: filepath.Join(dir, filepath.FromSlash(name)), Op: fsnotify.Write}
}

// Changes are told once nothing has happened for a while, all at once.
func TestWatchQuiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		none := func(string) error { return nil }
		w := &quietWatch{make(chan fsnotify.Event), make(chan error), make(chan []string)}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go newFolderWatch(dir, none, none).loop(ctx, w.events, w.failures, w.changes)

		time.Sleep(time.Hour)
		begun := time.Now()
		w.saved(dir, "a/syncs/x.ts")
		time.Sleep(watchQuiet - time.Millisecond)
		w.saved(dir, "index.ts")
		w.saved(dir, "notes.bin") // nothing is made of it, so it does not count
		got := <-w.changes
		if took := time.Since(begun); took != 2*watchQuiet-time.Millisecond || !slices.Equal(got, []string{"a/syncs/x.ts", "index.ts"}) {
			t.Errorf("%v after %v", got, took)
		}

		// While nobody receives, nothing is lost, and what is told is what is known then.
		w.saved(dir, "b.ts")
		time.Sleep(time.Hour)
		w.saved(dir, "c.ts")
		if got := <-w.changes; !slices.Equal(got, []string{"b.ts", "c.ts"}) {
			t.Errorf("got %v", got)
		}

		// What never ceases is told nevertheless.
		begun = time.Now()
		for got = nil; got == nil && time.Since(begun) < time.Minute; {
			w.saved(dir, "d.ts")
			select {
			case got = <-w.changes:
			case <-time.After(watchQuiet / 2):
			}
		}
		if took := time.Since(begun); took != watchLongest {
			t.Errorf("after %v, not %v", took, watchLongest)
		}

		// When events were dropped, everything may have changed.
		w.failures <- fsnotify.ErrEventOverflow
		if got := <-w.changes; !slices.Contains(got, everything) {
			t.Errorf("got %v", got)
		}
	})
}

// A folder that was renamed is watched by its new name, with what a link leads to.
func TestWatchFolders(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, name := range []string{filepath.Join(dir, "a", "syncs"), filepath.Join(dir, "node_modules", "x"), filepath.Join(dir, ".git"), filepath.Join(elsewhere, "actions")} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	linked := os.Symlink(elsewhere, filepath.Join(dir, "linked")) == nil && os.Symlink(dir, filepath.Join(elsewhere, "back")) == nil
	watched := map[string]bool{}
	f := newFolderWatch(dir,
		func(name string) error { watched[name] = true; return nil },
		func(name string) error { delete(watched, name); return nil })
	if err := f.enter(dir, false); err != nil {
		t.Fatal(err)
	}
	want := func(names ...string) {
		t.Helper()
		if linked {
			names = append(names, "linked", "linked/actions")
		}
		for _, name := range names {
			if !watched[filepath.Join(dir, filepath.FromSlash(name))] {
				t.Errorf("%s is not watched", name)
			}
		}
		if len(watched) != len(names)+1 { // and the folder itself
			t.Errorf("watched %v", watched)
		}
	}
	want("a", "a/syncs")
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	f.take(fsnotify.Event{Name: filepath.Join(dir, "a"), Op: fsnotify.Rename})
	f.take(fsnotify.Event{Name: filepath.Join(dir, "b"), Op: fsnotify.Create})
	want("b", "b/syncs")
}
