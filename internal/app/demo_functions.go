package app

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// demoFunctions are the functions of the demo: a folder as customers write it.
//
//go:embed demofunctions
var demoFunctions embed.FS

// functionsDir is where the demo keeps its functions, for people to change them.
func (d *demonstration) functionsDir() string { return filepath.Join(d.DataDir, "functions") }

// stepDeploy puts the functions into the demo's folder, unless an earlier run in
// the same folder did, and deploys them.
func (d *demonstration) stepDeploy(ctx context.Context, _ *walk) (string, error) {
	dir := d.functionsDir()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := writeDemoFunctions(dir); err != nil {
			return "", err
		}
	}
	if err := d.writeDotenv(dir); err != nil {
		return "", err
	}
	deployed, err := d.Deploy(ctx, dir, d.world.url, d.secret.DevKey)
	if err != nil {
		return "", err
	}
	names := make(map[string]bool) // the same ones are deployed to several integrations
	for _, f := range deployed {
		names[f.Type+" "+f.Name] = true
	}
	list := slices.Sorted(maps.Keys(names))
	slices.Reverse(list) // syncs come first
	return strings.Join(list, ", "), nil
}

// writeDotenv has "linkspan deploy" in the folder find the server and its key.
func (d *demonstration) writeDotenv(dir string) error {
	text := "LINKSPAN_HOST=" + d.world.url + "\nLINKSPAN_SECRET_KEY_DEV=" + d.secret.DevKey.Reveal() + "\n"
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the key for the functions of the demo: %w", err)
	}
	return nil
}

// writeDemoFunctions writes the functions to a new folder: all of them, or none.
func writeDemoFunctions(dir string) error {
	made, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+"-")
	if err != nil {
		return fmt.Errorf("making a folder for the functions of the demo: %w", err)
	}
	err = fs.WalkDir(demoFunctions, "demofunctions", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(made, filepath.FromSlash(strings.TrimPrefix(name, "demofunctions")))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		text, err := demoFunctions.ReadFile(path.Clean(name))
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
	if err == nil {
		err = os.Rename(made, dir)
	}
	if err != nil {
		return fmt.Errorf("writing the functions of the demo: %w", errors.Join(err, os.RemoveAll(made)))
	}
	return nil
}
