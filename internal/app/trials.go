package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// maxTrialRunners bounds the processes of a test: each hosts several trials.
	maxTrialRunners = 8
	// trialAttempts is how often a trial is begun whose process ended through the
	// fault of another one, if nothing outside knows of it.
	trialAttempts = 5
	// trialWait is how long a trial waits for its turn, and trialStart for its process
	// then: where none can be started, that is said soon.
	trialWait  = time.Hour
	trialStart = 30 * time.Second
)

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

// NewTrials starts what runs functions in processes of their own, for tests on the
// command line: one that can't be stopped takes its process with it, and nothing
// else.
func NewTrials(o TrialOptions) (*Trials, error) {
	child, err := runner.Self("runner")
	if err != nil {
		return nil, fmt.Errorf("finding the program that runs functions: %w", err)
	}
	return &Trials{once: o.Once, pool: runner.NewPool(runner.Config{
		Command: child, Runners: min(o.Parallel, maxTrialRunners), Memory: int64(o.Parallel+1) * o.Memory, MaxRuns: o.Parallel,
		QueueWait: trialWait, StartWait: trialStart, CacheDir: o.CacheDir, Log: slog.New(slog.DiscardHandler),
	})}, nil
}

// Trials runs functions in a pool of processes.
type Trials struct {
	pool *runner.Pool
	once bool
}

// Run executes a program. It is begun again when its process ended through the fault
// of another one, unless it must run once.
func (t *Trials) Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	for attempt := 1; ; attempt++ {
		res, err := t.pool.Run(ctx, runner.Request{Program: r.Program, Start: r.Start, Limits: r.Limits, Host: r.Host})
		if _, lost := errors.AsType[*runner.LostError](err); !lost || t.once || attempt == trialAttempts || ctx.Err() != nil {
			return res, err
		}
	}
}

// Close ends what runs, when ctx has ended at the latest, and all processes.
func (t *Trials) Close(ctx context.Context) error { return t.pool.Close(ctx) }
