package app

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/run"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/store"
)

// hotImages is how many bytes of the memory of functions that run often a process
// keeps, to start them from.
const hotImages = 64 << 20

// runFunctions makes what keeps the customers' functions and runs them. Processes
// for them start with the first run.
func (p *parts) runFunctions(a *App, db *store.Store, guard *egress.Guard, name string) error {
	p.proxy = proxy.New(proxy.Config{
		Fresh: p.connections.Fresh, Upstream: p.upstream, Ops: p.ops, Log: a.log, Observe: observe(a.metrics),
		Override: proxy.OverridePolicy(a.cfg.BaseURLOverride),
	})
	p.functions = function.New(function.Config{
		Store: db, Tx: db, Feed: p.feed, Leases: p.leases, Syncs: p.syncs, Ops: p.ops, Log: a.log,
	})
	child, err := runner.Self("runner")
	if err != nil {
		return fmt.Errorf("finding the program that runs functions: %w", err)
	}
	cache, err := cacheDir(a.cfg)
	if err != nil {
		return err
	}
	p.runners = runner.NewPool(runner.Config{
		Command: child,
		Runners: a.cfg.Runners, Memory: a.cfg.FunctionsMemory, CacheDir: cache, HotImages: hotImages, Log: a.log,
	})
	p.host = host.New(host.Config{
		Store: db, Tx: db, Records: p.records, Connections: p.connections, Proxy: p.proxy, Variables: p.environments,
		Guard: guard, PublicURL: a.publicURL(), Log: a.log,
	})
	p.runs = run.New(run.Config{
		Store: db, Tx: db, Functions: p.functions, Connections: p.connections, Feed: p.feed, Syncs: p.syncs, Webhooks: p.webhooks, Ops: p.ops, Log: a.log, Holder: name,
		Engine: run.NewSandbox(run.SandboxConfig{
			Host: p.host, Executor: p.runners, Syncs: p.syncs, Log: a.log,
			Accounts: func(ctx context.Context) ([]linkspan.Account, error) { return db.Accounts(ctx, nil) },
		}),
		Limits: runLimits(&a.cfg),
		Acquire: func(ctx context.Context, kind, key string) (run.Right, bool, error) {
			held, ok, err := p.leases.Acquire(ctx, kind, key)
			return held, ok, err
		},
	})
	p.connections.UseFunctions(p.runs)
	return nil
}

func runLimits(c *config.Config) run.Limits {
	return run.Limits{
		Memory: c.FunctionMemory, CPU: c.FunctionCPU, Action: c.ActionTimeout, Sync: c.SyncTimeout, SyncSlice: c.SyncSlice,
		Syncs: c.Syncs, SyncsPerEnvironment: c.SyncsPerEnvironment, SyncsPerProvider: c.SyncsPerProvider,
		SyncsPerFunction: c.SyncsPerFunction, SyncsPerConnection: c.SyncsPerConnection,
	}
}

// cacheDir is the folder of what can be made again.
func cacheDir(c config.Config) (string, error) {
	dir := c.CacheDir
	if dir == "" && c.DatabaseURL.IsZero() {
		dir = filepath.Join(c.DataDir, "cache")
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", nil //nolint:nilerr // a user without a home: nothing is kept
		}
		dir = filepath.Join(user, "linkspan")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the folder of --cache: %w", err)
	}
	return dir, nil
}

// closeFunctions ends the processes that run functions. Nothing may run any more.
func (p *parts) closeFunctions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := p.runners.Close(ctx)
	p.host.Close()
	if err != nil {
		return fmt.Errorf("stopping the processes that run functions: %w", err)
	}
	return nil
}

// exposeFunctions shows how functions run.
func (p *parts) exposeFunctions(m *obs.Metrics) {
	m.Counter("functions_succeeded_total", "Runs of functions that ended well, in this process.",
		func() float64 { return float64(p.runs.Succeeded()) })
	m.Counter("functions_failed_total", "Runs of functions that failed, in this process.",
		func() float64 { return float64(p.runs.Failed()) })
	m.Gauge("functions_running", "Functions that this process runs at the moment.",
		func() float64 { return float64(p.runs.Running()) })
	m.Gauge("syncs_running", "Syncs that this process runs at the moment.",
		func() float64 { return float64(p.runs.RunningSyncs()) })
	p.exposeRunners(m)
	m.Gauge("runs_waiting", "Runs in the background that wait, in the whole database. NaN: it can't be read.",
		func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
			defer cancel()
			n, err := p.runs.Waiting(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		})
}

// exposeRunners shows how the processes fare that run functions.
func (p *parts) exposeRunners(m *obs.Metrics) {
	gauge := func(name, help string, value func(runner.Stats) int64) {
		m.Gauge(name, help, func() float64 { return float64(value(p.runners.Stats())) })
	}
	counter := func(name, help string, value func(runner.Stats) int64) {
		m.Counter(name, help, func() float64 { return float64(value(p.runners.Stats())) })
	}
	gauge("runners", "Processes that run functions.", func(s runner.Stats) int64 { return int64(s.Children) })
	gauge("runners_quarantined_functions", "Functions that run in a process of their own because they could not be stopped.", func(s runner.Stats) int64 { return int64(s.Quarantined) })
	gauge("runners_waiting", "Runs that wait for a place.", func(s runner.Stats) int64 { return int64(s.Waiting) })
	gauge("runners_memory_bytes", "Memory that the runs take, as far as it is known.", func(s runner.Stats) int64 { return s.Memory })
	counter("runners_started_total", "Processes started to run functions.", func(s runner.Stats) int64 { return s.Started })
	counter("runners_killed_total", "Processes that were killed because of a run, or died.", func(s runner.Stats) int64 { return s.Killed })
	counter("runners_lost_runs_total", "Runs that ended with their process.", func(s runner.Stats) int64 { return s.Lost })
	counter("runners_retried_runs_total", "Runs that were tried again after their process had ended.", func(s runner.Stats) int64 { return s.Retried })
	counter("runners_refused_runs_total", "Runs that found no place in time.", func(s runner.Stats) int64 { return s.Refused })
}
