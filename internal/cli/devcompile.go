package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

// compile makes the functions that changed files belong to, and returns their
// names. Nil: all.
func (d *development) compile(ctx context.Context, changed []string) ([]string, error) {
	affected, all := d.affected(changed)
	if !all && len(affected) == 0 {
		return nil, nil
	}
	o := bundle.Options{Dir: d.dir}
	if !all {
		o.Only = func(integration string, _ linkspan.FunctionKind, name string) bool {
			return affected[functionName(integration, name)]
		}
	}
	folder, err := buildFolder(ctx, d.t, d.reader, o)
	if _, ok := project.IndexOf(d.dir); err != nil && !ok && isFolder(d.dir) {
		// It comes back, such as when Git changes branches.
		_, message := described(err)
		folder, all = &bundle.Project{Problems: []bundle.Problem{{File: "index.ts", Message: message}}}, true
	} else if err != nil {
		return nil, err
	}
	if !all && d.claimsChanged(folder.Functions) {
		// Functions of one integration must not share names: that takes all of them.
		return d.compile(ctx, nil)
	}
	if all {
		d.functions = map[string]built{}
	}
	maps.DeleteFunc(d.functions, func(_ string, f built) bool { return affected[functionName(f.Integration, f.Name)] })
	var compiled []string
	for _, f := range folder.Functions {
		d.functions[f.File] = built{f, sourcesOf(f.Code.Bundle)}
		compiled = append(compiled, functionName(f.Integration, f.Name))
	}
	for _, p := range folder.Problems {
		delete(d.functions, p.File)
	}
	if changed == nil {
		for _, w := range folder.Warnings {
			printProblem(d.t, styleYellow, "!", w)
		}
	}
	d.show(d.problems, folder.Problems, styleRed, "✗")
	d.problems = folder.Problems
	return compiled, nil
}

// affected returns the names of functions that were made of changed files, or that
// all must be made again.
func (d *development) affected(changed []string) (names map[string]bool, all bool) {
	if changed == nil || len(d.problems) > 0 || slices.ContainsFunc(changed, indexOrConfig) {
		// Nobody knows what a function with a problem is made of.
		return nil, true
	}
	names = map[string]bool{}
	for _, name := range changed {
		source := d.source(name)
		for _, f := range d.functions {
			if f.File == name || f.sources[name] || f.sources[source] {
				names[functionName(f.Integration, f.Name)] = true
			}
		}
	}
	return names, false
}

// source returns a file as bundles name it: below a link it has another path.
func (d *development) source(name string) string {
	dir, err := filepath.Abs(d.dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return name
	}
	// The file itself may be gone.
	folder, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(path.Dir(name))))
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(dir, filepath.Join(folder, path.Base(name)))
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

// claimsChanged reports whether functions have other models or endpoints than
// before, or are new.
func (d *development) claimsChanged(functions []bundle.Function) bool {
	for _, f := range functions {
		before, ok := d.functions[f.File]
		if !ok || !slices.Equal(before.Definition.Models, f.Definition.Models) || !slices.Equal(before.Definition.Endpoints, f.Definition.Endpoints) {
			return true
		}
	}
	return false
}

// sourcesOf returns the files that a bundle was made of, by its source map.
func sourcesOf(text string) map[string]bool {
	_, encoded, ok := cutLast(text, "//# sourceMappingURL=data:application/json;base64,")
	if !ok {
		return nil
	}
	decoded := base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.TrimSpace(encoded)))
	var m struct {
		Sources []string `json:"sources"`
	}
	if json.NewDecoder(decoded).Decode(&m) != nil {
		return nil
	}
	sources := make(map[string]bool, len(m.Sources))
	for _, name := range m.Sources {
		sources[path.Clean(name)] = true
	}
	return sources
}

// cutLast is strings.Cut around the last instance of a separator.
func cutLast(text, sep string) (before, after string, found bool) {
	at := strings.LastIndex(text, sep)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(sep):], true
}

// printJSONLine writes a value as one line of JSON.
func printJSONLine(w io.Writer, v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return errors.Join(errors.New("writing JSON"), err)
	}
	_, err := io.WriteString(w, harmless(line.String()))
	return err
}
