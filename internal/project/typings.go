package project

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/linkspan/linkspan/sdk/functions"
)

// stampFile, among the typings, says which they are.
const stampFile = typingsPlace + "/stamp"

// TypingsState is what is known of the typings of a folder.
type TypingsState int

// The states of typings.
const (
	// TypingsForeign: tsconfig.json does not look for ours, as in folders that get
	// them from a package.
	TypingsForeign TypingsState = iota
	// TypingsMissing: they are looked for, and not there.
	TypingsMissing
	// TypingsOld: they are those of another version of this program.
	TypingsOld
	// TypingsCurrent: they are ours.
	TypingsCurrent
)

// Typings tells in which state the typings of a folder are.
func Typings(dir string) (TypingsState, error) {
	config, err := os.ReadFile(filepath.Join(dir, "tsconfig.json"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Contains(config, []byte(typingsPlace)) {
		return TypingsForeign, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading tsconfig.json: %w", err)
	}
	if !exists(filepath.Join(dir, filepath.FromSlash(typingsPlace))) {
		return TypingsMissing, nil
	}
	stamp, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(stampFile)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("reading the stamp of the typings: %w", err)
	}
	if string(bytes.TrimSpace(stamp)) != hashOf(functions.Typings()) {
		return TypingsOld, nil
	}
	return TypingsCurrent, nil
}

// RefreshTypings writes the typings of this program into a folder whose
// tsconfig.json looks for them, unless they are there already. It reports whether
// it wrote them.
func RefreshTypings(dir string) (bool, error) {
	state, err := Typings(dir)
	if err != nil {
		return false, err
	}
	if state == TypingsForeign || state == TypingsCurrent {
		return false, nil
	}
	if err := writeTypings(dir); err != nil {
		return false, fmt.Errorf("writing the typings: %w", err)
	}
	return true, nil
}

// writeTypings puts the typings into a folder, in the place of those that are
// there. They are written beside their place first: who looks for them meanwhile,
// such as another command of this program, finds all of them or none.
func writeTypings(dir string) error {
	files := functions.Typings()
	own := filepath.Join(dir, OwnFolder)
	if err := os.MkdirAll(own, 0o755); err != nil { //nolint:gosec // typings are for everybody who may enter the folder
		return err
	}
	fresh, err := os.MkdirTemp(own, "types-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }()     // it is gone when all went well
	if err := os.Chmod(fresh, 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(filepath.Join(fresh, filepath.FromSlash(name)), files[name], 0o644); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(fresh, filepath.Base(stampFile)), []byte(hashOf(files)+"\n"), 0o644); err != nil {
		return err
	}
	// Other commands may do the same now: each takes away what it finds, and whoever
	// finds the place taken has current typings.
	place, old := filepath.Join(dir, filepath.FromSlash(typingsPlace)), fresh+"-old"
	defer func() { _ = os.RemoveAll(old) }() // what is left there is in nobody's way
	if err := os.Rename(place, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, place); err != nil {
		if state, _ := Typings(dir); state != TypingsCurrent {
			return err
		}
	}
	return nil
}

// hashOf tells sets of files apart.
func hashOf(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
