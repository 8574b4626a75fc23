package bundle

import (
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// output is what esbuild made of a function.
type output struct {
	bundle string // with a source map when the options ask for it
	mapped string // with a source map in any case
}

// compile bundles one function.
func (b *builder) compile(e entry) (output, []Problem) {
	result := api.Build(b.settings(e, api.Plugin{Name: "imports", Setup: b.imports}))
	if len(result.Errors) > 0 {
		return output{}, e.claim(b.explain(e, result.Errors))
	}
	b.warn(e, result.Warnings)
	out := output{mapped: withoutCopies(string(result.OutputFiles[0].Contents))}
	out.bundle = out.mapped
	if !b.options.SourceMap {
		out.bundle = withoutMap(out.mapped)
	}
	return out, nil
}

// withoutCopies has zod imported as it is. esbuild imports a copy of all that it
// exports, in case it has no default export: the sandbox's has itself for that, and
// the copy takes longer than loading most functions. Nothing changes its place.
func withoutCopies(bundle string) string {
	for _, name := range []string{"zod", "zod/v4"} {
		required := `(require("` + name + `")`
		bundle = strings.ReplaceAll(bundle, " = __toESM"+required+");\n", " = /*ESM*/"+required+");\n")
		bundle = strings.ReplaceAll(bundle, " = __toESM"+required+", 1);\n", " = /*ESM*/"+required+"   );\n")
	}
	return bundle
}

// imports is a plugin that leaves to the sandbox what it has.
func (b *builder) imports(build api.PluginBuild) {
	build.OnResolve(api.OnResolveOptions{Filter: `^[^./]`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		if args.Kind == api.ResolveEntryPoint || args.PluginData == (asked{}) {
			return api.OnResolveResult{}, nil
		}
		if name, ok := b.platform.provides(args.Path); ok {
			return api.OnResolveResult{Path: name, External: true}, nil
		}
		if strings.TrimPrefix(args.Path, "node:") != "stream" || packageOf(filepath.ToSlash(args.Importer)) == "" {
			return api.OnResolveResult{}, nil
		}
		installed := build.Resolve(args.Path, api.ResolveOptions{
			Importer: args.Importer, ResolveDir: args.ResolveDir, Kind: args.Kind, PluginData: asked{},
		})
		if len(installed.Errors) == 0 {
			return api.OnResolveResult{}, nil
		}
		return api.OnResolveResult{Path: "stream", Namespace: "linkspan"}, nil
	})
	b.identify(build)
	build.OnLoad(api.OnLoadOptions{Filter: "^stream$", Namespace: "linkspan"}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
		text := noStreams
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
	})
}

// noStreams is what packages get for Node's streams. Many have classes made of
// them, beside functions that do without: only those who make a stream fail.
const noStreams = `
const { EventEmitter } = require("events");
function none(name) {
	function Stream() {
		throw new Error("Functions have no streams: this part of the package can't be used.");
	}
	Stream.prototype = Object.create(EventEmitter.prototype, { constructor: { value: Stream, writable: true, configurable: true } });
	return Object.defineProperty(Object.setPrototypeOf(Stream, EventEmitter), "name", { value: name });
}
module.exports = none("Stream");
for (const name of ["Stream", "Readable", "Writable", "Duplex", "Transform", "PassThrough"]) module.exports[name] = none(name);
module.exports.pipeline = module.exports.finished = () => new module.exports.Stream();
`

// settings are those of every bundle.
func (b *builder) settings(e entry, plugin api.Plugin) api.BuildOptions {
	return api.BuildOptions{
		AbsWorkingDir: b.dir,
		EntryPoints:   []string{filepath.Join(b.dir, filepath.FromSlash(e.file))},
		// Nothing is written: the name is what sources are relative to.
		Outfile: filepath.Join(b.dir, "bundle.js"),
		Bundle:  true,
		Format:  api.FormatCommonJS,
		Target:  api.ES2023,
		// Columns in stacks are the same whether they count bytes or characters.
		Charset:  api.CharsetASCII,
		LogLevel: api.LogLevelSilent,
		// Packages have builds without Node's modules for browsers and for workers.
		// Apart from those, what Node would take is taken.
		Platform:   api.PlatformBrowser,
		MainFields: []string{"browser", "main", "module"},
		Conditions: []string{"worker", "production"},
		// Builds for workers find what is global under self.
		Define: map[string]string{"process.env.NODE_ENV": `"production"`, "global": "globalThis", "self": "globalThis"},
		// The sandbox loads no modules: what is imported later is required as well.
		Supported:      map[string]bool{"dynamic-import": false},
		Loader:         loaders(),
		Sourcemap:      api.SourceMapInline,
		SourcesContent: api.SourcesContentInclude,
		TreeShaking:    api.TreeShakingTrue,
		LegalComments:  api.LegalCommentsEndOfFile,
		Plugins:        []api.Plugin{plugin},
	}
}

// loaders are those of files that esbuild does not take for text by itself.
func loaders() map[string]api.Loader {
	return map[string]api.Loader{
		".graphql": api.LoaderText, ".gql": api.LoaderText, ".html": api.LoaderText,
		".md": api.LoaderText, ".sql": api.LoaderText, ".xml": api.LoaderText, ".csv": api.LoaderText,
	}
}

// withoutMap cuts the source map off a bundle.
func withoutMap(bundle string) string {
	at := strings.LastIndex(bundle, "//# sourceMappingURL=")
	if at < 0 {
		return bundle
	}
	return bundle[:at]
}

// warn keeps those of esbuild's warnings that are about the author's own files.
func (b *builder) warn(e entry, messages []api.Message) {
	var own []Problem
	for _, m := range messages {
		if m.Location != nil && !strings.Contains(m.Location.File, "node_modules/") {
			own = append(own, problemOf(m))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warnings = append(b.warnings, e.claim(own)...)
}

// usesCheckpoints reports whether a function makes use of checkpoints. As the
// published tool has it, its own file calls one of the methods of an object named
// nango. Files that only export again what another one has, and those that leave
// the work to others, have no such call: then any object's counts in all that is
// imported, if the definition says what a checkpoint is.
func (d *described) usesCheckpoints(f *Function, out output) bool {
	loader := api.LoaderTS
	if strings.HasSuffix(f.File, "x") {
		loader = api.LoaderTSX
	}
	if callsCheckpoints(f.Code.Source, loader, func(object string) bool {
		before, named := strings.CutSuffix(object, "nango")
		return named && !endsInName(before)
	}) {
		return true
	}
	declared := len(d.Checkpoint) > 0 && string(d.Checkpoint) != "null"
	return declared && callsCheckpoints(out.bundle, api.LoaderJS, func(string) bool { return true })
}

// callsCheckpoints reports whether a text calls one of the methods for checkpoints
// of an object that is ours, as far as one can tell by what is written before its
// dot. Printed by esbuild, the text has neither comments nor blanks.
func callsCheckpoints(source string, loader api.Loader, ours func(object string) bool) bool {
	r := api.Transform(source, api.TransformOptions{Loader: loader, Target: api.ESNext, MinifyWhitespace: true, LogLevel: api.LogLevelSilent})
	text := string(r.Code)
	for _, method := range []string{".getCheckpoint(", ".saveCheckpoint(", ".clearCheckpoint("} {
		for from := 0; ; {
			at := strings.Index(text[from:], method)
			if at < 0 {
				break
			}
			if ours(text[:from+at]) {
				return true
			}
			from += at + len(method)
		}
	}
	return false
}

// endsInName reports whether what follows the text is part of a longer name.
func endsInName(text string) bool {
	if text == "" {
		return false
	}
	c := text[len(text)-1]
	return c == '.' || c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}

// ours reports whether a name is one that the SDK is imported by.
func ours(name string) bool {
	for _, p := range []string{"linkspan", "nango"} {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}
