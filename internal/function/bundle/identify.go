package bundle

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// identified is the namespace of modules that stand between a function and another
// one, made by createFunction, that it imports.
const identified = "linkspan-function"

// identify has what a function imports from the file of another one made by
// createFunction know which function that is: its definition does not say so, and
// nango.invoke needs it.
func (b *builder) identify(build api.PluginBuild) {
	build.OnResolve(api.OnResolveOptions{Filter: `^\.`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		near := strings.Contains(args.Path, folderOf(KindUnified)) || filepath.Base(args.ResolveDir) == folderOf(KindUnified)
		if args.Kind != api.ResolveJSImportStatement || args.PluginData == (asked{}) || !near || args.Namespace == identified {
			return api.OnResolveResult{}, nil
		}
		found := build.Resolve(args.Path, api.ResolveOptions{
			Importer: args.Importer, ResolveDir: args.ResolveDir, Kind: args.Kind, PluginData: asked{},
		})
		if len(found.Errors) > 0 {
			return api.OnResolveResult{}, nil // esbuild says so itself
		}
		if e, ok := entryOf(b.local(found.Path)); !ok || e.kind != KindUnified {
			return api.OnResolveResult{}, nil
		}
		return api.OnResolveResult{Path: found.Path, Namespace: identified}, nil
	})
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: identified}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		e, _ := entryOf(b.local(args.Path))
		file, err := json.Marshal(filepath.ToSlash(args.Path))
		if err != nil {
			return api.OnLoadResult{}, fmt.Errorf("naming a function's file: %w", err)
		}
		is, err := json.Marshal(map[string]string{"name": e.name, "integrationId": e.integration})
		if err != nil {
			return api.OnLoadResult{}, fmt.Errorf("naming a function: %w", err)
		}
		text := fmt.Sprintf("import definition from %[1]s;\nexport * from %[1]s;\n"+
			"export default Object(definition) !== definition ? definition : Object.defineProperty(definition, Symbol.for(\"linkspan.function\"), { value: %[2]s, configurable: true });\n", file, is)
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS, ResolveDir: filepath.Dir(args.Path)}, nil
	})
}
