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

// stampFile says which typings are in a folder.
const stampFile = OwnFolder + "/types.stamp"

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
// there. The stamp comes last: what was interrupted is done again.
func writeTypings(dir string) error {
	files := functions.Typings()
	stamp, place := filepath.Join(dir, filepath.FromSlash(stampFile)), filepath.Join(dir, filepath.FromSlash(typingsPlace))
	if err := os.Remove(stamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(filepath.Join(place, filepath.FromSlash(name)), files[name], 0o644); err != nil {
			return err
		}
	}
	return write(stamp, []byte(hashOf(files)+"\n"), 0o644)
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
