package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// HandlerOptions say how jobs of a kind are run.
type HandlerOptions struct {
	// Timeout ends the context of a job that runs longer. It is required.
	Timeout time.Duration
	// MaxAttempts is how often a job is tried before it is given up. Zero
	// means 10.
	MaxAttempts int
}

// Registry knows what to do for each kind of job. It is filled at start-up and
// must not change afterwards.
type Registry struct {
	workers *river.Workers
	options map[string]HandlerOptions
	every   []periodic
	errs    []error
}

type periodic struct {
	interval time.Duration
	args     Args
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{workers: river.NewWorkers(), options: make(map[string]HandlerOptions)}
}

// Handle makes f the handler of jobs of A's kind. A job whose handler returns an
// error is tried again later. Mistakes are reported by New.
func Handle[A Args](r *Registry, o HandlerOptions, f func(context.Context, A) error) {
	var zero A
	kind := zero.Kind()
	if o.Timeout <= 0 {
		r.errs = append(r.errs, fmt.Errorf("jobs of kind %q have no timeout", kind))
		return
	}
	o.MaxAttempts = cmp.Or(o.MaxAttempts, defaultMaxAttempts)
	if err := river.AddWorkerSafely(r.workers, &worker[A]{handle: f, timeout: o.Timeout}); err != nil {
		r.errs = append(r.errs, fmt.Errorf("jobs of kind %q: %w", kind, err))
		return
	}
	r.options[kind] = o
}

// Every runs a job once in each interval, on one replica. The first run is at
// start-up, unless the interval has seen one already. A run that takes longer
// than the interval is overtaken by the next: one that was cut short by a crash
// must not hold up those after it. Mistakes are reported by New.
func Every[A Args](r *Registry, interval time.Duration, args A) {
	if interval < time.Second {
		r.errs = append(r.errs, fmt.Errorf("jobs of kind %q repeat more often than every second", args.Kind()))
		return
	}
	r.every = append(r.every, periodic{interval: interval, args: args})
}

// check reports what was registered wrongly.
func (r *Registry) check() error {
	errs := r.errs
	for _, p := range r.every {
		if _, ok := r.options[p.args.Kind()]; !ok {
			errs = append(errs, fmt.Errorf("no handler is registered for periodic jobs of kind %q", p.args.Kind()))
		}
	}
	return errors.Join(errs...)
}

// shortest returns the shortest timeout of all kinds.
func (r *Registry) shortest() time.Duration {
	shortest := time.Hour
	for _, o := range r.options {
		shortest = min(shortest, o.Timeout)
	}
	return shortest
}

func (r *Registry) periodic() []*river.PeriodicJob {
	var jobs []*river.PeriodicJob
	for _, p := range r.every {
		// Uniqueness survives restarts and changes of the leader.
		opts := &river.InsertOpts{
			MaxAttempts: r.options[p.args.Kind()].MaxAttempts,
			UniqueOpts:  river.UniqueOpts{ByArgs: true, ByPeriod: p.interval},
		}
		jobs = append(jobs, river.NewPeriodicJob(river.PeriodicInterval(p.interval),
			func() (river.JobArgs, *river.InsertOpts) { return p.args, opts },
			&river.PeriodicJobOpts{RunOnStart: true}))
	}
	return jobs
}

// worker adapts a handler to River.
type worker[A Args] struct {
	river.WorkerDefaults[A]

	handle  func(context.Context, A) error
	timeout time.Duration
}

// Work implements river.Worker.
func (w *worker[A]) Work(ctx context.Context, j *river.Job[A]) error { return w.handle(ctx, j.Args) }

// Timeout implements river.Worker.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

// retryPolicy doubles the pause with each attempt, from one second to ten
// minutes, and spreads it by a fifth.
type retryPolicy struct{}

// NextRetry implements river.ClientRetryPolicy.
func (retryPolicy) NextRetry(j *rivertype.JobRow) time.Time {
	const longest = 10 * time.Minute
	pause := longest
	if n := len(j.Errors); n < 10 {
		pause = min(longest, time.Second<<n)
	}
	pause += rand.N(pause / 5) //nolint:gosec // spreads retries; nothing depends on its secrecy
	return time.Now().UTC().Add(pause)
}
