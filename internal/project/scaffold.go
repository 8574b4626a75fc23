package project

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

//go:embed scaffold
var scaffold embed.FS

// Made says what was written into a folder.
type Made struct {
	// Dir is the folder, as it was given.
	Dir string
	// Files are those that were written, without the typings, with slashes.
	Files []string
	// Kept are files that were there and were left as they are.
	Kept []string
}

// Init lays a folder out: one function of each kind with its test, all that
// editors and coding agents need to know, and typings, so that it works without
// anything being installed. The folder may be missing, or hold other things; a
// folder of functions is refused. What was interrupted can be done again: index.ts,
// which makes it one, is written last.
func Init(dir string) (*Made, error) {
	if dir == "" {
		return nil, linkspan.E("project.Init", linkspan.KindInvalid, "not_a_folder", nil, "The folder has no name.").WithHint("Name a folder: it may be new.")
	}
	files, err := scaffoldFiles()
	if err != nil {
		return nil, err
	}
	made := &Made{Dir: dir}
	if err := checkRoom(dir, files); err != nil {
		return nil, err
	}
	base := nameOf(dir)
	var index scaffoldFile
	for _, f := range files {
		if f.name == "index.ts" {
			index = f
			continue
		}
		target := filepath.Join(dir, filepath.FromSlash(f.name))
		if exists(target) {
			if err := made.keep(dir, f); err != nil {
				return nil, err
			}
			continue
		}
		text := strings.ReplaceAll(f.text, "{{name}}", base)
		if err := write(target, []byte(text), f.mode); err != nil {
			return nil, fmt.Errorf("writing %s: %w", f.name, err)
		}
		made.Files = append(made.Files, f.name)
	}
	if _, err := RefreshTypings(dir); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(dir, index.name), []byte(index.text), index.mode); err != nil {
		return nil, fmt.Errorf("writing %s: %w", index.name, err)
	}
	made.Files = append(made.Files, index.name)
	slices.Sort(made.Files)
	return made, nil
}

// scaffoldFile is a file of a new folder.
type scaffoldFile struct {
	name string // in the folder, with slashes
	text string
	mode fs.FileMode
}

// places are where files go whose name can't be that in the program's sources.
func places() map[string]string {
	return map[string]string{
		"gitignore": ".gitignore", "env": ".env", "env.example": ".env.example",
		"SKILL.md": ".claude/skills/linkspan-functions/SKILL.md",
	}
}

func scaffoldFiles() ([]scaffoldFile, error) {
	var files []scaffoldFile
	moved := places()
	err := fs.WalkDir(scaffold, "scaffold", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := scaffold.ReadFile(name)
		if err != nil {
			return err
		}
		f := scaffoldFile{name: strings.TrimPrefix(name, "scaffold/"), text: string(text), mode: 0o644}
		if place := moved[f.name]; place != "" {
			f.name = place
		}
		if f.name == ".env" {
			f.mode = 0o600
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the files of a new folder: %w", err)
	}
	slices.SortFunc(files, func(a, b scaffoldFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// checkRoom makes sure that a folder can become one of functions.
func checkRoom(dir string, files []scaffoldFile) error {
	const op = "project.Init"
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the folder: %w", err)
	case !info.IsDir():
		return linkspan.E(op, linkspan.KindInvalid, "not_a_folder", nil, "%s is a file.", dir).WithHint("Name a folder: it may be new.")
	}
	if _, there := IndexOf(dir); there || Published(dir) || exists(filepath.Join(dir, "nango.yaml")) {
		return linkspan.E(op, linkspan.KindConflict, "folder_exists", nil, "%s is a folder of functions already.", dir).
			WithHint("Work in it with linkspan create, linkspan dev and linkspan test, or name another folder: linkspan init FOLDER")
	}
	var taken []string
	for _, f := range files {
		if !keepable(f.name) && !same(filepath.Join(dir, filepath.FromSlash(f.name)), f.text) {
			taken = append(taken, f.name)
		}
	}
	if len(taken) > 0 {
		return linkspan.E(op, linkspan.KindConflict, "files_exist", nil, "%s has %s already, which would be written.", dir, strings.Join(taken, ", ")).
			WithHint("Name a folder below it: linkspan init %s", filepath.Join(dir, "integrations"))
	}
	return nil
}

// same reports whether a file has a text already, or is not there.
func same(name, text string) bool {
	there, err := os.ReadFile(name)
	return err == nil && string(there) == text || errors.Is(err, fs.ErrNotExist) && !exists(name)
}

// keepable reports whether a folder works with another file of that name.
func keepable(name string) bool {
	return path.Dir(name) == "." && name != "index.ts" && name != "tsconfig.json" || strings.HasPrefix(name, ".claude/")
}

// keep leaves a file as it is, apart from what Git must ignore.
func (m *Made) keep(dir string, f scaffoldFile) error {
	m.Kept = append(m.Kept, f.name)
	if f.name != ".gitignore" {
		return nil
	}
	name := filepath.Join(dir, f.name)
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.name, err)
	}
	there := strings.Split(strings.ReplaceAll(string(text), "\r", ""), "\n")
	var missing strings.Builder
	for line := range strings.Lines(f.text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !slices.Contains(there, line) {
			missing.WriteString(line + "\n")
		}
	}
	if missing.Len() == 0 {
		return nil
	}
	added := "\n# Added by linkspan init\n" + missing.String()
	if len(text) > 0 && text[len(text)-1] != '\n' {
		added = "\n" + added
	}
	if bytes.Contains(text, []byte("\r\n")) {
		added = strings.ReplaceAll(added, "\n", "\r\n")
	}
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", f.name, err)
	}
	if err := replace(name, append(text, added...), info.Mode().Perm()); err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	return nil
}

// nameOf makes the name of a package of a folder's.
func nameOf(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	name := regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(filepath.Base(abs)), "-")
	if name = strings.Trim(name, "-._"); name == "" {
		return "integrations"
	}
	return name
}
