package project

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/linkspan/linkspan"
)

//go:embed starts
var starts embed.FS

// Create writes a new function with a recorded test that passes, from which its
// author goes on, and imports it in index.ts. The event is of functions in
// on-events. What is there already is never written over.
func Create(dir string, f Function, event linkspan.FunctionEvent) (*Made, error) {
	start := newStart(dir, f, event)
	source, err := start.text("ts")
	if err != nil {
		return nil, err
	}
	fixture, err := start.text("json")
	if err != nil {
		return nil, err
	}
	return add(dir, f, map[string]string{f.File(): source}, map[string]string{f.Fixture(): fixture})
}

// CreateFrom writes a function from a text that exists, with the files that it
// imports and its recorded test, if it has one, by their places in the folder, and
// imports it in index.ts. They import the SDK by the name that the folder has for
// it. Files other than the function that are there already stay as they are.
func CreateFrom(dir string, f Function, source string, others map[string]string) (*Made, error) {
	texts := make(map[string]string, len(others))
	for name, text := range others {
		if texts[name] = text; path.Ext(name) == ".ts" {
			texts[name] = Source(dir, text)
		}
	}
	return add(dir, f, map[string]string{f.File(): Source(dir, source)}, texts)
}

// add writes files that must not be there, then those that may be.
func add(dir string, f Function, must, may map[string]string) (*Made, error) {
	const op = "project.Create"
	if err := f.Check(); err != nil {
		return nil, err
	}
	if there := existing(dir, f); there != "" {
		return nil, linkspan.E(op, linkspan.KindConflict, "function_exists", nil, "There is %s already.", there).
			WithHint("Choose another name, or remove the file first.")
	}
	for name := range may {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_name", nil, "%q is outside of the folder.", name)
		}
	}
	made := &Made{Dir: dir}
	for _, files := range []map[string]string{must, may} {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			target := filepath.Join(dir, filepath.FromSlash(name))
			if exists(target) {
				made.Kept = append(made.Kept, name)
				continue
			}
			if err := write(target, []byte(files[name]), 0o644); err != nil {
				return nil, errors.Join(fmt.Errorf("writing %s: %w", name, err), made.undo())
			}
			made.Files = append(made.Files, name)
		}
	}
	added, err := AddImport(dir, f.File())
	if err != nil {
		return nil, errors.Join(err, made.undo())
	}
	if index, ok := IndexOf(dir); ok && added {
		made.Files = append(made.Files, index)
	}
	return made, nil
}

// undo removes what was written, so that the same can be tried again.
func (m *Made) undo() error {
	var errs []error
	for _, name := range m.Files {
		errs = append(errs, os.Remove(filepath.Join(m.Dir, filepath.FromSlash(name))))
	}
	return errors.Join(errs...)
}

// existing returns the file of a function, whatever language it is in, or "".
func existing(dir string, f Function) string {
	for _, extension := range []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"} {
		name := path.Join(f.Integration, f.Folder, f.Name+extension)
		if exists(filepath.Join(dir, filepath.FromSlash(name))) {
			return name
		}
	}
	return ""
}

// start is what the texts of new functions are made of.
type start struct {
	Package     string // the SDK's name in imports
	Name, Words string // "open-issues", "open issues"
	Path        string // "open-issues": of the provider's API, to be corrected
	Model       string // "OpenIssue"
	Event       linkspan.FunctionEvent
	kind        string
}

func newStart(dir string, f Function, event linkspan.FunctionEvent) start {
	words := wordsOf(f.Name)
	if verbs := []string{"sync", "fetch", "get", "list", "pull", "import", "create", "update", "delete", "send", "count", "find", "read", "add", "remove", "upsert"}; len(words) > 1 && slices.Contains(verbs, words[0]) {
		words = words[1:]
	}
	s := start{
		Package: packageOf(dir), Name: f.Name, Words: strings.Join(words, " "), Path: strings.Join(words, "-"),
		Event: event, kind: strings.TrimSuffix(f.Folder, "s"),
	}
	named := slices.Clone(words)
	if n := len(named); n > 0 {
		named[n-1] = singular(named[n-1])
	}
	if s.Model = pascal(named); !regexp.MustCompile(`^[A-Z][a-zA-Z0-9]+$`).MatchString(s.Model) {
		s.Model = "Item"
	}
	if s.Path == "" {
		s.Words, s.Path = "items", "items"
	}
	return s
}

// text renders the source or the recorded test.
func (s start) text(extension string) (string, error) {
	t, err := template.ParseFS(starts, "starts/"+s.kind+"."+extension+".tmpl")
	if err != nil {
		return "", fmt.Errorf("reading the start of a function: %w", err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", fmt.Errorf("writing the start of a function: %w", err)
	}
	return text.String(), nil
}

// packageOf returns the name that functions of a folder import the SDK by.
func packageOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if Published(dir) || err == nil && bytes.Contains(text, []byte(`"nango"`)) {
		return "nango"
	}
	return "linkspan"
}

// wordsOf takes a name such as "open-issues", "open_issues" or "openIssues" apart.
func wordsOf(name string) []string {
	spaced := regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "$1 $2")
	return strings.FieldsFunc(strings.ToLower(spaced), func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
}

// pascal joins words to a name such as "OpenIssues".
func pascal(words []string) string {
	var name strings.Builder
	for _, w := range words {
		name.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return name.String()
}

// singular takes the plural off an English noun, as far as its ending tells.
func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return strings.TrimSuffix(word, "ies") + "y"
	case strings.HasSuffix(word, "sses"), strings.HasSuffix(word, "xes"), strings.HasSuffix(word, "ches"), strings.HasSuffix(word, "shes"):
		return strings.TrimSuffix(word, "es")
	case strings.HasSuffix(word, "ss"), strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"), len(word) < 3:
		return word
	default:
		return strings.TrimSuffix(word, "s")
	}
}
