// Package job moves background work: River behind four calls. A job is
// enqueued in the transaction of the change that asks for it, so neither can
// happen without the other, and it is carried out by some replica at least
// once. It is the only package that knows River.
package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"github.com/linkspan/linkspan"
)

const (
	// fetchCooldown is the least time between two fetches. River's default of
	// 100 ms would cap a queue at ten fetches a second.
	fetchCooldown = 10 * time.Millisecond
	// fetchPollInterval is how often the queue is looked at without being told.
	fetchPollInterval = time.Second
	// softStop is how long running jobs may go on after Stop before their
	// contexts end.
	softStop = 10 * time.Second
	// defaultWorkers is how many jobs one replica runs at once.
	defaultWorkers = 50
	// defaultMaxAttempts is how often a job is tried.
	defaultMaxAttempts = 5
	// rescueAfter is how long River waits before it takes a job from a process
	// that is gone; it must exceed every job's timeout.
	rescueAfter = time.Hour
)

// Args are a job's arguments: a struct that JSON can carry, and the kind that
// finds its handler.
type Args interface{ Kind() string }

// HandlerOptions say how jobs of one kind are carried out.
type HandlerOptions struct {
	// Timeout ends the context of one try. Required: River's own default is a
	// minute, and a job without any timeout is never taken from a process that
	// died. At most an hour.
	Timeout time.Duration
	// MaxAttempts is how often a failing job is tried; 0 means 5.
	MaxAttempts int
}

// Registry holds the handlers and the periodic jobs. Fill it before New.
type Registry struct {
	add      []func(*river.Workers) error
	options  map[string]HandlerOptions
	periodic []periodic
	err      error
}

type periodic struct {
	interval time.Duration
	args     Args
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{options: make(map[string]HandlerOptions)}
}

// Handle registers the function that carries out jobs with arguments of type A.
// A job may run more than once, so f must tolerate that.
func Handle[A Args](r *Registry, o HandlerOptions, f func(context.Context, A) error) {
	var zero A
	kind := zero.Kind()
	if o.MaxAttempts == 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	if o.Timeout <= 0 || o.Timeout > rescueAfter {
		r.err = errors.Join(r.err, fmt.Errorf("job %q needs a timeout of at most %s", kind, rescueAfter))
	}
	r.options[kind] = o
	r.add = append(r.add, func(w *river.Workers) error {
		return river.AddWorkerSafely(w, &worker[A]{timeout: o.Timeout, work: f})
	})
}

// Every enqueues a job in each interval, and once when a new leader starts. Only
// one replica, the leader, does so, and not while the last one still waits or
// runs.
func Every[A Args](r *Registry, interval time.Duration, args A) {
	r.periodic = append(r.periodic, periodic{interval: interval, args: args})
}

// worker adapts a function to River.
type worker[A Args] struct {
	river.WorkerDefaults[A]
	timeout time.Duration
	work    func(context.Context, A) error
}

// Timeout implements river.Worker.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

// Work implements river.Worker.
func (w *worker[A]) Work(ctx context.Context, j *river.Job[A]) error { return w.work(ctx, j.Args) }

// Config is what a Client needs.
type Config struct {
	// Pool is the database: *pgxpool.Pool, or SQLite's writer as *sql.DB.
	Pool any
	// Registry may be nil for a client that only enqueues.
	Registry *Registry
	Log      *slog.Logger
	// PollOnly does without LISTEN, for databases behind a transaction pooler.
	PollOnly bool
	// Workers is how many jobs run at once; 0 means 50.
	Workers int
}

// Client enqueues jobs and, once started, carries them out.
type Client struct {
	queue   queue
	options map[string]HandlerOptions
}

// queue is River's client without its type parameter.
type queue interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	insert(ctx context.Context, tx linkspan.Tx, args Args, o *river.InsertOpts) error
}

// New returns a client. It does not touch the database.
func New(c Config) (*Client, error) {
	rc := &river.Config{
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    fetchPollInterval,
		JobTimeout:           -1, // each handler has its own
		Logger:               c.Log,
		PollOnly:             c.PollOnly,
		RescueStuckJobsAfter: rescueAfter + time.Minute,
		SoftStopTimeout:      softStop,
	}
	options := map[string]HandlerOptions{}
	if c.Registry != nil {
		if err := c.Registry.err; err != nil {
			return nil, err
		}
		options = c.Registry.options
		if err := configureWork(rc, c); err != nil {
			return nil, err
		}
	}
	q, err := newQueue(c.Pool, rc)
	if err != nil {
		return nil, fmt.Errorf("making the queue's client: %w", err)
	}
	return &Client{queue: q, options: options}, nil
}

// configureWork adds the handlers and periodic jobs to River's configuration.
func configureWork(rc *river.Config, c Config) error {
	rc.Workers = river.NewWorkers()
	for _, add := range c.Registry.add {
		if err := add(rc.Workers); err != nil {
			return fmt.Errorf("registering a job: %w", err)
		}
	}
	workers := c.Workers
	if workers <= 0 {
		workers = defaultWorkers
	}
	rc.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	for _, p := range c.Registry.periodic {
		o := insertOptions(c.Registry.options[p.args.Kind()])
		// The next one is not added while the last one is unfinished.
		o.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished()}
		rc.PeriodicJobs = append(rc.PeriodicJobs, river.NewPeriodicJob(
			river.PeriodicInterval(p.interval),
			func() (river.JobArgs, *river.InsertOpts) { return p.args, o },
			&river.PeriodicJobOpts{ID: p.args.Kind(), RunOnStart: true},
		))
	}
	return nil
}

func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}
}

func insertOptions(o HandlerOptions) *river.InsertOpts {
	attempts := o.MaxAttempts
	if attempts == 0 {
		attempts = defaultMaxAttempts
	}
	return &river.InsertOpts{MaxAttempts: attempts}
}

func newQueue(pool any, rc *river.Config) (queue, error) {
	switch pool := pool.(type) {
	case *pgxpool.Pool:
		c, err := river.NewClient(riverpgxv5.New(pool), rc)
		return &client[pgx.Tx]{c}, err
	case *sql.DB:
		c, err := river.NewClient(riversqlite.New(pool), rc)
		return &client[*sql.Tx]{c}, err
	default:
		return nil, fmt.Errorf("a database of type %T can't hold jobs", pool)
	}
}

// Start begins to carry out jobs. The context only bounds the start; Stop ends
// the work.
func (c *Client) Start(ctx context.Context) error {
	if err := c.queue.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting the queue: %w", err)
	}
	return nil
}

// Stop lets running jobs finish for ten seconds, ends their contexts then, and
// returns when all have stopped or ctx ends. Jobs that did not finish run again
// elsewhere.
func (c *Client) Stop(ctx context.Context) error {
	if err := c.queue.stop(ctx); err != nil {
		return fmt.Errorf("stopping the queue: %w", err)
	}
	return nil
}

// Enqueue adds a job in the caller's transaction: it runs only if that commits.
// A nil tx enqueues at once.
func (c *Client) Enqueue(ctx context.Context, tx linkspan.Tx, args Args) error {
	if err := c.queue.insert(ctx, tx, args, insertOptions(c.options[args.Kind()])); err != nil {
		return fmt.Errorf("enqueueing the job %s: %w", args.Kind(), err)
	}
	return nil
}

// client hides River's type parameter, which is the driver's transaction.
type client[T any] struct{ river *river.Client[T] }

func (c *client[T]) start(ctx context.Context) error { return c.river.Start(ctx) }

func (c *client[T]) stop(ctx context.Context) error { return c.river.Stop(ctx) }

func (c *client[T]) insert(ctx context.Context, tx linkspan.Tx, args Args, o *river.InsertOpts) error {
	if tx == nil {
		_, err := c.river.Insert(ctx, args, o)
		return err
	}
	driverTx, ok := tx.Unwrap().(T)
	if !ok {
		return fmt.Errorf("the transaction is a %T, which does not belong to this queue", tx.Unwrap())
	}
	_, err := c.river.InsertTx(ctx, driverTx, args, o)
	return err
}
