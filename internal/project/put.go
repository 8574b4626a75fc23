package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// Pulled are sources from elsewhere that go into a folder of functions, by their
// places in it, with slashes.
type Pulled struct {
	// Functions are imported in index.ts.
	Functions []string
	// Files are the texts of the functions and of what belongs to them alone.
	Files map[string]string
	// Shared are files that functions import, which may be there already.
	Shared map[string]string
	// Replace writes over files that are there with other texts.
	Replace bool
}

// Placed says what became of the files of a Pulled, in order.
type Placed struct {
	Written   []string `json:"written"`
	Replaced  []string `json:"replaced"`
	Unchanged []string `json:"unchanged"`
	// Kept are shared files that were there with other texts.
	Kept []string `json:"kept"`
}

// Put writes sources into a folder. When files are there with other texts, and they
// are not to be replaced, nothing is written: the error's code is file_exists.
func Put(dir string, p Pulled) (*Placed, error) {
	const op = "project.Put"
	placed := &Placed{Written: []string{}, Replaced: []string{}, Unchanged: []string{}, Kept: []string{}}
	texts := maps.Clone(p.Files)
	maps.Insert(texts, maps.All(p.Shared))
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if !isLocal(runtime.GOOS, name) {
			return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_name", nil, "%q is outside of the folder.", name)
		}
		there, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		_, own := p.Files[name]
		switch {
		case errors.Is(err, fs.ErrNotExist):
			placed.Written = append(placed.Written, name)
		case err != nil:
			return nil, fmt.Errorf("reading %s: %w", name, err)
		case bytes.Equal(there, []byte(texts[name])):
			placed.Unchanged = append(placed.Unchanged, name)
		case p.Replace:
			placed.Replaced = append(placed.Replaced, name)
		case own:
			taken = append(taken, name)
		default:
			placed.Kept = append(placed.Kept, name)
		}
	}
	if len(taken) > 0 {
		return nil, linkspan.E(op, linkspan.KindConflict, "file_exists", nil, "%s there with another text, so nothing was written.", are(taken)).
			WithHint("--force writes over it. What is there is lost then, unless it is in version control.")
	}
	for _, name := range slices.Concat(placed.Written, placed.Replaced) {
		if err := leadsOut(dir, name); err != nil {
			return nil, err
		}
	}
	for _, name := range placed.Written {
		if err := write(filepath.Join(dir, filepath.FromSlash(name)), []byte(texts[name]), 0o644); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	for _, name := range placed.Replaced {
		if err := replace(filepath.Join(dir, filepath.FromSlash(name)), []byte(texts[name]), 0o644); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return placed, placed.wire(dir, p.Functions)
}

// isLocal reports whether a name, with slashes, is one of a place in a folder. Windows
// takes points and spaces from the ends of names, so that others could be hidden
// behind them: ".. " is "..".
func isLocal(system, name string) bool {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return false
	}
	return system != "windows" || !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.TrimRight(part, ". ") != part })
}

// leadsOut reports links on the way to a file that lead out of the folder, or to
// nothing: what somebody else wrote must not land elsewhere.
func leadsOut(dir, name string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("finding %s: %w", dir, err)
	}
	root, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there are no links in a folder that is yet to be made
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", dir, err)
	}
	at := filepath.Join(dir, filepath.FromSlash(name))
	for at != dir && !exists(at) {
		at = filepath.Dir(at)
	}
	target, err := filepath.EvalSymlinks(at)
	if err == nil {
		if rel, err := filepath.Rel(root, target); err == nil && filepath.IsLocal(rel) {
			return nil
		}
	}
	return linkspan.E("project.Put", linkspan.KindInvalid, "invalid_name", err, "%s is behind the link %s, which leads out of the folder or to nothing, so nothing was written.", name, at).
		WithHint("Put a file or a folder in the place of the link.")
}

// wire imports functions in index.ts.
func (p *Placed) wire(dir string, functions []string) error {
	_, there := IndexOf(dir)
	changed := false
	for _, name := range functions {
		added, err := AddImport(dir, name)
		if err != nil {
			return err
		}
		changed = changed || added
	}
	if index, ok := IndexOf(dir); ok && changed {
		list := &p.Written
		if there {
			list = &p.Replaced
		}
		*list = append(*list, index)
	}
	return nil
}

// maxNamed is how many files a message names.
const maxNamed = 10

// are begins a sentence about files.
func are(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	if n := len(names) - maxNamed; n > 1 {
		return fmt.Sprintf("%s and %d more are", strings.Join(names[:maxNamed], ", "), n)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " are"
}

// Source returns a source of the library as functions of a folder are written: it
// imports the SDK by the name that the folder has for it.
func Source(dir, text string) string {
	return strings.ReplaceAll(text, `from "linkspan`, `from "`+packageOf(dir))
}
