package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// explain turns esbuild's errors into problems that say what to do.
func (b *builder) explain(e entry, messages []api.Message) []Problem {
	unresolved := regexp.MustCompile(`^Could not resolve "(.*)"$`)
	loader := regexp.MustCompile(`^No loader is configured for "(.*)" files: (.*)$`)
	x := explainer{builder: b, entry: e, lacking: map[string]bool{}}
	for _, m := range messages {
		p := problemOf(m)
		if found := unresolved.FindStringSubmatch(m.Text); found != nil {
			x.missing(found[1], p)
			continue
		}
		if found := loader.FindStringSubmatch(m.Text); found != nil {
			p.Message = foreign(found[1], found[2])
		} else if strings.HasPrefix(m.Text, "Top-level await") {
			p.Message = "Nothing can be awaited outside of functions: move it into exec, or into a function that exec calls."
		}
		x.problems = append(x.problems, p)
	}
	return x.problems
}

// explainer explains what could not be resolved for one function.
type explainer struct {
	builder  *builder
	entry    entry
	graph    imports // read when it is needed
	problems []Problem
	// lacking are packages that need modules of Node's in vain. Each has one
	// problem, however many they need.
	lacking map[string]bool
}

// missing says what to do about an import that leads nowhere.
func (x *explainer) missing(name string, p Problem) {
	node := strings.TrimPrefix(name, "node:")
	builtin := nodeModules()[node] || strings.HasPrefix(name, "node:")
	pkg := packageOf(p.File)
	switch {
	case relative(name):
		p.Message = fmt.Sprintf("There is no file %s: correct the path.", name)
	case pkg != "" && builtin:
		if x.lacking[pkg] {
			return
		}
		x.lacking[pkg] = true
		p.Message = fmt.Sprintf("The package %s needs Node's module %q, which functions don't have%s. "+
			"Use another package, or another of its entry points%s.", pkg, node, x.via(p.File), instead(node))
	case builtin:
		p.Message = fmt.Sprintf("Functions don't have Node's module %q: remove the import%s.", node, instead(node))
	case pkg != "":
		p.Message = fmt.Sprintf("The package %s needs the package %s, which is not installed%s: run npm install %s in the folder.",
			pkg, packageName(name), x.via(p.File), packageName(name))
	default:
		p.Message = fmt.Sprintf("The package %s is not installed: run npm install %s in the folder.", packageName(name), packageName(name))
	}
	x.problems = append(x.problems, p)
}

// via says how a file of a package got into the function.
func (x *explainer) via(file string) string {
	if x.graph == nil {
		x.graph = x.builder.graph(x.entry)
	}
	chain := x.graph.chain(x.entry.file, file)
	if len(chain) == 0 {
		return ""
	}
	return " (" + strings.Join(chain, " → ") + ")"
}

// foreign says why a file of some type can't be bundled.
func foreign(extension, file string) string {
	if extension == ".node" {
		return fmt.Sprintf("%s is native code. Functions run JavaScript only: use a package that is written in it.", file)
	}
	return fmt.Sprintf("Files ending in %q can't be imported: use JavaScript, TypeScript, JSON or text.", extension)
}

// checkZod warns when the author's editor sees another zod than the sandbox has.
func (b *builder) checkZod() []Problem {
	for dir := b.dir; ; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, "node_modules", "zod", "package.json")
		text, err := os.ReadFile(file)
		if err != nil && dir != filepath.Dir(dir) {
			continue
		}
		var installed struct {
			Version string `json:"version"`
		}
		if err != nil || json.Unmarshal(text, &installed) != nil || major(installed.Version) == major(b.platform.zod) {
			return nil
		}
		return []Problem{{File: b.local(file), Message: fmt.Sprintf(
			"zod %s is installed, but functions run with zod %s, whatever is installed: run npm install zod@%s in the folder.",
			installed.Version, b.platform.zod, b.platform.zod)}}
	}
}

// major returns the first number of a version.
func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}

// instead says what does the work of one of Node's modules in functions.
func instead(module string) string {
	name, _, _ := strings.Cut(module, "/")
	switch name {
	case "fs":
		return "; JSON and text files can be imported"
	case "http", "https", "http2", "net", "tls", "dns", "dgram":
		return "; nango.get, nango.post and so on make requests"
	default:
		return ""
	}
}

// packageOf returns the package that a file belongs to, or "".
func packageOf(file string) string {
	const folder = "node_modules/"
	at := strings.LastIndex(file, folder)
	if at < 0 {
		return ""
	}
	return packageName(file[at+len(folder):])
}

// packageName returns the package of an import's path.
func packageName(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if strings.HasPrefix(name, "@") && len(parts) > 1 {
		return path.Join(parts[0], parts[1])
	}
	return parts[0]
}

// imports says which files import a file.
type imports map[string][]string

// graph reads who imports what, with everything that is missing left out.
func (b *builder) graph(e entry) imports {
	settings := b.settings(e, api.Plugin{Name: "graph", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			if args.Kind == api.ResolveEntryPoint || args.PluginData == (asked{}) {
				return api.OnResolveResult{}, nil
			}
			if _, ok := b.platform.provides(args.Path); !ok {
				found := build.Resolve(args.Path, api.ResolveOptions{
					Importer: args.Importer, ResolveDir: args.ResolveDir, Kind: args.Kind, PluginData: asked{},
				})
				if len(found.Errors) == 0 {
					return api.OnResolveResult{}, nil
				}
			}
			return api.OnResolveResult{Path: args.Path, External: true}, nil
		})
	}})
	settings.Metafile, settings.Sourcemap = true, api.SourceMapNone
	var meta struct {
		Inputs map[string]struct {
			Imports []struct {
				Path     string `json:"path"`
				External bool   `json:"external"`
			} `json:"imports"`
		} `json:"inputs"`
	}
	g := imports{}
	// Other errors than missing files leave no graph: then problems do without.
	if json.Unmarshal([]byte(api.Build(settings).Metafile), &meta) != nil {
		return g
	}
	for file, in := range meta.Inputs {
		for _, i := range in.Imports {
			if !i.External {
				g[i.Path] = append(g[i.Path], file)
			}
		}
	}
	for _, importers := range g {
		slices.Sort(importers)
	}
	return g
}

// chain returns the shortest way from one file to another: the author's files by
// name, then packages.
func (g imports) chain(from, to string) []string {
	next := map[string]string{to: ""}
	for queue := []string{to}; len(queue) > 0; queue = queue[1:] {
		for _, importer := range g[queue[0]] {
			if _, seen := next[importer]; !seen {
				next[importer] = queue[0]
				queue = append(queue, importer)
			}
		}
	}
	if _, reached := next[from]; !reached {
		return nil
	}
	var names []string
	for file := from; file != ""; file = next[file] {
		name := file
		if pkg := packageOf(file); pkg != "" {
			name = pkg
		}
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}
