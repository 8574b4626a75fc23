package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// reportedProblem is a problem as --json prints it.
type reportedProblem struct {
	File        string `json:"file"`
	Line        int    `json:"line"`
	Column      int    `json:"column"`
	Message     string `json:"message"`
	Excerpt     string `json:"excerpt,omitempty"`
	Integration string `json:"integration,omitempty"`
	Function    string `json:"function,omitempty"`
}

// compile makes the functions of the folder. One that does not compile stops the
// deploy: a folder is deployed as a whole.
func (d *deployment) compile(ctx context.Context) ([]bundle.Function, error) {
	if d.status.update("Compiling …"); !d.status.live {
		d.status.println("Compiling ", printable(d.dir))
	}
	reader, err := d.server.reader(ctx, d.sys)
	if err != nil {
		return nil, err
	}
	defer endTrials(ctx, reader)
	types, err := d.startTypes(ctx)
	if err != nil {
		return nil, err
	}
	defer types.stop()
	choice := choice{patterns: d.functions, integrations: d.integrations, used: make(map[string]bool)}
	project, err := buildFolder(ctx, d.status, reader, bundle.Options{Dir: d.dir, Only: choice.wants})
	if err != nil {
		return nil, err
	}
	if err := choice.check(); err != nil {
		return nil, err
	}
	if err := d.typesOf(project, types); err != nil {
		return nil, err
	}
	for _, w := range project.Warnings {
		d.report.Warnings = append(d.report.Warnings, reported(w))
		printProblem(d.status, styleYellow, "!", w)
	}
	if len(project.Problems) > 0 {
		return nil, d.broken(project)
	}
	if d.version != "" {
		for i := range project.Functions {
			project.Functions[i].Version = d.version
		}
	}
	d.status.println(d.status.paint(styleGreen, "✓"), " Compiled ", counted(len(project.Functions), "function"))
	return project.Functions, nil
}

// startTypes begins to check types beside the compiling, unless it shall not.
func (d *deployment) startTypes(ctx context.Context) (*typeRun, error) {
	if d.noTypes {
		return nil, nil //nolint:nilnil // nil is a check of nothing
	}
	// A fresh clone has no typings.
	if err := refreshTypings(d.dir); err != nil {
		return nil, fmt.Errorf("%w, or say --no-types", err)
	}
	return startTypes(ctx, d.sys, d.dir), nil
}

// typesOf waits for the check of types and adds what it found.
func (d *deployment) typesOf(project *bundle.Project, types *typeRun) error {
	if types == nil {
		return nil
	}
	d.status.update("Checking types …")
	checked := types.wait()
	d.status.wipe()
	if checked.state == typesNoCompiler {
		noteCompiler(d.status)
	}
	checked.addTo(project)
	return checked.err
}

// broken shows why a folder does not compile.
func (d *deployment) broken(project *bundle.Project) error {
	for _, p := range project.Problems {
		d.report.Problems = append(d.report.Problems, reported(p))
		printProblem(d.status, styleRed, "✗", p)
	}
	d.status.println()
	return &codedError{exitCompile, fmt.Errorf("%s, so nothing was deployed", counted(len(project.Problems), "problem"))}
}

func reported(p bundle.Problem) reportedProblem {
	return reportedProblem{
		File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Excerpt: p.Excerpt, Integration: p.Integration, Function: p.Function,
	}
}

// printProblem writes where a problem is, what it is, and the line with a caret
// below its place.
func printProblem(t *terminal, style, mark string, p bundle.Problem) {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	t.println()
	t.println(t.paint(style, mark), " ", t.paint(styleBold, printable(place)))
	for line := range strings.Lines(p.Message) {
		t.println("  ", printable(strings.TrimSuffix(line, "\n")))
	}
	for line := range strings.Lines(p.Excerpt) {
		t.println("  ", t.paint(styleDim, printable(strings.TrimSuffix(line, "\n"))))
	}
}

// choice is which functions --function and --integration name.
type choice struct {
	patterns, integrations []string

	used map[string]bool
	seen []string
}

// wants reports whether a function is to be deployed.
func (c *choice) wants(integration string, _ linkspan.FunctionKind, name string) bool {
	c.seen = append(c.seen, functionName(integration, name))
	if len(c.integrations) > 0 && !slices.Contains(c.integrations, integration) {
		return false
	}
	if len(c.patterns) == 0 {
		return true
	}
	wanted := false
	for _, p := range c.patterns {
		if p == name || p == functionName(integration, name) {
			c.used[p], wanted = true, true
		}
	}
	return wanted
}

// check reports names that the folder does not have.
func (c *choice) check() error {
	for _, p := range c.patterns {
		if c.used[p] {
			continue
		}
		slices.Sort(c.seen)
		if len(c.seen) == 0 {
			return &usageError{fmt.Errorf("--function: there is no %q: index.ts imports no functions", p)}
		}
		return &usageError{fmt.Errorf("--function: there is no %q; index.ts imports:\n  %s", p, strings.Join(slices.Compact(c.seen), "\n  "))}
	}
	return nil
}

// cacheFolder is where the sandbox keeps what it can make again, or "" when there
// is no place for it.
func cacheFolder(sys System) string {
	dir := sys.Environ("LINKSPAN_CACHE")
	if dir == "" {
		of, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(of, "linkspan")
	}
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return dir
}

// Exit codes of a deploy.
const (
	exitCompile = 10 // the folder does not compile
	exitRefused = 11 // the server, or a person, refused the deploy
)

// codedError marks errors that end the process with a code of their own.
type codedError struct {
	code int
	err  error
}

// Error implements error.
func (e *codedError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *codedError) Unwrap() error { return e.err }

// refusal marks an error as the refusal of a deploy.
func refusal(err error) error { return &codedError{exitRefused, err} }

// exitCode is the code that the process ends with for an error.
func exitCode(err error) int {
	if coded, ok := errors.AsType[*codedError](err); ok {
		return coded.code
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}
