package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/catalog"
)

const acme = `name: acme
display_name: Acme
categories:
  - crm
auth:
  mode: API_KEY
api:
  base_url:
    - https://api.acme.example
`

// directory is an operator's directory. Each write has a later modification time.
type directory struct {
	t    *testing.T
	path string
	tick time.Time
}

func newDirectory(t *testing.T) *directory {
	t.Helper()
	return &directory{t: t, path: t.TempDir(), tick: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (d *directory) write(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.path, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.tick = d.tick.Add(time.Second)
	if err := os.Chtimes(file, d.tick, d.tick); err != nil {
		d.t.Fatal(err)
	}
}

func (d *directory) remove(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.path, name)); err != nil {
		d.t.Fatal(err)
	}
}

func reload(t *testing.T, cat *catalog.Catalog) {
	t.Helper()
	if err := cat.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func displayName(cat *catalog.Catalog, name string) string {
	p, err := cat.Provider(name)
	if err != nil {
		return err.Error()
	}
	return p.DisplayName
}

func TestOwnProviders(t *testing.T) {
	t.Parallel()
	dir := newDirectory(t)
	dir.write("acme.yaml", acme)
	dir.write("notes.txt", "not a provider")
	dir.write(".hidden.yaml", "nonsense")
	var logged bytes.Buffer
	cat, err := catalog.Open(catalog.Options{Dir: dir.path, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	var changes [][]string
	stop := cat.OnChange(func(names []string) { changes = append(changes, names) })

	if !cat.Has("acme") || displayName(cat, "acme") != "Acme" || len(cat.Names()) != 982 {
		t.Fatalf("acme is missing: %v", cat.Errors())
	}
	if found, _ := cat.Search("acme"); len(found) != 1 {
		t.Errorf("Search found %v", found)
	}

	// A change, and a replacement of a built-in provider.
	dir.write("acme.yaml", strings.Replace(acme, "Acme", "Acme 2", 1))
	dir.write("github.yml", strings.ReplaceAll(acme, "acme", "github"))
	before, _ := cat.List(catalog.PublicURLs{})
	reload(t, cat)
	if displayName(cat, "acme") != "Acme 2" || displayName(cat, "github") != "Acme" || len(cat.Names()) != 982 {
		t.Errorf("after a change: %s, %s", displayName(cat, "acme"), displayName(cat, "github"))
	}
	if after, _ := cat.List(catalog.PublicURLs{}); after == before {
		t.Error("the listing is stale")
	}

	// A mistake keeps the last good version and is reported with its line.
	dir.write("acme.yaml", strings.Replace(acme, "API_KEY", "MAGIC", 1))
	reload(t, cat)
	problems := cat.Errors()
	if displayName(cat, "acme") != "Acme 2" || len(problems) != 1 {
		t.Fatalf("after a mistake: %s, %v", displayName(cat, "acme"), problems)
	}
	if problem, ok := errors.AsType[*catalog.FileError](problems[0]); !ok || problem.Line != 6 || !strings.Contains(problem.Error(), "acme.yaml:6: auth.mode") {
		t.Errorf("got %v, want acme.yaml:6", problems[0])
	}
	reload(t, cat)
	if n := strings.Count(logged.String(), "has mistakes"); n != 1 {
		t.Errorf("the mistake was logged %d times, want once", n)
	}

	// Removal brings the built-in provider back.
	dir.remove("github.yml")
	dir.remove("acme.yaml")
	reload(t, cat)
	if cat.Has("acme") || displayName(cat, "github") != "GitHub (User OAuth)" || len(cat.Errors()) != 0 {
		t.Errorf("after removal: %s, %v", displayName(cat, "github"), cat.Errors())
	}
	stop()
	dir.write("acme.yaml", acme)
	reload(t, cat)
	if diff := cmp.Diff([][]string{{"acme", "github"}, {"acme", "github"}}, changes); diff != "" {
		t.Error("changes:", diff)
	}
}

func TestOwnProviderMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, text, want string }{
		{"unknown key", "acme.yaml", acme + "colour: red\n", `acme.yaml:10: the key "colour" is unknown here`},
		{"unknown nested key", "acme.yaml", strings.Replace(acme, "  mode:", "  colour: red\n  mode:", 1), `acme.yaml:6: the key "colour" is unknown here`},
		{"broken YAML", "acme.yaml", "name: [acme\n", "acme.yaml:"},
		{"empty", "acme.yaml", "", "acme.yaml: the file is empty"},
		{"wrong type", "acme.yaml", strings.Replace(acme, "categories:\n  - crm", "categories: 7", 1), "acme.yaml:3: a number cannot stand here"},
		{"duplicate key", "acme.yaml", acme + "name: acme\n", "acme.yaml:10:"},
		{"name differs", "other.yaml", acme, `other.yaml:1: name is "acme"; it must be "other"`},
		{"file name", "Acme.yaml", acme, "lower-case"},
		{"template", "acme.yaml", strings.Replace(acme, "https://api", "https://${api", 1), "acme.yaml:9: the placeholder at byte 8 is not closed"},
		{"placeholder", "acme.yaml", strings.Replace(acme, "https://api", "https://${step1.x}", 1), "acme.yaml:9: api.base_url.0 uses ${step1.x}, which has no value there"},
		{"category", "acme.yaml", strings.Replace(acme, "- crm", "- fun", 1), "acme.yaml:4: categories.0"},
		{"pattern", "acme.yaml", acme + "inputs:\n  credentials:\n    - name: apiKey\n      pattern: '['\n", "acme.yaml:13: inputs.credentials.0.pattern is wrong"},
		{"nested value", "acme.yaml", acme + "  headers:\n    - name: a\n      value:\n        b:\n          - ${c\n", "acme.yaml:14: the placeholder"},
		{"alias bomb", "acme.yaml", "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nname: *b\n", "acme.yaml"},
		{"too large", "acme.yaml", strings.Repeat("#", 2<<20), "more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := newDirectory(t)
			dir.write(test.file, test.text)
			cat, err := catalog.Open(catalog.Options{Dir: dir.path})
			if err != nil {
				t.Fatal(err)
			}
			text := errors.Join(cat.Errors()...)
			if text == nil || !strings.Contains(text.Error(), test.want) {
				t.Errorf("got %v, want %q", text, test.want)
			}
			if len(cat.Names()) != 981 {
				t.Error("a provider with mistakes is listed")
			}
		})
	}
}

func TestOwnDirectoryUnreadable(t *testing.T) {
	t.Parallel()
	if _, err := catalog.Open(catalog.Options{Dir: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("Open accepts a missing directory")
	}
	dir := newDirectory(t)
	dir.path = filepath.Join(dir.path, "providers")
	if err := os.Mkdir(dir.path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir.write("acme.yaml", acme)
	cat, err := catalog.Open(catalog.Options{Dir: dir.path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir.path); err != nil {
		t.Fatal(err)
	}
	if err := cat.Reload(t.Context()); err == nil || !cat.Has("acme") || len(cat.Errors()) != 1 {
		t.Errorf("got %v, %v; want an error, and acme kept", err, cat.Errors())
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := newDirectory(t)
	synctest.Test(t, func(t *testing.T) {
		cat, err := catalog.Open(catalog.Options{Dir: dir.path})
		if err != nil {
			t.Fatal(err)
		}
		var seen atomic.Int32
		cat.OnChange(func([]string) { seen.Add(1) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); cat.Watch(ctx) }()
		dir.write("acme.yaml", acme)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if !cat.Has("acme") || seen.Load() != 1 {
			t.Errorf("the new file was seen %d times, acme known: %v", seen.Load(), cat.Has("acme"))
		}
		cancel()
		<-done
	})
}

func TestOwnLogo(t *testing.T) {
	t.Parallel()
	dir := newDirectory(t)
	dir.write("acme.yaml", acme)
	dir.write("acme.svg", "<svg>mine</svg>")
	cat, err := catalog.Open(catalog.Options{Dir: dir.path})
	if err != nil {
		t.Fatal(err)
	}
	if logo, err := cat.Logo("acme"); err != nil || string(logo) != "<svg>mine</svg>" {
		t.Errorf("got %q, %v", logo, err)
	}
	dir.remove("acme.svg")
	reload(t, cat)
	if logo, err := cat.Logo("acme"); err != nil || !bytes.Contains(logo, []byte(">A<")) {
		t.Errorf("got %q, %v; want a monogram", logo, err)
	}
}
