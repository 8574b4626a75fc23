package bundle

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/linkspan/linkspan"
)

// entry is a function's file.
type entry struct {
	file        string // relative to the folder, with slashes
	integration string
	kind        linkspan.FunctionKind
	name        string
}

// claim writes the function into problems.
func (e entry) claim(problems []Problem) []Problem {
	for i := range problems {
		problems[i].Integration, problems[i].Kind, problems[i].Function = e.integration, e.kind, e.name
		if problems[i].File == "" {
			problems[i].File = e.file
		}
	}
	return problems
}

// problem returns a problem with the whole of the function's file.
func (e entry) problem(format string, args ...any) Problem {
	return e.claim([]Problem{{Message: fmt.Sprintf(format, args...)}})[0]
}

// KindUnified is the kind of functions made by createFunction until their
// definition, which decides what they are run as, is read. Nothing is deployed as it.
const KindUnified linkspan.FunctionKind = "function"

// folderOf returns the folder for functions of a kind.
func folderOf(kind linkspan.FunctionKind) string { return string(kind) + "s" }

// kindOf returns the kind of functions in a folder.
func kindOf(folder string) (linkspan.FunctionKind, bool) {
	kind := linkspan.FunctionKind(strings.TrimSuffix(folder, "s"))
	return kind, (kind.Valid() || kind == KindUnified) && folderOf(kind) == folder
}

// sourceExtensions are those of files that a function can be written in.
func sourceExtensions() []string {
	return []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"}
}

// entryOf reads what a path says of a function. It is not ok when it is none.
func entryOf(file string) (entry, bool) {
	parts := strings.Split(file, "/")
	extension := path.Ext(file)
	if len(parts) != 3 || parts[0] == ".." || !slices.Contains(sourceExtensions(), extension) || strings.HasSuffix(file, ".d.ts") {
		return entry{}, false
	}
	kind, ok := kindOf(parts[1])
	return entry{file: file, integration: parts[0], kind: kind, name: strings.TrimSuffix(parts[2], extension)}, ok
}

// The names of integrations and functions (wire contract §3).
const (
	integrationPattern = `^[a-zA-Z0-9~:.@ _-]{1,255}$`
	functionPattern    = `^[a-zA-Z0-9_-]{1,255}$`
)

// entries returns the functions of the folder, without those that can't be: they
// are problems.
func (b *builder) entries() ([]entry, error) {
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	integration, function := regexp.MustCompile(integrationPattern), regexp.MustCompile(functionPattern)
	seen := map[string]string{}
	var entries []entry
	for _, file := range slices.Compact(files) {
		e, _ := entryOf(file)
		id := ProgramName(e.integration, e.kind, e.name)
		switch {
		case !integration.MatchString(e.integration):
			b.problems = append(b.problems, e.problem("The folder's name %q can't be that of an integration: use letters, digits and ~ : . @ _ - and spaces, at most 255.", e.integration))
		case !function.MatchString(e.name):
			b.problems = append(b.problems, e.problem("The file's name %q can't be that of a function: use letters, digits, _ and -, at most 255.", e.name))
		case seen[id] != "":
			b.problems = append(b.problems, e.problem("The function is there twice, here and in %s: remove or rename one.", seen[id]))
		default:
			seen[id] = file
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// files returns the functions' files: those that index.ts imports, or all.
func (b *builder) files() ([]string, error) {
	if b.options.AllFiles {
		return b.scan()
	}
	for _, name := range []string{"index.ts", "index.js"} {
		if _, err := os.Stat(filepath.Join(b.dir, name)); err == nil {
			return b.imported(name), nil
		}
	}
	return nil, linkspan.E("bundle.Build", linkspan.KindInvalid, "missing_index", nil,
		"The folder %s has no index.ts, which says what functions there are.", b.dir).
		WithHint("Create index.ts with one line for each function: import \"./<integration>/actions/<name>\";")
}

// scan returns every function's file in the folder.
func (b *builder) scan() ([]string, error) {
	var files []string
	integrations, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the folder of functions: %w", err)
	}
	for _, integration := range integrations {
		if name := integration.Name(); name == "node_modules" || name[0] == '.' {
			continue
		}
		for _, kind := range []linkspan.FunctionKind{linkspan.FunctionAction, linkspan.FunctionSync, linkspan.FunctionOnEvent, KindUnified} {
			folder := path.Join(integration.Name(), folderOf(kind))
			// What is no folder, or is not there, holds no functions.
			in, err := os.ReadDir(filepath.Join(b.dir, filepath.FromSlash(folder)))
			if err != nil {
				continue
			}
			for _, f := range in {
				file := path.Join(folder, f.Name())
				if _, ok := entryOf(file); ok && !f.IsDir() && !strings.Contains(f.Name(), ".test.") {
					files = append(files, file)
				}
			}
		}
	}
	return files, nil
}

// imported returns the functions' files that the index imports, by itself or
// through other lists of the folder. Esbuild reads it, so that everything that
// imports counts and nothing else does.
func (b *builder) imported(index string) []string {
	var files found
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: b.dir,
		EntryPoints:   []string{"./" + index},
		Outdir:        b.dir,
		Bundle:        true,
		// Links stay as they are: a function's place in the folder is its name.
		PreserveSymlinks: true,
		Format:           api.FormatESModule,
		Target:           api.ESNext,
		LogLevel:         api.LogLevelSilent,
		TsconfigRaw:      `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
		Plugins: []api.Plugin{{Name: "index", Setup: func(build api.PluginBuild) {
			build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
				if args.Kind == api.ResolveEntryPoint || args.PluginData == (asked{}) {
					return api.OnResolveResult{}, nil
				}
				return b.listed(build, args, &files), nil
			})
		}}},
	})
	for _, m := range result.Errors {
		b.problems = append(b.problems, problemOf(m))
	}
	return files.names
}

// found collects files: esbuild resolves imports concurrently.
type found struct {
	mu    sync.Mutex
	names []string
}

func (f *found) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = append(f.names, name)
}

// asked marks what a plugin asks of esbuild itself, so that it does not answer
// its own questions.
type asked struct{}

// listed decides about one import of a list of functions.
func (b *builder) listed(build api.PluginBuild, args api.OnResolveArgs, files *found) api.OnResolveResult {
	outside := api.OnResolveResult{Path: args.Path, External: true}
	if !relative(args.Path) {
		return outside
	}
	resolved := build.Resolve(args.Path, api.ResolveOptions{
		Importer: args.Importer, ResolveDir: args.ResolveDir, Kind: args.Kind, PluginData: asked{},
	})
	if len(resolved.Errors) > 0 {
		return refuse("There is no file %s: correct the path or remove the import.", args.Path)
	}
	file := b.local(resolved.Path)
	if _, ok := entryOf(file); ok {
		files.add(file)
		return outside
	}
	folder, base := path.Split(file)
	if folder == "" || strings.Count(folder, "/") == 1 && strings.HasPrefix(base, "index.") && folder != "../" {
		return api.OnResolveResult{} // another list
	}
	return refuse("%s is not where functions are, which is <integration>/actions, <integration>/syncs, <integration>/on-events or <integration>/functions: move it there or remove the import.", file)
}

// refuse answers esbuild that an import can't be.
func refuse(format string, args ...any) api.OnResolveResult {
	return api.OnResolveResult{Errors: []api.Message{{Text: fmt.Sprintf(format, args...)}}}
}

// relative reports whether an import names a file rather than a package.
func relative(name string) bool {
	return name == "." || name == ".." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || filepath.IsAbs(name)
}

// local returns a file's path relative to the folder, with slashes.
func (b *builder) local(file string) string {
	rel, err := filepath.Rel(b.dir, file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	return filepath.ToSlash(rel)
}
