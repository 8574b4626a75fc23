package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/project"
)

const compileLong = `Compiles the functions that index.ts of the folder imports, checks their types,
and writes what they say of themselves, JSON Schemas of their models included:
to .linkspan/functions.json or, in a folder that the published CLI laid out, to
.nango/nango.json with the bundles in build/.

Types are checked by the folder's own TypeScript compiler, node_modules/.bin/tsc
there or further up, or by tsc from PATH. Without one they are not checked. Errors
in files that index.ts does not import, directly or not, are only warnings.

Exit codes: 0 all compiles; 10 something does not, types included; 2 a mistake in
the command line; 1 anything else.`

func newCompile(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "compile",
		Short:   "Compile the functions of a folder and check their types",
		Long:    compileLong,
		Example: "  linkspan compile\n  linkspan compile --out build --json",
		Args:    usage(cobra.NoArgs),
	}
	c := compilation{sys: sys, server: server}
	flags := cmd.Flags()
	flags.SortFlags = false
	addFolder(cmd, &c.dir)
	flags.StringVar(&c.out, "out", "", "folder to write the bundles to, as <integration>_<folder>_<name>.cjs")
	flags.BoolVar(&c.noTypes, "no-types", false, "do not check types")
	flags.BoolVar(&c.asJSON, "json", false, "print problems and definitions as JSON; what people read goes to standard error")
	_ = cmd.MarkFlagDirname("out") // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) }
	return cmd
}

// addFolder adds the flag --dir.
func addFolder(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", ".", "folder with index.ts")
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
}

// compilation is one run of the command.
type compilation struct {
	sys             System
	server          Server
	dir, out        string
	noTypes, asJSON bool
	story, status   *terminal
	report          compileReport
}

// compileReport is what --json prints.
type compileReport struct {
	Dir       string            `json:"dir"`
	Functions int               `json:"functions"`
	Problems  []reportedProblem `json:"problems"`
	Warnings  []reportedProblem `json:"warnings"`
	// Types is "checked", "skipped", or "no compiler".
	Types string `json:"types"`
	// DefinitionsFile is empty unless all compiles.
	DefinitionsFile string                `json:"definitions_file,omitempty"`
	Definitions     []project.Definitions `json:"definitions"`
	Error           *reportedError        `json:"error"`
}

// run compiles, and reports with --json however it ends.
func (c *compilation) run(ctx context.Context) error {
	c.status = newTerminal(c.sys, c.sys.Stderr)
	if c.story = newTerminal(c.sys, c.sys.Stdout); c.asJSON {
		c.story = c.status
	}
	c.report = compileReport{
		Dir: c.dir, Problems: []reportedProblem{}, Warnings: []reportedProblem{}, Definitions: []project.Definitions{}, Types: typesSkipped,
	}
	err := c.steps(ctx)
	c.status.wipe()
	if ctx.Err() != nil && err != nil {
		err = errors.New("interrupted")
	}
	if !c.asJSON {
		return errors.Join(err, c.story.err)
	}
	if err != nil {
		c.report.Error = new(reportedError)
		c.report.Error.Code, c.report.Error.Message = described(err)
	}
	return errors.Join(err, printJSON(c.sys.Stdout, c.report))
}

func (c *compilation) steps(ctx context.Context) error {
	if err := checkFolder(c.dir); err != nil {
		return err
	}
	if err := refreshTypings(c.dir); err != nil {
		return err
	}
	reader, err := c.server.reader(ctx, c.sys)
	if err != nil {
		return err
	}
	defer endTrials(ctx, reader)
	var types *typeRun
	if !c.noTypes {
		types = startTypes(ctx, c.sys, c.dir)
		defer types.stop()
	}
	functions, err := buildFolder(ctx, c.status, reader, bundle.Options{Dir: c.dir})
	if err != nil {
		return err
	}
	if types != nil {
		c.status.update("Checking types …")
		checked := types.wait()
		c.status.wipe()
		if checked.err != nil {
			return checked.err
		}
		if c.report.Types = checked.state; checked.state == typesNoCompiler {
			noteCompiler(c.status)
		}
		checked.addTo(functions)
	}
	return c.finish(functions)
}

// finish shows what came out, and writes it when all compiles.
func (c *compilation) finish(folder *bundle.Project) error {
	c.report.Functions = len(folder.Functions)
	for _, w := range folder.Warnings {
		c.report.Warnings = append(c.report.Warnings, reported(w))
		printProblem(c.status, styleYellow, "!", w)
	}
	for _, p := range folder.Problems {
		c.report.Problems = append(c.report.Problems, reported(p))
		printProblem(c.status, styleRed, "✗", p)
	}
	if n := len(folder.Problems); n > 0 {
		c.status.println()
		return &codedError{exitCompile, errors.New(counted(n, "problem"))}
	}
	return c.write(folder.Functions)
}

// write writes definitions and bundles.
func (c *compilation) write(functions []bundle.Function) error {
	file, err := project.WriteDefinitions(c.dir, functions)
	if err != nil {
		return err
	}
	c.report.DefinitionsFile, c.report.Definitions = file, project.Define(functions)
	c.story.println(c.story.paint(styleGreen, "✓"), " Compiled ", counted(len(functions), "function"))
	c.story.println("  definitions in ", printable(filepath.Join(c.dir, filepath.FromSlash(file))))
	out := c.out
	if out == "" && project.Published(c.dir) {
		out = filepath.Join(c.dir, "build")
	}
	if out == "" {
		return nil
	}
	if _, err := project.WriteBundles(out, functions); err != nil {
		return err
	}
	c.story.println("  bundles in ", printable(out))
	return nil
}

// reader starts what reads the definitions of functions. It does so in other
// processes: a file that computes without end when it is loaded ends there.
func (s Server) reader(ctx context.Context, sys System) (Trials, error) {
	return s.startTrials(ctx, sys, TrialOptions{Parallel: runtime.GOMAXPROCS(0), Memory: testMemory})
}

// buildFolder builds functions of a folder and shows the progress. A folder that
// can't be built at all does not compile.
func buildFolder(ctx context.Context, status *terminal, reader bundle.Describer, o bundle.Options) (*bundle.Project, error) {
	shown := bar{t: status, what: "Compiling"}
	o.SourceMap, o.Describer, o.Version, o.Progress = true, reader, obs.ReadBuild().Version, shown.progress
	built, err := bundle.Build(ctx, o)
	status.wipe()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &codedError{exitCompile, fmt.Errorf("compiling %s: %w", o.Dir, err)}
	}
	return built, nil
}

// What became of a check of types.
const (
	typesChecked    = "checked"
	typesSkipped    = "skipped"
	typesNoCompiler = "no compiler"
)

// typeCheck is what a check of types found.
type typeCheck struct {
	state string
	project.TypeErrors
	err error
}

// addTo adds what is new to what compiling found. Errors in files that index.ts does
// not import stop nothing, as no function is made of them.
func (c typeCheck) addTo(folder *bundle.Project) {
	folder.Problems = append(folder.Problems, news(folder.Problems, c.Problems)...)
	folder.Warnings = append(folder.Warnings, aside(c.Aside)...)
}

// aside says of problems why they stop nothing.
func aside(problems []bundle.Problem) []bundle.Problem {
	noted := slices.Clone(problems)
	for i := range noted {
		noted[i].Message += "\nindex.ts does not import this file, so nothing depends on it."
	}
	return noted
}

// refreshTypings writes typings where they are looked for, and missing or old.
func refreshTypings(dir string) error {
	if _, err := project.RefreshTypings(dir); err != nil {
		return fmt.Errorf("%w; without them types can't be checked: make %s writable", err, filepath.Join(dir, project.OwnFolder))
	}
	return nil
}

// typeRun is a check of types beside other work. Its owner stops it.
type typeRun struct {
	cancel context.CancelFunc
	wait   func() typeCheck
}

// startTypes begins to check the types of a folder. Nil: there is nothing to check.
func startTypes(ctx context.Context, sys System, dir string) *typeRun {
	if !isFile(filepath.Join(dir, "tsconfig.json")) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan typeCheck, 1)
	go func() { result <- checkTypes(ctx, sys, dir) }()
	return &typeRun{cancel: cancel, wait: sync.OnceValue(func() typeCheck { return <-result })}
}

// stop ends a check that nobody waits for any more. Nil: there is none.
func (r *typeRun) stop() {
	if r != nil {
		r.cancel()
		r.wait()
	}
}

// checkTypes checks the types of a folder that has a tsconfig.json, if there is a
// compiler.
func checkTypes(ctx context.Context, sys System, dir string) typeCheck {
	if !isFile(filepath.Join(dir, "tsconfig.json")) {
		return typeCheck{state: typesSkipped}
	}
	compiler := project.FindCompiler(dir, sys.lookPath)
	if compiler == "" {
		return typeCheck{state: typesNoCompiler}
	}
	found, err := project.CheckTypes(ctx, dir, compiler)
	return typeCheck{state: typesChecked, TypeErrors: found, err: err}
}

// news returns what a check of types adds to known problems. Of a file that can't
// be read as TypeScript both say so.
func news(known, types []bundle.Problem) []bundle.Problem {
	var added []bundle.Problem
	for _, p := range types {
		syntax := strings.HasPrefix(p.Message, "TS1") && len(p.Message) > 6 && p.Message[6] == ':' // TS1000 to TS1999
		if !syntax || !slices.ContainsFunc(known, func(k bundle.Problem) bool { return k.File == p.File }) {
			added = append(added, p)
		}
	}
	return added
}

// noteCompiler says why types are not checked.
func noteCompiler(t *terminal) {
	t.println(t.paint(styleYellow, "!"), " Types are not checked: there is no TypeScript compiler. Get one with npm install, or say --no-types.")
}

// lookPath finds a program in the folders of PATH.
func (sys System) lookPath(name string) (string, error) {
	names := []string{name}
	if runtime.GOOS == "windows" {
		names = []string{name + ".exe", name + ".cmd", name + ".bat"}
	}
	for _, dir := range filepath.SplitList(sys.Environ("PATH")) {
		for _, name := range names {
			found := filepath.Join(dir, name)
			if info, err := os.Stat(found); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %s in PATH", name)
}
