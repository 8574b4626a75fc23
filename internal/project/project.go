// Package project works on folders of functions: it lays them out, adds functions
// to them, and writes what can be derived from them, such as definitions, types
// and documents. It reads and writes files, and talks to nobody.
//
// A folder holds index.ts, which imports the functions that count, and functions
// at <integration>/<syncs|actions|on-events|functions>/<name>.ts with recorded
// tests beside them, at <integration>/tests/<name>.test.json.
package project

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/linkspan/linkspan"
)

// The folder that this program keeps files in, below the folder of functions.
// Git ignores it; all that is in it can be made again.
const (
	OwnFolder    = ".linkspan"
	typingsPlace = OwnFolder + "/types"
)

// publishedFolder is in folders that the published CLI laid out.
const publishedFolder = ".nango"

// Published reports whether a folder is laid out as the published CLI does it.
func Published(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, publishedFolder))
	return err == nil && info.IsDir()
}

// IndexOf returns the name of the file that lists the functions of a folder, and
// whether there is one.
func IndexOf(dir string) (name string, ok bool) {
	for _, name := range []string{"index.ts", "index.js"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return name, true
		}
	}
	return "", false
}

// Folders are the folders below an integration that functions are in, by what
// functions in them are made with.
const (
	FolderSyncs     = "syncs"
	FolderActions   = "actions"
	FolderOnEvents  = "on-events"
	FolderFunctions = "functions"
)

// Function names a function of a folder.
type Function struct {
	Integration string
	// Folder is one of the four above.
	Folder string
	Name   string
}

// File returns where the function is in the folder, with slashes.
func (f Function) File() string { return path.Join(f.Integration, f.Folder, f.Name+".ts") }

// Fixture returns where the function's recorded test is in the folder, with
// slashes.
func (f Function) Fixture() string {
	return path.Join(f.Integration, "tests", f.Name+".test.json")
}

// Check reports names that can't be those of an integration or a function.
func (f Function) Check() error {
	const op = "project.Function"
	if !regexp.MustCompile(`^[a-zA-Z0-9~:.@ _-]{1,255}$`).MatchString(f.Integration) {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_name", nil,
			"%q can't be the name of an integration: use letters, digits and ~ : . @ _ - and spaces, at most 255.", f.Integration)
	}
	// What is hidden belongs to tools, and is not looked at for functions.
	if strings.HasPrefix(f.Integration, ".") || strings.EqualFold(f.Integration, "node_modules") {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_name", nil,
			"%q can't be the folder of an integration: hidden folders and node_modules are for tools.", f.Integration)
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`).MatchString(f.Name) {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_name", nil,
			"%q can't be the name of a function: use letters, digits, _ and -, at most 255.", f.Name)
	}
	return nil
}

// exists reports whether there is anything at a path.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// write writes a file that must not be there yet, and the folders above it.
func write(name string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // sources are for everybody who may enter the folder
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// replace puts a text in the place of a file at once: readers see the old text or
// the new one. A link stays one: the file that it leads to is replaced.
func replace(name string, text []byte, mode fs.FileMode) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
