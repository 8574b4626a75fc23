// Package bundle makes deployable functions of a folder of TypeScript.
//
// A folder holds index.ts and functions at
// <integration>/<syncs|actions|on-events|functions>/<name>.ts; index.ts imports those that
// count. Each becomes one CommonJS text by esbuild, with everything it imports
// except what the sandbox has: the nango object, zod and the platform's modules.
// What a function says of itself is read by evaluating that text in the sandbox.
// Nothing of the author's is executed outside of it, and nothing is written.
package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// A Describer evaluates bundles in a sandbox that has the prelude.
// *sandbox.Engine is one.
type Describer interface {
	Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error)
}

// Options say what to build.
type Options struct {
	// Dir is the folder.
	Dir string
	// AllFiles takes every function in the folder, whether index.ts imports it or
	// not; index.ts may be missing.
	AllFiles bool
	// Only says which functions to build. Nil: all. Before its definition is read,
	// the kind of one made by createFunction is KindUnified.
	Only func(integration string, kind linkspan.FunctionKind, name string) bool
	// SourceMap puts a source map into each bundle, with the sources.
	SourceMap bool
	// Describer reads the definitions.
	Describer Describer
	// Undescribed leaves definitions unread where a function's folder says what it
	// is: it is only compiled. That is much faster, and evaluates nothing.
	Undescribed bool
	// Version is that of the tool, such as "1.2.3". It becomes part of the
	// definitions.
	Version string
	// Progress is told after each function how many are done. It is not called
	// concurrently. Nil: nobody wants to know.
	Progress func(done, total int)
}

// Project is what a folder holds.
type Project struct {
	// Functions are those without problems, by integration, kind and name.
	Functions []Function
	// Problems are what has to be corrected, by file and line. A function with a
	// problem is not among Functions.
	Problems []Problem
	// Warnings are what is well to know.
	Warnings []Problem
}

// Function is a function ready to be deployed.
type Function struct {
	Integration string
	// Kind of one made by createFunction is what its trigger makes of it;
	// Definition.Unified tells them from others.
	Kind linkspan.FunctionKind
	Name string
	// File is its path in the folder, with slashes.
	File string
	// Version is the one that its author gave it, or empty.
	Version    string
	Definition linkspan.FunctionDefinition
	Code       linkspan.FunctionCode
	// Plain says that it is a function without a definition.
	Plain bool
	// OnWebhook says that it takes webhooks of the provider.
	OnWebhook bool
}

// Program returns what the sandbox runs.
func (f Function) Program() sandbox.Program {
	kind := f.Kind
	if f.Definition.Unified != nil {
		kind = KindUnified
	}
	return sandbox.Program{Name: ProgramName(f.Integration, kind, f.Name), Source: f.Code.Bundle}
}

// ProgramName returns the name under which a function's bundle appears in
// stacks, such as "github/actions/create-issue.js".
func ProgramName(integration string, kind linkspan.FunctionKind, name string) string {
	return path.Join(integration, folderOf(kind), name+".js")
}

// Build builds the functions of a folder. What is wrong with the author's files
// is in the project's Problems; the error says that the folder could not be
// built at all: it is not there, it has no index.ts, the sandbox failed.
func Build(ctx context.Context, o Options) (*Project, error) {
	dir, err := realFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	b := &builder{options: o, dir: dir}
	if b.platform, err = readPlatform(ctx, o.Describer); err != nil {
		return nil, fmt.Errorf("reading what the sandbox has: %w", err)
	}
	b.warnings = append(b.warnings, b.checkZod()...)
	entries, err := b.entries()
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return o.Only != nil && !o.Only(e.integration, e.kind, e.name) })
	functions, err := b.all(ctx, entries)
	if err != nil {
		return nil, err
	}
	return b.project(functions), nil
}

// builder builds one folder.
type builder struct {
	options  Options
	dir      string // absolute, without symbolic links
	platform platform

	mu       sync.Mutex
	problems []Problem
	warnings []Problem
}

// realFolder returns the folder's absolute path without symbolic links: esbuild
// names files by theirs, relative to it.
func realFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", linkspan.E("bundle.Build", linkspan.KindNotFound, "folder_not_found", err, "The folder %s does not exist.", dir)
	}
	if err != nil {
		return "", fmt.Errorf("looking for the folder of functions: %w", err)
	}
	return abs, nil
}

// all builds the entries, a few at a time. Those with problems are nil.
func (b *builder) all(ctx context.Context, entries []entry) ([]*Function, error) {
	functions := make([]*Function, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	done := 0
	for i, e := range entries {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			f, problems, err := b.one(ctx, e)
			if err != nil {
				return fmt.Errorf("building %s: %w", e.file, err)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.problems = append(b.problems, problems...)
			if len(problems) == 0 {
				functions[i] = f
			}
			done++
			if b.options.Progress != nil {
				b.options.Progress(done, len(entries))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return functions, nil
}

// one builds one function.
func (b *builder) one(ctx context.Context, e entry) (*Function, []Problem, error) {
	source, problem, err := b.source(e)
	if err != nil || problem != nil {
		return nil, problem, err
	}
	out, problems := b.compile(e)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	if n := len(out.bundle); n > function.MaxCode {
		return nil, []Problem{e.problem("With all that it imports the function has %d bytes, %d are the most: import less.", n, function.MaxCode)}, nil
	}
	f := &Function{Integration: e.integration, Kind: e.kind, Name: e.name, File: e.file}
	f.Code = linkspan.FunctionCode{Bundle: out.bundle, Source: string(source)}
	if b.options.Undescribed && e.kind != KindUnified {
		return f, nil, nil
	}
	d, problems, err := b.describe(ctx, e, out)
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	problems = d.fill(f, b.options.Version)
	if f.Definition.Unified == nil && d.usesCheckpoints(f, out) {
		f.Definition.Features = []string{"checkpoints"}
	}
	return f, e.claim(problems), nil
}

// source reads a function's own file. What is no file in the plain sense, such as
// a pipe, would be waited for without end.
func (b *builder) source(e entry) ([]byte, []Problem, error) {
	name := filepath.Join(b.dir, filepath.FromSlash(e.file))
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("looking at the function: %w", err)
	case !info.Mode().IsRegular():
		return nil, []Problem{e.problem("This is not a file: put a file with the function in its place.")}, nil
	case info.Size() > function.MaxCode:
		return nil, []Problem{e.problem("The file has %d bytes, %d are the most: put data elsewhere, and get it when the function runs.", info.Size(), function.MaxCode)}, nil
	}
	source, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil, []Problem{e.problem("The file can't be read: permission denied.")}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the function: %w", err)
	}
	return source, nil, nil
}

// project puts together what came out, in a stable order.
func (b *builder) project(functions []*Function) *Project {
	p := &Project{Problems: b.problems, Warnings: b.warnings}
	for _, f := range functions {
		if f != nil {
			p.Functions = append(p.Functions, *f)
		}
	}
	slices.SortFunc(p.Functions, func(a, b Function) int {
		return cmp.Or(strings.Compare(a.Integration, b.Integration), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
	})
	p.together()
	p.Problems = sortProblems(p.Problems)
	p.Warnings = sortProblems(p.Warnings)
	return p
}
