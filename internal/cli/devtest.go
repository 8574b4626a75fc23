package cli

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/internal/function/bundle"
)

// newTests prepares the replay of recorded tests.
func (d *development) newTests(executor Trials) (*testRun, error) {
	t, err := newTestRun(d.sys, d.server, testOptions{dir: d.dir, timeout: testTimeout, parallel: runtime.GOMAXPROCS(0)}, nil, true)
	if err != nil {
		return nil, err
	}
	t.story, t.status, t.executor = d.t, d.t, executor
	return t, nil
}

// test replays the recorded tests of functions that changed, or whose recording
// did, and returns how many of all fail now.
func (d *development) test(ctx context.Context, round *devRound) (failed int, err error) {
	plan, tested := &testPlan{}, &testRound{}
	for _, f := range d.inOrder() {
		if isFile(filepath.Join(d.dir, filepath.FromSlash(testKey{integration: f.Integration, name: f.Name}.fixtureFile()))) {
			plan.built = append(plan.built, f)
		}
	}
	err = d.tests.runAll(ctx, plan, tested)
	d.t.wipe()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	slices.SortFunc(tested.fresh, func(a, b *testResult) int { return a.key.compare(b.key) })
	for _, r := range tested.fresh {
		d.tests.showResult(r)
		round.Tests = append(round.Tests, reportedTest{r.key.integration, r.key.name, string(r.key.kind), r.status, r.message})
	}
	for _, r := range tested.all {
		if r.status == testFailed {
			failed++
		}
	}
	return failed, nil
}

// dryrun runs the function that --run names for its connection, if it was compiled
// anew.
func (d *development) dryrun(ctx context.Context, compiled []string) error {
	wanted := func(name string) bool { return name == d.runs || strings.HasSuffix(name, "/"+d.runs) }
	if d.runs == "" || !slices.ContainsFunc(compiled, wanted) {
		return nil
	}
	sys := d.sys
	if d.asJSON {
		sys.Stdout = sys.Stderr // the rounds are there
	}
	sys.Stdin = nil // nobody is asked while files are watched
	o := d.dry
	o.dir, o.timeout = d.dir, dryrunTimeout
	d.t.println()
	run, err := newDryrunOf(ctx, sys, d.server, []string{d.runs, d.connection}, o)
	if err != nil {
		return err
	}
	return run.run(ctx)
}

// matters reports whether changed files have to do with functions. Nil: everything
// changed.
func (d *development) matters(changed []string) bool {
	if changed == nil {
		return true
	}
	names, all := d.affected(changed)
	return all || len(names) > 0 || slices.ContainsFunc(changed, hasTypes) ||
		slices.ContainsFunc(changed, func(name string) bool { return strings.HasSuffix(name, fixtureSuffix) })
}

// hasTypes reports whether the compiler of types reads a file.
func hasTypes(name string) bool {
	switch filepath.Ext(name) {
	case ".ts", ".tsx", ".mts", ".cts":
		return true
	}
	return indexOrConfig(name)
}

// inOrder returns the functions by integration, kind and name.
func (d *development) inOrder() []bundle.Function {
	functions := make([]bundle.Function, 0, len(d.functions))
	for _, f := range d.functions {
		functions = append(functions, f.Function)
	}
	slices.SortFunc(functions, func(a, b bundle.Function) int { return strings.Compare(a.File, b.File) })
	return functions
}
