// Package integrations is a library of functions for real providers: syncs and
// actions written from the providers' public documentation, with recordings that
// they are tested with. They are templates to deploy as they are or to begin from,
// and they show how functions are written.
//
// The folder is one of functions like customers have: index.ts lists them, each
// folder has the name of a provider, models.ts are the models that several of them
// share. README.md says what there is.
package integrations

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/linkspan/linkspan"
)

//go:generate go run ./generate

//go:embed index.ts models.ts values.ts */*.ts */actions/*.ts */syncs/*.ts */tests/*.json
var folder embed.FS

//go:embed templates.json
var generated []byte

// FS returns the folder: the functions, what they import, and their recordings.
func FS() fs.FS { return folder }

// Template is a function of the library, ready to be deployed.
type Template struct {
	// Provider is that of the catalogue.
	Provider string
	// Kind and Name are the function's, unique for the provider.
	Kind linkspan.FunctionKind
	Name string
	// Version is the one that its author gave it.
	Version    string
	Definition linkspan.FunctionDefinition
	// Source is the TypeScript of the function's own file.
	Source string
	// Bundle is JavaScript, a CommonJS module with its source map inline.
	Bundle string
	// Files are the sources that Source imports, directly or through others, by
	// their paths in the folder, such as "models.ts".
	Files map[string]string
}

// Path returns where the template's source is in the folder, such as
// "github/syncs/tickets.ts".
func (t *Template) Path() string {
	return Path(t.Provider, t.Kind, t.Name)
}

// Path returns where a function is in a folder of functions.
func Path(provider string, kind linkspan.FunctionKind, name string) string {
	return provider + "/" + string(kind) + "s/" + name + ".ts"
}

// Generated is what is kept of a template; the sources are read from the folder.
// It is exported for the program that makes templates.json.
type Generated struct {
	Provider   string                      `json:"provider"`
	Kind       linkspan.FunctionKind       `json:"kind"`
	Name       string                      `json:"name"`
	Version    string                      `json:"version,omitempty"`
	Definition linkspan.FunctionDefinition `json:"definition"`
	// Files are the sources that the function's own one imports.
	Files []string `json:"files,omitempty"`
	// Code is the bundle without its source map, and Map that without the sources.
	Code string    `json:"code"`
	Map  SourceMap `json:"map"`
}

// SourceMap is one of revision 3, as far as bundles have it.
type SourceMap struct {
	Version  int      `json:"version"`
	Sources  []string `json:"sources"`
	Contents []string `json:"sourcesContent,omitempty"`
	Mappings string   `json:"mappings"`
	Names    []string `json:"names"`
}

// MapComment begins the line of a bundle that holds its source map.
const MapComment = "//# sourceMappingURL=data:application/json;base64,"

// templates are read once. They never change.
var templates = sync.OnceValue(func() []Template { //nolint:gochecknoglobals // a constant that has to be parsed
	all, err := read(generated, folder)
	if err != nil {
		// Both are parts of the program, and a test reads them.
		panic(fmt.Sprintf("integrations: %v", err))
	}
	return all
})

// Templates returns all functions of the library, by provider, kind and name. The
// slice is the caller's; the maps and texts in it are shared and must not change.
func Templates() []Template { return slices.Clone(templates()) }

// Find returns a template. False: the library has no such function.
func Find(provider string, kind linkspan.FunctionKind, name string) (Template, bool) {
	for _, t := range templates() {
		if t.Provider == provider && t.Kind == kind && t.Name == name {
			return t, true
		}
	}
	return Template{}, false
}

// read makes templates of what was generated and the sources.
func read(text []byte, sources fs.FS) ([]Template, error) {
	var list []Generated
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("reading templates.json: %w", err)
	}
	out := make([]Template, 0, len(list))
	for _, g := range list {
		source, err := fs.ReadFile(sources, Path(g.Provider, g.Kind, g.Name))
		if err != nil {
			return nil, fmt.Errorf("reading a source: %w", err)
		}
		files := make(map[string]string, len(g.Files))
		for _, name := range g.Files {
			text, err := fs.ReadFile(sources, name)
			if err != nil {
				return nil, fmt.Errorf("reading a source: %w", err)
			}
			files[name] = string(text)
		}
		bundle, err := g.bundle(sources)
		if err != nil {
			return nil, err
		}
		out = append(out, Template{
			Provider: g.Provider, Kind: g.Kind, Name: g.Name, Version: g.Version, Definition: g.Definition,
			Source: string(source), Bundle: bundle, Files: files,
		})
	}
	return out, nil
}

// bundle returns the code with its source map, which has the sources again, those too
// that only types come from: whoever has the bundle can go on with the function.
func (g *Generated) bundle(sources fs.FS) (string, error) {
	m := g.Map
	m.Sources = slices.Clone(m.Sources)
	for _, name := range g.Files {
		if !slices.Contains(m.Sources, name) {
			m.Sources = append(m.Sources, name)
		}
	}
	m.Contents = make([]string, len(m.Sources))
	for i, name := range m.Sources {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return "", fmt.Errorf("reading a source: %w", err)
		}
		m.Contents[i] = string(text)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing a source map: %w", err)
	}
	return g.Code + MapComment + base64.StdEncoding.EncodeToString(text) + "\n", nil
}
