package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/fixture"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// The outcomes of tests.
const (
	testPassed  = "passed"
	testFailed  = "failed"
	testSkipped = "skipped"
)

// testKey names a function of a folder.
type testKey struct {
	integration, name string
	kind              linkspan.FunctionKind
}

func (k testKey) compare(o testKey) int {
	return cmp.Or(strings.Compare(k.integration, o.integration), strings.Compare(k.name, o.name), strings.Compare(string(k.kind), string(o.kind)))
}

// fixtureFile is where the recording of a function is, with slashes.
func (k testKey) fixtureFile() string { return path.Join(k.integration, "tests", k.name+fixtureSuffix) }

const fixtureSuffix = ".test.json"

// testResult is what came of one function.
type testResult struct {
	key    testKey
	status string
	// message says why it failed or was skipped, in lines.
	message string
	// broken says that it does not compile.
	broken bool
	// updated says that its recording was written.
	updated bool
	// unused are the recorded calls that were not made, of as many as there are.
	unused []fixture.Unused
	calls  int
	took   time.Duration
	// sum changes with the function and its recording.
	sum [sha256.Size]byte
}

// testRound is what was tested at once.
type testRound struct {
	// all are the results of all functions, fresh those of the ones that ran now.
	all, fresh []*testResult
	// problems are what is wrong with the folder beside its functions.
	problems []bundle.Problem
}

// testPlan is what there is to test.
type testPlan struct {
	built   []bundle.Function
	results []*testResult // that are known without a run
	seen    map[testKey]bool
	used    map[string]bool
}

// once tests the functions that changed since the last time.
func (t *testRun) once(ctx context.Context) (*testRound, error) {
	plan := &testPlan{seen: make(map[testKey]bool), used: make(map[string]bool)}
	project, err := t.build(ctx, plan)
	if err != nil {
		return nil, err
	}
	round := &testRound{}
	broken := make(map[testKey][]string)
	for _, p := range project.Problems {
		if p.Function == "" {
			round.problems = append(round.problems, p)
			continue
		}
		key := testKey{p.Integration, p.Function, p.Kind}
		broken[key] = append(broken[key], problemText(p))
	}
	for key, texts := range broken {
		message := "It does not compile.\n" + strings.Join(texts, "\n")
		plan.results = append(plan.results, &testResult{key: key, status: testFailed, message: message, broken: true})
	}
	plan.built = project.Functions
	orphans, err := t.orphans(plan)
	if err != nil {
		return nil, err
	}
	plan.results = append(plan.results, orphans...)
	if err := t.unknownNames(plan, round); err != nil {
		return nil, err
	}
	if err := t.runAll(ctx, plan, round); err != nil {
		return nil, err
	}
	for _, list := range [][]*testResult{round.all, round.fresh} {
		slices.SortFunc(list, func(a, b *testResult) int { return a.key.compare(b.key) })
	}
	return round, nil
}

// build compiles the functions that have a recording.
func (t *testRun) build(ctx context.Context, plan *testPlan) (*bundle.Project, error) {
	if t.status.update("Compiling …"); !t.status.live && !t.watch {
		t.status.println("Testing ", printable(t.dir))
	}
	shown := bar{t: t.status, what: "Compiling"}
	indexed := isFile(filepath.Join(t.dir, "index.ts")) || isFile(filepath.Join(t.dir, "index.js"))
	project, err := bundle.Build(ctx, bundle.Options{
		Dir: t.dir, AllFiles: !indexed, SourceMap: true, Undescribed: true, Describer: t.executor,
		Version: obs.ReadBuild().Version, Progress: shown.progress,
		Only: func(integration string, kind linkspan.FunctionKind, name string) bool {
			key := testKey{integration, name, kind}
			plan.seen[key] = true
			if !t.wants(key, plan.used) {
				return false
			}
			if isFile(filepath.Join(t.dir, filepath.FromSlash(key.fixtureFile()))) {
				return true
			}
			if indexed {
				message := "There is no recording " + key.fixtureFile() + ": linkspan dryrun --save makes one."
				plan.results = append(plan.results, &testResult{key: key, status: testSkipped, message: message})
			}
			return false
		},
	})
	if err != nil && ctx.Err() == nil {
		return nil, &codedError{exitCompile, fmt.Errorf("compiling %s: %w", t.dir, err)}
	}
	return project, err
}

// functionOf is the name of a function by an argument, which may be that of its file
// or of its recording.
func functionOf(arg string) string {
	parts := strings.Split(filepath.ToSlash(filepath.Clean(arg)), "/")
	if len(parts) < 3 {
		return strings.Join(parts, "/")
	}
	name := parts[len(parts)-1]
	if base, ok := strings.CutSuffix(name, fixtureSuffix); ok {
		name = base
	} else {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	return parts[len(parts)-3] + "/" + name
}

// wants reports whether a function was asked for.
func (t *testRun) wants(k testKey, used map[string]bool) bool {
	if len(t.integrations) > 0 && !slices.Contains(t.integrations, k.integration) {
		return false
	}
	if len(t.names) == 0 {
		return true
	}
	wanted := false
	for _, name := range t.names {
		if name == k.name || name == k.integration || name == functionName(k.integration, k.name) {
			used[name], wanted = true, true
		}
	}
	return wanted
}

// unknownNames reports functions that were asked for and that the folder does not
// have.
func (t *testRun) unknownNames(plan *testPlan, round *testRound) error {
	for _, name := range t.names {
		if !plan.used[name] {
			return &usageError{fmt.Errorf("there is no function %q in %s with a recording; functions are named NAME or INTEGRATION/NAME", name, t.dir)}
		}
	}
	for _, integration := range t.integrations {
		has := func(k testKey) bool { return k.integration == integration }
		known := slices.ContainsFunc(plan.results, func(r *testResult) bool { return has(r.key) })
		for k := range plan.seen {
			known = known || has(k)
		}
		if !known {
			return &usageError{fmt.Errorf("--integration: %s has no functions of %q", t.dir, integration)}
		}
	}
	if len(plan.built)+len(plan.results)+len(round.problems) == 0 {
		return &usageError{fmt.Errorf("there is nothing to test in %s: it has neither functions in index.ts nor recordings such as github/tests/issues.test.json", t.dir)}
	}
	return nil
}

// orphans are the recordings without a function.
func (t *testRun) orphans(plan *testPlan) ([]*testResult, error) {
	files, err := filepath.Glob(filepath.Join(globEscape(t.dir), "*", "tests", "*"+fixtureSuffix))
	if err != nil {
		return nil, fmt.Errorf("looking for recordings: %w", err)
	}
	named := make(map[string]bool, len(plan.seen))
	for k := range plan.seen {
		named[functionName(k.integration, k.name)] = true
	}
	var out []*testResult
	for _, file := range files {
		key := testKey{integration: filepath.Base(filepath.Dir(filepath.Dir(file))), name: strings.TrimSuffix(filepath.Base(file), fixtureSuffix)}
		if key.integration == "node_modules" || key.integration[0] == '.' || named[functionName(key.integration, key.name)] || !t.wants(key, plan.used) {
			continue
		}
		r := &testResult{key: key, status: testFailed, message: fmt.Sprintf("The recording %s is of no function: there is no %s/actions/%s.ts nor %s/syncs/%s.ts.",
			key.fixtureFile(), key.integration, key.name, key.integration, key.name)}
		if there := t.fileOf(&key); there != "" {
			r.key, r.status, r.message = key, testSkipped, "index.ts does not import ./"+strings.TrimSuffix(there, path.Ext(there))+"."
		}
		out = append(out, r)
	}
	return out, nil
}

// fileOf returns the file of a function that index.ts does not import, and fills in
// its kind.
func (t *testRun) fileOf(key *testKey) string {
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionAction, linkspan.FunctionSync, linkspan.FunctionOnEvent, bundle.KindUnified} {
		for _, extension := range []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"} {
			file := path.Join(key.integration, string(kind)+"s", key.name+extension)
			if isFile(filepath.Join(t.dir, filepath.FromSlash(file))) {
				key.kind = kind
				return file
			}
		}
	}
	return ""
}

// globEscape makes a path a pattern that matches itself.
func globEscape(name string) string {
	if filepath.Separator == '\\' {
		return name // there is no escaping there
	}
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(name)
}

// runAll runs what was built, some at a time. What did not change since the last
// round keeps its result.
func (t *testRun) runAll(ctx context.Context, plan *testPlan, round *testRound) error {
	shown := bar{t: t.status, what: "Testing"}
	var mu sync.Mutex
	done := 0
	keep := func(r *testResult, fresh bool) {
		mu.Lock()
		defer mu.Unlock()
		round.all = append(round.all, r)
		if fresh {
			round.fresh = append(round.fresh, r)
		}
	}
	for _, r := range plan.results {
		r.sum = sha256.Sum256([]byte(r.message))
		keep(r, t.changed(r))
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.parallel)
	for i := range plan.built {
		g.Go(func() error {
			r, fresh, err := t.one(ctx, &plan.built[i])
			if err != nil {
				return err
			}
			keep(r, fresh)
			mu.Lock()
			defer mu.Unlock()
			done++
			shown.progress(done, len(plan.built))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.known = make(map[testKey]*testResult, len(round.all)) // what is gone and comes back is told of
	for _, r := range round.all {
		t.known[r.key] = r
	}
	return nil
}

// changed reports whether a result is another one than before.
func (t *testRun) changed(r *testResult) bool {
	before := t.known[r.key]
	return before == nil || before.sum != r.sum
}

// one tests a function, unless it and its recording are as they were.
func (t *testRun) one(ctx context.Context, f *bundle.Function) (r *testResult, fresh bool, err error) {
	key := testKey{f.Integration, f.Name, f.Kind}
	if f.Definition.Unified != nil {
		key.kind = bundle.KindUnified
	}
	r = &testResult{key: key, status: testPassed}
	file := filepath.Join(t.dir, filepath.FromSlash(key.fixtureFile()))
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		r.status, r.message = testSkipped, "Its recording "+key.fixtureFile()+" was removed."
		return r, t.changed(r), nil
	}
	if err != nil {
		r.status, r.message = testFailed, "Its recording can't be read: "+err.Error()
		return r, true, nil //nolint:nilerr // the function fails, and not the test of the others
	}
	r.sum = sha256.Sum256([]byte(f.Code.Bundle + "\x00" + string(text)))
	if !t.changed(r) {
		return t.known[key], false, nil
	}
	start := time.Now()
	err = t.try(ctx, f, r, text)
	r.took = time.Since(start)
	return r, true, err
}

// try runs a function against its recording and judges it.
func (t *testRun) try(ctx context.Context, f *bundle.Function, r *testResult, text []byte) error {
	recording, err := fixture.Parse(r.key.fixtureFile(), text)
	if err != nil {
		r.status, r.message = testFailed, "Its recording can't be read.\n"+err.Error()
		return nil //nolint:nilerr // the function fails, and not the test of the others
	}
	provider, err := t.catalog.Provider(f.Integration)
	if err != nil && !errors.Is(err, catalog.ErrUnknownProvider) {
		return fmt.Errorf("reading the provider %s: %w", f.Integration, err)
	}
	replay := fixture.NewReplay(recording, provider)
	o := replay.Options(trial.Of(*f))
	o.Limits = sandbox.Limits{Memory: testMemory, CPU: t.timeout, Wall: t.timeout, Output: testOutput, Notes: testNotes}
	result, err := trial.Run(ctx, t.executor, o)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.status, r.message = testFailed, "It could not be run: "+err.Error()
		return nil //nolint:nilerr // the function fails, and not the test of the others
	}
	r.unused, r.calls = replay.Unused()
	differences := fixture.Judge(recording, f.Kind, result)
	if len(differences) > 0 && t.update && (result.Failure == nil || recording.Error != nil) {
		return t.write(recording, f.Kind, result, r)
	}
	if len(differences) > 0 {
		r.status, r.message = testFailed, t.differenceText(differences, result.Failure)
	}
	return nil
}

// write updates a recording.
func (t *testRun) write(recording *fixture.File, kind linkspan.FunctionKind, result *trial.Result, r *testResult) error {
	text, err := recording.Update(kind, result)
	if err != nil {
		r.status, r.message = testFailed, "Its recording was not updated: "+err.Error()
		return nil //nolint:nilerr // the function fails, and not the test of the others
	}
	file := filepath.Join(t.dir, filepath.FromSlash(r.key.fixtureFile()))
	if err := writeFixture(file, text); err != nil {
		return err
	}
	r.updated, r.message = true, "Its recording was updated."
	return nil
}
