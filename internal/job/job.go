// Package job runs work in the background, on any replica. A job is enqueued
// inside the transaction that gives rise to it, so that it exists exactly if
// that one is committed, and it runs at least once: after a crash it runs
// again. Handlers must therefore be safe to repeat; what users own (runs,
// deliveries) keeps its state in tables of its own, under a lease.
//
// Underneath is River, on the product's own database. This package is the only
// one that knows.
package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/linkspan/linkspan"
)

const (
	defaultWorkers     = 32
	defaultMaxAttempts = 10

	// fetchCooldown bounds how often a client fetches. The default of River
	// would cap it at ten fetches a second.
	fetchCooldown = 10 * time.Millisecond
	// pollEvery is the fallback where notifications may be missed, pollOnly
	// the rhythm where there are none.
	pollEvery    = time.Second
	pollOnly     = 250 * time.Millisecond
	rescueMargin = time.Minute
)

// Args are a job's kind and what it is about. They are stored as JSON.
type Args interface {
	// Kind names the kind of job. It must not change while jobs are stored.
	Kind() string
}

// Config configures a Client.
type Config struct {
	// Pool is the database's pool: *pgxpool.Pool, or the *sql.DB that writes
	// to SQLite.
	Pool any
	// Registry knows all kinds of jobs, also in a client that works none.
	Registry *Registry
	// Log gets warnings and errors.
	Log *slog.Logger
	// PollOnly promises not to LISTEN, for PostgreSQL behind a pooler.
	PollOnly bool
	// Workers is how many jobs run at once. Zero means 32; below zero means
	// that the client only enqueues.
	Workers int
}

// Client enqueues and works jobs. It is safe for concurrent use.
type Client struct {
	queue   queue
	options map[string]HandlerOptions
	works   bool
	// stopping is set once Stop was called.
	stopping *atomic.Bool
}

// queue is River on one of the databases.
type queue interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	cancel(ctx context.Context) error
	insert(ctx context.Context, tx linkspan.Tx, a Args, o *river.InsertOpts) error
}

// New makes a client. The database must have been migrated with Migrate.
func New(c Config) (*Client, error) {
	if c.Registry == nil {
		return nil, errors.New("setting up background jobs: a registry is needed, also to only enqueue")
	}
	if err := c.Registry.check(); err != nil {
		return nil, err
	}
	client := &Client{options: c.Registry.options, works: c.Workers >= 0, stopping: new(atomic.Bool)}
	var err error
	if client.queue, err = newQueue(c, riverConfig(c, client.stopping)); err != nil {
		return nil, fmt.Errorf("setting up background jobs: %w", err)
	}
	return client, nil
}

func riverConfig(c Config, stopping *atomic.Bool) *river.Config {
	shortest := c.Registry.shortest()
	rc := &river.Config{
		FetchCooldown:     fetchCooldown,
		FetchPollInterval: pollEvery,
		Logger:            slog.New(quiet{c.Log.Handler(), stopping}),
		PollOnly:          c.PollOnly,
		RetryPolicy:       retryPolicy{},
		// A job whose process died is taken over when its own kind's timeout is
		// over, but not before this. The first of the two is only a default.
		JobTimeout:           shortest,
		RescueStuckJobsAfter: shortest + rescueMargin,
		Workers:              c.Registry.workers,
	}
	if c.PollOnly {
		rc.FetchPollInterval = pollOnly
	}
	if c.Workers >= 0 {
		workers := c.Workers
		if workers == 0 {
			workers = defaultWorkers
		}
		rc.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
		rc.PeriodicJobs = c.Registry.periodic()
	}
	return rc
}

// Start begins to work jobs and returns. Only Stop ends it: the end of ctx does
// not. A client that only enqueues has nothing to start.
func (c *Client) Start(ctx context.Context) error {
	if !c.works {
		return nil
	}
	if err := c.queue.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting background jobs: %w", err)
	}
	return nil
}

// Stop takes no new jobs and waits for those that run. When ctx ends first,
// they are cancelled and will be tried again; it waits for them a few seconds
// more and returns an error if that is not enough.
func (c *Client) Stop(ctx context.Context) error {
	if !c.works {
		return nil
	}
	c.stopping.Store(true)
	if err := c.queue.stop(ctx); err == nil {
		return nil
	}
	const grace = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := c.queue.cancel(ctx); err != nil {
		return fmt.Errorf("stopping background jobs: %w", err)
	}
	return nil
}

// Enqueue adds a job, to run once tx is committed.
func (c *Client) Enqueue(ctx context.Context, tx linkspan.Tx, a Args) error {
	return c.EnqueueAt(ctx, tx, time.Time{}, a)
}

// EnqueueAt adds a job, to run at a time or some seconds later, once tx is
// committed. The zero time means at once.
func (c *Client) EnqueueAt(ctx context.Context, tx linkspan.Tx, at time.Time, a Args) error {
	if tx == nil {
		return errors.New("job.Enqueue: a job is enqueued inside the transaction that gives rise to it")
	}
	o, known := c.options[a.Kind()]
	if !known {
		return fmt.Errorf("job.Enqueue: no handler is registered for jobs of kind %q", a.Kind())
	}
	if err := c.queue.insert(ctx, tx, a, &river.InsertOpts{MaxAttempts: o.MaxAttempts, ScheduledAt: at}); err != nil {
		return fmt.Errorf("enqueueing a job of kind %s: %w", a.Kind(), err)
	}
	return nil
}

// quiet passes on warnings and errors, but not the complaints about ended
// contexts that River makes while it is being stopped.
type quiet struct {
	slog.Handler
	stopping *atomic.Bool
}

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if q.stopping.Load() && speaksOfCancellation(r) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

func speaksOfCancellation(r slog.Record) bool {
	found := strings.Contains(r.Message, context.Canceled.Error())
	r.Attrs(func(a slog.Attr) bool {
		found = found || strings.Contains(a.Value.String(), context.Canceled.Error())
		return !found
	})
	return found
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.stopping}
}

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler {
	return quiet{q.Handler.WithGroup(name), q.stopping}
}
