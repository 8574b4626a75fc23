package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

const devLong = `Watches a folder of functions. Whenever a file is saved, what depends on it is
compiled again, types are checked, and recorded tests of what changed are replayed.
Problems are shown when they come and when they go. Ctrl-C ends it.

With --run and --connection a function is run against a real connection of a server
at each save that changes it; nothing is stored.

With --once it does all of that once. Exit codes are then: 0 all is well; 10
something does not compile, types included; 13 a test failed; 12 the function of
--run failed.`

func newDev(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dev",
		Short:   "Compile and test functions whenever a file is saved",
		Long:    devLong,
		Example: "  linkspan dev\n  linkspan dev --run github/create-issue --connection ada --input @issue.json",
		Args:    usage(cobra.NoArgs),
	}
	d := development{sys: sys, server: server}
	flags := cmd.Flags()
	flags.SortFlags = false
	addFolder(cmd, &d.dir)
	flags.BoolVar(&d.noTypes, "no-types", false, "do not check types")
	flags.BoolVar(&d.noTests, "no-tests", false, "do not replay recorded tests")
	flags.StringVar(&d.runs, "run", "", "run this function when it changed: NAME or INTEGRATION/NAME")
	flags.StringVar(&d.connection, "connection", "", "with --run: the connection to run it for")
	flags.StringVarP(&d.dry.environment, "env", "e", "dev", "with --run: environment of the connection")
	flags.StringVarP(&d.dry.input, "input", "i", "", "with --run: what an action is given, as JSON or @FILE")
	flags.BoolVar(&d.once, "once", false, "do it once, and end")
	flags.BoolVar(&d.asJSON, "json", false, "print a line of JSON after each save; what people read goes to standard error")
	_ = cmd.RegisterFlagCompletionFunc("run", completeFolderFunction) // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("env", completeEnvironment)    // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) }
	return cmd
}

// development is one run of the command.
type development struct {
	sys                            System
	server                         Server
	dir                            string
	noTypes, noTests, once, asJSON bool
	dry                            dryrunOptions
	runs, connection               string // what is run at each save
	t                              *terminal
	reader                         Trials
	tests                          *testRun         // nil: none
	functions                      map[string]built // by file
	problems, typeProblems         []bundle.Problem
	aside                          []bundle.Problem // of files that index.ts does not import
	noted                          bool             // that there is no compiler
	watching                       bool             // that was said
}

// built is a function with the files that it was made of.
type built struct {
	bundle.Function
	sources map[string]bool
}

// devRound is what --json prints after each save.
type devRound struct {
	// Changed are the files that were saved; empty at first.
	Changed   []string          `json:"changed"`
	Functions int               `json:"functions"`
	Compiled  []string          `json:"compiled"`
	Problems  []reportedProblem `json:"problems"`
	// Warnings are of files that index.ts does not import.
	Warnings []reportedProblem `json:"warnings"`
	// Types is "checked", "skipped" or "no compiler".
	Types string `json:"types"`
	// Tests are those that ran now.
	Tests []reportedTest `json:"tests"`
}

func (d *development) run(ctx context.Context) error {
	if err := d.check(); err != nil {
		return err
	}
	d.t = newTerminal(d.sys, d.sys.Stdout)
	if d.asJSON {
		d.t = newTerminal(d.sys, d.sys.Stderr)
	}
	reader, err := d.server.reader(ctx, d.sys)
	if err != nil {
		return err
	}
	defer endTrials(ctx, reader)
	d.reader, d.functions = reader, map[string]built{}
	if !d.noTests {
		if d.tests, err = d.newTests(reader); err != nil {
			return err
		}
	}
	var changes <-chan []string
	if !d.once {
		if changes, err = watchFolder(ctx, d.dir); err != nil {
			return err
		}
	}
	err = d.rounds(ctx, changes)
	d.t.wipe()
	if ctx.Err() != nil && !d.once {
		d.t.println()
		return nil // that is how it ends
	}
	return errors.Join(err, d.t.err)
}

// check looks at the flags.
func (d *development) check() error {
	switch {
	case (d.runs == "") != (d.connection == ""):
		return &usageError{errors.New("--run and --connection go together: a function runs for a connection")}
	case d.dry.input == "-":
		return &usageError{errors.New("--input: - can be read once only: name a file, such as @input.json")}
	}
	return checkFolder(d.dir)
}

// rounds goes through one round for the folder as it is, and one for each change.
// A change of what functions are made of ends the round that goes on: the next one
// does its work as well.
func (d *development) rounds(ctx context.Context, changes <-chan []string) error {
	var changed []string
	for {
		next, ended, err := d.interruptible(ctx, changed, changes)
		switch {
		case d.once || ctx.Err() != nil:
			return err
		case !ended && changed == nil: // all of it is done again
			continue
		case !ended:
			changed = sorted(append(changed, next...))
			continue
		case err != nil:
			writeError(d.sys.Stderr, err)
		}
		if !d.watching {
			d.watching = true
			d.t.println(d.t.paint(styleDim, "Watching "+printable(d.dir)+" …"))
		}
		if changed = next; changed != nil {
			continue
		}
		var open bool
		if changed, open = <-changes; !open {
			return nil
		}
	}
}

// interruptible is round, ended early when sources change. It returns the files that
// changed meanwhile, and whether the round came to its end.
func (d *development) interruptible(ctx context.Context, changed []string, changes <-chan []string) (next []string, ended bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = d.round(ctx, changed)
	}()
	select {
	case <-over:
		return nil, true, err
	case next = <-changes:
	}
	// Something that keeps writing, such as a log, must not keep rounds from ending.
	stale := slices.ContainsFunc(next, isSource)
	if stale {
		cancel()
	}
	<-over // if it was cancelled, with an error that says no more than that
	return next, !stale, err
}

// round compiles and tests what changed, and shows what that means. Nil:
// everything did.
func (d *development) round(ctx context.Context, changed []string) error {
	if !d.matters(changed) {
		return nil
	}
	if changed != nil {
		d.t.println()
		d.t.println(d.t.paint(styleDim, "saved "), printable(shortList(changed)))
	}
	if _, err := project.RefreshTypings(d.dir); err != nil {
		return err
	}
	compiled, err := d.compile(ctx, changed)
	if err != nil {
		return err
	}
	round := devRound{
		Changed: orEmpty(changed), Functions: len(d.functions), Compiled: orEmpty(compiled),
		Problems: []reportedProblem{}, Warnings: []reportedProblem{}, Types: typesSkipped, Tests: []reportedTest{},
	}
	if !d.noTypes && (changed == nil || slices.ContainsFunc(changed, hasTypes)) {
		if err := d.types(ctx, &round); err != nil {
			return err
		}
	}
	for _, p := range slices.Concat(d.problems, d.typeProblems) {
		round.Problems = append(round.Problems, reported(p))
	}
	for _, p := range d.aside {
		round.Warnings = append(round.Warnings, reported(p))
	}
	failed := 0
	if d.tests != nil {
		if failed, err = d.test(ctx, &round); err != nil {
			return err
		}
	}
	d.summary(compiled, failed)
	if d.asJSON {
		if err := printJSONLine(d.sys.Stdout, round); err != nil {
			return err
		}
	}
	failure := d.dryrun(ctx, compiled)
	switch n := len(round.Problems); {
	case d.once && n > 0:
		return &codedError{exitCompile, errors.New(counted(n, "problem"))}
	case d.once && failed > 0:
		return &codedError{exitTests, fmt.Errorf("%s failed", counted(failed, "test"))}
	}
	return failure
}

// summary says how things stand.
func (d *development) summary(compiled []string, failed int) {
	if n := len(d.problems) + len(d.typeProblems); n > 0 {
		d.t.println()
		d.t.println(d.t.paint(styleRed, "✗"), " ", counted(n, "problem"))
	} else {
		text := " " + counted(len(d.functions), "function") + " compile"
		if len(d.functions) == 1 {
			text += "s"
		}
		if len(compiled) > 0 && len(compiled) < len(d.functions) {
			text += ", " + shortList(compiled) + " anew"
		}
		d.t.println(d.t.paint(styleGreen, "✓"), text)
	}
	if d.tests == nil || len(d.tests.known) == 0 {
		return
	}
	if failed > 0 {
		d.t.println(d.t.paint(styleRed, "✗"), " ", strconv.Itoa(failed), " of ", counted(len(d.tests.known), "test"), " failed")
		return
	}
	d.t.println(d.t.paint(styleGreen, "✓"), " ", counted(len(d.tests.known), "test"), " passed")
}

// types checks types and shows what came and went.
func (d *development) types(ctx context.Context, round *devRound) error {
	d.t.update("Checking types …")
	checked := checkTypes(ctx, d.sys, d.dir)
	d.t.wipe()
	if checked.err != nil {
		return checked.err
	}
	if round.Types = checked.state; checked.state == typesNoCompiler && !d.noted {
		d.noted = true
		noteCompiler(d.t)
	}
	found, beside := news(d.problems, checked.Problems), aside(checked.Aside)
	d.show(d.typeProblems, found, styleRed, "✗")
	d.show(d.aside, beside, styleYellow, "!")
	d.typeProblems, d.aside = found, beside
	return nil
}

// show says which problems are new, and which are gone.
func (d *development) show(before, now []bundle.Problem, style, mark string) {
	same := func(a, b bundle.Problem) bool { return a.File == b.File && a.Message == b.Message }
	for _, p := range before {
		if !slices.ContainsFunc(now, func(n bundle.Problem) bool { return same(p, n) }) {
			first, _, _ := strings.Cut(p.Message, "\n")
			d.t.println(d.t.paint(styleGreen, "✓"), " solved in ", d.t.paint(styleBold, printable(p.File)), ": ", d.t.paint(styleDim, printable(first)))
		}
	}
	for _, p := range now {
		if !slices.ContainsFunc(before, func(b bundle.Problem) bool { return same(p, b) }) {
			printProblem(d.t, style, mark, p)
		}
	}
}

// shortList is a list that fits a line.
func shortList(names []string) string {
	const most = 3
	text := strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// isSource reports whether a file is code, configuration or a recorded test.
func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".js", ".jsx", ".mjs", ".cjs":
		return true
	}
	return hasTypes(name) || strings.HasSuffix(name, fixtureSuffix)
}

// indexOrConfig reports whether everything depends on a file.
func indexOrConfig(name string) bool {
	switch base := filepath.Base(filepath.FromSlash(name)); base {
	case "index.ts", "index.js", "tsconfig.json", "package.json":
		return true
	}
	return false
}
