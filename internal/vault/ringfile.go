package vault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

const ringFileHead = `# Linkspan encryption keys. The first is active, the others only decrypt.
# Whoever has this file and the database can read every stored credential.
# Without this file the stored credentials are lost: keep a copy elsewhere.
`

// LoadRingFile reads the ring of a key file: one base64 key a line, the active
// one first; empty lines and lines that begin with # mean nothing. The ring
// follows later changes of the file. A file that others than its owner may read
// is refused. The error wraps fs.ErrNotExist when there is no file.
func LoadRingFile(path string) (*Ring, error) {
	r := &Ring{reload: func() ([]MasterKey, error) { return readRingFile(path) }}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// CreateRingFile makes a key file with one new key and loads it. When another
// process has made the file in the meantime, that one is loaded.
func CreateRingFile(path string) (*Ring, error) {
	tmp, err := writeTemp(path, []MasterKey{NewMasterKey()})
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp)
	// Unlike a rename, a link never replaces a file that is there.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("creating the key file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return LoadRingFile(path)
}

// SaveRingFile replaces the key file atomically, with mode 0600.
func SaveRingFile(path string, active MasterKey, old ...MasterKey) error {
	tmp, err := writeTemp(path, append([]MasterKey{active}, old...))
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("replacing the key file: %w", err), os.Remove(tmp))
	}
	return syncDir(filepath.Dir(path))
}

func readRingFile(path string) ([]MasterKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s is readable by others (mode %#o): run chmod 600 on it", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	keys, err := parseRingFile(data)
	if err != nil {
		return nil, fmt.Errorf("reading the key file %s: %w", path, err)
	}
	return keys, nil
}

func parseRingFile(data []byte) ([]MasterKey, error) {
	var keys []MasterKey
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		k, err := ParseMasterKey(linkspan.NewSecret(text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if !slices.ContainsFunc(keys, func(o MasterKey) bool { return o.id == k.id }) {
			keys = append(keys, k)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

// writeTemp writes the keys to a new file beside path and returns its name.
func writeTemp(path string, keys []MasterKey) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("writing the key file: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("writing the key file: %w", cerr)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	var b strings.Builder
	b.WriteString(ringFileHead)
	for _, k := range keys {
		b.WriteString(k.text.Reveal() + "\n")
	}
	if _, err := f.WriteString(b.String()); err != nil {
		return "", fmt.Errorf("writing the key file: %w", err)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("writing the key file: %w", err)
	}
	return f.Name(), nil
}

// syncDir makes a new directory entry survive a power failure, where the
// system has such a notion.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing the folder of the key file: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
