package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/function/trial"
)

// exitTests is the exit code when tests failed.
const exitTests = 13

const (
	// testTimeout bounds one function unless --timeout does, testMemory its sandbox.
	testTimeout = 10 * time.Second
	testMemory  = 256 << 20
	// testOutput and testNotes bound what a function returns and says, in bytes.
	testOutput, testNotes = 64 << 20, 1 << 20
	// closeTrials bounds the wait for processes that end.
	closeTrials = 5 * time.Second
)

const testLong = `Runs the functions of a folder against recordings of their providers, in the
sandbox that servers run them in, and compares what comes out. Nothing is
called over the network, and no server is needed.

A recording is INTEGRATION/tests/FUNCTION.test.json, as linkspan dryrun --save
writes it. The functions are those that index.ts imports; without index.ts,
all that have a recording. Arguments are the folder and functions of it, NAME or
INTEGRATION/NAME.

Each function has its own sandbox, with 256 MiB of memory, in a process beside
this one. One that does not compile, does not end or takes more fails alone.

Exit codes: 0 nothing failed; 13 tests failed; 10 nothing compiles; 2 a mistake
in the command line; 1 anything else.`

// TrialOptions say what is needed to run functions for tests.
type TrialOptions struct {
	// CacheDir is where compiled code is kept; empty: nowhere.
	CacheDir string
	// Parallel is how many functions run at the same time, and Memory what one of
	// them may take, in bytes.
	Parallel int
	Memory   int64
	// Once says that what a function does can't be repeated: one that had begun when
	// its process ended is not begun again.
	Once bool
}

// Trials runs functions so that one which can't be stopped holds up none of the
// others.
type Trials interface {
	trial.Executor
	// Close ends what runs.
	Close(ctx context.Context) error
}

// testOptions are the flags of a test.
type testOptions struct {
	dir                             string
	integrations                    []string
	update, watch, coverage, asJSON bool
	junit                           string
	timeout                         time.Duration
	parallel                        int
}

func newTest(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [DIR] [FUNCTION…]",
		Short: "Run functions against recordings of their providers",
		Long:  testLong,
		Example: `  linkspan test
  linkspan test github/create-issue --watch
  linkspan test --coverage --junit report.xml
  linkspan test ./integrations --json`,
	}
	var o testOptions
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.dir, "dir", ".", "folder with the functions")
	flags.StringArrayVar(&o.integrations, "integration", nil, "test only the functions of this integration; may be repeated")
	flags.BoolVarP(&o.update, "update", "u", false, "write what comes out into the recordings that differ")
	flags.BoolVarP(&o.watch, "watch", "w", false, "go on, and test again what changes")
	flags.BoolVar(&o.coverage, "coverage", false, "list recorded calls that were never made")
	flags.StringVar(&o.junit, "junit", "", "write a JUnit report to this `file`")
	flags.BoolVar(&o.asJSON, "json", false, "print the results as JSON")
	flags.DurationVar(&o.timeout, "timeout", testTimeout, "how long one function may take")
	flags.IntVar(&o.parallel, "parallel", runtime.GOMAXPROCS(0), "how many functions run at the same time")
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := newTestRun(sys, server, o, args, cmd.Flags().Changed("dir"))
		if err != nil {
			return err
		}
		return t.run(cmd.Context())
	}
	return cmd
}

// testRun is one run of the command.
type testRun struct {
	testOptions
	sys    System
	server Server
	// names are the functions that were asked for; none: all.
	names    []string
	catalog  *catalog.Catalog
	executor Trials
	story    *terminal // results
	status   *terminal // progress and what is beside the results
	// known are the results so far, by function.
	known map[testKey]*testResult
}

func newTestRun(sys System, server Server, o testOptions, args []string, dirSet bool) (*testRun, error) {
	t := &testRun{testOptions: o, sys: sys, server: server, status: newTerminal(sys, sys.Stderr), known: make(map[testKey]*testResult)}
	if t.story = newTerminal(sys, sys.Stdout); o.asJSON {
		t.story = t.status
	}
	switch {
	case o.timeout <= 0:
		return nil, &usageError{errors.New("--timeout: it must be longer than nothing, such as 10s")}
	case o.parallel < 1:
		return nil, &usageError{errors.New("--parallel: it must be at least 1")}
	case o.watch && o.asJSON:
		return nil, &usageError{errors.New("--watch and --json do not go together: there would be no end of the document")}
	}
	if len(args) > 0 && !dirSet && isTestFolder(args[0]) {
		t.dir, args = args[0], args[1:]
	}
	if !isFolder(t.dir) {
		return nil, &usageError{fmt.Errorf("--dir: %q is not a folder", t.dir)}
	}
	for _, arg := range args {
		t.names = append(t.names, functionOf(arg))
	}
	var err error
	if t.catalog, err = catalog.Open(catalog.Options{}); err != nil {
		return nil, fmt.Errorf("opening the catalogue of providers: %w", err)
	}
	return t, nil
}

// isTestFolder reports whether an argument is the folder to test. A name without a
// path is a function's where the folder has none of that name.
func isTestFolder(arg string) bool {
	if !isFolder(arg) {
		return false
	}
	for _, kind := range []string{"actions", "syncs", "on-events", "functions", "tests"} {
		if isFolder(filepath.Join(arg, kind)) && !isFile(filepath.Join(arg, "index.ts")) {
			return false // it is an integration
		}
	}
	return true
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// run tests, and with --watch goes on.
func (t *testRun) run(ctx context.Context) error {
	var err error
	if t.executor, err = t.server.startTrials(ctx, t.sys, TrialOptions{Parallel: t.parallel, Memory: testMemory}); err != nil {
		return err
	}
	defer endTrials(ctx, t.executor)
	if t.watch {
		return t.follow(ctx)
	}
	start := time.Now()
	round, err := t.once(ctx)
	t.status.wipe()
	if ctx.Err() != nil {
		return errors.New("interrupted: not everything was tested")
	}
	if err != nil {
		return err
	}
	return t.report(round, time.Since(start))
}

// startTrials makes what runs functions, with the cache that all commands share.
func (s Server) startTrials(ctx context.Context, sys System, o TrialOptions) (Trials, error) {
	o.CacheDir = cacheFolder(sys)
	t, err := s.Trials(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("starting the sandboxes: %w", err)
	}
	return t, nil
}

// endTrials closes trials, also when ctx has ended.
func endTrials(ctx context.Context, t Trials) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTrials)
	defer cancel()
	_ = t.Close(ctx) // the process is about to end
}
